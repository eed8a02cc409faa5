"""Figures of labels beside what a random and a constant label reach; labels that agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.audit import interval, resampled_means

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Beside:
    """A measure of each neuron's label and of two that know nothing of the neuron, ``(neurons,)``.

    Attributes
    ----------
    own
        Of the neuron's label; NaN where it could not be measured, and then the others are too.
    random
        Expected of a label drawn from those of the layer's neurons, as after a permutation of them.
    constant
        Of the one label that is best for the layer's mean neuron, on these very images; None where
        a constant label means nothing.
    """

    own: NDArray[np.float64]
    random: NDArray[np.float64]
    constant: NDArray[np.float64] | None = None


def beside_baselines(
    measured: NDArray[np.floating], labels: NDArray[np.int64], layers: Sequence[slice]
) -> Beside:
    """Put what neurons' labels reach beside a random and the best constant label.

    Parameters
    ----------
    measured
        ``(neurons, labels)``, how well each label fits each neuron; NaN: unknown.
    labels
        ``(neurons,)``, which one each neuron has; -1: none of these.
    layers
        The neurons of each layer.

    Returns
    -------
    Beside
        Among equally good constant labels the first is taken.
    """
    rows = np.arange(len(labels))
    own = np.where(labels >= 0, measured[rows, np.maximum(labels, 0)], np.nan)
    random, constant = np.full(len(own), np.nan), np.full(len(own), np.nan)
    for layer in layers:
        there = rows[layer][np.isfinite(own[layer])]
        if not len(there):
            continue
        values = measured[there].astype(np.float64)
        random[there] = _mean(values[:, labels[there]], axis=1)
        means = np.where(np.isnan(values).any(axis=0), -np.inf, _mean(values, axis=0))
        constant[there] = values[:, int(means.argmax())]
    return Beside(own, random, constant)


def _mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the mean of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = np.where(known, values, 0).sum(axis) / known.sum(axis)
    return found


def summarised(beside: Beside, neurons: slice, seed: int = 0) -> dict[str, float]:
    """Average over some neurons, with the 95 % interval of drawing the neurons anew.

    Returns
    -------
    dict
        neurons (with a figure), label, random, constant, and by how much the label is over each
        (over_random, over_constant); low and high of label and both differences. NaN if there are
        no neurons.
    """
    known = np.isfinite(beside.own[neurons])
    own = beside.own[neurons][known]
    baselines = {"random": beside.random}
    if beside.constant is not None:
        baselines["constant"] = beside.constant
    baselines = {name: values[neurons][known] for name, values in baselines.items()}
    columns = {"label": own} | {f"over_{name}": own - one for name, one in baselines.items()}
    means = {name: _mean_of(one) for name, one in {**columns, **baselines}.items()}
    bounds = np.full((len(columns), 2), np.nan)
    if len(own):
        bounds = interval(resampled_means(np.stack(list(columns.values()), axis=1), seed=seed))
    row: dict[str, float] = {"neurons": len(own), "label": means["label"]}
    row |= {name: means[name] for name in baselines}
    for name, (low, high) in zip(columns, bounds.tolist(), strict=True):
        row |= {name: means[name], f"{name}_low": low, f"{name}_high": high}
    return row


def _mean_of(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def neighbours_agreeing(
    vectors: NDArray[np.floating], labels: NDArray[np.int64], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Compare each neuron's label with those of the neurons that are most like it.

    Parameters
    ----------
    vectors
        ``(neurons, dim)`` unit semantic vectors.
    labels
        ``(neurons,)`` number of the label; -1: none, in no pair.
    threshold
        The least cosine of a neighbour.

    Returns
    -------
    neighbours, agree, chance
        ``(neurons,)``: how many there are; the share of them with the same label (NaN if there are
        none); the share of all other neurons with the same label.
    """
    count = len(labels)
    labelled = labels >= 0
    neighbours = np.zeros(count, np.int64)
    same_near = np.zeros(count, np.int64)
    for start in range(0, count, 1024):
        rows = slice(start, min(start + 1024, count))
        near = (vectors[rows] @ vectors.T >= threshold) & labelled & labelled[rows, None]
        near[np.arange(len(near)), np.arange(rows.start, rows.stop)] = False
        neighbours[rows] = near.sum(axis=1)
        same_near[rows] = (near & (labels == labels[rows, None])).sum(axis=1)
    sizes = np.bincount(labels[labelled], minlength=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        agree = same_near / neighbours
        chance = (sizes[np.maximum(labels, 0)] - 1) / (labelled.sum() - 1.0)
    return neighbours, agree, np.where(neighbours > 0, chance, np.nan)
