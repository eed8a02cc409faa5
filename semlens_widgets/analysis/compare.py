"""How alike two models are: neurons matched by meaning (SemanticLens, arXiv 2501.05398)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from semlens_widgets.analysis.audit import Measured, interval, resampled_means

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_AT_ONCE = 1 << 24  # cosines at a time: 64 MiB
_SAME_PLACE = 1e-9  # decides between matches that are equally good, below what float32 tells apart
NOBODY = -1


def nearest(a: Tensor, b: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return for every neuron of A the neuron of B that means most nearly the same.

    Parameters
    ----------
    a
        ``(A, D)`` semantic vectors at unit length; NaN or zero where a neuron has no meaning.
    b
        ``(B, D)``, likewise.

    Returns
    -------
    match
        ``(A,)`` index into B, ties by the lowest; -1 where there is none.
    similarity
        ``(A,)`` their cosine; NaN where there is none.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    match, similarity, of, to = _unmatched(a, b)
    if not len(of) or not len(to):
        return match, similarity
    others = b[to].float().T
    step = max(1, _AT_ONCE // len(to))
    for start in range(0, len(of), step):
        rows = of[start : start + step]
        cosines = (a[rows].float() @ others).numpy()
        first = cosines.argmax(axis=1)  # numpy's takes the lowest of those that tie
        match[rows] = to[first]
        similarity[rows] = cosines[np.arange(len(rows)), first]
    return match, similarity


def assigned(a: Tensor, b: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Match neurons one to one so that the sum of their cosines is the largest possible.

    Parameters and what is returned as in :func:`nearest`. If one side has more neurons, some of
    them stay without a match. Between matches that are equally good, neurons at the same place of
    their layers are matched.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    match, similarity, of, to = _unmatched(a, b)
    cosines = (a[of].double() @ b[to].double().T).numpy()
    rows, columns = linear_sum_assignment(
        cosines + _SAME_PLACE * (of[:, None] == to), maximize=True
    )
    match[of[rows]] = to[columns]
    similarity[of[rows]] = cosines[rows, columns]
    return match, similarity


def meaningful(vectors: Tensor) -> NDArray[np.int64]:
    """Return which rows have a direction at all: neither NaN nor zero."""
    known = vectors.isfinite().all(dim=1) & (vectors.abs().amax(dim=1) > 0)
    found: NDArray[np.int64] = torch.nonzero(known)[:, 0].numpy()
    return found


def mean_of(values: NDArray[np.floating], *, seed: int = 0) -> Measured:
    """Return the mean over neurons with its 95 % bootstrap interval; NaN values are left out.

    One neuron has no interval (NaN), and none has no mean.

    The similarity of models S(A→B) is that of what :func:`nearest` returns (arXiv 2501.05398).
    """
    known = values[np.isfinite(values)].astype(np.float64)
    if len(known) < 2:
        return Measured(float(known[0]) if len(known) else np.nan, np.nan, np.nan)
    low, high = interval(resampled_means(known[:, None], seed=seed))[0]
    return Measured(float(known.mean()), float(low), float(high))


def _unmatched(
    a: Tensor, b: Tensor
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Return matches and similarities of nobody yet, and who of A and of B can be matched."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(
            "a and b: expected (neurons, dim) with the same dim, "
            f"got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    match = np.full(len(a), NOBODY, np.int64)
    similarity = np.full(len(a), np.nan, np.float32)
    return match, similarity, meaningful(a), meaningful(b)
