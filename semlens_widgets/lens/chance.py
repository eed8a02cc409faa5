"""What the best of many candidates scores for neurons of which nothing can be said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from semlens_widgets.labels.evidence import these_neurons
from semlens_widgets.labels.resampling import shuffled

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.reader import AnalysisReader

_SHUFFLED = 256  # neurons that are shuffled to see what chance scores
_AT_ONCE = 1 << 25  # activations of these: 128 MiB


def best_by_chance(
    reader: AnalysisReader,
    scorer: Scorer,
    texts: Tensor,
    *,
    seed: int = 0,
    eligible: Tensor | None = None,
) -> float:
    """Return what the best candidate reaches for one shuffled neuron in twenty.

    Neurons that are spread over the analysis have their activations dealt out among the images by
    lot, see :func:`semlens_widgets.labels.resampling.shuffled`.

    Parameters
    ----------
    texts
        ``(T, D)`` the candidates' unit embeddings.
    seed
        The same seed deals the same.
    eligible
        ``(neurons, T)`` bool, which candidates count for which neuron; a shuffled one chooses from
        those of the real one. By default all.

    Returns
    -------
    float
        NaN where no neuron has an example, or a candidate.
    """
    alive = (reader.example_samples >= 0).any(1).nonzero()[:, 0].tolist()
    rows = alive[:: max(1, -(-len(alive) // _SHUFFLED))]
    rows = rows * max(1, _SHUFFLED // max(1, len(alive)))
    at_once = max(1, _AT_ONCE // reader.evidence.images.shape[0])
    best = [texts.new_full((1,), torch.nan)]
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        # Each part its own lot: (seed, start) in one number.
        lot = seed * len(rows) + start
        dealt = shuffled(these_neurons(reader.evidence, some), lot, contrasts=scorer.pairs)
        scores = scorer.score(dealt, texts)
        if eligible is not None:
            scores = scores.masked_fill(~eligible[some], -torch.inf)
        highest = scores.amax(1)
        best.append(highest.masked_fill(highest == -torch.inf, torch.nan))
    return float(torch.cat(best).nanquantile(0.95))
