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


@dataclass(frozen=True)
class Recognition(Scorer):
    """AUROC of the activation for the images most similar to a text, against all other images.

    A share of the images, those with the highest similarity to T(t), counts as if they showed t.
    The score is the probability that the neuron is more active on one of them than on another
    image, ties counting half: 0.5 is chance, whatever the text. It uses all of a neuron's
    activations instead of its examples, and needs no contrast.

    Parameters
    ----------
    share
        Which part of the images counts as showing the text; at least one does.

    Notes
    -----
    After the idea of INVERT (arXiv 2311.13594), with pseudo-annotations instead of labelled images.
    Centring would change nothing: it shifts a text's similarity to all images alike.
    """

    name = "recognition"
    title = "Recognition"
    about = "How well the neuron tells the images most like the text from all others"
    pairs = False
    whole = True
    chance = 0.5
    share: float = control(
        0.02, "Share", "Which part of all images counts as showing a label", 0.01, 0.2, 0.01
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
        step = max(1, _AT_ONCE // (len(ranks) * shown))
        means = [
            ranks[:, place[evidence.likeness.most_similar(some, shown)]].mean(2)  # (N, t)
            for some in torch.split(texts, step)
        ]
        # The mean rank of the members, less what it is at least, over the number of the others.
        return (torch.cat(means, dim=1) - (shown + 1) / 2) / (count - shown)


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
