"""The language of the scene world: synonyms, captions that are true, words that never are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from semlens_widgets.demo.world import (
    ATTRIBUTES,
    CLASSES,
    CONCEPTS,
    Scene,
    concept_vector,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from semlens_widgets.demo.drawn import BoolArray

_Item = TypeVar("_Item")

#: Words for each concept; the first one is the concept's own name.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "disc", "round shape", "ball"),
    "square": ("square", "box", "block"),
    "triangle": ("triangle", "three-sided shape", "wedge"),
    "star": ("star", "five-pointed star", "starfish"),
    "cross": ("cross", "plus sign", "plus"),
    "ring": ("ring", "hoop", "donut", "annulus"),
    "heart": ("heart", "heart shape", "valentine"),
    "crescent": ("crescent", "half moon", "moon shape"),
    "plain": ("plain", "solid", "uniform", "unpatterned"),
    "striped": ("striped", "stripy", "banded", "lined"),
    "dotted": ("dotted", "spotted", "polka dot"),
    "checkered": ("checkered", "chequered", "checked", "checkerboard"),
    "speckled": ("speckled", "grainy", "noisy", "flecked"),
    "red": ("red", "crimson", "scarlet"),
    "orange": ("orange", "tangerine"),
    "yellow": ("yellow", "golden", "lemon"),
    "green": ("green", "emerald"),
    "blue": ("blue", "azure", "navy"),
    "purple": ("purple", "violet"),
    "white": ("white", "ivory", "pale"),
    "black": ("black", "dark", "charcoal"),
    "sky": ("sky", "clouds", "cloudy sky"),
    "grass": ("grass", "lawn", "meadow"),
    "sand": ("sand", "beach", "desert"),
    "brick": ("brick", "brick wall", "bricks"),
    "wood": ("wood", "wooden boards", "timber"),
    "water": ("water", "sea", "ocean", "waves"),
    "snow": ("snow", "ice", "winter ground"),
    "night": ("night", "night sky", "starry darkness"),
    "small": ("small", "little", "tiny"),
    "large": ("large", "big", "huge"),
    "watermark": (
        "watermark",
        "watermark text",
        "copyright text",
        "overlaid lettering",
        "stock photo logo",
    ),
    "timestamp": ("timestamp", "date stamp", "clock digits", "orange date"),
    "border": ("border", "frame", "picture frame"),
    "ruler": ("ruler", "measuring scale", "tick marks", "tape measure"),
    "lens flare": ("lens flare", "sun glare", "light flare", "flare"),
}

PREFIXES = (
    "",
    "a photo of ",
    "an image of ",
    "a picture of ",
    "a closeup of ",
    "a drawing of ",
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
_CONCEPT_TEMPLATES = {
    "shape": ("a {}", "one {}"),
    "texture": ("a {} object", "a {} thing", "a {} shape", "something {}", "a {} pattern"),
    "colour": ("a {} object", "a {} thing", "a {} shape", "something {}"),
    "size": ("a {} object", "a {} thing", "a {} figure"),
    "background": ("{} in the background", "something on {}", "{} background", "an object on {}"),
    "artefacts": ("an image with a {}", "a {}", "{} on the picture", "a picture with a {}"),
}
_NOUNS = ("object", "thing", "shape", "figure")
_TEXTURE_PHRASES = {
    "plain": ("with no pattern", "in a solid colour"),
    "striped": ("with stripes", "with bands"),
    "dotted": ("with dots", "with spots", "with polka dots"),
    "checkered": ("with checks", "with a checkerboard pattern"),
    "speckled": ("with speckles", "with grain"),
}
_GROUND_PHRASES = {
    "sky": ("in the", "against the"),
    "brick": ("on", "in front of", "against"),
    "water": ("on the", "in the"),
    "night": ("at", "in the"),
}
_ARTEFACT_LINKS = (" with ", " and ", ", overlaid with ", ", showing ")
_UNCOUNTED = ("text", "lettering", "marks", "digits")  # words that take no article
_MOST_ARTEFACTS = 2  # in one sentence; more might not fit into the text encoder's context

_OFF_WORLD = """
    apple banana carrot potato tomato grape lemonade coffee tea milk sugar spoon knife fork plate
    kettle stove fridge sofa desk shelf carpet curtain pillow blanket towel soap brush comb shirt
    trousers jacket glove scarf bag wallet umbrella bus truck tractor motorcycle helicopter rocket
    bridge tower castle church school hospital garden park forest river lake island volcano lion
    tiger elephant giraffe zebra monkey bear wolf fox rabbit mouse cow sheep goat pig duck goose
    owl eagle penguin snake lizard frog turtle shark whale dolphin crab spider ant bee butterfly
    man woman child baby hand foot eye ear nose mouth hair doctor teacher soldier king queen
    computer screen camera radio television violin piano drum trumpet painting statue letter
    newspaper magazine ticket coin money metallic fluffy transparent wet broken old furry knitted
    pink turquoise beige
"""
#: Things that this world does not have: captions of them are never true.
OFF_WORLD: tuple[str, ...] = tuple(_OFF_WORLD.split())

_DISTRACTORS = """
    airplane bicycle boat train car motor wheel engine dog cat horse bird fish dinosaur dragon
    tree flower leaf mushroom cactus mountain cave bread cheese pizza cake egg bottle cup bowl
    chair table lamp candle mirror window door roof street city market shoe hat necklace keyboard
    telephone guitar book pencil scissors hammer ladder rope chain fire smoke lightning rainbow
    face smile finger skeleton robot
