"""Whether a picture lies in a model's input as its transform's frame says.

A frame is found on stripes. A transform that follows what it finds in a picture, or a random one,
treats the picture otherwise, so each picture is looked at again, in what the model was given of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.attribution.view import Frame

    Array = NDArray[np.float32]
    Cells = NDArray[np.float64]

_CELLS = 24  # across what is compared
_SHIFT = 0.06  # of what the model sees: a place off by this must fit worse
_EXPLAINED = 0.75  # of the input's variance by the picture's colours, where the place is right
_TEXTURE = 10  # squares across what the model sees
_STEP = 24  # of 255: the texture leaves a picture what it is
_EXPLAINED_TEXTURE = 0.5
_UNLIKE = 0.6  # of the variance left unexplained: the input shows something else
_PLAIN = 12  # of 255: a picture of less contrast than this says nothing by itself


def holds(
    frame: Frame, transform: Callable[[Image.Image], Tensor], picture: Image.Image, seen: Tensor
) -> bool:
    """Tell whether `seen`, which a transform made of a picture, shows it in a frame.

    The input's channels must be mixtures of the picture's colours, cell by cell, and those of a
    place next to it must fit worse. Where the picture has too little in it to say so, a faint
    texture is laid over it, and what that changes in the input is compared.
    """
    before = np.asarray(picture, np.float32)
    after = _array(seen)
    if _fits(frame, before, after, _EXPLAINED):
        return True
    given, got = _compared(frame, before, after)
    if _unexplained(given, got) > _UNLIKE and np.ptp(given, axis=0).max(initial=0) > _PLAIN:
        return False  # a texture could hide that the picture itself is not there
    textured = _textured(picture, frame)
    try:
        changed = _array(transform(textured)) - after
    except Exception:  # noqa: BLE001 - it may fail on a texture: then it says nothing
        return False
    if changed.shape != after.shape:
        return False
    return _fits(frame, np.asarray(textured, np.float32) - before, changed, _EXPLAINED_TEXTURE)


def _fits(frame: Frame, picture: Array, seen: Array, least: float) -> bool:
    here = _unexplained(*_compared(frame, picture, seen))
    if here > 1 - least:
        return False
    left, top, right, bottom = frame.box
    rows, columns = frame.upright(seen).shape[:2]
    across = max(_SHIFT, 1.5 / columns) * (right - left)
    down = max(_SHIFT, 1.5 / rows) * (bottom - top)
    for sign in (-1, 1):
        for x, y in ((sign * across, 0.0), (0.0, sign * down)):
            beside = replace(frame, box=(left + x, top + y, right + x, bottom + y))
            if _unexplained(*_compared(beside, picture, seen)) < 1.3 * here + 0.02:
                return False
    return True


def _compared(frame: Frame, picture: Array, seen: Array) -> tuple[Cells, Cells]:
    """Average the picture and the input in the same cells of a frame, (cells, channels) each."""
    height, width = picture.shape[:2]
    left, top, right, bottom = frame.visible
    upright = frame.upright(seen)
    rows, columns = upright.shape[:2]
    x, y = np.clip([left, right], 0, 1), np.clip([top, bottom], 0, 1)
    there = (x - left) / (right - left) * columns, (y - top) / (bottom - top) * rows
    if min(np.ptp(span) for span in there) <= 0:
        return np.zeros((0, picture.shape[2])), np.zeros((0, seen.shape[2]))
    across, down = (int(np.clip(np.ptp(span) / 2, 4, _CELLS)) for span in there)
    cells = across, down
    return _cells(picture, (x * width, y * height), cells), _cells(upright, there, cells)


def _unexplained(given: Cells, got: Cells) -> float:
    """Return the share of the input's variance that mixtures of the picture's colours leave."""
    spread = ((got - got.mean(axis=0)) ** 2).sum() if len(got) else 0.0
    if not np.isfinite(spread) or spread <= 1e-6 * (got**2).sum() + 1e-12:
        return 1.0
    given = np.concatenate([given, np.ones((len(given), 1))], axis=1)
    rest = got - given @ np.linalg.lstsq(given, got, rcond=1e-5)[0]
    freedom = (len(got) - 1) / max(len(got) - given.shape[1], 1)
    return float((rest**2).sum() / spread * freedom)


def _cells(
    values: Array, span: tuple[NDArray[np.float64], NDArray[np.float64]], cells: tuple[int, int]
) -> Cells:
    """Average a part of (height, width, channels) in a grid of cells, (cells, channels)."""
    (left, right), (top, bottom) = span
    box = (float(left), float(top), float(right), float(bottom))
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(values[..., channel])).resize(
                cells, Image.Resampling.BILINEAR, box=box
            ),
            np.float64,
        ).ravel()
        for channel in range(values.shape[2])
    ]
    return np.stack(planes, axis=1)


def _array(seen: Tensor) -> Array:
    array: Array = seen.detach().cpu().float().permute(1, 2, 0).numpy()
    return array


def _textured(picture: Image.Image, frame: Frame) -> Image.Image:
    left, top, right, bottom = frame.visible
    across, down = (
        int(np.clip(_TEXTURE / (high - low), 2, length))
        for low, high, length in zip((left, top), (right, bottom), picture.size, strict=True)
    )
    random = np.random.default_rng(0).integers(0, 2, (down, across, 1))
    means = np.asarray(picture.resize((across, down), Image.Resampling.BOX), np.int16)
    steps = random * np.where(means < 128, _STEP, -_STEP)  # towards the middle: nothing is cut off
    layer = [
        np.asarray(
            Image.fromarray(plane.astype(np.int32)).resize(picture.size, Image.Resampling.NEAREST)
        )
        for plane in np.moveaxis(steps, 2, 0)
    ]
    pixels = np.asarray(picture, np.int16) + np.stack(layer, axis=2)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
