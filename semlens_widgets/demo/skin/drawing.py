"""The renderer: a lesion becomes a picture, at any size."""

from __future__ import annotations

from dataclasses import dataclass
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
from semlens_widgets.demo.skin.artefacts import add_artefacts, redden

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from semlens_widgets.demo.skin.world import Lesion

_RADII = {"small diameter": (0.29, 0.36), "large diameter": (0.52, 0.63)}  # half the picture is 1
_PATCHES = ((0.11, 0.08, 0.08), (0.66, 0.24, 0.20), (0.80, 0.60, 0.36))  # of several colours
_VEIL = (0.42, 0.50, 0.70)
_SCAR = (0.93, 0.88, 0.85)
_PEPPER = (0.47, 0.48, 0.54)
_INK_BROWN = (0.10, 0.06, 0.05)


def render(lesion: Lesion, size: int = 64) -> NDArray[np.uint8]:
    """Draw a lesion.

    Parameters
    ----------
    lesion : Lesion
        What to draw. The same lesion gives the same picture, at every size.
    size : int
        Side of the square picture in pixels.

    Returns
    -------
    array of uint8, shape (size, size, 3)
    """
    picture = _skin(lesion, size)
    body = _body(lesion, size)
    _draw(picture, lesion, body)
    add_artefacts(picture, lesion, body.centre, body.radius)
    rng = stream(lesion.seed, "camera")
    picture *= np.float32(rng.uniform(0.95, 1.05))
    picture += np.float32(0.03) * grain(rng, size)[..., None]
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def extent(lesion: Lesion, size: int = 64) -> FloatArray:
    """Return how much of each pixel the lesion's body covers, in [0, 1]: (size, size).

    Streaks reach beyond it; nothing else of the lesion does.
    """
    return _body(lesion, size).mask


@dataclass(frozen=True, slots=True)
class _Body:
    """A lesion in its own coordinates: its radius is 1, and its outline is where depth is 0."""

    centre: tuple[float, float]
    radius: float
    u: FloatArray
    v: FloatArray
    angle: FloatArray
    depth: FloatArray  # distance from the centre over that of the outline, less 1
    mask: FloatArray


def _skin(lesion: Lesion, size: int) -> FloatArray:
    rng = stream(lesion.seed, "skin")
    tone = tint((0.78, 0.58, 0.46), (0.94, 0.79, 0.69), np.full((size, size), rng.random()))
    mottle = 0.08 * noise(rng, size, 5) + 0.07 * noise(rng, size, 16) - 0.075
    picture = (tone + mottle[..., None]).astype(np.float32)
    if "red skin" in lesion.artefacts:
        redden(picture, stream(lesion.seed, "red skin"))
    return picture


def _body(lesion: Lesion, size: int) -> _Body:
    rng = stream(lesion.seed, "placement")
    low, high = _RADII[lesion.diameter]
    radius = low + (high - low) * rng.random()
    room = 0.28 * (1 - radius)
    centre = (float(rng.uniform(-room, room)), float(rng.uniform(-room, room)))
    turn, flat = rng.uniform(0, 2 * np.pi), rng.uniform(0.82, 1.0)
    x, y = grid(size)
    across, down = (x - np.float32(centre[0])) / radius, (y - np.float32(centre[1])) / radius
    u = across * np.cos(turn) - down * np.sin(turn)
    v = across * np.sin(turn) + down * np.cos(turn)
    angle = np.arctan2(v, u)
    reach = _asymmetry(lesion, angle) + _notches(lesion, angle)
    depth = np.hypot(u, v / flat) / reach - 1
    soft = 0.09 if lesion.border == "regular border" else 0.03  # of the radius
    mask = coverage(depth, 1 / max(soft, 2 / (radius * size)))
    return _Body(centre, radius, u, v, angle, depth, mask)


def _asymmetry(lesion: Lesion, angle: FloatArray) -> FloatArray:
    """Distance to the outline: 1 all around, or with a bulge on one side and a dent beside it."""
    if lesion.asymmetry == "symmetric":
        return np.ones_like(angle)
    rng = stream(lesion.seed, "asymmetry")
    at = rng.uniform(-np.pi, np.pi)
    dent = at + rng.choice((-1, 1)) * rng.uniform(1.7, 2.3)
    bulge = rng.uniform(0.50, 0.65) * np.exp(3.5 * (np.cos(angle - at) - 1))
    outline: FloatArray = (
        0.9 + bulge - rng.uniform(0.36, 0.46) * np.exp(3.0 * (np.cos(angle - dent) - 1))
    )
    return outline


def _notches(lesion: Lesion, angle: FloatArray) -> FloatArray:
    """Return what an irregular border adds to that distance: teeth of several widths."""
    added = np.zeros_like(angle)
    if lesion.border == "irregular border":
        rng = stream(lesion.seed, "border")
        for waves in (5, 7, 9, 12):
            phase = rng.uniform(0, 2 * np.pi)
            added += np.float32(rng.uniform(0.06, 0.10)) * np.cos(waves * angle + phase)
    return added


