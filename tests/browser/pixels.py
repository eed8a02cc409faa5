"""What a person sees: screenshots as arrays, and where the map puts its points."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Locator

    from tests.browser.kernel import Kernel

MARGIN = 28  # pixels around the fitted points, as in js/src/map/camera.ts


def picture(element: Locator) -> NDArray[np.uint8]:
    """Return an element as it is on the screen: (height, width, 3)."""
    shot = Image.open(io.BytesIO(element.screenshot(animations="disabled")))
    return np.asarray(shot.convert("RGB"))


def colours(pixels: NDArray[np.uint8]) -> int:
    """How many colours there are, near ones counted as one."""
    return len(np.unique(pixels.reshape(-1, 3) // 16, axis=0))


def map_places(kernel: Kernel, map_name: str, stage: Locator) -> NDArray[np.float64]:
    """Return where on the stage each neuron is, (neurons, 2) in pixels, before anybody moved it."""
    read = "__import__('numpy').frombuffer({}._{}, dtype='float32').tolist()"
    x, y = (np.array(kernel.value(read.format(map_name, axis))) for axis in "xy")
    return fitted(x, y, stage)


def fitted(x: NDArray[np.float64], y: NDArray[np.float64], stage: Locator) -> NDArray[np.float64]:
    """Return where on the stage points are that the map has all in view, (points, 2) in pixels."""
    box = stage.bounding_box()
    assert box is not None
    width, height = int(box["width"]), int(box["height"])
    scale = min((width - 2 * MARGIN) / np.ptp(x), (height - 2 * MARGIN) / np.ptp(y))
    middle_x, middle_y = (x.max() + x.min()) / 2, (y.max() + y.min()) / 2
    return np.stack([width / 2 + (x - middle_x) * scale, height / 2 - (y - middle_y) * scale], 1)


def loneliest(places: NDArray[np.float64], count: int) -> list[int]:
    """Return the rows of the points that lie farthest from all others."""
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return np.argsort(-distance.min(1))[:count].tolist()


def centres(pixels: NDArray[np.uint8], places: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the colour at each place, (places, 3)."""
    columns, rows = places.astype(int).T
    return pixels[rows, columns].astype(int)
