"""Means over seeds, differences to a baseline, slopes: each with how sure it is.

All take a table with a row for each network, seed, state and depth: ``network``, ``seed``,
``state``, ``depth``, ``accuracy``, ``dead`` and the measures of
:mod:`~semlens_widgets.demo.experiments.measuring`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import optimize, stats

from semlens_widgets.demo.experiments.measuring import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LEVEL = 0.95  # of intervals
POWER = 0.8  # with which a difference is to be seen that is called detectable
TOLD = (*MEASURES, "dead", "accuracy")
_KEY = ["state", "network", "seed"]


def by_network(table: pd.DataFrame) -> pd.DataFrame:
    """Average every network over its depths, each of which counts alike.

    Returns
    -------
    pandas.DataFrame
        state, network, seed and the figures of `TOLD`.
    """
    return table.groupby(_KEY, sort=False)[list(TOLD)].mean().reset_index()


def means(table: pd.DataFrame) -> pd.DataFrame:
    """Average each kind of network over its seeds, at each depth and over all of them.

    Returns
    -------
    pandas.DataFrame
        state, network, depth (NaN for all depths), measure (one of `TOLD`), seeds (how many),
        mean, low and high (the 95 % interval of the mean over seeds, by Student's t).
    """
    whole = by_network(table).assign(depth=np.nan)
    rows = []
    for place, part in pd.concat([whole, table]).groupby(
        ["state", "network", "depth"], sort=False, dropna=False
    ):
        for measure in TOLD:
            values = part[measure].dropna().to_numpy()
            estimate = (values.mean() if len(values) else np.nan, *_of_a_mean(values))
            rows.append((*place, measure, len(values), *interval(*estimate)))
    return pd.DataFrame(
        rows, columns=["state", "network", "depth", "measure", "seeds", "mean", "low", "high"]
    )


def differences(table: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Compare each kind of network with a baseline of the same seeds.

    Returns
    -------
    pandas.DataFrame
        state, network, measure, seeds, difference (mean over seeds of the network's figure less
        the baseline's of the same seed), low, high (95 %, by Student's t), detectable (see
        :func:`detectable`).
    """
    whole = by_network(table)
    base = whole[whole["network"] == baseline].set_index(["state", "seed"])
    rows = []
    for (state, name), part in whole.groupby(["state", "network"], sort=False):
        if name == baseline:
            continue
        pairs = part.set_index(["state", "seed"])
        shared = pairs.index.intersection(base.index)
        for measure in TOLD:
            values = (pairs.loc[shared, measure] - base.loc[shared, measure]).dropna().to_numpy()
            error, degrees = _of_a_mean(values)
            told = interval(values.mean() if len(values) else np.nan, error, degrees)
            rows.append((state, name, measure, len(values), *told, detectable(error, degrees)))
    return pd.DataFrame(
        rows,
        columns=[
            *("state", "network", "measure", "seeds"),
            *("difference", "low", "high", "detectable"),
        ],
    )


def slopes(
    table: pd.DataFrame,
    sizes: Mapping[str, float],
    beside: Sequence[str] = (),
) -> pd.DataFrame:
    """Tell how much each measure rises with every doubling of a size, within seeds.

    Least squares with a level of its own for every seed. With `beside`, what the accuracy or the
    share of dead neurons explains is taken out: what remains belongs to the size.

    Parameters
    ----------
    table
        As above.
    sizes
        By name, how wide or deep the networks are that are compared; others are left out.
    beside
        Any of "accuracy" and "dead".

    Returns
    -------
    pandas.DataFrame
        state, measure, beside, networks (how many), slope, low, high (95 %), detectable.
    """
    whole = by_network(table)
    whole = whole[whole["network"].isin(list(sizes))]
    rows = []
    for state, part in whole.groupby("state", sort=False):
        for measure in MEASURES:
            some = part.dropna(subset=[measure])
            size = np.log2(some["network"].map(sizes).to_numpy(float))
            others = [some[name].to_numpy(float) for name in beside]
            slope, error, degrees = within(
                some[measure].to_numpy(float), [size, *others], some["seed"].to_numpy()
            )
            told = interval(slope, error, degrees)
            what = ", ".join(beside)
            rows.append((state, measure, what, len(some), *told, detectable(error, degrees)))
    return pd.DataFrame(
        rows,
        columns=[
            *("state", "measure", "beside", "networks"),
            *("slope", "low", "high", "detectable"),
        ],
    )


def within(
    values: NDArray[np.float64],
    explained_by: Sequence[NDArray[np.float64]],
    groups: NDArray[np.int64],
) -> tuple[float, float, int]:
    """Return the slope of values for the first of what explains them, within groups.

    Parameters
    ----------
    values
        ``(rows,)``.
    explained_by
        ``(rows,)`` each; one that does not vary within the groups explains nothing.
    groups
        ``(rows,)``, each of which has a level of its own.

    Returns
    -------
    float
        The slope.
    float
        Its standard error.
    int
        Degrees of freedom that are left.
    """
    together = pd.DataFrame(dict(enumerate([values, *explained_by])))
    centred = (together - together.groupby(groups).transform("mean")).to_numpy()
    left, right = centred[:, 0], centred[:, 1:]
    right = right[:, [0, *(at for at in range(1, right.shape[1]) if np.ptp(right[:, at]) > 0)]]
    degrees = len(left) - len(np.unique(groups)) - right.shape[1]
    if degrees < 1:
        return np.nan, np.nan, 0
    inverse = np.linalg.pinv(right.T @ right)
    slope = inverse @ right.T @ left
    variance = np.square(left - right @ slope).sum() / degrees
    return float(slope[0]), float(np.sqrt(variance * inverse[0, 0])), degrees


def interval(value: float, error: float, degrees: int) -> tuple[float, float, float]:
    """Return a value and its 95 % interval by Student's t, from its standard error."""
    reach = stats.t.ppf((1 + LEVEL) / 2, degrees) * error if degrees > 0 else np.nan
    return value, value - reach, value + reach


def detectable(error: float, degrees: int) -> float:
    """Return how large a true difference is that would have been seen four times in five.

    Seen means that the two-sided t-test on the 5 % level rejects that there is none, which is that
    the 95 % interval leaves out 0.

    Parameters
    ----------
    error
        Standard error of the measured difference.
    degrees
        Its degrees of freedom.

    Notes
    -----
    The power of the t-test is what the noncentral t distribution, with noncentrality difference /
    error, has beyond the critical value. Beyond the one of the other sign it has next to nothing.
    """
    if degrees < 1 or not error > 0:
        return np.nan
    bar = stats.t.ppf((1 + LEVEL) / 2, degrees)
    missed = 1 - POWER
    noncentrality = optimize.brentq(
        lambda true: stats.nct.cdf(bar, degrees, true) - missed, 0, 3 * bar
    )
    return float(error * noncentrality)


def _of_a_mean(values: NDArray[np.float64]) -> tuple[float, int]:
    """Return the standard error of a mean and its degrees of freedom."""
    if len(values) < 2:
        return np.nan, 0
    return float(values.std(ddof=1) / np.sqrt(len(values))), len(values) - 1
