"""The renderer: a scene becomes a picture, at any size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.demo.artefacts import add_artefacts
from semlens_widgets.demo.backgrounds import background
from semlens_widgets.demo.canvas import (
    GRAIN,
    Colour,
    FloatArray,
    coverage,
    flecks,
    grain,
    grid,
    paint,
    stream,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from semlens_widgets.demo.world import Scene

PALETTE: dict[str, Colour] = {
    "red": (0.85, 0.11, 0.13),
    "orange": (0.97, 0.50, 0.06),
    "yellow": (0.98, 0.87, 0.13),
    "green": (0.09, 0.60, 0.22),
    "blue": (0.10, 0.27, 0.86),
    "purple": (0.54, 0.16, 0.70),
    "white": (0.96, 0.96, 0.96),
    "black": (0.08, 0.08, 0.09),
}
_RADII = {"small": (0.36, 0.48), "large": (0.64, 0.84)}  # half the picture is 1
_SPECKLES = 7  # cells per unit of object coordinates
_LUMINANCE = np.array((0.30, 0.59, 0.11), np.float32)


def render(scene: Scene, size: int = 64) -> NDArray[np.uint8]:
    """Draw a scene.

    Parameters
    ----------
    scene : Scene
        What to draw. The same scene gives the same picture, at every size.
    size : int
        Side of the square picture in pixels.

    Returns
    -------
    array of uint8, shape (size, size, 3)
    """
    picture = background(scene.background, scene.seed, size)
    _draw_object(picture, scene)
    add_artefacts(picture, scene)
    rng = stream(scene.seed, "camera")
    picture *= np.float32(rng.uniform(0.93, 1.07))
    picture += np.float32(0.03) * grain(rng, size)[..., None]
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class _Placement:
    """Where an object lies: picture coordinates to object coordinates (its radius is 1)."""

    x: float
    y: float
    radius: float
    angle: float

    def coordinates(self, size: int) -> tuple[FloatArray, FloatArray]:
        x, y = grid(size)
        cos, sin = np.cos(self.angle) / self.radius, np.sin(self.angle) / self.radius
        across, down = x - np.float32(self.x), y - np.float32(self.y)
        u = across * np.float32(cos) - down * np.float32(sin)
        v = across * np.float32(sin) + down * np.float32(cos)
        return u, v


def _place(scene: Scene) -> _Placement:
    rng = stream(scene.seed, "placement")
    radius = rng.uniform(*_RADII[scene.size])
    x, y = rng.uniform(-1, 1, 2) * (0.96 - radius)
    turn = rng.uniform(-1, 1) * (np.pi if scene.shape == "crescent" else 0.42)
    return _Placement(x, y, radius, turn)


def _draw_object(picture: FloatArray, scene: Scene) -> None:
    size = len(picture)
    place = _place(scene)
    pixels = place.radius * size / 2  # per unit of object coordinates
    u, v = place.coordinates(size)
    distance = _SHAPES[scene.shape](u, v)
    picture *= 1 - 0.38 * np.clip(0.5 - (distance - 0.05) * 3.5, 0, 1)[..., None]  # soft shadow

    rng = stream(scene.seed, "colour")
    first = np.asarray(PALETTE[scene.colour], np.float32) + rng.uniform(-0.05, 0.05, 3)
    first = np.clip(first, 0, 1).astype(np.float32)
    second = _second_colour(first, rng)
    surface = np.broadcast_to(first, picture.shape).copy()
    if scene.texture != "plain":
        pattern = _TEXTURES[scene.texture](u, v, stream(scene.seed, "texture"))
        paint(surface, coverage(pattern, pixels), second)
    surface *= (1.04 - 0.20 * np.clip(0.4 * u + 0.7 * v, -1, 1))[..., None]  # light from above
    inside = distance * GRAIN / 2 * place.radius  # in the same unit at every size
    rim = np.clip(1.3 - np.abs(inside + 1.0), 0, 1)
    paint(surface, 0.55 * rim, (0.62, 0.62, 0.66) if first @ _LUMINANCE < 0.2 else first * 0.3)
    paint(picture, coverage(distance, pixels), surface)


def _second_colour(first: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Choose the colour of a pattern; black and white take a grey, or nobody could tell them."""
    if np.ptp(first) < 0.25:
        return np.full(3, rng.uniform(0.42, 0.55), np.float32)
    bright = float(first @ _LUMINANCE) > 0.45
    if rng.random() < 0.6:
        return first * np.float32(0.25) if bright else first * np.float32(0.35) + np.float32(0.65)
    return np.full(3, 0.08 if bright else 0.96, np.float32)


# Shapes: signed distance in object coordinates, negative inside.


