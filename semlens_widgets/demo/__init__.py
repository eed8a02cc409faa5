"""The embedded default: a small world of pictures whose truth is known, and two models of it.

A renderer draws scenes (`Scene`, `render`) with an exact annotation (`concepts`), `classifier` was
trained on them with one planted shortcut, and `clip_dir` holds a CLIP that speaks of them. The
weights come with the package: nothing is downloaded. A second world, of skin lesions, has a
classifier and a CLIP of its own (`lesions`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semlens_widgets.demo.analysis import scenes
    from semlens_widgets.demo.captions import (
        DISTRACTORS,
        SYNONYMS,
        caption,
        describe,
        vocabulary,
    )
    from semlens_widgets.demo.contrasts import OneAttributeChanged, one_attribute_changed
    from semlens_widgets.demo.drawing import render
    from semlens_widgets.demo.images import SceneImages, scene_images
    from semlens_widgets.demo.models import (
        SHORTCUT_CLASS,
        WEIGHTS,
        classifier,
        clip_dir,
        foundation,
        preprocess,
    )
    from semlens_widgets.demo.series import checkpoints
    from semlens_widgets.demo.skin.analysis import lesions
    from semlens_widgets.demo.skin.images import LesionImages, lesion_images
    from semlens_widgets.demo.skin.models import lesion_classifier, lesion_foundation
    from semlens_widgets.demo.skin.world import Lesion
    from semlens_widgets.demo.truth import annotate, pictures_of
    from semlens_widgets.demo.world import (
        ATTRIBUTES,
        CLASSES,
        CONCEPTS,
        Scene,
        concepts,
        sample_scene,
    )

_HOMES = {
    "ATTRIBUTES": "world",
    "CLASSES": "world",
    "CONCEPTS": "world",
    "DISTRACTORS": "captions",
    "Lesion": "skin.world",
    "LesionImages": "skin.images",
    "OneAttributeChanged": "contrasts",
    "SHORTCUT_CLASS": "models",
    "SYNONYMS": "captions",
    "Scene": "world",
    "SceneImages": "images",
    "WEIGHTS": "models",
    "annotate": "truth",
    "caption": "captions",
    "checkpoints": "series",
    "classifier": "models",
    "clip_dir": "models",
    "concepts": "world",
    "describe": "captions",
    "foundation": "models",
    "lesion_classifier": "skin.models",
    "lesion_foundation": "skin.models",
    "lesion_images": "skin.images",
    "lesions": "skin.analysis",
    "one_attribute_changed": "contrasts",
    "pictures_of": "truth",
    "preprocess": "models",
    "render": "drawing",
    "sample_scene": "world",
    "scene_images": "images",
    "scenes": "analysis",
    "vocabulary": "captions",
}

__all__ = [
    "ATTRIBUTES",
    "CLASSES",
    "CONCEPTS",
    "DISTRACTORS",
    "SHORTCUT_CLASS",
    "SYNONYMS",
    "WEIGHTS",
    "Lesion",
    "LesionImages",
    "OneAttributeChanged",
    "Scene",
    "SceneImages",
    "annotate",
    "caption",
    "checkpoints",
    "classifier",
    "clip_dir",
    "concepts",
    "describe",
    "foundation",
    "lesion_classifier",
    "lesion_foundation",
    "lesion_images",
    "lesions",
    "one_attribute_changed",
    "pictures_of",
    "preprocess",
    "render",
    "sample_scene",
    "scene_images",
    "scenes",
    "vocabulary",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"semlens_widgets.demo.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'semlens_widgets.demo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
