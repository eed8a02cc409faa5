"""The lesion world: what can be in a picture, and the truth about each one.

A lesion has the attributes of the ABCD rule (asymmetry, border, colours, diameter) and any of five
dermoscopic structures; its picture carries any of six artefacts. The diagnosis is a rule on the
truth: a lesion with three of seven signs is a melanoma. The E of the ABCDE rule, evolving, cannot
be seen in a single picture and is not in this world.

The rule is made up after the ABCD rule and the seven-point checklist, the rates are made up
altogether, and every sign is independent of every other. It is a world to learn auditing in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.demo.drawn import BoolArray, in_order, indicator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Attributes of which a lesion has exactly one value each; the second one is a sign of melanoma.
ATTRIBUTES: dict[str, tuple[str, str]] = {
    "asymmetry": ("symmetric", "asymmetric"),
    "border": ("regular border", "irregular border"),
    "colours": ("single colour", "several colours"),
    "diameter": ("small diameter", "large diameter"),
}
STRUCTURES = ("pigment network", "globules", "streaks", "blue-white veil", "regression")
ARTEFACTS = ("ruler", "band-aid", "hair", "ink", "vignette", "red skin")

#: What speaks for a melanoma; the network and globules are found in both and speak for neither.
SIGNS = (*(values[1] for values in ATTRIBUTES.values()), "streaks", "blue-white veil", "regression")

#: What the diagnosis may rest on, as an audit is told: the ABCD rule, and structures.
RULE: dict[str, list[str]] = {
    **{attribute: [values[1]] for attribute, values in ATTRIBUTES.items()},
    "structures": [name for name in SIGNS if name in STRUCTURES],
}

#: How many signs make a melanoma.
ENOUGH = 3

#: How often a lesion has a given sign or structure: about every second one is a melanoma.
SIGN_PROBABILITY = 0.36

#: Classes of the classifier.
CLASSES = ("nevus", "melanoma")

#: Every concept of the world: diagnoses, attribute values, structures, artefacts.
CONCEPTS: tuple[str, ...] = (
    *CLASSES,
    *(value for values in ATTRIBUTES.values() for value in values),
    *STRUCTURES,
    *ARTEFACTS,
)
CONCEPT_INDEX: dict[str, int] = {name: index for index, name in enumerate(CONCEPTS)}


@dataclass(frozen=True, slots=True)
class Lesion:
    """One picture of the world, fully described.

    Change one attribute with `dataclasses.replace`: each part of the picture draws from a random
    stream of its own, so the other parts stay as they are.

    Parameters
    ----------
    asymmetry, border, colours, diameter : str
        One value of each of `ATTRIBUTES`.
    structures : tuple of str
        Any of `STRUCTURES`; kept in that order, without duplicates.
    artefacts : tuple of str
        Any of `ARTEFACTS`, likewise.
    seed : int
        Decides everything the words above leave open.

    Raises
    ------
    ValueError
        If a word is none of this world.
    """

    asymmetry: str
    border: str
    colours: str
    diameter: str
    structures: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for attribute, values in ATTRIBUTES.items():
            value = getattr(self, attribute)
            if value not in values:
                raise ValueError(f"{attribute} must be one of {values}, not {value!r}")
        for field, known in (("structures", STRUCTURES), ("artefacts", ARTEFACTS)):
            object.__setattr__(self, field, in_order(field, getattr(self, field), known))

    @property
    def features(self) -> tuple[str, ...]:
        """What is seen of the lesion itself: attribute values, then structures."""
        return (*(getattr(self, attribute) for attribute in ATTRIBUTES), *self.structures)

    @property
    def signs(self) -> tuple[str, ...]:
        """Which of `SIGNS` the lesion has."""
        return tuple(name for name in self.features if name in SIGNS)

    @property
    def class_index(self) -> int:
        """Index of the diagnosis in `CLASSES`."""
        return int(len(self.signs) >= ENOUGH)

    @property
    def class_name(self) -> str:
        """The diagnosis: a melanoma has `ENOUGH` signs."""
        return CLASSES[self.class_index]

    def with_artefact(self, name: str) -> Lesion:
        """Return the same lesion with the artefact `name` added."""
        return replace(self, artefacts=(*self.artefacts, name))

    def without_artefact(self, name: str) -> Lesion:
        """Return the same lesion with the artefact `name` taken away."""
        return replace(self, artefacts=tuple(a for a in self.artefacts if a != name))

    def with_feature(self, name: str, *, shown: bool = True) -> Lesion:
        """Return the same lesion with a sign or structure shown or not, all else as it is.

        Raises
        ------
        ValueError
            If `name` is neither a sign nor a structure.
        """
        if name in STRUCTURES:
            others = tuple(s for s in self.structures if s != name)
            return replace(self, structures=(*others, name) if shown else others)
        if name not in SIGNS:
            raise ValueError(f"{name!r} is none of {tuple(dict.fromkeys((*SIGNS, *STRUCTURES)))}")
        attribute = next(key for key, values in ATTRIBUTES.items() if name in values)
        changed: dict[str, Any] = {attribute: ATTRIBUTES[attribute][shown]}
        return replace(self, **changed)


def sample_lesion(
    rng: np.random.Generator, artefact_probability: float = 0.15, **fixed: Any
) -> Lesion:
    """Draw a lesion: signs, structures and artefacts independently of each other.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    artefact_probability : float
        Probability of each single artefact.
    **fixed
        Fields of `Lesion` that are given rather than drawn.
    """
    drawn: dict[str, Any] = {
        attribute: values[int(rng.random() < SIGN_PROBABILITY)]
        for attribute, values in ATTRIBUTES.items()
    }
    drawn["structures"] = tuple(s for s in STRUCTURES if rng.random() < SIGN_PROBABILITY)
    drawn["artefacts"] = tuple(a for a in ARTEFACTS if rng.random() < artefact_probability)
    drawn["seed"] = int(rng.integers(2**31))
    return Lesion(**(drawn | fixed))


def concepts(lesion: Lesion) -> BoolArray:
    """Tell which of `CONCEPTS` a lesion shows: bool, shape (concepts,)."""
    return concept_vector([lesion.class_name, *lesion.features, *lesion.artefacts])


def concept_vector(names: Iterable[str]) -> BoolArray:
    """Return the indicator vector of some concepts: bool, shape (concepts,)."""
    return indicator(names, CONCEPT_INDEX)


def concept_matrix(lesions: Sequence[Lesion]) -> BoolArray:
    """Stack the concept vectors of many lesions: bool, shape (lesions, concepts)."""
    return np.stack([concepts(lesion) for lesion in lesions])


def concept_slice(names: Sequence[str]) -> slice:
    """Return the columns of `CONCEPTS` that hold some neighbours among them."""
    start = CONCEPT_INDEX[names[0]]
    return slice(start, start + len(names))
