"""Evidence drawn anew, and evidence of nothing: how far to trust a label's score."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from semlens_widgets.analysis.contrasting import contrastive_neighbours
from semlens_widgets.labels.evidence import HeldEmbeddings, without_crops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence
    from semlens_widgets.labels.scorer import Scorer


def drawn_anew(scorer: Scorer, evidence: Evidence, resamples: int, seed: int) -> Iterator[Evidence]:
    """Draw the evidence anew, with replacement, time and again; the same seed draws the same.

    A scorer that rests on the activations on all images sees as many images, drawn from them; one
    that rests on pairs as many pairs of examples, drawn from the neuron's.

    Notes
    -----
    The bootstrap (Efron, Bootstrap methods: another look at the jackknife, 1979).
    """
    generator = torch.Generator().manual_seed(seed)
    anew = _images_anew if scorer.whole else _pairs_anew
    return anew(evidence, resamples, generator)


def _images_anew(
    evidence: Evidence, resamples: int, generator: torch.Generator
) -> Iterator[Evidence]:
    matrix = torch.cat(list(evidence.images.blocks()))
    readable = matrix.any(1).nonzero()[:, 0]
    values = evidence.values
    for _ in range(resamples):
        drawn = torch.randint(len(readable), (len(readable),), generator=generator)
        images = readable[drawn]
        yield _seen(evidence, matrix[images], values[:, images])


def _pairs_anew(
    evidence: Evidence, resamples: int, generator: torch.Generator
) -> Iterator[Evidence]:
    there = evidence.valid.any(0).nonzero()[:, 0]
    ranks = len(there)
    positives, quiet, further = evidence.positives, evidence.quiet, evidence.further
    for _ in range(resamples):
        if not ranks:  # no neuron has a pair: the same nothing, drawn anew
            yield evidence
            continue
        drawn = there[torch.randint(ranks, (ranks,), generator=generator)]
        yield replace(
            evidence,
            examples=evidence.examples[:, drawn],
            contrasts=evidence.contrasts[:, drawn],
            activations=evidence.activations[:, drawn],
            further=None if further is None else further[:, drawn],
            crops=partial(_given, positives[:, drawn], quiet[:, drawn]),
        )


def _given(positives: Tensor, quiet: Tensor, *_: int) -> tuple[Tensor, Tensor]:
    return positives, quiet


def _seen(evidence: Evidence, matrix: Tensor, values: Tensor) -> Evidence:
    """Return the evidence with other images, and the activations on them."""
    return replace(
        evidence,
        images=HeldEmbeddings(matrix),
        crops=None,
        distribution=partial(_some_of, values, evidence.first),
        shared=None,
    )


def shuffled(evidence: Evidence, seed: int, *, contrasts: bool = True) -> Evidence:
    """Return the evidence on neurons of which nothing can be said.

    Each has the activations of a real one, dealt out among the images by lot, the examples that
    follow from them, and contrastive examples that are mined anew. Of crops nothing is known then:
    whole images stand for them.

    Parameters
    ----------
    contrasts
        Whether contrastive examples are wanted; without, none exists.
    """
    generator = torch.Generator().manual_seed(seed)
    values, examples = evidence.values.clone(), evidence.examples.clone()
    readable = (~values.isnan().all(0)).nonzero()[:, 0]
    for row in range(len(evidence)):
        goes = torch.arange(values.shape[1])
        goes[readable] = readable[torch.randperm(len(readable), generator=generator)]
        values[row, goes] = evidence.values[row]
        there = evidence.examples[row] >= 0
        examples[row, there] = goes[evidence.examples[row, there]]
    kept = evidence.neighbours
    mined = torch.full((*examples.shape, kept), -1)
    if contrasts:
        matrix = torch.cat(list(evidence.images.blocks()))
        mined, _ = contrastive_neighbours(values.T, matrix, examples, neighbours=kept)
    return without_crops(
        replace(
            evidence,
            examples=examples,
            contrasts=mined[..., 0],
            further=mined[..., 1:] if kept > 1 else None,
            top_samples=None,
            distribution=partial(_some_of, values, evidence.first),
        )
    )


def _some_of(values: Tensor, first: int, start: int, stop: int) -> Tensor:
    return values[start - first : stop - first]


def score_interval(
    score: Tensor, drawn: Tensor, optimism: Tensor, level: float
) -> tuple[Tensor, Tensor]:
    """Return where the score of the best of many candidates would lie, given all images there are.

    The best of many is best by luck too: what it gains by that, the *optimism*, is taken off, and
    counts as an uncertainty of its own beside the bootstrap's standard error, as it is known on
    average and not for this label.

    Parameters
    ----------
    score
        ``(N,)``, the label's score.
    drawn
        ``(resamples, N)``, the label's score on evidence drawn anew.
    optimism
        ``(N,)``, the mean of what the best candidate of each draw scores there more than it scores
        on the evidence itself; 0 where a label was not chosen by its score.
    level
        How often the interval is to hold it, such as 0.9.

    Returns
    -------
    low, high
        ``(N,)`` each.

    Notes
    -----
    Optimism as in Harrell, Lee and Mark, Multivariable prognostic models (1996), section 5.2.
    """
    z = torch.special.ndtri(torch.tensor((1 + level) / 2, dtype=torch.float64)).item()
    half = z * (drawn.var(0) + optimism**2).sqrt()
    middle = score - optimism
    return middle - half, middle + half
