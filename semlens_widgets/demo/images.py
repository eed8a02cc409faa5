"""Held-out scenes as a data set: pictures, classes and the truth about every concept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.demo.captions import OFF_WORLD, SYNONYMS, all_words, caption
from semlens_widgets.demo.drawing import render
from semlens_widgets.demo.drawn import DrawnImages, Question, World
from semlens_widgets.demo.world import (
    ATTRIBUTES,
    BACKGROUNDS,
    CLASSES,
    COLOURS,
    CONCEPTS,
    Scene,
    concept_matrix,
    concept_slice,
    sample_scene,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


def _alike(scene: Scene) -> tuple[int, int]:
    ground, colour = BACKGROUNDS.index(scene.background), COLOURS.index(scene.colour)
    return ground, ground * len(COLOURS) + colour


SCENES: World[Scene] = World(
    classes=CLASSES,
    concepts=CONCEPTS,
    synonyms=SYNONYMS,
    sample=sample_scene,
    draw=render,
    annotate=concept_matrix,
    caption=caption,
    off_world=OFF_WORLD,
    words=all_words,
    questions=(
        Question(concept_slice("artefacts"), 3.0, exclusive=False),
        *(  # shape is the attribute that is learnt last
            Question(concept_slice(name), 2.0 if name == "shape" else 1.0, exclusive=True)
            for name in ATTRIBUTES
        ),
    ),
    alike=_alike,
)


class SceneImages(DrawnImages[Scene]):
    """A sequence of (picture, class index) of scenes, each drawn when it is first read.

    Parameters
    ----------
    scenes : sequence of Scene
        What the pictures show.
    size : int
        Side of the pictures in pixels.

    Attributes
    ----------
    scenes : tuple of Scene
        The scenes themselves.
    """

    world = SCENES

    def __init__(self, scenes: Sequence[Scene], size: int = 64) -> None:
        super().__init__(scenes, size)
        self.scenes = self.items


def scene_images(
    count: int = 5000, *, seed: int = 2501, size: int = 64, artefact_probability: float = 0.12
) -> SceneImages:
    """Return scenes that no model was trained on.

    Every artefact, the watermark too, is independent of the class: what hides in the training
    pictures of the classifier shows itself here.

    Parameters
    ----------
    count : int
        Number of pictures.
    seed : int
        The same seed gives the same scenes, and a longer list begins with the shorter one.
    size : int
        Side of the pictures in pixels.
    artefact_probability : float
        Probability of each single artefact.
    """
    rng = np.random.default_rng(seed)
    return SceneImages([sample_scene(rng, artefact_probability) for _ in range(count)], size)
