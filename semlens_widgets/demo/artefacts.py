"""What photographs carry besides their subject: the spurious features of this world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.demo.canvas import Colour, FloatArray, coverage, grid, paint, stream, text_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from semlens_widgets.demo.world import Scene

_WATERMARKS = ("STOCK", "SAMPLE", "PREVIEW", "PROOF", "(c) PHOTO", "DEMO", "IMAGEBANK", "COPYRIGHT")
_WATERMARK_HEIGHTS = (0.19, 0.23, 0.27)
_WATERMARK_ANGLES = (-35, -20, 0, 20, 35)
_FRAMES: tuple[Colour, ...] = ((0.07, 0.06, 0.06), (0.97, 0.96, 0.93), (0.76, 0.58, 0.22))
_GHOSTS: tuple[tuple[float, float, Colour], ...] = (  # position on the axis, radius, colour
    (0.7, 0.10, (0.45, 0.80, 0.40)),
    (1.1, 0.16, (0.80, 0.50, 0.50)),
    (1.6, 0.12, (0.40, 0.50, 0.90)),
)


def add_artefacts(picture: FloatArray, scene: Scene) -> None:
    """Draw a scene's artefacts onto its picture in place; the watermark is always on top."""
    for name, draw in _PAINTERS.items():
        if name in scene.artefacts:
            draw(picture, stream(scene.seed, name))


def _lens_flare(picture: FloatArray, rng: np.random.Generator) -> None:
    x, y = grid(len(picture))
    sun_x, sun_y = rng.uniform(-0.75, 0.75), rng.uniform(-0.8, -0.3)
    distance = np.hypot(x - sun_x, y - sun_y)
    halo = 1.1 * np.exp(-((distance / 0.27) ** 2)) + 0.25 * np.exp(-distance / 0.35)
    streak = np.clip(1 - np.abs(y - sun_y) * 22, 0, 1) * np.clip(1 - distance * 0.7, 0, 1)
    light = (halo + 0.5 * streak)[..., None] * np.array((1.0, 0.95, 0.80), np.float32)
    for along, radius, colour in _GHOSTS:
        ghost = np.hypot(x - sun_x * (1 - along), y - sun_y * (1 - along))
        inside = np.clip((radius - ghost) * 12, 0, 1) * 0.35
        light = light + inside[..., None] * np.asarray(colour, np.float32)
    picture += light.astype(np.float32)


def _border(picture: FloatArray, rng: np.random.Generator) -> None:
    size = len(picture)
    x, y = grid(size)
    width = rng.uniform(0.13, 0.22)
    inner = 1 - width - np.maximum(np.abs(x), np.abs(y))  # negative on the frame
    picture *= 1 - 0.45 * np.clip(1 - inner / 0.10, 0, 1)[..., None]  # the frame's shadow
    frame = np.asarray(_FRAMES[rng.integers(len(_FRAMES))], np.float32)
    bevel = 1 - 0.18 * np.clip(x + y, -1, 1)
    paint(picture, coverage(inner, size / 2), frame * bevel[..., None])


def _ruler(picture: FloatArray, rng: np.random.Generator) -> None:
    size = len(picture)
    x, y = grid(size)
    along, across = ((x, y), (x, -y), (y, x), (y, -x))[rng.integers(4)]
    width = 0.27
    edge = 1 - width - across
    picture *= 1 - 0.3 * np.clip(1 - edge / 0.06, 0, 1)[..., None]
    paint(picture, 0.92 * coverage(edge, size / 2), (0.98, 0.93, 0.68))
    position = along * 8 + rng.random(dtype=np.float32)
    nearest = np.round(position)
    length = np.where(nearest % 4 == 0, 0.85 * width, 0.45 * width)
    line = coverage((np.abs(position - nearest) - 0.14) / 8, size / 2)
    paint(picture, line * coverage(1 - length - across, size / 2), (0.06, 0.05, 0.05))


def _timestamp(picture: FloatArray, rng: np.random.Generator) -> None:
    day = f"{rng.integers(1, 13):02d}:{rng.integers(60):02d}"
    date = f"'{rng.integers(80, 100)} {rng.integers(1, 13)} {rng.integers(1, 29)}"
    mask = text_mask(date if rng.random() < 0.5 else day, 0.17, 0, len(picture))
    room = np.array(picture.shape[:2]) - mask.shape
    margin = len(picture) * rng.uniform(0.03, 0.08, 2)
    row, column = np.maximum(0, room - margin).astype(int)
    _paste(picture, 0.7 * mask, (row + 1, column + 1), (0.10, 0.02, 0.0))
    _paste(picture, mask, (row, column), (1.0, 0.58, 0.08))


def _watermark(picture: FloatArray, rng: np.random.Generator) -> None:
    text = _WATERMARKS[rng.integers(len(_WATERMARKS))]
    height = _WATERMARK_HEIGHTS[rng.integers(len(_WATERMARK_HEIGHTS))]
    angle = _WATERMARK_ANGLES[rng.integers(len(_WATERMARK_ANGLES))]
    size = len(picture)
    mask = text_mask(text, height, angle, size)
    room = np.array(picture.shape[:2]) - mask.shape
    row, column = (rng.random(2) * room).astype(int)
    shadow = max(1, round(size / 64))
    _paste(picture, 0.45 * mask, (row + shadow, column + shadow), (0.0, 0.0, 0.0))
    _paste(picture, np.float32(rng.uniform(0.7, 0.95)) * mask, (row, column), (1.0, 1.0, 1.0))


def _paste(picture: FloatArray, mask: FloatArray, corner: tuple[int, int], colour: Colour) -> None:
    row, column = corner
    window = picture[row : row + mask.shape[0], column : column + mask.shape[1]]
    paint(window, mask[: window.shape[0], : window.shape[1]], colour)


_PAINTERS: dict[str, Callable[[FloatArray, np.random.Generator], None]] = {  # lowest first
    "lens flare": _lens_flare,
    "border": _border,
    "ruler": _ruler,
    "timestamp": _timestamp,
    "watermark": _watermark,
}
