"""Ways to take what is in a region of a picture out of it.

All take ``(height, width, 3)`` uint8 and a ``(height, width)`` region of bool, and return a picture
that differs from the first inside that region alone (:func:`shuffled`: in patches that it covers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array
from scipy.sparse.linalg import splu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Region = NDArray[np.bool_]

_BLUR = 0.1  # standard deviation, as a share of the short side
_PATCHES = 16  # along the short side
_NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def removed(picture: Pixels, region: Region) -> Pixels:
    """Fill the region with the mean colour of the whole picture."""
    return np.where(region[..., None], _as_pixels(picture.mean((0, 1))), picture)


def blurred(picture: Pixels, region: Region) -> Pixels:
    """Blur the region with a Gaussian of a tenth of the short side."""
    deviation = _BLUR * min(region.shape)
    smooth = gaussian_filter(picture.astype(np.float32), (deviation, deviation, 0))
    return np.where(region[..., None], _as_pixels(smooth), picture)


def inpainted(picture: Pixels, region: Region) -> Pixels:
    """Continue the colours around the region smoothly into it: what diffusion ends in.

    Each pixel of the region becomes the mean of its neighbours (Laplace's equation, with nothing
    flowing over the border of the picture). It draws no structure, as a generative model does.
    """
    if region.all() or not region.any():
        return removed(picture, region)
    number = np.full(region.shape, -1)
    number[region] = np.arange(region.sum())
    rows, columns = np.nonzero(region)
    degree = np.zeros(len(rows))
    around = np.zeros((len(rows), 3))
    coupled = []
    for down, right in _NEIGHBOURS:
        y, x = rows + down, columns + right
        inside = (y >= 0) & (y < region.shape[0]) & (x >= 0) & (x < region.shape[1])
        degree += inside
        own, y, x = np.flatnonzero(inside), y[inside], x[inside]
        other = number[y, x]
        around[own[other < 0]] += picture[y, x][other < 0]
        coupled.append((own[other >= 0], other[other >= 0]))
    own = np.concatenate([np.arange(len(rows)), *(pair[0] for pair in coupled)])
    other = np.concatenate([np.arange(len(rows)), *(pair[1] for pair in coupled)])
    value = np.concatenate([degree, -np.ones(len(own) - len(rows))])
    matrix = csr_array((value, (own, other)), shape=(len(rows), len(rows))).tocsc()
    filled = picture.copy()
    filled[region] = _as_pixels(splu(matrix).solve(around))
    return filled


def shuffled(picture: Pixels, region: Region, rng: np.random.Generator) -> Pixels:
    """Move square patches that lie in the region by at least half; each goes to another's place.

    A patch is a sixteenth of the short side. With fewer than two such patches nothing is moved.
    """
    side = max(1, min(region.shape) // _PATCHES)
    tall, wide = region.shape[0] // side, region.shape[1] // side
    tiles = picture[: tall * side, : wide * side].reshape(tall, side, wide, side, 3).swapaxes(1, 2)
    covered = region[: tall * side, : wide * side].reshape(tall, side, wide, side).mean((1, 3))
    where = rng.permutation(np.argwhere(covered >= 0.5))
    moved = tiles.copy()
    moved[tuple(where.T)] = tiles[tuple(np.roll(where, 1, axis=0).T)]
    found = picture.copy()
    found[: tall * side, : wide * side] = moved.swapaxes(1, 2).reshape(tall * side, wide * side, 3)
    return found


def _as_pixels(values: NDArray[np.floating]) -> Pixels:
    pixels: Pixels = (np.clip(values, 0, 255) + 0.5).astype(np.uint8)
    return pixels