def _circle(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.hypot(u, v) - 0.92


def _square(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.maximum(np.abs(u), np.abs(v)) - 0.78


def _triangle(u: FloatArray, v: FloatArray) -> FloatArray:
    v = v - 0.22  # its box, not its centroid, is centred
    return np.maximum(np.abs(u) * np.float32(3**0.5 / 2) - v / 2, v) - 0.56


def _star(u: FloatArray, v: FloatArray) -> FloatArray:
    # Fold the plane onto half of one arm; its edge is then one straight line.
    tip, notch, wedge = 1.02, 0.45, np.pi / 5
    angle = np.abs((np.arctan2(u, -v) + wedge) % (2 * wedge) - wedge)
    radius = np.hypot(u, v)
    edge = np.array((notch * np.cos(wedge) - tip, notch * np.sin(wedge)))
    normal = np.array((edge[1], -edge[0])) / np.hypot(*edge)
    along, aside = radius * np.cos(angle), radius * np.sin(angle)
    distance = (along - tip) * np.float32(normal[0]) + aside * np.float32(normal[1])
    return np.asarray(distance, dtype=np.float32)


def _cross(u: FloatArray, v: FloatArray) -> FloatArray:
    u, v = np.abs(u), np.abs(v)
    return np.maximum(np.minimum(u, v) - 0.30, np.maximum(u, v) - 0.92)


def _ring(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.abs(np.hypot(u, v) - 0.70) - 0.23


def _heart(u: FloatArray, v: FloatArray) -> FloatArray:
    # Two round lobes over the corner of a turned square (whose tip is at the origin).
    scale = np.float32(1.62)
    x, y = np.abs(u) / scale, np.float32(0.56) - v / scale
    lobe = np.hypot(x - 0.25, y - 0.75) - np.float32(2**0.5 / 4)
    middle = np.maximum(x + y, 0) / 2
    to_side = np.hypot(x - middle, y - middle)
    corner = np.minimum(np.hypot(x, y - 1), to_side) * np.sign(x - y)
    distance: FloatArray = np.where(x + y > 1, lobe, corner) * scale
    return distance


def _crescent(u: FloatArray, v: FloatArray) -> FloatArray:
    disc, bite = np.hypot(u, v) - 0.95, np.hypot(u - 0.48, v) - 0.80
    distance: FloatArray = np.maximum(disc, -bite)
    return distance


_SHAPES: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "heart": _heart,
    "crescent": _crescent,
}

# Textures: signed distance to the second colour, in object coordinates.


def _turned(u: FloatArray, v: FloatArray, angle: float) -> tuple[FloatArray, FloatArray]:
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return u * cos - v * sin, u * sin + v * cos


def _to_integer(position: FloatArray) -> FloatArray:
    return np.abs(position - np.round(position))


def _striped(u: FloatArray, v: FloatArray, rng: np.random.Generator) -> FloatArray:
    across, _ = _turned(u, v, rng.uniform(0, np.pi))
    period = rng.uniform(0.48, 0.66)
    phase = across / np.float32(period) + rng.random(dtype=np.float32)
    distance: FloatArray = (_to_integer(phase) - np.float32(0.25)) * np.float32(period)
    return distance


def _checkered(u: FloatArray, v: FloatArray, rng: np.random.Generator) -> FloatArray:
    across, down = _turned(u, v, rng.uniform(0, np.pi))
    side = rng.uniform(0.40, 0.52)
    across, down = across / side + rng.random(), down / side + rng.random()
    edge = np.minimum(_to_integer(across), _to_integer(down)) * side
    odd = (np.floor(across) + np.floor(down)) % 2
    return np.asarray(edge * (1 - 2 * odd), dtype=np.float32)


def _dotted(u: FloatArray, v: FloatArray, rng: np.random.Generator) -> FloatArray:
    across, down = _turned(u, v, rng.uniform(0, np.pi))
    period = np.float32(rng.uniform(0.40, 0.52))
    across, down = across / period + rng.random(), down / period + rng.random()
    distance = np.hypot(_to_integer(across), _to_integer(down)) - rng.uniform(0.27, 0.32)
    return np.asarray(distance * period, dtype=np.float32)


def _speckled(u: FloatArray, v: FloatArray, rng: np.random.Generator) -> FloatArray:
    cells = 4 * _SPECKLES
    distance = flecks(rng, u * _SPECKLES + cells // 2, v * _SPECKLES + cells // 2, cells)
    return distance / _SPECKLES


_TEXTURES: dict[str, Callable[[FloatArray, FloatArray, np.random.Generator], FloatArray]] = {
    "striped": _striped,
    "dotted": _dotted,
    "checkered": _checkered,
    "speckled": _speckled,
}
