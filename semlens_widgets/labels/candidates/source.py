"""What a source of candidate labels is, and what it may look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL import Image
    from torch import Tensor


class Answers(Protocol):
    """Answers of models, by a text that tells each question from all others; a dict is one."""

    def get(self, question: str, /) -> str | None:
        """Return the answer to a question; None if there is none yet."""
        ...

    def __setitem__(self, question: str, answer: str, /) -> None:
        """Keep an answer; any thread may."""
        ...


class Looked(Protocol):
    """What a source may look at: the neurons, and the pictures of each.

    A source that takes long keeps what it has found out in `answers`, and tells how far it is.
    """

    @property
    def neurons(self) -> Sequence[tuple[str, int]]:
        """The layer of every neuron, and its number there."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the images' classes; empty if they have none."""
        ...

    def example_classes(self, row: int) -> list[str]:
        """Return the class of each concept example of a neuron; "" where it is unknown."""
        ...

    def example_pictures(self, row: int) -> list[Image.Image]:
        """Return the concept examples of a neuron, the most activating first."""
        ...

    def contrast_pictures(self, row: int) -> list[Image.Image]:
        """Return the contrastive examples of a neuron, in the order of their examples."""
        ...

    def likeness(self, words: Sequence[str]) -> Tensor:
        """Return how like words each neuron's concept examples are, ``(neurons, words)``.

        The centred cosine of their mean and the word; NaN where a neuron has no examples.

        Raises
        ------
        LensUnavailable
            If the analysis was opened without its foundation model.
        """
        ...

    @property
    def answers(self) -> Answers:
        """What models have answered about this analysis."""
        ...

    def tell(self, done: int, total: int) -> None:
        """Let a person know how many neurons of how many are done."""
        ...


@runtime_checkable
class HasLooked(Protocol):
    """A lens, as far as a source is concerned."""

    @property
    def looked(self) -> Looked:
        """What a source may look at."""
        ...


@dataclass(frozen=True)
class Candidates:
    """Candidate labels, and for which neurons each counts.

    Attributes
    ----------
    names
        All of them.
    of_neuron
        By row of the neuron, those that count for it; where a neuron is not named, all count. An
        empty list leaves the neuron "unknown".
    parents
        By name, what it is a kind of, "" for none; by default as in
        :func:`semlens_widgets.labels.hypernyms.parents`.
    """

    names: Sequence[str]
    of_neuron: Mapping[int, Sequence[str]] | None = None
    parents: Mapping[str, str] | None = None

    def eligible(self, names: Sequence[str], start: int, stop: int) -> Tensor | None:
        """Return which of the names count for the neurons from `start` to before `stop`.

        Returns
        -------
        Tensor or None
            ``(stop - start, names)`` bool; None if all count for all.

        Raises
        ------
        ValueError
            If one that counts is none of the names.
        """
        if self.of_neuron is None:
            return None
        place = {name: at for at, name in enumerate(names)}
        counts = torch.ones(stop - start, len(names), dtype=torch.bool)
        for row in range(start, stop):
            if row not in self.of_neuron:
                continue
            own = [name.strip() for name in self.of_neuron[row]]
            if unknown := [name for name in own if name not in place]:
                raise ValueError(f"candidates: neuron {row} has {unknown[0]!r}, which is no name.")
            counts[row - start] = False
            counts[row - start, [place[name] for name in own]] = True
        return counts


class CandidateSource(ABC):
    """Where candidate labels come from.

    A new one is a class in a file of its own; if it needs no arguments it is named in
    :data:`semlens_widgets.labels.candidates.sources.SOURCES`, and :meth:`SemanticLens.label` takes
    its name. What it returns is untrusted text and checked as such.

    Attributes
    ----------
    name
        What code calls it.
    """

    name: ClassVar[str]

    @abstractmethod
    def candidates(self, looked: Looked) -> Candidates:
        """Return the candidates for the neurons of an analysis."""
