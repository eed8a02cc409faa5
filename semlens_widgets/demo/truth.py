"""Pictures that show what a word names, drawn for it, and which pictures show what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semlens_widgets.demo.images import SCENES, SceneImages
from semlens_widgets.demo.world import ARTEFACTS, ATTRIBUTES, CLASSES, sample_scene

if TYPE_CHECKING:
    from PIL import Image

    from semlens_widgets.demo.drawn import DrawnImages
    from semlens_widgets.demo.world import Scene

#: What each word of this world names: a concept, or a class.
MEANING: dict[str, str] = SCENES.meaning


def scenes_of(label: str, count: int = 30, *, seed: int = 0) -> list[Scene]:
    """Draw scenes that show what a label names, and are else like any.

    Parameters
    ----------
    label
        A word for a concept, or the name of a class.
    count
        How many scenes.
    seed
        The same seed gives the same scenes for the same label, whichever others are asked for.

    Returns
    -------
    list of Scene
        Empty if the label names nothing of this world.
    """
    if label not in MEANING:
        return []
    name = MEANING[label]
    rng = np.random.default_rng([seed, *name.encode()])
    if name in ARTEFACTS:
        return [sample_scene(rng).with_artefact(name) for _ in range(count)]
    given: dict[str, Any] = {
        attribute: value
        for attribute, values in ATTRIBUTES.items()
        for value in values
        if value in (name.split() if name in CLASSES else [name])
    }
    return [sample_scene(rng, **given) for _ in range(count)]


def pictures_of(label: str, count: int = 30, *, seed: int = 0) -> list[Image.Image]:
    """Draw `count` pictures that show what a label names, the same for a `seed`.

    ``lens.faithfulness(demo.pictures_of)`` judges labels by them.
    """
    return [picture for picture, _ in SceneImages(scenes_of(label, count, seed=seed))]


def annotate(pictures: DrawnImages[Any]) -> pd.DataFrame:
    """Say which pictures show what each word names: bool, one row per picture, one column per word.

    ``lens.faithfulness(annotations=demo.annotate(pictures), images=...)`` judges labels by it.
    """
    world = pictures.world
    kinds = np.eye(len(world.classes), dtype=bool)[pictures.targets]
    names = (*world.concepts, *world.classes)
    shows = np.concatenate([pictures.concepts, kinds], axis=1)
    return pd.DataFrame({word: shows[:, names.index(name)] for word, name in world.meaning.items()})
