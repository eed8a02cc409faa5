"""Lay neurons out on a plane, similar ones together."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

_EXACT = 20_000  # vectors whose neighbours are found exactly
_AT_ONCE = 2048
_FEW = 10  # below this a neighbour graph says nothing that a projection does not


def umap_layout(
    vectors: Tensor | npt.NDArray[np.floating], *, seed: int = 0, neighbours: int = 15
) -> npt.NDArray[np.float32]:
    """Return a position in [-1, 1] x [-1, 1] for every vector, ``(N, 2)`` float32.

    UMAP on cosine distances, the same for the same seed, scaled by one factor for both axes so
    that distances keep their proportions. Fewer than ten vectors are projected on their two
    principal axes instead, and vectors that are all the same lie together at the centre.

    Parameters
    ----------
    vectors
        ``(N, D)`` semantic vectors, of any length.
    seed
        Seed of the layout.
    neighbours
        Neighbours per vector; more show the large, fewer the small structure. Fewer are taken if
        there are not so many vectors.

    Raises
    ------
    ValueError
        If ``vectors`` is not two-dimensional or holds NaN, or ``neighbours`` is less than 2.
    """
    data = torch.as_tensor(vectors).detach().float().cpu()
    if data.ndim != 2:
        raise ValueError(f"vectors: expected shape (neurons, dim), got {tuple(data.shape)}")
    if not bool(data.isfinite().all()):
        raise ValueError("vectors: NaN or infinite values cannot be laid out; set them to 0 first")
    if neighbours < 2:
        raise ValueError(f"neighbours: expected at least 2, got {neighbours}")
    unit = torch.nn.functional.normalize(data, dim=1).numpy()
    centred = unit - unit.mean(0, keepdims=True) if len(unit) else unit
    if len(unit) < 2 or float(np.abs(centred).max()) < 1e-6:
        return np.zeros((len(unit), 2), dtype=np.float32)
    if len(unit) < _FEW:
        return _fit_square(_principal_plane(centred))
    return _fit_square(_umap(unit, seed, min(neighbours, len(unit) - 1)))


def _umap(unit: npt.NDArray[np.float32], seed: int, neighbours: int) -> npt.NDArray[np.float32]:
    with warnings.catch_warnings():
        # umap warns of an optional package it lacks, and of a graph in several parts, which it
        # lays out part by part: nothing a person has to act on.
        warnings.simplefilter("ignore")
        # Imported here: it takes many seconds, which only the first layout should cost.
        from umap import UMAP

        known = {}
        if len(unit) <= _EXACT:
            known = {
                "precomputed_knn": _neighbours(torch.from_numpy(unit), neighbours),
                "force_approximation_algorithm": True,  # else it takes all distances one by one
            }
        # One job, as a seeded layout needs it; asking for it openly spares another warning.
        reducer = UMAP(
            **known,
            n_neighbors=neighbours,
            metric="cosine",
            random_state=seed,
            transform_seed=seed,
            n_jobs=1,
            tqdm_kwds={"desc": "layout", "unit": "step", "disable": _quiet()},
        )
        # What it compiles sets how many threads OpenMP uses in this process, also for torch.
        threads = torch.get_num_threads()
        try:
            return np.asarray(reducer.fit_transform(unit), dtype=np.float32)
        finally:
            torch.set_num_threads(threads)


def _neighbours(
    unit: Tensor, count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], None]:
    """Return each vector's nearest by cosine, itself first: indices and distances, ``(N, count)``.

    UMAP would have its own search compiled for this, which takes longer than the search.
    """
    indices, distances = [], []
    for start in range(0, len(unit), _AT_ONCE):
        similar = unit[start : start + _AT_ONCE] @ unit.T
        rows = torch.arange(len(similar))
        similar[rows, start + rows] = torch.inf
        nearest = similar.topk(count, dim=1)
        indices.append(nearest.indices)
        distances.append((1 - nearest.values).clamp(min=0))
    found = torch.cat(indices).numpy().astype(np.int32)
    return found, torch.cat(distances).numpy(), None


def _quiet() -> bool:
    """Whether progress is switched off; umap asks tqdm by itself only if it may say a lot more."""
    with tqdm(total=0, leave=False, file=io.StringIO()) as bar:
        return bool(bar.disable)


def _principal_plane(centred: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the coordinates on the two principal axes, each axis with a fixed direction."""
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(centred), 2), dtype=np.float32)
    axes = (left * scale)[:, :2]
    # The sign of an axis is arbitrary: its farthest point lies on the positive side.
    far = np.abs(axes).argmax(0)
    plane[:, : axes.shape[1]] = axes * np.where(axes[far, range(axes.shape[1])] < 0, -1, 1)
    return plane


def _fit_square(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the points centred and scaled, both axes alike, to fill [-1, 1]."""
    low, high = points.min(0), points.max(0)
    half = float((high - low).max()) / 2
    fitted = (points - (low + high) / 2) / (half if half > 0 else 1.0)
    clipped: npt.NDArray[np.float32] = np.clip(fitted, -1, 1).astype(np.float32)
    return clipped
