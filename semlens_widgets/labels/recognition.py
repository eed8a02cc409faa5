"""Recognition: how well a neuron tells the images that show a label from all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import embedding_bag

from semlens_widgets.labels.scorer import Scorer, control

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence

_AT_ONCE = 1 << 24  # sums of ranks, and images that show a text: 64 MiB each
_EXACT = 1 << 24  # whole numbers up to this are float32
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
        count = int(readable.sum())
        shown = max(1, round(self.share * count))
        if shown >= count:
            return torch.full((len(evidence.values), len(texts)), torch.nan)
        counts = [shown, *(shown * times for times in _WIDER if 2 * shown * times < count)]
        if not self.wider:
            counts = counts[:1]
        seen = evidence.values if count == len(readable) else evidence.values[:, readable]
        # Twice the ranks less their mean: whole numbers, and as small as they can be.
        table = average_ranks(seen).mul_(2).sub_(count + 1).T.contiguous()  # (readable, N)
        if count < len(readable):
            table = table.new_zeros(len(readable), table.shape[1]).masked_scatter_(
                readable[:, None], table
            )
        most = max(1, _EXACT // count)  # so many of them add up without rounding
        sums_of_a_text = table.shape[1] * (counts[-1] // most + len(counts))
        step = max(1, _AT_ONCE // max(sums_of_a_text, counts[-1]))
        found = []
        for some in torch.split(texts, step):
            members = evidence.likeness.most_similar(some, counts[-1])
            sums = _sums(table, members, counts, most)  # (t, counts, N)
            # The members' mean rank, less what it is at least, over the number of the others.
            asked = [
                (((one + size * (count + 1)) / (2 * size)).float() - (size + 1) / 2)
                / (count - size)
                for one, size in zip(sums.unbind(1), counts, strict=True)
            ]
            found.append(torch.stack(asked).amax(0).T)  # (N, t)
        return torch.cat(found, dim=1)


def _sums(table: Tensor, members: Tensor, counts: list[int], most: int) -> Tensor:
    """Add up the rows of ``(S, N)`` of the first so many members of each text, exactly.

    Parameters
    ----------
    members
        ``(T, M)``, the rows of each text.
    counts
        Of how many of them, rising to M.
    most
        How many rows may be added in float32 before it rounds.

    Returns
    -------
    Tensor
        ``(T, counts, N)`` float64, the same whatever the order of the members.
    """
    edges = zip([0, *counts], counts, strict=False)
    starts = [start for low, high in edges for start in range(low, high, most)]
    texts, width = members.shape
    offsets = torch.arange(texts)[:, None] * width + torch.tensor(starts)
    parts = embedding_bag(
        members.flatten(), table, offsets.flatten().to(members.dtype), mode="sum"
    ).reshape(texts, len(starts), -1)
    ends = [sum(start < count for start in starts) for count in counts]
    rings = zip([0, *ends], ends, strict=False)
    sums = [parts[:, low:high].sum(1, dtype=torch.float64) for low, high in rings]
    return torch.stack(sums, dim=1).cumsum(1)


def average_ranks(values: Tensor) -> Tensor:
    """Return the rank of each of ``(N, S)`` float32 in its row, from 1, ties sharing their mean."""
    ranks = np.empty(values.shape, np.float32)
    places = np.arange(values.shape[1], dtype=np.int64)
    for row, found in zip(values.numpy(), ranks, strict=True):
        # As whole numbers of the same order (0 and -0 alike), each with its place behind it: such
        # are sorted several times as fast as the places of numbers.
        bits = (row + np.float32(0)).view(np.int32)
        key = (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64)
        ordered = np.sort((key << 32) | places)
        high = ordered >> 32
        starts = np.append(0, np.flatnonzero(high[1:] != high[:-1]) + 1)
        sizes = np.diff(starts, append=len(row))
        mean = (starts + (sizes + 1) / 2).astype(np.float32)
        found[ordered & 0xFFFFFFFF] = np.repeat(mean, sizes)
    return torch.from_numpy(ranks)
