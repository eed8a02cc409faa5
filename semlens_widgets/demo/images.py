"""Held-out scenes as a data set: pictures, classes and the truth about every concept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from semlens_widgets.demo.drawing import render
from semlens_widgets.demo.world import CLASSES, concept_matrix, sample_scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from semlens_widgets.demo.world import BoolArray, Scene


class SceneImages(Sequence[tuple[Image.Image, int]]):
    """A sequence of (picture, class index), each drawn when it is first read and then kept.

    An analysis reads every picture several times; kept, one of 64 pixels takes 12 kB.

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
    classes : tuple of str
        Names of the classes.
    targets : list of int
        Class index of every picture.
    concepts : array of bool, shape (pictures, concepts)
        Which of `CONCEPTS` every picture shows.
    """

    def __init__(self, scenes: Sequence[Scene], size: int = 64) -> None:
        self.scenes = tuple(scenes)
        self.size = size
        self.classes = CLASSES
        self.targets = [scene.class_index for scene in self.scenes]
        self._drawn: dict[int, NDArray[np.uint8]] = {}

    def __reduce__(self) -> tuple[type[SceneImages], tuple[tuple[Scene, ...], int]]:
        return SceneImages, (self.scenes, self.size)  # another process draws for itself

    @cached_property
    def concepts(self) -> BoolArray:
        """Which of `CONCEPTS` every picture shows: bool, shape (pictures, concepts)."""
        return concept_matrix(self.scenes)

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return SceneImages(self.scenes[index], self.size)
        place = range(len(self))[index]
        if place not in self._drawn:
            self._drawn[place] = render(self.scenes[place], self.size)
        return Image.fromarray(self._drawn[place]), self.targets[place]

    def __repr__(self) -> str:
        return f"SceneImages({len(self)} pictures of {self.size} pixels)"


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
