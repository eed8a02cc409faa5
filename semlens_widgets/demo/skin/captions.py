"""The language of the lesion world: synonyms, captions that are true, words that never are."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from semlens_widgets.demo.captions import DISTRACTORS, fix_articles
from semlens_widgets.demo.captions import OFF_WORLD as FOREIGN
from semlens_widgets.demo.skin.world import (
    ARTEFACTS,
    CLASSES,
    CONCEPTS,
    concept_vector,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from semlens_widgets.demo.drawn import BoolArray
    from semlens_widgets.demo.skin.world import Lesion

_Item = TypeVar("_Item")

#: Words for each concept; the first one is the concept's own name.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "nevus": ("nevus", "mole", "benign mole", "benign lesion"),
    "melanoma": ("melanoma", "malignant lesion", "skin cancer"),
    "symmetric": ("symmetric", "symmetrical", "evenly shaped"),
    "asymmetric": ("asymmetric", "asymmetrical", "lopsided"),
    "regular border": ("regular border", "smooth border", "smooth edge", "even outline"),
    "irregular border": ("irregular border", "ragged border", "jagged edge", "notched outline"),
    "single colour": ("single colour", "uniform colour", "one shade"),
    "several colours": ("several colours", "multiple colours", "colour variegation", "many shades"),
    "small diameter": ("small diameter", "small size", "narrow extent"),
    "large diameter": ("large diameter", "large size", "wide extent"),
    "pigment network": ("pigment network", "brown network", "reticular pattern", "honeycomb"),
    "globules": ("globules", "brown dots", "dots and globules", "clods"),
    "streaks": ("streaks", "radial streaming", "pseudopods", "radial lines"),
    "blue-white veil": ("blue-white veil", "bluish veil", "blue area", "blue haze"),
    "regression": ("regression", "white scar", "regression structures", "peppering"),
    "ruler": ("ruler", "measuring scale", "tick marks", "tape measure"),
    "band-aid": ("band-aid", "plaster", "sticker", "coloured patch"),
    "hair": ("hair", "dark hairs", "body hair", "hairs"),
    "ink": ("ink", "ink marking", "surgical marker", "pen marking", "purple marker"),
    "vignette": ("vignette", "dark corners", "black corners", "microscope edge"),
    "red skin": ("red skin", "erythema", "inflamed skin", "reddened skin"),
}

#: Things that this world does not have; hair, of which scenes have none, is an artefact here.
OFF_WORLD: tuple[str, ...] = tuple(word for word in FOREIGN if word != "hair")

PREFIXES = (
    "",
    "a photo of ",
    "an image of ",
    "a closeup of ",
    "a dermoscopy image of ",
    "dermoscopy of ",
    "this is ",
    "there is ",
)
LABEL_TEMPLATES = (
    "{}",
    "a {}",
    "{}-like",
    "an image of a {}",
    "a closeup of a {}",
    "a photo of {}",
)
_NOUNS = ("lesion", "skin lesion", "spot", "pigmented lesion")
_ADJECTIVES = ("symmetric", "asymmetric")  # what stands before the noun
_LESION_TEMPLATES = ("a lesion with {}", "skin with {}", "a spot with {}", "{} of a lesion")
_ARTEFACT_TEMPLATES = (
    "an image with {}",
    "a picture with {}",
    "skin with {}",
    "{} beside a lesion",
)
_MOST_FACTS = 4  # in one sentence; more might not fit into the text encoder's context


def caption(lesion: Lesion, rng: np.random.Generator) -> tuple[str, BoolArray]:
    """Say something true about a lesion.

    Parameters
    ----------
    lesion : Lesion
        What is described.
    rng : numpy.random.Generator
        Chooses what is said and how.

    Returns
    -------
    text : str
        A bare label, a phrase on one concept, or a sentence on several.
    requirement : array of bool, shape (concepts,)
        The concepts the text asserts: it is true of every lesion that shows them all.
    """
    style = rng.random()
    if style < 0.02:
        return fix_articles(_pick(rng, PREFIXES) + "a " + _pick(rng, _NOUNS)), concept_vector([])
    if style < 0.40:
        return _one_concept(lesion, rng)
    return _sentence(lesion, rng)


def describe(lesion: Lesion) -> str:
    """Describe a lesion in the plainest words, completely: one text per concept vector."""
    shown = [name for name in lesion.features if name not in _ADJECTIVES]
    text = f"a {lesion.asymmetry} {lesion.class_name} with " + " and ".join(shown)
    return " and ".join([text, *lesion.artefacts])


def vocabulary() -> list[str]:
    """Return candidate labels: concepts, and words for what is in no picture."""
    return [*CONCEPTS, *DISTRACTORS]


def all_words() -> list[str]:
    """Return every word and phrase that this module can write or suggest."""
    phrases = [*vocabulary(), *OFF_WORLD, *PREFIXES, *_NOUNS, *LABEL_TEMPLATES]
    phrases += [word for words in SYNONYMS.values() for word in words]
    return [*phrases, *_LESION_TEMPLATES, *_ARTEFACT_TEMPLATES]


def _pick(rng: np.random.Generator, items: Sequence[_Item]) -> _Item:
    return items[int(rng.integers(len(items)))]


def _one_concept(lesion: Lesion, rng: np.random.Generator) -> tuple[str, BoolArray]:
    seen = [*lesion.structures, *lesion.artefacts]  # said twice as often: they are rarer
    concept = _pick(rng, [lesion.class_name, *lesion.features, *lesion.artefacts, *seen])
    word = _pick(rng, SYNONYMS[concept])
    if rng.random() < 0.5:
        text = _pick(rng, LABEL_TEMPLATES).format(word)
    elif concept in CLASSES:
        text = _pick(rng, PREFIXES) + f"a {word}"
    elif concept in _ADJECTIVES:
        text = _pick(rng, PREFIXES) + f"a {word} {_pick(rng, _NOUNS)}"
    else:
        templates = _ARTEFACT_TEMPLATES if concept in ARTEFACTS else _LESION_TEMPLATES
        text = _pick(rng, templates).format(word)
    return fix_articles(text), concept_vector([concept])


def _sentence(lesion: Lesion, rng: np.random.Generator) -> tuple[str, BoolArray]:
    said: list[str] = []

    def word(concept: str) -> str:
        said.append(concept)
        return _pick(rng, SYNONYMS[concept])

    noun = word(lesion.class_name) if rng.random() < 0.5 else _pick(rng, _NOUNS)
    if rng.random() < 0.5:
        noun = f"{word(lesion.asymmetry)} {noun}"
    others = [name for name in lesion.features if name not in _ADJECTIVES]
    others = [name for name in (*others, *lesion.artefacts) if rng.random() < 0.7]
    facts = [word(str(name)) for name in rng.permutation(others)[:_MOST_FACTS]]
    text = f"a {noun}" + (" with " + " and ".join(facts) if facts else "")
    return fix_articles(_pick(rng, PREFIXES) + text), concept_vector(said)
