"""Recognition: how well a neuron tells the images that show a label from all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from semlens_widgets.labels.scorer import Scorer, control

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence

_AT_ONCE = 1 << 24  # ranks of the images that show a text: 64 MiB
_WIDER = (2, 4, 8)


@dataclass(frozen=True)
class Recognition(Scorer):
    """AUROC of the activation for the images most similar to a text, against all other images.

    A share of the images, those with the highest similarity to T(t), counts as if they showed t.
    The score is the probability that the neuron is more active on one of them than on another
    image, ties counting half: 0.5 is chance, whatever the text. It uses all of a neuron's
    activations instead of its examples, and needs no contrast.

    How many images truly show a text is not known. So the score is the best of several shares; what
    is chance for a neuron is found by random words, whose best is taken as well.

    Parameters
    ----------
    share
        Which part of the images counts as showing the text; at least one does.
    wider
        Also ask with twice, four and eight times this share, as long as it is less than half of the
        images; the best counts.

    Notes
    -----
    After the idea of INVERT (arXiv 2311.13594), with pseudo-annotations instead of labelled images.
    Centring would change nothing: it shifts a text's similarity to all images alike.
    """

    name = "recognition"
    title = "Recognition"
    about = "How well the neuron tells the images most like the text from all others"
    unit = "AUROC, 0.5 is chance"
    pairs = False
    whole = True
    chance = 0.5
    share: float = control(
        0.02, "Share", "Which part of all images counts as showing a label", 0.01, 0.2, 0.01
    )
    wider: bool = control(
        True, "Wider", "Also two, four and eight times this share: the best counts"
    )

    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the AUROC of every neuron for every text, ``(N, T)``.

        NaN where no image, or every image, counts as showing it.
        """
        readable = ~evidence.values.isnan().all(0)
        ranks = average_ranks(evidence.values[:, readable])  # (N, readable)
        count = ranks.shape[1]
        shown = max(1, round(self.share * count))
        if shown >= count:
            return ranks.new_full((len(ranks), len(texts)), torch.nan)
        place = readable.cumsum(0) - 1  # among the readable ones
        counts = [shown, *(shown * times for times in _WIDER if 2 * shown * times < count)]
        if not self.wider:
            counts = counts[:1]
        step = max(1, _AT_ONCE // (len(ranks) * counts[-1]))
        found = []
        for some in torch.split(texts, step):
            members = ranks[:, place[evidence.likeness.most_similar(some, counts[-1])]]
            # The members' mean rank, less what it is at least, over the number of the others.
            asked = [
                (members[..., :size].mean(2) - (size + 1) / 2) / (count - size) for size in counts
            ]
            found.append(torch.stack(asked).amax(0))  # (N, t)
        return torch.cat(found, dim=1)


def average_ranks(values: Tensor) -> Tensor:
    """Return the rank of each value in its row, from 1, ties sharing their mean, ``(N, S)``."""
    ordered, order = values.sort(dim=1)
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = starts.cumsum(1) - 1  # (N, S), which run of equal values
    sizes = torch.zeros_like(ordered).scatter_add_(1, group, torch.ones_like(ordered))
    last = sizes.cumsum(1)
    mean = last - (sizes - 1) / 2
    return torch.empty_like(ordered).scatter_(1, order, mean.gather(1, group))
