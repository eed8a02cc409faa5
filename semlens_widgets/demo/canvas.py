"""What all drawing shares: coordinates, noise that looks the same at any size, edges, text."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FloatArray: TypeAlias = NDArray[np.floating[Any]]
Colour: TypeAlias = tuple[float, float, float]

#: Noise is drawn on this many cells per side, whatever the size of the picture.
GRAIN = 64

_FONT_SIZE = 96  # masks of text are drawn this high, then reduced


def stream(seed: int, component: str) -> np.random.Generator:
    """Return a component's own random stream, independent of all other components."""
    return np.random.default_rng((seed, zlib.crc32(component.encode())))


@lru_cache(maxsize=8)
def grid(size: int) -> tuple[FloatArray, FloatArray]:
    """Return x and y at the pixel centres, both in [-1, 1], y downwards: (size, size) each."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return x, y


@lru_cache(maxsize=64)
def _resampling(cells: int, size: int) -> FloatArray:
    """Linear interpolation from `cells` cell centres to `size` pixel centres: (size, cells)."""
    position = np.clip((np.arange(size) + 0.5) / size * cells - 0.5, 0, cells - 1)
    distance = np.abs(position[:, None] - np.arange(cells)[None])
    weights: FloatArray = np.clip(1 - distance, 0, 1).astype(np.float32)
    return weights


def noise(rng: np.random.Generator, size: int, rows: int, columns: int | None = None) -> FloatArray:
    """Draw smooth noise in [0, 1]: rows x columns random cells, stretched over the picture."""
    columns = rows if columns is None else columns
    cells: FloatArray = rng.random((rows, columns), dtype=np.float32)
    if rows != size:
        cells = _resampling(rows, size) @ cells
    if columns != size:
        cells = cells @ _resampling(columns, size).T
    return cells


def grain(rng: np.random.Generator, size: int) -> FloatArray:
    """Draw fine noise in [-0.5, 0.5]: (size, size)."""
    return noise(rng, size, GRAIN) - np.float32(0.5)


def coverage(distance: FloatArray, pixels: float) -> FloatArray:
    """Turn a signed distance (negative inside) into an anti-aliased mask.

    Parameters
    ----------
    distance : array
        Signed distance in some unit.
    pixels : float
        Pixels per unit: the edge is one pixel wide at any size.
    """
    mask: FloatArray = np.clip(np.float32(0.5) - distance * np.float32(pixels), 0, 1)
    return mask


def paint(picture: FloatArray, mask: FloatArray, colour: Colour | FloatArray) -> None:
    """Lay a colour over the picture in place, where and as much as the mask says."""
    picture += mask[..., None] * (np.asarray(colour, dtype=np.float32) - picture)


def tint(dark: Colour, light: Colour, amount: FloatArray) -> FloatArray:
    """Blend between two colours pixel by pixel: (size, size, 3)."""
    low, high = np.asarray(dark, np.float32), np.asarray(light, np.float32)
    return low + amount[..., None] * (high - low)


def flecks(rng: np.random.Generator, u: FloatArray, v: FloatArray, cells: int) -> FloatArray:
    """Scatter round flecks: signed distance to them, where one cell is 1 wide.

    Each of cells x cells cells has at most one fleck, somewhere in it: fine and without order.
    """
    table = rng.random((cells, cells, 3), dtype=np.float32)
    column, row = np.floor(u), np.floor(v)
    fleck = table[row.astype(np.intp) % cells, column.astype(np.intp) % cells]
    offset = 0.3 + 0.4 * fleck[..., :2]
    away = np.hypot(u - column - offset[..., 0], v - row - offset[..., 1])
    return away + np.float32(0.06) - np.float32(0.52) * fleck[..., 2]


@lru_cache(maxsize=1024)
def text_mask(text: str, height: float, angle: int, size: int) -> FloatArray:
    """Draw a line of text, turned and no wider than the picture: a mask in [0, 1].

    Parameters
    ----------
    text : str
        What is written.
    height : float
        Height of the font as a fraction of the picture.
    angle : int
        Degrees, anticlockwise.
    size : int
        Side of the picture in pixels.
    """
    font = ImageFont.load_default(size=_FONT_SIZE)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    image = Image.new("L", (right - left + 8, bottom - top + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=font)
    image = image.rotate(angle, expand=True, resample=Image.Resampling.BICUBIC)
    scale = min(height / _FONT_SIZE, 0.96 / image.width, 0.96 / image.height) * size
    width, rows = (max(1, round(side * scale)) for side in image.size)
    reduced = image.resize((width, rows), resample=Image.Resampling.BOX)
    return np.asarray(reduced, dtype=np.float32) / 255
