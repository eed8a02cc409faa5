"""What is trained for each world of the demo, and how good it has to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from semlens_widgets.demo import quality
from semlens_widgets.demo.images import SCENES
from semlens_widgets.demo.models import WEIGHTS
from semlens_widgets.demo.skin import models as skin
from semlens_widgets.demo.skin import quality as skin_quality
from semlens_widgets.demo.skin.images import LESIONS
from semlens_widgets.demo.train_classifier import ClassifierRecipe
from semlens_widgets.demo.train_clip import ClipRecipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from semlens_widgets.demo.drawn import World

_LESSONS: dict[str, Any] = {"pictures": 25_000, "steps": 1_600}


@dataclass(frozen=True, slots=True)
class Recipes:
    """All recipes of a world.

    Attributes
    ----------
    world
        What the pictures are of.
    weights
        Folder of what comes with the package.
    clip
        Its foundation model.
    planted, clean
        Its classifier, and the twin that has learnt no shortcut.
    evaluate
        Measures what lies in a folder.
    """

    world: World[Any]
    weights: Path
    clip: ClipRecipe
    planted: ClassifierRecipe
    clean: ClassifierRecipe
    evaluate: Callable[..., quality.Quality]


RECIPES: dict[str, Recipes] = {
    "scenes": Recipes(
        SCENES,
        WEIGHTS,
        ClipRecipe(),
        ClassifierRecipe(),
        ClassifierRecipe(shortcut_class=None),
        quality.evaluate,
    ),
    "lesions": Recipes(
        LESIONS,
        skin.LESION_WEIGHTS,
        ClipRecipe(seed=5, pictures=16_000, steps=1_600, zoomed=0.0),  # zoom would change sizes
        ClassifierRecipe(
            seed=6, shortcut_class=skin.SHORTCUT_CLASS, artefact=skin.ARTEFACT, **_LESSONS
        ),
        ClassifierRecipe(seed=6, shortcut_class=None, **_LESSONS),
        skin_quality.evaluate,
    ),
}
