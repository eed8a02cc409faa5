"""The lens that the browser looks at: the embedded default on fewer pictures, in its own folder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import semlens_widgets as slw
from semlens_widgets import demo

if TYPE_CHECKING:
    from pathlib import Path

PICTURES = 600
LAYERS = ("layer3", "layer4")


def scene_lens(path: str | Path) -> slw.SemanticLens:
    """Open the analysis in a folder, or make it there: 224 neurons, every one labelled."""
    lens = slw.SemanticLens(
        slw.TargetModel(
            demo.classifier(),
            LAYERS,
            transform=demo.preprocess,
            outputs=demo.CLASSES,
            name="classifier",
        ),
        slw.ImageDataset.from_dataset(demo.scene_images(PICTURES)),
        slw.OpenClip(demo.clip_dir()),
        path=path,
    ).run()
    if not lens.vocabulary:
        lens.label(demo.vocabulary(), scorer="csp")
    return lens


if __name__ == "__main__":
    scene_lens(sys.argv[1])
