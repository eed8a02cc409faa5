"""What labels score on neurons of which nothing can be said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from semlens_widgets.labels.evidence import these_neurons
from semlens_widgets.labels.resampling import shuffled

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from torch import Tensor

    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.texts import Words

_SHUFFLED = 256  # neurons that are shuffled to see what chance scores
_AT_ONCE = 1 << 25  # activations of these: 128 MiB
_LEAST_SPREAD = 1e-6  # scores differ by rounding alone


def bars_by_chance(
    reader: AnalysisReader,
    scorer: Scorer,
    texts: Tensor,
    *,
    chosen_from: int | None = None,
    eligible: Tensor | None = None,
    seed: int = 0,
) -> Tensor:
    """Return what each label has to score more than, to be more than the luckiest of many.

    Neurons that are spread over the analysis have their activations dealt out among the images by
    lot, see :func:`semlens_widgets.labels.resampling.shuffled`, and are labelled. Some texts score
    high on all of them, so a label's score counts by how many standard deviations it lies above the
    mean of the same text's scores on shuffled neurons. One shuffled neuron in twenty has a label
    that lies higher than the bar.

    Parameters
    ----------
    texts
        ``(T, D)`` unit embeddings, the candidates first.
    chosen_from
        How many are candidates; all by default.
    eligible
        ``(neurons, candidates)`` bool, which of them count for which neuron; a shuffled one chooses
        from those of the real one. By default all.
    seed
        The same seed deals the same.

    Returns
    -------
    Tensor
        ``(T,)`` float32, the least score of each text; NaN if no neuron has an example and a
        candidate.

    Notes
    -----
    A permutation test of the largest standardised statistic, after Westfall and Young,
    Resampling-Based Multiple Testing (1993).
    """
    alive = (reader.example_samples >= 0).any(1).nonzero()[:, 0].tolist()
    rows = alive[:: max(1, -(-len(alive) // _SHUFFLED))]
    rows = rows * max(1, _SHUFFLED // max(1, len(alive)))
    if not rows:
        return texts.new_full((len(texts),), torch.nan)
    at_once = max(1, _AT_ONCE // reader.evidence.images.shape[0])
    found = []
    for start in range(0, len(rows), at_once):
        some = these_neurons(reader.evidence, rows[start : start + at_once])
        # Each part its own lot: (seed, start) in one number.
        dealt = shuffled(some, seed * len(rows) + start, contrasts=scorer.pairs)
        found.append(scorer.score(dealt, texts))
    scores = torch.cat(found).double()
    count = len(rows)
    mean = scores.nanmean(0)
    spread = ((scores - mean) ** 2).nanmean(0).sqrt().clamp(min=_LEAST_SPREAD)
    offered = scores[:, :chosen_from].nan_to_num(-torch.inf)
    if eligible is not None:
        offered = offered.masked_fill(~eligible[rows], -torch.inf)
    score, label = offered.max(1)
    high = (scores[range(count), label] - mean[label]) / spread[label]
    reached = high.masked_fill(score.isinf(), torch.nan).nanquantile(0.95)
    return (mean + reached * spread).float()


def known_bars(
    reader: AnalysisReader,
    words: Words,
    scorer: Scorer,
    names: Sequence[str],
    templates: Sequence[str] | None,
    *,
    chosen_from: int | None = None,
    seed: int = 0,
) -> Tensor:
    """Return :func:`bars_by_chance` of labels, computed once for all who ask.

    Parameters
    ----------
    names
        The labels, the candidates first.
    templates
        Sentences around a label.
    chosen_from, seed
        As for :func:`bars_by_chance`.
    """

    def bars() -> Tensor:
        texts = words.prompts(names, templates)
        return bars_by_chance(reader, scorer, texts, chosen_from=chosen_from, seed=seed)

    key = bars_key(words, scorer, names, templates, chosen_from=chosen_from, seed=seed)
    return words.once(key, bars)


def bars_key(
    words: Words,
    scorer: Scorer,
    names: Sequence[str],
    templates: Sequence[str] | None,
    *,
    chosen_from: int | None = None,
    seed: int = 0,
) -> Hashable:
    """Return what bars by chance depend on; parameters as for :func:`known_bars`."""
    candidates = len(names) if chosen_from is None else chosen_from
    return ("bars by chance", tuple(names), candidates, scorer, words.sentences(templates), seed)
