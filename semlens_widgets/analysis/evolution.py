"""How neurons move through training: how far from step to step, and all steps on one plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis.layout import umap_layout

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_NEIGHBOURS = 15  # of each neuron within its own step


def moved(vectors: Tensor, known: Tensor) -> NDArray[np.float32]:
    """Return how far each neuron's meaning is from where it was the step before.

    Parameters
    ----------
    vectors
        ``(steps, neurons, dim)`` semantic vectors, of any length.
    known
        ``(steps, neurons)`` bool: who has a meaning to speak of at which step.

    Returns
    -------
    numpy.ndarray
        ``(steps, neurons)`` cosine distances 1 - cos(v_t, v_{t-1}), in [0, 2]; NaN at the first
        step, and where a neuron is not known at one of the two.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    _check(vectors, known)
    unit = normalize(vectors.double(), dim=2)
    # Of unit vectors half the squared distance is 1 - cos: exactly 0 where nothing has moved.
    distance = (unit[1:] - unit[:-1]).square().sum(dim=2) / 2
    distance = distance.masked_fill(~(known[1:] & known[:-1]), torch.nan)
    first = torch.full_like(known[:1], torch.nan, dtype=torch.float64)
    found: NDArray[np.float32] = torch.cat([first, distance]).float().numpy()
    return found


def layout_of_steps(
    vectors: Tensor, known: Tensor, *, neighbours: int = _NEIGHBOURS, seed: int = 0
) -> NDArray[np.float32]:
    """Lay the neurons of all steps out on one plane, alike ones together.

    One UMAP of all vectors. A neuron that keeps its meaning is its own nearest neighbour at every
    step, so there are as many times more neighbours as there are steps: otherwise its own copies
    would be all that it is near to.

    Parameters
    ----------
    vectors, known
        As in :func:`moved`.
    neighbours
        Neighbours of a neuron within each step.
    seed
        The same seed gives the same layout.

    Returns
    -------
    numpy.ndarray
        ``(steps, neurons, 2)`` within [-1, 1]; NaN where a neuron is not known.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    _check(vectors, known)
    steps = len(vectors)
    places = np.full((*known.shape, 2), np.nan, np.float32)
    # What is the same at several steps is laid out once, and so lies exactly where it lay.
    points, of = np.unique(vectors[known].float().numpy(), axis=0, return_inverse=True)
    laid_out = umap_layout(points, seed=seed, neighbours=neighbours * steps)
    places[known.numpy()] = laid_out[of.reshape(-1)]
    return places


def _check(vectors: Tensor, known: Tensor) -> None:
    if vectors.ndim != 3 or vectors.shape[:2] != known.shape:
        raise ValueError(
            "vectors and known: expected (steps, neurons, dim) and (steps, neurons), "
            f"got {tuple(vectors.shape)} and {tuple(known.shape)}"
        )
