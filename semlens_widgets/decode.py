"""Whatever a data set holds for one image, as an upright RGB picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

_IMAGE_KEYS = ("image", "img", "pixel_values")


def image_of(item: Any) -> Image.Image:
    """Open or convert what a data set holds for one image."""
    if isinstance(item, Mapping):
        key = next((key for key in _IMAGE_KEYS if key in item), None)
        if key is None:
            raise TypeError(
                f"an item has the keys {list(item)}, none of them {' or '.join(_IMAGE_KEYS)}"
            )
        item = item[key]
    elif isinstance(item, (tuple, list)):
        if not item:
            raise TypeError("an item is empty")
        item = item[0]
    if isinstance(item, Path):
        with item.open("rb") as file, Image.open(file) as image:
            image.load()
            return image
    if isinstance(item, Image.Image):
        return item
    if isinstance(item, Tensor):
        return _from_tensor(item)
    if isinstance(item, np.ndarray):
        return Image.fromarray(item)
    raise TypeError(f"an item of type {type(item).__name__} is no image")


def _from_tensor(tensor: Tensor) -> Image.Image:
    """Take (1 or 3, height, width), uint8 or float in [0, 1]."""
    if tensor.ndim != 3 or tensor.shape[0] not in {1, 3}:
        raise ValueError(f"a tensor of shape {tuple(tensor.shape)} is not (3, height, width)")
    if tensor.dtype != torch.uint8:
        low, high = float(tensor.min()), float(tensor.max())
        if not (low >= 0 and high <= 1):
            raise ValueError(
                f"a tensor has values from {low:.3g} to {high:.3g}, not in [0, 1]; give images "
                "before normalisation"
            )
        tensor = (tensor * 255).round().to(torch.uint8)
    array = tensor.detach().cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else np.ascontiguousarray(array))


def to_rgb(image: Image.Image) -> Image.Image:
    """Turn upright, lay transparency on white, and convert any mode to RGB."""
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _from_deep_grey(image)
    if image.mode in {"RGBA", "LA", "La", "PA", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Bring grey values of 16 and 32 bits into 0..255, where a plain conversion would clip them."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F" and values.max(initial=0) <= 1:
        values = values * 255
    elif image.mode != "F" and (image.mode != "I" or values.max(initial=0) > 255):
        values = values / 257  # 65,535 becomes 255
    grey = np.clip(values.round(), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def reason(error: Exception) -> str:
    """Say what is wrong with an image without naming where it lies on this machine."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error).rstrip(".") or type(error).__name__
