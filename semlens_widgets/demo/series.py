"""The classifier at several moments of its training, ready to be analysed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file

import semlens_widgets as slw
from semlens_widgets.demo.analysis import LAYERS
from semlens_widgets.demo.models import preprocess
from semlens_widgets.demo.train_classifier import ClassifierRecipe, architecture
from semlens_widgets.demo.world import CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semlens_widgets.inputs.target import TargetModel


def checkpoints(
    folder: str | Path,
    recipe: ClassifierRecipe | None = None,
    *,
    layers: Sequence[str] = LAYERS,
) -> dict[str, TargetModel]:
    """Return the models that one training wrote, by name: ``"epoch 0"``, ``"epoch 1"``, ...

    Parameters
    ----------
    folder
        What :func:`semlens_widgets.demo.train_classifier.train_classifier` was given as
        ``checkpoints``.
    recipe
        What was trained; the recipe of :func:`semlens_widgets.demo.classifier` by default.
    layers
        Layers to look at.

    Raises
    ------
    FileNotFoundError
        If there are no checkpoints in `folder`.
    """
    files = sorted(Path(folder).glob("epoch-*.safetensors"))
    if not files:
        raise FileNotFoundError(
            f"There are no checkpoints in {str(folder)!r}: train_classifier(..., checkpoints=...) "
            "writes them."
        )
    found = {}
    for file in files:
        model = architecture(recipe or ClassifierRecipe())
        model.load_state_dict(load_file(file))
        name = f"epoch {int(file.stem.removeprefix('epoch-'))}"
        found[name] = slw.TargetModel(
            model.eval(), layers, transform=preprocess, outputs=CLASSES, name=name
        )
    return found
