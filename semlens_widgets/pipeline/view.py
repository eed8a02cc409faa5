"""Which part of an image a model's transform lets the model see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def visible_box(transform: Callable[[Image.Image], Tensor], size: tuple[int, int]) -> Box:
    """Find where the input of a model lies in the image that it was made from.

    Transforms resize, crop and normalise, and none says what it does. So it is shown three images:
    black, white, and one whose red and green channels are the coordinates. Black and white give
    back each channel's normalisation; the coordinates, seen through the transform, are then a
    straight line per axis whose ends are the borders of what the model sees.

    Parameters
    ----------
    transform
        From an RGB image to ``(3, height, width)``.
    size
        Width and height of the image in pixels.

    Returns
    -------
    Box
        ``(left, top, right, bottom)`` as fractions of the image; it reaches beyond 0 and 1 where
        the transform pads. The whole image where the transform is not a scaling with a crop
        (a random or warping one): such an input has no fixed place in the image.
    """
    width, height = size
    x = np.broadcast_to((np.arange(width) + 0.5) / width, (height, width))
    y = np.broadcast_to(((np.arange(height) + 0.5) / height)[:, None], (height, width))
    ramp = np.stack([x, y, np.zeros_like(x)], axis=2)
    probe = Image.fromarray(np.round(ramp * 255).astype(np.uint8))
    black = transform(Image.new("RGB", size, (0, 0, 0)))
    white = transform(Image.new("RGB", size, (255, 255, 255)))
    span = white - black
    if span.ndim != 3 or span.shape[0] != 3 or not bool((span[:2].abs() > 1e-6).all()):
        return WHOLE
    seen = ((transform(probe) - black) / span)[:2].double().numpy()  # (2, height, width)
    left, right, straight_x = _ends(seen[0].mean(axis=0), seen[0].std(axis=0))
    top, bottom, straight_y = _ends(seen[1].mean(axis=1), seen[1].std(axis=1))
    if not (straight_x and straight_y):
        return WHOLE
    # The probe's 8 bits place an edge to about a pixel, and edges are nearly always whole pixels.
    return (
        round(left * width) / width,
        round(top * height) / height,
        round(right * width) / width,
        round(bottom * height) / height,
    )


def _ends(line: NDArray[np.float64], spread: NDArray[np.float64]) -> tuple[float, float, bool]:
    """Fit a line to pixel centres; give its values at both borders, and whether it is one."""
    n = len(line)
    if n < 2:
        return 0.0, 1.0, False
    centres = (np.arange(n) + 0.5) / n
    slope, start = np.polyfit(centres, line, 1)
    error = np.abs(start + slope * centres - line).max()
    return (
        float(start),
        float(start + slope),
        bool(error < 0.02 and spread.max() < 0.02 and slope > 0),
    )


def to_image_grid(
    values: NDArray[np.uint8], box: Box, size: tuple[int, int], side: int
) -> NDArray[np.uint8]:
    """Lay a map over what the model sees onto a grid over the whole image.

    Parameters
    ----------
    values
        ``(height, width)`` over the model's input.
    box
        Where that input lies in the image, see :func:`visible_box`.
    size
        Width and height of the image in pixels.
    side
        The longer side of the grid.

    Returns
    -------
    numpy.ndarray
        ``(height, width)`` uint8, zero outside the box.
    """
    scale = min(side, max(size)) / max(size)
    width, height = (max(1, round(length * scale)) for length in size)
    left, top, right, bottom = box
    corners = [
        round(left * width),
        round(top * height),
        round(right * width),
        round(bottom * height),
    ]
    inner = (max(1, corners[2] - corners[0]), max(1, corners[3] - corners[1]))
    source = Image.fromarray(values)
    if source.size != inner:
        source = source.resize(
            inner, Image.Resampling.BOX if inner < source.size else Image.Resampling.BILINEAR
        )
    grid = Image.new("L", (width, height))
    grid.paste(source, (corners[0], corners[1]))
    return np.asarray(grid)


def to_image_box(box: tuple[int, int, int, int], shape: tuple[int, int], view: Box) -> Box:
    """Express a box in pixels of the model's input, ``shape`` (height, width), in fractions."""
    left, top, right, bottom = view
    height, width = shape
    across, down = right - left, bottom - top
    placed = (
        left + across * box[0] / width,
        top + down * box[1] / height,
        left + across * box[2] / width,
        top + down * box[3] / height,
    )
    return tuple(float(np.clip(edge, 0.0, 1.0)) for edge in placed)  # type: ignore[return-value]
