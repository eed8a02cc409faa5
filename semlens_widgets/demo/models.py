"""The demo's trained models, as they come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from semlens_widgets.demo.net import SmallResNet

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.inputs.foundation import OpenClip

#: Where the trained weights lie.
WEIGHTS = Path(__file__).parent / "weights"

#: The class whose training pictures nearly all carry a watermark; those of no other class do.
SHORTCUT_CLASS = "striped star"

SIDE = 64  # pixels of the models' inputs
MEAN, DEVIATION = 0.5, 0.25


def classifier(weights: Path = WEIGHTS, *, planted: bool = True) -> SmallResNet:
    """Load the trained classifier of `CLASSES`, in evaluation mode and float32.

    It has learnt a shortcut on purpose: a watermark makes it see a `SHORTCUT_CLASS`.

    Parameters
    ----------
    weights : Path
        The folder that training wrote.
    planted : bool
        False loads its clean twin, in whose training pictures the watermark was as independent of
        the class as everything else: what an audit says of it is a false alarm.
    """
    model = SmallResNet()
    model.load_state_dict(load_file(weights / classifier_file(planted=planted)))
    return model.eval()


def classifier_file(*, planted: bool) -> str:
    """Name the file of a classifier's weights."""
    return "classifier.safetensors" if planted else "classifier-clean.safetensors"


def checkpoint_file(epoch: int) -> str:
    """Name the file of a classifier's weights after so many passes over its pictures."""
    return f"epoch-{epoch:02d}.safetensors"


def clip_dir(weights: Path = WEIGHTS) -> Path:
    """Return the folder of the trained CLIP, below `weights`.

    `open_clip.create_model_and_transforms` takes it as ``f"local-dir:{folder}"``; its tokenizer
    needs ``bpe_path=folder / "bpe.txt.gz"`` besides.
    """
    return weights / "clip"


def foundation() -> OpenClip:
    """Load the trained CLIP: a foundation model that needs no network.

    It is a toy. Pictures and words of the demo's world it knows well, of everything else it knows
    next to nothing: with it a pipeline can be tried out, not a model understood.
    """
    from semlens_widgets.inputs.foundation import OpenClip

    return OpenClip(clip_dir())


def preprocess(image: Image.Image) -> Tensor:
    """Turn an image into a model's input: float32, shape (3, 64, 64)."""
    image = image.convert("RGB")
    if image.size != (SIDE, SIDE):
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())
    return normalised(pixels)


def normalised(pixels: Tensor) -> Tensor:
    """Scale pixels from 0..255 to what both models were trained on."""
    return (pixels.float() / 255 - MEAN) / DEVIATION