def _draw(picture: FloatArray, lesion: Lesion, body: _Body) -> None:
    rng = stream(lesion.seed, "pigment")
    brown = np.array((0.50, 0.31, 0.19)) * rng.uniform(0.8, 1.12) + rng.uniform(-0.02, 0.02, 3)
    shade = 0.9 + 0.16 * np.clip(body.depth + 1, 0, 1) + 0.24 * (noise(rng, len(picture), 8) - 0.5)
    surface = (brown.astype(np.float32) * shade[..., None]).astype(np.float32)
    if lesion.colours == "several colours":
        _patches(surface, body, stream(lesion.seed, "colours"))
    for name, draw in _STRUCTURES.items():
        if name in lesion.structures:
            draw(surface, body, stream(lesion.seed, name))
    paint(picture, body.mask, surface)
    if "streaks" in lesion.structures:
        _streaks(picture, body, stream(lesion.seed, "streaks"))


def _blob(
    body: _Body, rng: np.random.Generator, at: float, away: float, radius: float
) -> FloatArray:
    """Return how far a point is outside a ragged round patch, in the lesion's coordinates."""
    ragged = 0.45 * (noise(rng, len(body.u), 6) - np.float32(0.5))
    distance = np.hypot(body.u - away * np.cos(at), body.v - away * np.sin(at))
    outside: FloatArray = distance + ragged - np.float32(radius)
    return outside


def _patches(surface: FloatArray, body: _Body, rng: np.random.Generator) -> None:
    first = rng.uniform(0, 2 * np.pi)
    for place, patch in enumerate(rng.permutation(len(_PATCHES))):
        at = first + place * 2 * np.pi / len(_PATCHES)
        distance = _blob(body, rng, at, rng.uniform(0.5, 0.6), rng.uniform(0.42, 0.52))
        paint(surface, coverage(distance, 8), _PATCHES[patch])


def _network(surface: FloatArray, body: _Body, rng: np.random.Generator) -> None:
    """Draw a dark honeycomb: three waves at 120 degrees, whose low ground joins around the tops."""
    size = len(surface)
    cell = max(0.42, 11 / (size * body.radius))  # of the radius; never finer than pixels show
    turn = rng.uniform(0, np.pi)
    u = body.u + 0.16 * (noise(rng, size, 5) - 0.5)
    v = body.v + 0.16 * (noise(rng, size, 5) - 0.5)
    height = np.zeros_like(u)
    for third in range(3):
        way = turn + third * 2 * np.pi / 3
        height += np.cos((u * np.cos(way) + v * np.sin(way)) * np.float32(2 * np.pi / cell))
    paint(surface, 0.72 * np.clip(0.1 - 1.1 * height, 0, 1), _INK_BROWN)


def _globules(surface: FloatArray, body: _Body, rng: np.random.Generator) -> None:
    count = int(rng.integers(7, 12))
    turn = rng.uniform(0, 2 * np.pi)
    nearest = np.full_like(body.u, np.inf)
    for place in range(count):  # on a spiral, so that they lie apart
        at = turn + place * 2.4 + rng.uniform(-0.25, 0.25)
        away = 0.82 * np.sqrt((place + 0.5) / count)
        radius = max(rng.uniform(0.085, 0.12), 2.6 / (len(surface) * body.radius))
        distance = np.hypot(body.u - away * np.cos(at), body.v - away * np.sin(at)) - radius
        nearest = np.minimum(nearest, distance)
    paint(surface, 0.9 * coverage(nearest, len(surface) * body.radius / 2), _INK_BROWN)


def _veil(surface: FloatArray, body: _Body, rng: np.random.Generator) -> None:
    at, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.4)
    distance = _blob(body, rng, at, away, rng.uniform(0.48, 0.62))
    paint(surface, 0.88 * coverage(distance, 3), _VEIL)


def _regression(surface: FloatArray, body: _Body, rng: np.random.Generator) -> None:
    """Draw a white scar, with grey peppering."""
    at, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.5)
    scar = 0.92 * coverage(_blob(body, rng, at, away, rng.uniform(0.40, 0.52)), 6)
    paint(surface, scar, _SCAR)
    cells = 20
    pepper = flecks(rng, body.u * 4 + cells / 2, body.v * 4 + cells / 2, cells)
    paint(surface, 0.8 * scar * coverage(pepper + np.float32(0.12), 5), _PEPPER)


def _streaks(picture: FloatArray, body: _Body, rng: np.random.Generator) -> None:
    """Draw dark fingers over the outline, all around, thinner outwards."""
    count, phase = int(rng.integers(13, 19)), rng.uniform(0, 2 * np.pi)
    out = np.clip((body.depth + 0.25) / rng.uniform(0.55, 0.7), 0, 1)  # 0 at the root, 1 at the tip
    turned = body.angle * count / (2 * np.pi) + phase + 0.12 * np.sin(3 * body.angle)
    aside = np.abs(turned - np.round(turned)) * 2 * np.pi / count  # radians from a finger
    wide = np.float32(0.34 * np.pi / count) * (1 - 0.75 * out)
    finger = coverage((aside - wide) * (body.depth + 1), len(picture) * body.radius / 2)
    paint(picture, 0.9 * finger * (body.depth > -0.25) * (out < 1), _INK_BROWN)


_STRUCTURES: dict[str, Callable[[FloatArray, _Body, np.random.Generator], None]] = {  # lowest first
    "blue-white veil": _veil,
    "regression": _regression,
    "pigment network": _network,
    "globules": _globules,
}
