"""Whatever a data set holds for one image, as an upright RGB picture."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IMAGE_KEYS = ("image", "img", "pixel_values")
_CHANNELS = (1, 3, 4)
_OVERSHOOT = 0.05  # beyond 0 and 1, as bicubic resampling and sharpening leave it at edges
_BITS, _PHOTOMETRIC, _MAX_SAMPLE, _MAX_SAMPLE_SIGNED = 258, 262, 281, 341  # tags of TIFF
_MACHINE_ERRORS = {errno.ENOMEM, errno.EMFILE, errno.ENFILE}


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
        if item.exists() and not (item.is_file() or item.is_dir()):
            raise ValueError("a pipe, socket or device, not a file")  # opening may never end
        with item.open("rb") as file, Image.open(file) as image:
            image.load()
            return image
    if isinstance(item, Image.Image):
        return item
    if isinstance(item, Tensor):
        return _from_tensor(item)
    if isinstance(item, np.ndarray):
        return _from_array(item)
    raise TypeError(f"an item of type {type(item).__name__} is no image")


def _from_tensor(tensor: Tensor) -> Image.Image:
    """Take ([1, 3 or 4,] height, width), see `_as_bytes` for the values."""
    if tensor.ndim not in {2, 3} or (tensor.ndim == 3 and tensor.shape[0] not in _CHANNELS):
        raise ValueError(
            f"a tensor of shape {tuple(tensor.shape)} is not (3, height, width), nor with 1 or 4 "
            "channels, nor (height, width)"
        )
    if tensor.is_meta or tensor.layout is not torch.strided:
        raise ValueError("a sparse tensor, or one without values, is no image; give a plain one")
    tensor = tensor.detach().cpu()
    tensor = tensor.float() if tensor.dtype in {torch.bfloat16, torch.float16} else tensor
    array = tensor.numpy()
    return _picture(np.moveaxis(array, 0, 2) if array.ndim == 3 else array, "a tensor")


def _from_array(array: np.ndarray[Any, Any]) -> Image.Image:
    """Take (height, width[, 1, 3 or 4]) or (1, 3 or 4, height, width); the first reading wins."""
    if array.ndim == 3 and array.shape[2] not in _CHANNELS and array.shape[0] in _CHANNELS:
        array = np.moveaxis(array, 0, 2)
    if array.ndim not in {2, 3} or (array.ndim == 3 and array.shape[2] not in _CHANNELS):
        raise ValueError(
            f"an array of shape {array.shape} is not (height, width) or (height, width, 3), nor "
            "with 1 or 4 channels, nor with the channels first"
        )
    return _picture(array, "an array")


def _picture(array: np.ndarray[Any, Any], what: str) -> Image.Image:
    if not array.size:
        raise ValueError(f"{what} of shape {array.shape} holds no pixel")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(_as_bytes(array, what)))


def _as_bytes(values: np.ndarray[Any, Any], what: str) -> NDArray[np.uint8]:
    """Bring values into 0..255 by the range of their type, never by what they happen to be."""
    kind = values.dtype.newbyteorder("=")
    if kind == np.uint8:
        return values
    if kind == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if kind == np.uint16:
        return (values.astype(np.float64) / 257).round().astype(np.uint8)  # 65,535 becomes 255
    if kind.kind != "f":
        raise ValueError(
            f"{what} of {kind} does not say which value is white; give uint8, uint16, or floats in "
            "[0, 1]"
        )
    low, high = float(values.min()), float(values.max())
    if not (low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT):  # true for NaN
        raise ValueError(
            f"{what} of floats has values from {low:.3g} to {high:.3g}, not in [0, 1]; give images "
            "before normalisation, scaled by one range for all of them"
        )
    return (values.astype(np.float64).clip(0, 1) * 255).round().astype(np.uint8)


def to_rgb(image: Image.Image, *, in_place: bool = False) -> Image.Image:
    """Turn upright, lay transparency on white, and convert any mode to RGB.

    `in_place` may change the image that is given, and saves a copy of it.
    """
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        image = _from_deep_grey(image)
    if in_place:
        ImageOps.exif_transpose(image, in_place=True)
    else:
        image = ImageOps.exif_transpose(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in {"RGBA", "LA", "La", "PA", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Bring grey values of more than 8 bits into 0..255, where a plain conversion clips them.

    The format says which value is white: 1 for floats, 65,535 for 16 bits (and where Pillow has
    scaled to that, as for PNG and PGM), less for a TIFF of fewer bits, or what a TIFF declares. 32
    bits without a word about it have no white.
    """
    tags = getattr(image, "tag_v2", {})
    declared = tags.get(_MAX_SAMPLE, tags.get(_MAX_SAMPLE_SIGNED))
    bits = tags.get(_BITS, (16,))
    values = np.asarray(image)
    if image.mode == "F":
        grey = _as_bytes(values, "a picture")
    else:
        white = 2 ** int(bits[0]) - 1 if image.mode.startswith("I;16") else 65_535
        if image.mode == "I" and image.format not in {"PNG", "PPM"}:
            if declared is None:
                raise ValueError(
                    "a picture of 32 bits does not say which value is white; save it with 8 or 16 "
                    "bits, or as floats in [0, 1]"
                )
            white = float(declared[0] if isinstance(declared, tuple) else declared)
        share = values.astype(np.float64) / white
        grey = (share.clip(0, 1) * 255).round().astype(np.uint8)
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero, which Pillow heeds for 8 bits alone
        grey = 255 - grey
    found = Image.fromarray(grey)
    found.info = {key: image.info[key] for key in ("exif",) if key in image.info}
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    if orientation:
        found.getexif()[ExifTags.Base.Orientation] = orientation
    return found


def reason(error: Exception) -> str:
    """Say what is wrong with an image without naming where it lies on this machine."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    if isinstance(error, Image.DecompressionBombError):
        return (
            f"too many pixels, which may be an attack by a small file ({str(error).rstrip('.')}); "
            "if you trust it, raise PIL.Image.MAX_IMAGE_PIXELS"
        )
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error).rstrip(".") or type(error).__name__


def is_of_the_machine(error: BaseException) -> bool:
    """Whether an error says that memory or open files ran out, and nothing of the image."""
    if isinstance(error, OSError):
        return error.errno in _MACHINE_ERRORS
    return isinstance(error, (MemoryError, torch.OutOfMemoryError))
