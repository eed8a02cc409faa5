"""Held-out lesions as a data set: pictures, classes and the truth about every concept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.demo.drawn import DrawnImages, Question, World
from semlens_widgets.demo.skin.captions import OFF_WORLD, SYNONYMS, all_words, caption
from semlens_widgets.demo.skin.drawing import render
from semlens_widgets.demo.skin.world import (
    ARTEFACTS,
    ATTRIBUTES,
    CLASSES,
    CONCEPTS,
    STRUCTURES,
    Lesion,
    concept_matrix,
    concept_slice,
    sample_lesion,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def _alike(lesion: Lesion) -> tuple[int, int]:
    large = int(lesion.diameter == "large diameter")
    red, dark = ("red skin" in lesion.artefacts), ("vignette" in lesion.artefacts)
    return large, large * 4 + red * 2 + dark


LESIONS: World[Lesion] = World(
    classes=CLASSES,
    concepts=CONCEPTS,
    synonyms=SYNONYMS,
    sample=sample_lesion,
    draw=render,
    annotate=concept_matrix,
    caption=caption,
    off_world=OFF_WORLD,
    words=all_words,
    questions=(
        Question(concept_slice(ARTEFACTS), 3.0, exclusive=False),
        Question(concept_slice(STRUCTURES), 4.0, exclusive=False),
        Question(concept_slice(CLASSES), 1.0, exclusive=True),
        *(Question(concept_slice(values), 1.0, exclusive=True) for values in ATTRIBUTES.values()),
    ),
    alike=_alike,
)


class LesionImages(DrawnImages[Lesion]):
    """A sequence of (picture, class index) of lesions, each drawn when it is first read.

    Parameters
    ----------
    lesions : sequence of Lesion
        What the pictures show.
    size : int
        Side of the pictures in pixels.

    Attributes
    ----------
    lesions : tuple of Lesion
        The lesions themselves.
    """

    world = LESIONS

    def __init__(self, lesions: Sequence[Lesion], size: int = 64) -> None:
        super().__init__(lesions, size)
        self.lesions = self.items


def lesion_images(
    count: int = 3000, *, seed: int = 4101, size: int = 64, artefact_probability: float = 0.15
) -> LesionImages:
    """Return lesions that no model was trained on.

    Every artefact is independent of the diagnosis: what hides in the training pictures of the
    classifier shows itself here.

    Parameters
    ----------
    count : int
        Number of pictures.
    seed : int
        The same seed gives the same lesions, and a longer list begins with the shorter one.
    size : int
        Side of the pictures in pixels.
    artefact_probability : float
        Probability of each single artefact.
    """
    rng = np.random.default_rng(seed)
    return LesionImages([sample_lesion(rng, artefact_probability) for _ in range(count)], size)
