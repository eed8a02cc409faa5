"""What the label scorers know of a set of neurons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from semlens_widgets.labels.likeness import Likeness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

_AT_ONCE = 1 << 25  # float32 values of what is gathered for some neurons: 128 MiB
_ROWS_AT_ONCE = 1 << 14


class Embeddings(Protocol):
    """The unit embeddings of a data set's images, read as they are needed."""

    @property
    def shape(self) -> tuple[int, int]:
        """How many images, and dimensions."""
        ...

    @property
    def mean(self) -> Tensor:
        """``(D,)`` mean of the unit embeddings of the readable images."""
        ...

    def rows(self, samples: Tensor) -> Tensor:
        """Return ``(..., D)`` float32 for ``(...)`` samples; zero where a sample is -1."""
        ...

    def blocks(self) -> Iterator[Tensor]:
        """Go through all images in order, ``(some, D)`` float32; zero where unreadable."""
        ...


class HeldEmbeddings:
    """Embeddings that lie in memory.

    Parameters
    ----------
    matrix
        ``(S, D)`` unit embeddings; zero where an image was unreadable.
    """

    def __init__(self, matrix: Tensor) -> None:
        self._matrix = matrix.float()
        self.shape = (len(matrix), matrix.shape[1])

    @cached_property
    def mean(self) -> Tensor:
        """``(D,)`` mean of the unit embeddings of the readable images."""
        return self._matrix.sum(0) / self._matrix.any(1).sum()

    def rows(self, samples: Tensor) -> Tensor:
        """Return ``(..., D)`` float32 for ``(...)`` samples; zero where a sample is -1."""
        return self._matrix[samples.clamp(min=0)] * (samples >= 0)[..., None]

    def blocks(self) -> Iterator[Tensor]:
        """Go through all images in order, ``(some, D)``; zero where unreadable."""
        yield from torch.split(self._matrix, _ROWS_AT_ONCE)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the scorers know of a set of neurons; what takes room is gathered when asked for.

    Attributes
    ----------
    images
        The unit embeddings of the data set.
    examples, contrasts
        ``(N, m)`` int64, the images of the concept examples and of their contrastive examples; -1
        where there is none.
    activations
        ``(N, m)`` activations on the concept examples; negative ones weigh nothing.
    top_samples
        ``(N, R)`` int64, each neuron's most activating images in falling order (-1: none), for
        CLIP-Dissect, whose authors take R = 100. None if that scorer is not wanted.
    crops
        Gives both sides' embeddings of the neurons from one to before another, ``(n, m, D)`` of the
        examples and ``(n, m, k, D)`` of their k contrastive examples, where parts of images are
        embedded instead of whole ones.
    distribution
        Gives the activations of the neurons from one to before another on all images, ``(n, S)``;
        NaN where unreadable.
    further
        ``(N, m, k - 1)`` int64, more contrastive examples of each example, the nearest first; -1
        where there is none. None if one of each is kept.
    first
        Which neuron is the first, for crops and distribution.
    shared
        How like texts the images are, kept for all that is asked of a data set.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """

    images: Embeddings
    examples: Tensor
    contrasts: Tensor
    activations: Tensor
    top_samples: Tensor | None = None
    crops: Callable[[int, int], tuple[Tensor, Tensor]] | None = None
    distribution: Callable[[int, int], Tensor] | None = None
    further: Tensor | None = None
    first: int = 0
    shared: Likeness | None = None

    def __post_init__(self) -> None:
        if self.examples.ndim != 2:
            raise ValueError(
                f"examples: expected shape (neurons, examples), got {tuple(self.examples.shape)}"
            )
        for name in ("contrasts", "activations"):
            if (got := getattr(self, name).shape) != self.examples.shape:
                raise ValueError(
                    f"{name}: expected shape {tuple(self.examples.shape)} to fit examples, "
                    f"got {tuple(got)}"
                )
        if self.further is not None and self.further.shape[:-1] != self.examples.shape:
            raise ValueError(
                f"further: expected shape {(*self.examples.shape, 'more')} to fit examples, "
                f"got {tuple(self.further.shape)}"
            )

    def __len__(self) -> int:
        return len(self.examples)

    @cached_property
    def valid(self) -> Tensor:
        """``(N, m)`` bool, whether the example exists."""
        return self.examples >= 0

    @cached_property
    def contrasted(self) -> Tensor:
        """``(N, m)`` bool, whether the example has a contrastive example."""
        return self.contrasts >= 0

    @cached_property
    def positives(self) -> Tensor:
        """``(N, m, D)`` unit embeddings of the concept examples."""
        if self._cropped is None:
            return self.images.rows(self.examples)
        return self._cropped[0] * self.valid[..., None]

    @cached_property
    def negatives(self) -> Tensor:
        """``(N, m, D)`` unit embeddings of the contrastive examples."""
        return self.quiet[:, :, 0]

    @property
    def neighbours(self) -> int:
        """How many contrastive examples are kept of each example."""
        return 1 if self.further is None else 1 + self.further.shape[2]

    @cached_property
    def quiet(self) -> Tensor:
        """``(N, m, k, D)`` unit embeddings of all contrastive examples; zero where none is."""
        samples = self.contrasts[..., None]
        if self.further is not None:
            samples = torch.cat([samples, self.further], dim=2)
        if self._cropped is None:
            return self.images.rows(samples)
        return self._cropped[1] * (samples >= 0)[..., None]

    @cached_property
    def _cropped(self) -> tuple[Tensor, Tensor] | None:
        return self.crops and self.crops(self.first, self.first + len(self))

    @cached_property
    def likeness(self) -> Likeness:
        """How like texts the images are."""
        return self.shared or Likeness(self.images)

    @cached_property
    def values(self) -> Tensor:
        """``(N, S)`` activations on all images; NaN where unreadable."""
        if self.distribution is None:
            raise ValueError("evidence: this scorer needs the activations on all images.")
        return self.distribution(self.first, self.first + len(self))


def some_neurons(evidence: Evidence, start: int, stop: int) -> Evidence:
    """Return the evidence on the neurons from `start` to before `stop`."""
    top_samples = evidence.top_samples
    return replace(
        evidence,
        examples=evidence.examples[start:stop],
        contrasts=evidence.contrasts[start:stop],
        activations=evidence.activations[start:stop],
        top_samples=None if top_samples is None else top_samples[start:stop],
        further=None if evidence.further is None else evidence.further[start:stop],
        first=evidence.first + start,
    )


def these_neurons(evidence: Evidence, rows: Sequence[int]) -> Evidence:
    """Return the evidence on some neurons, by row in the order given; whole images for crops."""
    top_samples = evidence.top_samples
    rows = list(rows)

    def distribution(start: int, stop: int) -> Tensor:
        return torch.cat([some_neurons(evidence, row, row + 1).values for row in rows[start:stop]])

    return without_crops(
        replace(
            evidence,
            examples=evidence.examples[rows],
            contrasts=evidence.contrasts[rows],
            activations=evidence.activations[rows],
            top_samples=None if top_samples is None else top_samples[rows],
            further=None if evidence.further is None else evidence.further[rows],
            distribution=distribution,
            first=0,
        )
    )


def in_parts(evidence: Evidence, *, whole: bool = False) -> Iterator[Evidence]:
    """Go through the evidence by as many neurons as fit into memory at a time.

    Parameters
    ----------
    whole
        Whether the activations on all images are wanted too.
    """
    images, dim = evidence.images.shape
    each = (1 + evidence.neighbours) * evidence.examples.shape[1] * dim + (images if whole else 0)
    step = max(1, _AT_ONCE // each)
    for start in range(0, len(evidence), step):
        yield some_neurons(evidence, start, start + step)


def without_pairs(evidence: Evidence, ranks: Sequence[int]) -> Evidence:
    """Return the evidence as if some examples, by rank, and their contrasts did not exist.

    The most activating images begin with the examples and lose the same ranks.

    Raises
    ------
    ValueError
        If there is no such rank.
    """
    count = evidence.examples.shape[1]
    for rank in ranks:
        if not 0 <= rank < count:
            raise ValueError(f"exclude: rank {rank} is outside 0..{count - 1}.")
    if not ranks:
        return evidence
    gone = list(ranks)
    examples, contrasts = evidence.examples.clone(), evidence.contrasts.clone()
    examples[:, gone] = contrasts[:, gone] = -1
    top_samples, further = evidence.top_samples, evidence.further
    if top_samples is not None:
        top_samples = top_samples.clone()
        top_samples[:, [rank for rank in gone if rank < top_samples.shape[1]]] = -1
    if further is not None:
        further = further.clone()
        further[:, gone] = -1
    return replace(
        evidence, examples=examples, contrasts=contrasts, top_samples=top_samples, further=further
    )


def without_crops(evidence: Evidence) -> Evidence:
    """Return the evidence with whole images in the place of crops, of which nothing is known."""
    if evidence.crops is None:
        return evidence
    bare = replace(evidence, crops=None)

    def whole(start: int, stop: int) -> tuple[Tensor, Tensor]:
        some = some_neurons(bare, start - bare.first, stop - bare.first)
        return some.positives, some.quiet

    return replace(bare, crops=whole)


Embedded = Literal["analysed", "image", "crop"]


def embedded(evidence: Evidence, how: Embedded) -> Evidence:
    """Return the evidence with examples and contrasts embedded whole, or as crops.

    Parameters
    ----------
    how
        ``"analysed"``: as the analysis has them; ``"image"``: whole, also where it has crops;
        ``"crop"``: as crops, or not at all.

    Raises
    ------
    ValueError
        If there are no crops.
    """
    if how == "crop" and evidence.crops is None:
        raise ValueError(
            "scorer: it is to compare crops, and the analysis has none: make it with "
            'SemanticLens(..., embedding="crop"), or compare whole images.'
        )
    if how == "image" and evidence.crops is not None:
        return replace(evidence, crops=None)
    return evidence