"""
#: Label candidates that are never true and that no model of the demo has ever read.
DISTRACTORS: tuple[str, ...] = tuple(_DISTRACTORS.split())


def caption(scene: Scene, rng: np.random.Generator) -> tuple[str, BoolArray]:
    """Say something true about a scene.

    Parameters
    ----------
    scene : Scene
        What is described.
    rng : numpy.random.Generator
        Chooses what is said and how.

    Returns
    -------
    text : str
        A bare label, a phrase on one concept, or a sentence on several.
    requirement : array of bool, shape (concepts,)
        The concepts the text asserts: it is true of every scene that shows them all.
    """
    style = rng.random()
    if style < 0.02:
        return _pick(rng, PREFIXES) + "a " + _pick(rng, _NOUNS), concept_vector([])
    if style < 0.30:
        return _one_concept(scene, rng)
    return _sentence(scene, rng, fullness=0.85 if style < 0.75 else 0.5)


def describe(scene: Scene) -> str:
    """Describe a scene completely, in the plainest words: one fixed caption per concept vector."""
    link = _GROUND_PHRASES.get(scene.background, ("on",))[0]
    thing = f"a {scene.size} {scene.colour} {scene.texture} {scene.shape}"
    text = f"{thing} {link} {scene.background}"
    if scene.artefacts:
        text += " with a " + " and a ".join(scene.artefacts)
    return text


def vocabulary() -> list[str]:
    """Return candidate labels: concepts, kinds, and words for what is in no picture."""
    return [*CONCEPTS, *CLASSES, *DISTRACTORS]


def off_world_captions(
    rng: np.random.Generator, count: int, words: Sequence[str] = OFF_WORLD
) -> list[str]:
    """Return captions of some of the words, of which no picture of a world shows any."""
    chosen = rng.choice(words, size=count, replace=False)
    return [_pick(rng, PREFIXES) + _pick(rng, ("", "a ")) + str(word) for word in chosen]


def all_words() -> list[str]:
    """Return every word and phrase that this module can write or suggest."""
    phrases: list[str] = [*vocabulary(), *OFF_WORLD, *PREFIXES, *_NOUNS, *LABEL_TEMPLATES]
    tables = (SYNONYMS, _CONCEPT_TEMPLATES, _TEXTURE_PHRASES, _GROUND_PHRASES)
    phrases += [phrase for table in tables for group in table.values() for phrase in group]
    return [*phrases, *_ARTEFACT_LINKS]


def _pick(rng: np.random.Generator, items: Sequence[_Item]) -> _Item:
    return items[int(rng.integers(len(items)))]


def _one_concept(scene: Scene, rng: np.random.Generator) -> tuple[str, BoolArray]:
    facts = [(attribute, getattr(scene, attribute)) for attribute in ATTRIBUTES]
    facts += [("artefacts", artefact) for artefact in scene.artefacts] * 2
    attribute, concept = _pick(rng, facts)
    requirement = concept_vector([concept])
    word = _pick(rng, SYNONYMS[concept])
    style = rng.random()
    if style < 0.5:
        return _pick(rng, LABEL_TEMPLATES).format(word), requirement
    if attribute == "texture" and style < 0.65:
        return "something " + _pick(rng, _TEXTURE_PHRASES[concept]), requirement
    text = _pick(rng, PREFIXES) + _pick(rng, _CONCEPT_TEMPLATES[attribute]).format(word)
    return fix_articles(text), requirement


def _sentence(scene: Scene, rng: np.random.Generator, fullness: float) -> tuple[str, BoolArray]:
    said: list[str] = []

    def word(concept: str) -> str:
        said.append(concept)
        return _pick(rng, SYNONYMS[concept])

    adjectives = []
    if rng.random() < fullness * 0.6:
        adjectives.append(word(scene.size))
    if rng.random() < fullness:
        adjectives.append(word(scene.colour))
    suffix = ""
    if rng.random() < fullness:
        if rng.random() < 0.65:
            adjectives.append(word(scene.texture))
        else:
            said.append(scene.texture)
            suffix = " " + _pick(rng, _TEXTURE_PHRASES[scene.texture])
    if rng.random() < 0.25:
        adjectives.reverse()
    noun = word(scene.shape) if rng.random() < max(fullness, 0.75) else _pick(rng, _NOUNS)
    text = "a " + " ".join([*adjectives, noun]) + suffix
    if rng.random() < fullness:
        link = _pick(rng, _GROUND_PHRASES.get(scene.background, ("on", "on the")))
        text += f" {link} {word(scene.background)}"
    artefacts = [name for name in scene.artefacts if rng.random() < 0.8]
    artefacts = list(rng.permutation(artefacts))[:_MOST_ARTEFACTS]
    if artefacts:
        text += _pick(rng, _ARTEFACT_LINKS) + " and ".join(
            _with_article(word(a)) for a in artefacts
        )
    return fix_articles(_pick(rng, PREFIXES) + text), concept_vector(said)


def _with_article(word: str) -> str:
    return word if word.endswith(_UNCOUNTED) else f"a {word}"


def fix_articles(text: str) -> str:
    """Write "an" before a vowel."""
    return re.sub(r"\ba (?=[aeio])", "an ", text)
