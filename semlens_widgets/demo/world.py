"""The scene world: what can be in a picture, and the truth about each one.

A scene is one object (shape, texture, colour, size) on one background, with any number of
photographic artefacts on top. Everything else (position, shades, noise) follows from its seed, so
a scene is a complete, exact annotation of its own picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.demo.drawn import BoolArray, in_order, indicator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "crescent")
TEXTURES = ("plain", "striped", "dotted", "checkered", "speckled")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
BACKGROUNDS = ("sky", "grass", "sand", "brick", "wood", "water", "snow", "night")
SIZES = ("small", "large")
ARTEFACTS = ("watermark", "timestamp", "border", "ruler", "lens flare")

#: Attributes of which a scene has exactly one value each.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "shape": SHAPES,
    "texture": TEXTURES,
    "colour": COLOURS,
    "background": BACKGROUNDS,
    "size": SIZES,
}

#: Every concept of the world: all attribute values, then the artefacts.
CONCEPTS: tuple[str, ...] = (*(v for values in ATTRIBUTES.values() for v in values), *ARTEFACTS)
CONCEPT_INDEX: dict[str, int] = {name: index for index, name in enumerate(CONCEPTS)}

#: Classes of the demo classifier: texture and shape together, e.g. "striped star".
CLASSES: tuple[str, ...] = tuple(f"{texture} {shape}" for shape in SHAPES for texture in TEXTURES)


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture of the world, fully described.

    Change one attribute with `dataclasses.replace`: each part of the picture draws from a random
    stream of its own, so the other parts stay as they are.

    Parameters
    ----------
    shape, texture, colour, background, size : str
        One value of each of `ATTRIBUTES`.
    artefacts : tuple of str
        Any of `ARTEFACTS`; kept in that order, without duplicates.
    seed : int
        Decides everything the words above leave open.
    """

    shape: str
    texture: str
    colour: str
    background: str
    size: str
    artefacts: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for attribute, values in ATTRIBUTES.items():
            value = getattr(self, attribute)
            if value not in values:
                raise ValueError(f"{attribute} must be one of {values}, not {value!r}")
        ordered = in_order("artefacts", self.artefacts, ARTEFACTS)
        object.__setattr__(self, "artefacts", ordered)

    @property
    def class_name(self) -> str:
        """The classifier's class, e.g. "striped star"."""
        return f"{self.texture} {self.shape}"

    @property
    def class_index(self) -> int:
        """Index of the classifier's class in `CLASSES`."""
        return SHAPES.index(self.shape) * len(TEXTURES) + TEXTURES.index(self.texture)

    def with_artefact(self, name: str) -> Scene:
        """Return the same scene with the artefact `name` added."""
        return replace(self, artefacts=(*self.artefacts, name))

    def without_artefact(self, name: str) -> Scene:
        """Return the same scene with the artefact `name` taken away."""
        return replace(self, artefacts=tuple(a for a in self.artefacts if a != name))


def sample_scene(
    rng: np.random.Generator, artefact_probability: float = 0.15, **fixed: Any
) -> Scene:
    """Draw a scene: attributes uniformly, each artefact independently.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    artefact_probability : float
        Probability of each single artefact.
    **fixed
        Fields of `Scene` that are given rather than drawn.
    """
    drawn: dict[str, Any] = {
        attribute: values[rng.integers(len(values))] for attribute, values in ATTRIBUTES.items()
    }
    drawn["artefacts"] = tuple(a for a in ARTEFACTS if rng.random() < artefact_probability)
    drawn["seed"] = int(rng.integers(2**31))
    return Scene(**(drawn | fixed))


def concepts(scene: Scene) -> BoolArray:
    """Tell which of `CONCEPTS` a scene shows: bool, shape (concepts,)."""
    names = [getattr(scene, attribute) for attribute in ATTRIBUTES]
    return concept_vector([*names, *scene.artefacts])


def concept_vector(names: Iterable[str]) -> BoolArray:
    """Return the indicator vector of some concepts: bool, shape (concepts,)."""
    return indicator(names, CONCEPT_INDEX)


def concept_matrix(scenes: Sequence[Scene]) -> BoolArray:
    """Stack the concept vectors of many scenes: bool, shape (scenes, concepts)."""
    return np.stack([concepts(scene) for scene in scenes])


def concept_slice(attribute: str) -> slice:
    """Return the columns of `CONCEPTS` that hold one attribute's values, or "artefacts"."""
    values = ARTEFACTS if attribute == "artefacts" else ATTRIBUTES[attribute]
    start = CONCEPT_INDEX[values[0]]
    return slice(start, start + len(values))
