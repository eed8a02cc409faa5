"""What a drawn world is to those who train on it and analyse it, whatever it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable

BoolArray = NDArray[np.bool_]


class Described(Protocol):
    """A picture in words: a scene, a lesion."""

    @property
    def class_index(self) -> int:
        """Index of its class in the world's classes."""

    @property
    def class_name(self) -> str:
        """Its class."""

    def with_artefact(self, name: str) -> Self:
        """Return the same with an artefact added."""

    def without_artefact(self, name: str) -> Self:
        """Return the same with an artefact taken away."""


Item = TypeVar("Item", bound=Described)


@dataclass(frozen=True, slots=True)
class Question:
    """What a foundation model is asked about concepts while it is trained.

    Attributes
    ----------
    columns
        Which of the world's concepts.
    weight
        How much the answer counts.
    exclusive
        Whether a picture shows exactly one of them, or any number.
    """

    columns: slice
    weight: float
    exclusive: bool


@dataclass(frozen=True, slots=True)
class World(Generic[Item]):
    """A world of pictures that are drawn from words, with its language.

    Attributes
    ----------
    classes, concepts
        Their names.
    synonyms
        Words for each concept.
    sample
        Draws what a picture shows; its second argument is the probability of each artefact.
    draw
        Draws the picture, at a size: uint8, shape (size, size, 3). Other processes are sent it.
    annotate
        Tells which concepts pictures show: bool, shape (pictures, concepts).
    caption
        Says something true of a picture, and which concepts the text asserts.
    off_world
        Things that no picture of the world shows.
    words
        Every word and phrase of the captions.
    questions
        What a foundation model is asked besides.
    alike
        Two numbers, equal for pictures that look alike at first glance, and for those that look
        very much alike: batches of such teach what is overlooked otherwise.
    """

    classes: tuple[str, ...]
    concepts: tuple[str, ...]
    synonyms: Mapping[str, tuple[str, ...]]
    sample: Callable[[np.random.Generator, float], Item]
    draw: Callable[[Item, int], NDArray[np.uint8]]
    annotate: Callable[[Sequence[Item]], BoolArray]
    caption: Callable[[Item, np.random.Generator], tuple[str, BoolArray]]
    off_world: tuple[str, ...]
    words: Callable[[], list[str]]
    questions: tuple[Question, ...]
    alike: Callable[[Item], tuple[int, int]]

    @property
    def meaning(self) -> dict[str, str]:
        """What each word of the world names: a concept, or a class."""
        words = {word: name for name in self.concepts for word in self.synonyms[name]}
        return words | {kind: kind for kind in self.classes}


class DrawnImages(Sequence[tuple[Image.Image, int]], Generic[Item]):
    """A sequence of (picture, class index), each drawn when it is first read and then kept.

    An analysis reads every picture several times; kept, one of 64 pixels takes 12 kB.

    Parameters
    ----------
    items : sequence
        What the pictures show.
    size : int
        Side of the pictures in pixels.

    Attributes
    ----------
    items : tuple
        What the pictures show.
    classes : tuple of str
        Names of the classes.
    targets : list of int
        Class index of every picture.
    concepts : array of bool, shape (pictures, concepts)
        Which of the world's concepts every picture shows.
    """

    world: ClassVar[World[Any]]

    def __init__(self, items: Sequence[Item], size: int = 64) -> None:
        if size < 1:
            raise ValueError(f"size={size!r} must be at least 1: pixels of a picture's side.")
        self.items = tuple(items)
        self.size = size
        self.classes = self.world.classes
        self.targets = [item.class_index for item in self.items]
        self._drawn: dict[int, NDArray[np.uint8]] = {}

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Item, ...], int]]:
        return type(self), (self.items, self.size)  # another process draws for itself

    @cached_property
    def concepts(self) -> BoolArray:
        """Which of the world's concepts every picture shows: bool, shape (pictures, concepts)."""
        if not self.items:
            return np.zeros((0, len(self.world.concepts)), bool)
        return self.world.annotate(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(self.items[index], self.size)
        place = range(len(self))[index]
        if place not in self._drawn:
            self._drawn[place] = self.world.draw(self.items[place], self.size)
        return Image.fromarray(self._drawn[place]), self.targets[place]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} pictures of {self.size} pixels)"


def in_order(field: str, given: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return given names in the order of those that are known, without duplicates.

    Raises
    ------
    ValueError
        If one is not known; `field` says of what.
    """
    named = set(given)
    if unknown := named - set(known):
        raise ValueError(f"{field} must be among {known}, not {sorted(unknown)}")
    return tuple(name for name in known if name in named)


def indicator(names: Iterable[str], index: Mapping[str, int]) -> BoolArray:
    """Return which of the indexed names are given: bool, shape (names,)."""
    vector = np.zeros(len(index), dtype=np.bool_)
    vector[[index[name] for name in names]] = True
    return vector
