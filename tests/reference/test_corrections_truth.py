"""What corrections of the planted shortcut cost and win, with and without the renderer's help.

One table: every method, on five draws of the pictures that it is fitted to and of those that it is
judged by. Annotated: the method is given pictures with and without the watermark. Unannotated: it
knows what the audit knows, the flagged neurons, their examples, and the data set's own images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.demo.images import SceneImages
from semlens_widgets.demo.world import sample_scene

if TYPE_CHECKING:
    from torch import nn


PLANTED = demo.CLASSES.index(demo.SHORTCUT_CLASS)
SEEDS = range(5)
FITTED, JUDGED = 2500, 1200
METHODS = ("zero", "mean", "clamp", "project")


def drawn(count: int, seed: int) -> list[demo.Scene]:
    rng = np.random.default_rng(seed)
    return [sample_scene(rng, 0.0) for _ in range(count)]


def marked(scenes: list[demo.Scene]) -> list[demo.Scene]:
    return [scene.with_artefact("watermark") for scene in scenes]


def inputs(scenes: list[demo.Scene]) -> torch.Tensor:
    images = SceneImages(scenes)
    return torch.stack([demo.preprocess(images[at][0]) for at in range(len(scenes))])


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    target = slw.TargetModel(
        demo.classifier(), ["layer4"], transform=demo.preprocess, outputs=demo.CLASSES
    )
    images = slw.ImageDataset.from_dataset(demo.scene_images(seed=41))
    path = tmp_path_factory.mktemp("corrections") / "analysis"
    return slw.SemanticLens(target, images, demo.foundation(), path=path).run()


@pytest.fixture(scope="module")
def judged():
    """Pictures to judge by, clean and marked, and their classes, for every seed."""
    found = []
    for seed in SEEDS:
        scenes = drawn(JUDGED, 900 + seed)
        truth = np.array([scene.class_index for scene in scenes])
        found.append((inputs(scenes), inputs(marked(scenes)), truth))
    return found


def figures(model: nn.Module, clean, with_mark, truth) -> dict[str, float]:
    """Judge a model by plain torch: nothing of what is tested counts here."""
    with torch.no_grad():
        said, then = (
            torch.cat([model(some) for some in images.split(256)]).argmax(1).numpy()
            for images in (clean, with_mark)
        )
    own = truth == PLANTED
    return {
        "accuracy": float((said == truth).mean()),
        "recall": float((said[own] == PLANTED).mean()),
        "false": float((then[~own] == PLANTED).mean()),
        "accuracy_marked": float((then == truth).mean()),
    }
