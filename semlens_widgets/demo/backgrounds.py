"""The eight grounds a scene can stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.demo.canvas import (
    FloatArray,
    coverage,
    flecks,
    grain,
    grid,
    noise,
    paint,
    stream,
    tint,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def background(name: str, seed: int, size: int) -> FloatArray:
    """Draw a background: float RGB around [0, 1], shape (size, size, 3)."""
    rng = stream(seed, "background")
    cast = rng.uniform(-0.035, 0.035, 3).astype(np.float32)  # no two photographs agree on white
    return _PAINTERS[name](rng, size) + cast


def _sky(rng: np.random.Generator, size: int) -> FloatArray:
    _, y = grid(size)
    height = np.clip((y + 1) / 2 + rng.uniform(-0.15, 0.15), 0, 1)
    picture = tint((0.26, 0.53, 0.90), (0.74, 0.88, 0.98), height)
    billows = 0.6 * noise(rng, size, 4, 3) + 0.28 * noise(rng, size, 9, 7) + 0.12 * grain(rng, size)
    clouds = np.clip(billows * 3.2 - rng.uniform(1.3, 1.7), 0, 0.92)
    paint(picture, clouds, tint((0.84, 0.88, 0.94), (1.0, 1.0, 1.0), clouds))
    return picture


def _grass(rng: np.random.Generator, size: int) -> FloatArray:
    patches = noise(rng, size, 5)
    blades = 0.6 * noise(rng, size, 14, 64) + 0.4 * noise(rng, size, 28, 64)
    light = np.clip(0.25 * patches + 1.5 * blades - 0.4, 0, 1)
    return tint((0.09, 0.28, 0.06), (0.46, 0.72, 0.22), light)


def _sand(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = grid(size)
    drift = rng.uniform(11, 15) * y + rng.uniform(-3, 3) * x + 5 * noise(rng, size, 4)
    ripples = np.sin(drift + 0.5 * np.sin(drift))
    light = np.clip(0.5 + 0.24 * ripples + 0.5 * grain(rng, size), 0, 1)
    return tint((0.74, 0.60, 0.36), (0.97, 0.86, 0.62), light)


def _brick(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = grid(size)
    rows = int(rng.integers(5, 8))
    across = rows * 0.5
    v = (y + 1) / 2 * rows
    course = np.floor(v)
    u = (x + 1) / 2 * across + 0.5 * (course % 2) + 1
    column = np.floor(u)
    tones = rng.random((rows, rows + 2), dtype=np.float32)
    tone = tones[course.astype(np.intp), column.astype(np.intp)]
    # Distance to the nearest joint, in heights of a brick.
    gap_v = 0.5 - np.abs(v - course - 0.5)
    gap_u = (0.5 - np.abs(u - column - 0.5)) * rows / across
    joint = coverage(np.minimum(gap_v, gap_u) - 0.08, size / rows)
    picture = tint((0.50, 0.19, 0.13), (0.76, 0.36, 0.25), tone * 0.75 + 0.25 * (v - course))
    picture += 0.10 * grain(rng, size)[..., None]
    paint(picture, joint, (0.80, 0.76, 0.70))
    return picture


def _wood(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = grid(size)
    planks = 4
    v = (y + 1) / 2 * planks + rng.random(dtype=np.float32)
    plank = np.floor(v)
    shift = rng.random((planks + 1, 2), dtype=np.float32)[plank.astype(np.intp)]
    warp = noise(rng, size, 8, 3)
    rings = np.sin((v - plank) * 9 + 7 * warp + 6 * shift[..., 0] + x)
    fibres = noise(rng, size, 64, 6) - 0.5
    light = np.clip(0.42 + 0.22 * rings + 0.5 * fibres + 0.35 * (shift[..., 1] - 0.5), 0, 1)
    picture = tint((0.36, 0.20, 0.09), (0.72, 0.49, 0.27), light)
    gap = 0.5 - np.abs(v - plank - 0.5)
    paint(picture, 0.75 * coverage(gap - 0.035, size / planks), (0.15, 0.08, 0.04))
    return picture


def _water(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = grid(size)
    phase = rng.uniform(0, 6.28, 2).astype(np.float32)
    swell = 16 * y + 6 * noise(rng, size, 5) + 1.8 * np.sin(4 * x + phase[0])
    waves = np.sin(swell)
    picture = tint((0.02, 0.28, 0.44), (0.13, 0.58, 0.66), 0.5 + 0.5 * waves)
    crests = np.clip(waves * 5 - 4.0, 0, 1) * np.clip(0.25 + noise(rng, size, 6), 0, 1)
    paint(picture, 0.8 * crests, (0.86, 0.97, 0.97))
    return picture


def _snow(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = grid(size)
    drifts = np.sin(3 * y + 5 * noise(rng, size, 3) + rng.uniform(-1, 1) * x)
    light = np.clip(0.60 + 0.28 * drifts + 0.35 * grain(rng, size), 0, 1)
    picture = tint((0.68, 0.77, 0.89), (0.94, 0.97, 1.0), light)
    sparkle = np.clip(noise(rng, size, 64) * 40 - 39.2, 0, 1)
    paint(picture, sparkle, (1.0, 1.0, 1.0))
    return picture


def _night(rng: np.random.Generator, size: int) -> FloatArray:
    x, y = grid(size)
    glow = np.clip((y + 1) / 2, 0, 1) ** 2
    picture = tint((0.02, 0.02, 0.10), (0.13, 0.09, 0.30), glow)
    haze = np.clip(1.6 * noise(rng, size, 4) - 0.8, 0, 1)
    paint(picture, 0.45 * haze, (0.18, 0.15, 0.40))
    cells = 8
    stars = flecks(rng, (x + 1) / 2 * cells, (y + 1) / 2 * cells, cells) + 0.34
    paint(picture, coverage(stars, size / cells), (1.0, 0.97, 0.86))
    return picture


_PAINTERS: dict[str, Callable[[np.random.Generator, int], FloatArray]] = {
    "sky": _sky,
    "grass": _grass,
    "sand": _sand,
    "brick": _brick,
    "wood": _wood,
    "water": _water,
    "snow": _snow,
    "night": _night,
}
