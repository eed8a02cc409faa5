"""How far labels and semantic vectors stay where they were, beside what shuffled neurons reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.agreement import Beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def labels_kept(
    before: NDArray[np.int64], after: NDArray[np.int64], layers: Sequence[slice]
) -> Beside:
    """Tell which neurons have the same label as before.

    Parameters
    ----------
    before, after
        ``(neurons,)`` number of the label; -1: unknown.
    layers
        The neurons of each layer.

    Returns
    -------
    Beside
        1 where it is the same, 0 where it is another or has become unknown, NaN where it was
        unknown before. ``random``: what is expected once the layer's labels before are dealt out
        among the neurons that had one.
    """
    known = before >= 0
    own = np.where(known, (before == after).astype(np.float64), np.nan)
    random = np.full(len(before), np.nan)
    for layer in layers:
        there = np.arange(len(before))[layer][known[layer]]
        if len(there):
            shares = np.bincount(before[there], minlength=int(after.max(initial=0)) + 1)
            random[there] = np.where(after[there] >= 0, shares[after[there]], 0) / len(there)
    return Beside(own, random)


def vectors_kept(
    before: NDArray[np.floating],
    after: NDArray[np.floating],
    judged: NDArray[np.bool_],
    layers: Sequence[slice],
) -> Beside:
    """Return the cosine of each neuron's semantic vectors before and after.

    Parameters
    ----------
    before, after
        ``(neurons, dim)`` of unit length.
    judged
        ``(neurons,)``, which neurons count; the others are NaN.
    layers
        The neurons of each layer.

    Returns
    -------
    Beside
        ``random``: the mean cosine with the vectors that the layer's neurons had before.
    """
    first, second = before.astype(np.float64), after.astype(np.float64)
    own = np.where(judged, (first * second).sum(axis=1), np.nan)
    random = np.full(len(own), np.nan)
    for layer in layers:
        there = np.arange(len(own))[layer][judged[layer]]
        if len(there):
            random[there] = second[there] @ first[there].mean(axis=0)
    return Beside(own, random)


def averaged(measured: Sequence[Beside]) -> Beside:
    """Average what was measured several times, over the times at which it is known."""
    return Beside(_mean([one.own for one in measured]), _mean([one.random for one in measured]))


def _mean(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Average over what is known of each neuron; NaN where nothing is."""
    stacked = np.stack(values)
    known = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = np.where(known, stacked, 0).sum(axis=0) / known.sum(axis=0)
    return found
