"""What the label scorers know of a set of neurons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True)
class Evidence:
    """What the scorers know of a set of neurons.

    Attributes
    ----------
    positives, negatives
        ``(N, m, D)`` unit embeddings of the concept examples and of their contrastive examples.
    activations
        ``(N, m)`` activations on the concept examples; negative ones weigh nothing.
    valid, contrasted
        ``(N, m)`` bool, whether the example and its contrastive example exist.
    mean_embedding
        ``(D,)`` mean unit image embedding of the data set's readable images.
    top_samples
        ``(N, R)`` int64, each neuron's most activating images in falling order (-1: none), for
        ``clip-dissect``, whose authors take R = 100. None if that scorer is not wanted.
    sample_embeddings
        ``(S, D)`` unit embeddings of the data set that ``top_samples`` points into.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """

    positives: Tensor
    negatives: Tensor
    activations: Tensor
    valid: Tensor
    contrasted: Tensor
    mean_embedding: Tensor
    top_samples: Tensor | None = None
    sample_embeddings: Tensor | None = None

    def __post_init__(self) -> None:
        if self.positives.ndim != 3:
            raise ValueError(
                f"positives: expected shape (neurons, examples, dim), "
                f"got {tuple(self.positives.shape)}"
            )
        neurons, examples, dim = self.positives.shape
        expected = {
            "negatives": (neurons, examples, dim),
            "activations": (neurons, examples),
            "valid": (neurons, examples),
            "contrasted": (neurons, examples),
            "mean_embedding": (dim,),
        }
        for name, shape in expected.items():
            if (got := tuple(getattr(self, name).shape)) != shape:
                raise ValueError(f"{name}: expected shape {shape} to fit positives, got {got}")

    def __len__(self) -> int:
        return len(self.positives)


def one_neuron(evidence: Evidence, row: int) -> Evidence:
    """Return the evidence on one neuron alone."""
    rows = slice(row, row + 1)
    top_samples = evidence.top_samples
    return replace(
        evidence,
        positives=evidence.positives[rows],
        negatives=evidence.negatives[rows],
        activations=evidence.activations[rows],
        valid=evidence.valid[rows],
        contrasted=evidence.contrasted[rows],
        top_samples=None if top_samples is None else top_samples[rows],
    )


def without_pairs(evidence: Evidence, ranks: Sequence[int]) -> Evidence:
    """Return the evidence as if some examples, by rank, and their contrasts did not exist.

    The most activating images begin with the examples and lose the same ranks.

    Raises
    ------
    ValueError
        If there is no such rank.
    """
    examples = evidence.valid.shape[1]
    for rank in ranks:
        if not 0 <= rank < examples:
            raise ValueError(f"exclude: rank {rank} is outside 0..{examples - 1}.")
    if not ranks:
        return evidence
    gone = list(ranks)
    valid, contrasted = evidence.valid.clone(), evidence.contrasted.clone()
    valid[:, gone] = contrasted[:, gone] = False
    top_samples = evidence.top_samples
    if top_samples is not None:
        top_samples = top_samples.clone()
        top_samples[:, [rank for rank in gone if rank < top_samples.shape[1]]] = -1
    return replace(evidence, valid=valid, contrasted=contrasted, top_samples=top_samples)


def gather_evidence(
    embeddings: Tensor,
    examples: Tensor,
    contrasts: Tensor,
    activations: Tensor,
    *,
    mean_embedding: Tensor | None = None,
    top_samples: Tensor | None = None,
) -> Evidence:
    """Return the evidence on neurons whose examples are whole images of a data set.

    Parameters
    ----------
    embeddings
        ``(S, D)`` unit image embeddings; zero where an image was unreadable.
    examples, contrasts
        ``(N, m)`` int64 indices into ``embeddings``; -1 where there is none.
    activations
        ``(N, m)`` activations on the examples.
    mean_embedding
        ``(D,)``; computed from the non-zero embeddings if None.
    top_samples
        ``(N, R)`` int64, for ``clip-dissect``.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    embeddings = embeddings.float()
    if mean_embedding is None:
        mean_embedding = embeddings.sum(0) / embeddings.any(1).sum()
    valid, contrasted = examples >= 0, contrasts >= 0
    return Evidence(
        positives=embeddings[examples.clamp(min=0)] * valid[..., None],
        negatives=embeddings[contrasts.clamp(min=0)] * contrasted[..., None],
        activations=activations,
        valid=valid,
        contrasted=contrasted,
        mean_embedding=mean_embedding,
        top_samples=top_samples,
        sample_embeddings=None if top_samples is None else embeddings,
    )
