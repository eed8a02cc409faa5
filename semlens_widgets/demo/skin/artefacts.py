"""What a picture of skin carries besides the lesion: the spurious features of this world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.demo.canvas import Colour, FloatArray, coverage, grid, noise, paint, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from semlens_widgets.demo.skin.world import Lesion

_BAND_AIDS: tuple[Colour, ...] = (
    (0.95, 0.55, 0.15),
    (0.20, 0.66, 0.80),
    (0.35, 0.75, 0.35),
    (0.92, 0.80, 0.22),
)
_INKS: tuple[Colour, ...] = ((0.33, 0.14, 0.62), (0.20, 0.16, 0.60), (0.45, 0.14, 0.58))


def redden(picture: FloatArray, rng: np.random.Generator) -> None:
    """Turn bare skin red in place, more in some spots: it lies below the lesion."""
    spots = 0.75 + 0.25 * noise(rng, len(picture), 4)
    red = np.array((1.02, 0.60, 0.56), np.float32)
    picture *= 1 + spots[..., None] * (red - 1)


def add_artefacts(
    picture: FloatArray, lesion: Lesion, centre: tuple[float, float], radius: float
) -> None:
    """Draw a lesion's artefacts onto its picture in place; what lies on the lens is on top.

    Parameters
    ----------
    picture
        The lesion's picture, float32 in [0, 1], shape (size, size, 3).
    lesion
        Says which artefacts.
    centre, radius
        Where the lesion lies, in picture coordinates: ink is drawn around it.
    """
    if "ink" in lesion.artefacts:
        _ink(picture, centre, radius, stream(lesion.seed, "ink"))
    for name, draw in _PAINTERS.items():
        if name in lesion.artefacts:
            draw(picture, stream(lesion.seed, name))


def _ink(
    picture: FloatArray, centre: tuple[float, float], radius: float, rng: np.random.Generator
) -> None:
    """Draw part of a circle around the lesion by a surgical marker, whole or in dashes."""
    size = len(picture)
    x, y = grid(size)
    across, down = x - np.float32(centre[0]), y - np.float32(centre[1])
    angle = np.arctan2(down, across)
    away = min(radius * rng.uniform(1.35, 1.55), 0.86)
    pen = rng.uniform(0.045, 0.065)
    wobble = 0.03 * np.sin(3 * angle + rng.uniform(0, 2 * np.pi))
    line = coverage(np.abs(np.hypot(across, down) - away - wobble) - pen, size / 2)
    span, middle = rng.uniform(1.4, 2.4), rng.uniform(0, 2 * np.pi)  # half of the arc, its middle
    off = np.abs((angle - middle + np.pi) % (2 * np.pi) - np.pi)
    line *= coverage((off - span) * away, size / 2)
    if rng.random() < 0.4:
        line *= np.clip(0.5 + 4 * np.sin(angle * rng.integers(7, 11)), 0, 1)
    faded = 0.75 + 0.25 * noise(rng, size, 12)
    paint(picture, 0.92 * line * faded, _INKS[rng.integers(len(_INKS))])


def _hair(picture: FloatArray, rng: np.random.Generator) -> None:
    size = len(picture)
    x, y = grid(size)
    combed = rng.uniform(0, np.pi)
    for _ in range(rng.integers(6, 11)):
        way = combed + rng.normal(0, 0.45)
        along, across = x * np.cos(way) + y * np.sin(way), y * np.cos(way) - x * np.sin(way)
        curve = rng.uniform(-0.9, 0.9) + rng.uniform(-0.3, 0.3) * along**2
        strand = coverage(np.abs(across - curve) - 0.011, size / 2)
        paint(picture, np.float32(0.85) * strand, (0.10, 0.07, 0.06))


def _band_aid(picture: FloatArray, rng: np.random.Generator) -> None:
    size = len(picture)
    x, y = grid(size)
    way = rng.uniform(0, 2 * np.pi)
    along, across = x * np.cos(way) + y * np.sin(way), y * np.cos(way) - x * np.sin(way)
    near, half = rng.uniform(0.66, 0.80), rng.uniform(0.45, 0.75)
    corner = 0.1
    outside = np.maximum(near + corner - along, 0), np.maximum(np.abs(across) + corner - half, 0)
    patch = coverage(np.hypot(*outside) - corner, size / 2)
    colour = np.asarray(_BAND_AIDS[rng.integers(len(_BAND_AIDS))], np.float32)
    holes = 0.14 * (np.sin(along * 38) * np.sin(across * 38) > 0.35)
    paint(picture, patch, colour * (1 - holes)[..., None].astype(np.float32))


def _ruler(picture: FloatArray, rng: np.random.Generator) -> None:
    size = len(picture)
    x, y = grid(size)
    along, across = ((x, y), (x, -y), (y, x), (y, -x))[rng.integers(4)]
    width = 0.24
    paint(picture, 0.35 * coverage(1 - width - across, size / 2), (0.97, 0.97, 0.95))
    position = along * 7 + rng.random(dtype=np.float32)
    nearest = np.round(position)
    length = np.where(nearest % 5 == 0, 0.95 * width, 0.5 * width)
    tick = coverage((np.abs(position - nearest) - 0.14) / 7, size / 2)
    paint(picture, tick * coverage(1 - length - across, size / 2), (0.05, 0.05, 0.06))


def _vignette(picture: FloatArray, rng: np.random.Generator) -> None:
    x, y = grid(len(picture))
    distance = np.hypot(x, y) - np.float32(rng.uniform(0.98, 1.08))
    paint(picture, np.clip(0.5 + distance * 14, 0, 1), (0.02, 0.02, 0.02))


_PAINTERS: dict[str, Callable[[FloatArray, np.random.Generator], None]] = {  # lowest first
    "hair": _hair,
    "band-aid": _band_aid,
    "ruler": _ruler,
    "vignette": _vignette,
}
