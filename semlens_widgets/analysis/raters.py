"""What people answered: how far they agree, and what a measure says of where they are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.audit import DRAWS, LEVEL, Measured, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: How often a study of enough neurons finds a correlation that is there.
POWER = 0.8
_FEWEST = 4  # neurons: a correlation of three says nothing


def agreement_of_raters(answers: NDArray[np.int64], *, seed: int = 0) -> Measured:
    """Return how far raters agree beyond chance: Krippendorff's alpha of nominal answers.

    Parameters
    ----------
    answers
        ``(raters, tasks)``, what each chose, from 0; -1: no answer. A task with fewer than two
        answers does not count.
    seed
        Draws the tasks anew for the interval.

    Returns
    -------
    Measured
        1: they always agree, 0: as by chance; NaN where nothing can be compared, or all answers
        are the same.

    Notes
    -----
    Krippendorff, Computing Krippendorff's alpha-reliability (2011), section C. The interval is a
    percentile bootstrap over tasks.
    """
    kinds = np.arange(max(1, int(answers.max(initial=0)) + 1))
    counts = (answers[:, :, None] == kinds).sum(axis=0)  # (tasks, kinds)
    counts = counts[counts.sum(axis=1) > 1]
    if not len(counts):
        return Measured(np.nan, np.nan, np.nan)
    # What a task adds to the diagonal of the coincidence matrix.
    alike = (counts * (counts - 1)).sum(axis=1) / (counts.sum(axis=1) - 1)
    lots = np.random.default_rng(seed)
    drawn = lots.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=DRAWS)
    times = np.concatenate([np.ones((1, len(counts)), np.int64), drawn])
    totals = times @ counts  # (1 + draws, kinds)
    total = totals.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha = 1 - (total - 1) * (total - times @ alike) / (total**2 - (totals**2).sum(axis=1))
    return _with_interval(float(alpha[0]), alpha[1:], len(counts))


def rank_correlation(
    measure: NDArray[np.floating], right: NDArray[np.floating], *, seed: int = 0
) -> Measured:
    """Return Spearman's correlation of a measure with how often people are right.

    Parameters
    ----------
    measure, right
        ``(neurons,)``; NaN: unknown, and then the neuron does not count.
    seed
        Draws the neurons anew for the interval.

    Returns
    -------
    Measured
        With its 95 % percentile bootstrap; NaN of fewer than 4 neurons, or where all are alike.
    """
    known = np.isfinite(measure) & np.isfinite(right)
    one, other = measure[known], right[known]
    count = len(one)
    if count < _FEWEST:
        return Measured(np.nan, np.nan, np.nan)
    lots = np.random.default_rng(seed)
    drawn = np.concatenate([np.arange(count)[None], lots.integers(count, size=(DRAWS, count))])
    found = _spearman(one[drawn], other[drawn])
    return _with_interval(float(found[0]), found[1:], count)


def _spearman(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Correlate the ranks of rows, ``(rows, neurons)``; NaN where a row is constant."""
    from scipy.stats import rankdata

    first, second = (rankdata(values, axis=1) for values in (one, other))
    first -= first.mean(axis=1, keepdims=True)
    second -= second.mean(axis=1, keepdims=True)
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = (first * second).sum(axis=1) / scale
    return found


def _with_interval(value: float, drawn: NDArray[np.float64], count: int) -> Measured:
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or count < 2 or not len(drawn):
        return Measured(value, np.nan, np.nan)
    low, high = interval(drawn[:, None])[0]
    return Measured(value, float(low), float(high))


def smallest_correlation(count: int, *, power: float = POWER, level: float = LEVEL) -> float:
    """Return the smallest rank correlation that a study of so many neurons is likely to find.

    Parameters
    ----------
    count
        Neurons.
    power
        How often it is found where it is there.
    level
        Of the two-sided test that finds it.

    Returns
    -------
    float
        NaN of fewer than 4 neurons.

    Notes
    -----
    tanh((z_(1+level)/2 + z_power) sqrt(1.06 / (n - 3))), by Fisher's transform of Spearman's
    correlation with the variance of Fieller, Hartley and Pearson (Biometrika 44, 1957).
    """
    from scipy.stats import norm

    if count < _FEWEST:
        return float("nan")
    z = norm.ppf((1 + level) / 2) + norm.ppf(power)
    return float(np.tanh(z * np.sqrt(1.06 / (count - 3))))
