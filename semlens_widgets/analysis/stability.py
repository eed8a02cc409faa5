"""How near the mean of a few examples is to the mean of infinitely many like them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor


def cosines_to_limit(examples: Tensor, valid: Tensor, ms: Sequence[int]) -> NDArray[np.float64]:
    """Return the cosine of the mean of each neuron's first m examples to its limit.

    The limit is the mean that infinitely many images as activating as the M examples given would
    have. The mean of the M is not yet it: it has noise of its own, and shares the first m. Both are
    taken out by leaving no example with itself: with G the cosines of the examples,

    - v_m · limit is estimated by the mean of G_ij over i <= m, j <= M, i != j;
    - the squared length of the limit by the mean of G_ij over i != j of all M (the clarity of M);
    - the length of v_m is known.

    For m = M this is sqrt(M c / (1 + (M - 1) c)) of the clarity c: the square root of the
    correlation of two halves, stepped up by Spearman and Brown (1910), over all ways of halving.

    Parameters
    ----------
    examples
        ``(neurons, M, dim)`` of unit length, most activating first.
    valid
        ``(neurons, M)`` bool; those that are not come last.
    ms
        Numbers of examples, of 1 to M.

    Returns
    -------
    numpy.ndarray
        ``(neurons, ms)`` float64, at most 1; 0 where the examples have no direction in common. NaN
        for a neuron with fewer valid examples than M.
    """
    _, most, _ = examples.shape
    if most < 2 or any(not 1 <= m <= most for m in ms):
        raise ValueError(f"ms must lie between 1 and the {most} examples, of two or more.")
    vectors = examples.double()
    gram = vectors @ vectors.transpose(1, 2)  # (neurons, M, M)
    gram.diagonal(dim1=1, dim2=2).zero_()
    limit = (gram.sum(dim=(1, 2)) / (most * (most - 1))).clamp(min=0).sqrt()
    along = gram.sum(dim=2).cumsum(dim=1) / (most - 1)  # (neurons, M), of the sums
    lengths = vectors.cumsum(dim=1).norm(dim=2)
    found = torch.where(limit[:, None] > 0, along / (lengths * limit[:, None]), 0.0)
    found = found.clamp(0, 1).masked_fill(~valid.all(dim=1)[:, None], torch.nan)
    result: NDArray[np.float64] = found[:, [m - 1 for m in ms]].numpy()
    return result


def recommended(
    cosines: NDArray[np.float64], ms: Sequence[int], *, near: float, share: float
) -> int | None:
    """Return the least m from which on so large a share of neurons is so near; None if none is.

    Parameters
    ----------
    cosines
        ``(neurons, ms)``; rows of NaN do not count.
    ms
        Numbers of examples, ascending.
    near
        How far a cosine may be from 1.
    share
        Of neurons.
    """
    known = cosines[np.isfinite(cosines).all(axis=1)]
    if not len(known):
        return None
    reached = (known >= 1 - near).mean(axis=0) >= share
    after = np.logical_and.accumulate(reached[::-1])[::-1]
    return int(ms[int(after.argmax())]) if after.any() else None
