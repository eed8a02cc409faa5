"""Labels chosen once more, by the same rule, from activations and embeddings alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis.contrasting import contrastive_examples
from semlens_widgets.analysis.mining import concept_examples
from semlens_widgets.labels.assign import assign
from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings, in_parts
from semlens_widgets.labels.likeness import Likeness
from semlens_widgets.labels.scorer import Competing
from semlens_widgets.labels.weights import weighted_mean

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
    *,
    threshold: float | Sequence[float] | None = None,
    empty: Tensor | None = None,
) -> Tensor:
    """Return the best candidate of each neuron, ``(N,)`` int64; -1 where it is unknown.

    Parameters
    ----------
    names, texts
        The candidates, and their ``(T, D)`` unit text embeddings.
    threshold
        A score to reach, or one for each candidate to be above.
    empty
        ``(1, D)``, the embedding of the empty text, if its score is to be exceeded too.
    """
    least = threshold if isinstance(threshold, (int, float)) else None
    bars = torch.full((1, len(names)), -torch.inf)
    if threshold is not None and least is None:
        bars = torch.tensor(threshold)[None]
    if isinstance(scorer, Competing):
        prior = scorer.prior(in_parts(evidence), texts)
        beside = None if empty is None else scorer.prior(in_parts(evidence), empty, texts)
    found = []
    for part in in_parts(evidence, whole=scorer.whole):
        reached = bars.expand(len(part), -1)
        if isinstance(scorer, Competing):
            scores = scorer.score_among(part, texts, None, prior)
            if empty is not None and beside is not None:
                reached = reached.maximum(scorer.score_among(part, empty, texts, beside))
        elif empty is None:
            scores = scorer.score(part, texts)
        else:
            both = scorer.score(part, torch.cat([texts, empty]))
            scores, reached = both[:, :-1], reached.maximum(both[:, -1:])
        found.append(assign(scores, names, reached, least).indices)
    return torch.cat(found)


def example_directions(evidence: Evidence) -> Tensor:
    """Return the semantic vectors at unit length, ``(N, D)``: the means of examples' embeddings.

    Zero where there is no example.
    """
    means = [weighted_mean(part.positives, part.valid.float()) for part in in_parts(evidence)]
    return normalize(torch.cat(means), dim=1)
