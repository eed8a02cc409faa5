"""Labels chosen once more, by the same rule, from activations and embeddings alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis.contrasting import contrastive_examples
from semlens_widgets.analysis.mining import concept_examples
from semlens_widgets.labels.assign import Assignment, assign
from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings, in_parts
from semlens_widgets.labels.likeness import Likeness
from semlens_widgets.labels.scorer import Competing, masked_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from semlens_widgets.labels.scorer import Scorer


def mined_evidence(
    values: Tensor, images: Tensor, examples: int, top: int, *, contrasts: bool
) -> Evidence:
    """Return the evidence that activations and embeddings give, examples and contrasts mined.

    Parameters
    ----------
    values
        ``(N, S)`` float32 activations, without NaN.
    images
        ``(S, D)`` float32 unit embeddings.
    examples
        How many concept examples a neuron has: the most activating images.
    top
        How many of these CLIP-Dissect sees.
    contrasts
        Whether contrastive examples are wanted: for each example the most similar quiet image.
    """
    samples, activations = concept_examples(values.T, max(examples, top))
    shown = samples[:, :examples]
    quiet = torch.full_like(shown, -1)
    if contrasts:
        quiet, _ = contrastive_examples(values.T, images, shown)
    held = HeldEmbeddings(images)
    return Evidence(
        held,
        shown,
        quiet,
        activations[:, :examples],
        top_samples=samples[:, :top],
        distribution=lambda start, stop: values[start:stop],
        shared=Likeness(held),
    )


def chosen(
    scorer: Scorer,
    evidence: Evidence,
    names: Sequence[str],
    texts: Tensor,
    empty: Tensor,
    threshold: float | None,
) -> Tensor:
    """Return the best candidate of each neuron, ``(N,)`` int64; -1 where it is unknown.

    Parameters
    ----------
    names, texts
        The candidates, and their ``(T, D)`` unit text embeddings.
    empty
        ``(1, D)``, that of the empty text, the bar where there is no `threshold`.
    """
    found: list[Assignment] = []
    if isinstance(scorer, Competing):
        prior = scorer.prior(in_parts(evidence), texts)
        beside = scorer.prior(in_parts(evidence), empty, texts)
    for part in in_parts(evidence, whole=scorer.whole):
        if isinstance(scorer, Competing):
            scores = scorer.score_among(part, texts, None, prior)
            bar = scorer.score_among(part, empty, texts, beside)[:, 0]
        else:
            both = scorer.score(part, torch.cat([texts, empty]))
            scores, bar = both[:, :-1], both[:, -1]
        found.append(assign(scores, names, bar, threshold))
    return torch.cat([part.indices for part in found])


def example_directions(evidence: Evidence) -> Tensor:
    """Return the semantic vectors at unit length, ``(N, D)``: the means of examples' embeddings.

    Zero where there is no example.
    """
    means = [masked_mean(part.positives, part.valid) for part in in_parts(evidence)]
    return normalize(torch.cat(means), dim=1)
