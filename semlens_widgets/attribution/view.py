"""Which part of an image a model's transform lets the model see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Frame:
    """Where the input of a model lies in the image that it was made from.

    Attributes
    ----------
    box
        Places in the image, as fractions of it, of the input's left, top, right and bottom edge.
        They reach beyond 0 and 1 where the transform pads, and are swapped where it mirrors.
    transposed
        Whether the input's rows run down the image: left and right are then those of its columns.
    """

    box: Box
    transposed: bool = False

    @property
    def visible(self) -> Box:
        """``(left, top, right, bottom)`` of the input in the image, in ascending order."""
        left, top, right, bottom = self.box
        return min(left, right), min(top, bottom), max(left, right), max(top, bottom)

    def upright(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn ``(height, width, ...)`` over the input as the image is turned."""
        left, top, right, bottom = self.box
        values = values.swapaxes(0, 1) if self.transposed else values
        return values[:: -1 if bottom < top else 1, :: -1 if right < left else 1]

    def inside(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Return the rows and columns of the input, ``shape`` (height, width), in the image."""
        left, top, right, bottom = self.box
        rows, columns = (
            ((left, right), (top, bottom)) if self.transposed else ((top, bottom), (left, right))
        )
        return _inside(*rows, shape[0]), _inside(*columns, shape[1])


WHOLE = Frame((0.0, 0.0, 1.0, 1.0))


def _inside(start: float, end: float, length: int) -> slice:
    first, last = sorted(((0 - start) / (end - start), (1 - start) / (end - start)))
    low = int(np.ceil(np.clip(first, 0, 1) * length - 0.01))
    return slice(low, max(low, int(np.clip(last, 0, 1) * length + 0.01)))


def to_image_grid(
    values: NDArray[np.uint8], frame: Frame, size: tuple[int, int], side: int
) -> NDArray[np.uint8]:
    """Lay a map over what the model sees onto a grid over the whole image.

    Parameters
    ----------
    values
        ``(height, width)`` over the model's input.
    frame
        Where that input lies in the image, see `semlens_widgets.attribution.framing`.
    size
        Width and height of the image in pixels.
    side
        The longer side of the grid.

    Returns
    -------
    numpy.ndarray
        ``(height, width)`` uint8, zero outside of what the model sees.
    """
    width, height = _scaled(size, side)
    left, top, right, bottom = frame.visible
    corners = [
        round(left * width),
        round(top * height),
        round(right * width),
        round(bottom * height),
    ]
    inner = (max(1, corners[2] - corners[0]), max(1, corners[3] - corners[1]))
    grid = Image.new("L", (width, height))
    grid.paste(_resized(frame.upright(values), inner), (corners[0], corners[1]))
    return np.asarray(grid)


def to_input_grid(values: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Scale a map over the model's input, so that its longer side is `side` at most."""
    return np.asarray(_resized(values, _scaled((values.shape[1], values.shape[0]), side)))


def _scaled(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(side, max(size)) / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _resized(values: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    source = Image.fromarray(np.ascontiguousarray(values))
    if source.size == size:
        return source
    kind = Image.Resampling.BOX if size < source.size else Image.Resampling.BILINEAR
    return source.resize(size, kind)


def to_image_box(box: Sequence[int], shape: tuple[int, int], frame: Frame) -> Box:
    """Express a box in pixels of the model's input, ``shape`` (height, width), in fractions."""
    left, top, right, bottom = frame.box
    height, width = shape
    across, down = (box[0] / width, box[2] / width), (box[1] / height, box[3] / height)
    if frame.transposed:
        across, down = down, across
    x = sorted(float(np.clip(left + (right - left) * place, 0, 1)) for place in across)
    y = sorted(float(np.clip(top + (bottom - top) * place, 0, 1)) for place in down)
    return x[0], y[0], x[1], y[1]
