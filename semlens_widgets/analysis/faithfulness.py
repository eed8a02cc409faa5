"""Is a label true of its neuron? Measured on images that are known to show it, and on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def auroc(activations: NDArray[np.floating], concepts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Measure how well each neuron tells images with a concept from images without.

    P(a_k(x) > a_k(x')) for x with the concept and x' without, ties counting half: 1 is a perfect
    detector, 0.5 knows nothing, 0 a perfect detector of its absence. This is the AUC of CoSy
    (arXiv 2405.20331) with annotated images in the place of generated ones.

    Parameters
    ----------
    activations
        ``(images, neurons)``; images with a NaN are left out.
    concepts
        ``(images, concepts)`` bool, which image shows which concept.

    Returns
    -------
    numpy.ndarray
        ``(neurons, concepts)`` float64; NaN for a concept that all images show, or none.

    Raises
    ------
    ValueError
        If the number of images differs.
    """
    from scipy.stats import rankdata

    if len(activations) != len(concepts):
        raise ValueError(
            f"activations are of {len(activations)} images, concepts of {len(concepts)}."
        )
    readable = ~np.isnan(activations).any(axis=1)
    ranks = rankdata(activations[readable], axis=0)
    shown = concepts[readable].astype(np.float64)
    present = shown.sum(axis=0)
    absent = len(shown) - present
    above = ranks.T @ shown - present * (present + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        result: NDArray[np.float64] = above / (present * absent)
    return result


def above_controls(
    shown: NDArray[np.floating], controls: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return how often each neuron responds more to an image than to a control.

    The mean over the images of a label is CoSy's AUC (arXiv 2405.20331).

    Parameters
    ----------
    shown, controls
        ``(images, neurons)`` and ``(controls, neurons)`` activations.

    Returns
    -------
    numpy.ndarray
        ``(images, neurons)`` share of the controls, ties counting half.
    """
    found = np.empty(shown.shape)
    for neuron, ordered in enumerate(np.sort(controls, axis=0).T):
        below, at_most = (
            np.searchsorted(ordered, shown[:, neuron], side) for side in ("left", "right")
        )
        found[:, neuron] = (below + at_most) / (2 * len(ordered))
    return found


def mean_difference(
    shown: NDArray[np.floating], mean: NDArray[np.floating], deviation: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return CoSy's MAD: by how many deviations of the controls the mean activation is higher.

    Parameters
    ----------
    shown
        Mean activations on the images of labels, of any shape.
    mean, deviation
        Mean and population standard deviation on the controls, of a shape that fits.

    Returns
    -------
    numpy.ndarray
        NaN where the controls do not vary.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = np.where(deviation > 0, (shown - mean) / deviation, np.nan)
    return found


def of_maximum(shown: NDArray[np.floating], maximum: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return DMA: mean activations on images of labels over the neuron's maximum on the data set.

    Parameters
    ----------
    shown
        ``(neurons, labels)``.
    maximum
        ``(neurons,)``.

    Returns
    -------
    numpy.ndarray
        ``(neurons, labels)``; NaN of a neuron that is never positive.
    """
    top = maximum[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = np.where(top > 0, shown / top, np.nan)
    return found


def moments_with_and_without(
    activations: NDArray[np.floating], concepts: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return each neuron's mean where a concept is shown, and mean and deviation where it is not.

    Parameters
    ----------
    activations, concepts
        ``(images, neurons)``, all finite, and ``(images, concepts)`` bool.

    Returns
    -------
    numpy.ndarray
        Three of ``(neurons, concepts)``; NaN for a concept that all images show, or none.
    """
    centre = activations.mean(axis=0, dtype=np.float64)
    values = activations - centre  # so that squares lose no digits
    shown = concepts.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = values.T @ shown / shown.sum(axis=0)
        outside = values.T @ (1 - shown) / (1 - shown).sum(axis=0)
        squares = (values**2).T @ (1 - shown) / (1 - shown).sum(axis=0)
    deviation = np.sqrt(np.maximum(squares - outside**2, 0))
    deviation[squares - outside**2 <= 1e-12 * squares] = 0  # rounding
    constant = np.isnan(inside) | np.isnan(outside)
    found = (inside + centre[:, None], outside + centre[:, None], deviation)
    return tuple(np.where(constant, np.nan, one) for one in found)  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Detection:
    """How well neurons detect concepts, each ``(neurons, concepts)``.

    Attributes
    ----------
    auprc
        Average precision.
    f1, iou
        At the threshold that is best for each.
    """

    auprc: NDArray[np.float64]
    f1: NDArray[np.float64]
    iou: NDArray[np.float64]


def detection(activations: NDArray[np.floating], concepts: NDArray[np.bool_]) -> Detection:
    """Measure neurons as detectors of concepts: a concept is seen where the activation is high.

    Thresholds lie between distinct activations only, so that images which a neuron cannot tell
    apart count together, in whichever order they come.

    Parameters
    ----------
    activations, concepts
        ``(images, neurons)``, all finite, and ``(images, concepts)`` bool.

    Returns
    -------
    Detection
        NaN for a concept that all images show, or none.

    Notes
    -----
    Average precision is that of scikit-learn: the precisions at falling thresholds, weighted with
    the growth of recall.
    """
    if len(activations) != len(concepts):
        raise ValueError(
            f"activations are of {len(activations)} images, concepts of {len(concepts)}."
        )
    present = concepts.sum(axis=0).astype(np.float64)
    present[(present == 0) | (present == len(concepts))] = np.nan
    found = np.empty((3, activations.shape[1], concepts.shape[1]))
    for neuron, values in enumerate(activations.T):
        order = np.argsort(-values, kind="stable")
        ordered = values[order]
        ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        hits = np.cumsum(concepts[order], axis=0, dtype=np.float64)[ends]  # (thresholds, concepts)
        seen = (ends + 1.0)[:, None]
        growth = np.diff(hits, axis=0, prepend=0) / present
        found[0, neuron] = (growth * hits / seen).sum(axis=0)
        found[1, neuron] = (2 * hits / (present + seen)).max(axis=0)
        found[2, neuron] = (hits / (present + seen - hits)).max(axis=0)
    return Detection(*found)


def correlations(
    activations: NDArray[np.floating], similarities: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the Pearson correlation of every neuron with every label's similarity to the images.

    Parameters
    ----------
    activations, similarities
        ``(images, neurons)`` and ``(images, labels)``, all finite.

    Returns
    -------
    numpy.ndarray
        ``(neurons, labels)``; NaN where one of both does not vary.
    """
    one, other = _standardised(activations), _standardised(similarities)
    found: NDArray[np.float64] = one.T @ other
    return found


def _standardised(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Centre columns and give them unit length; NaN where they are constant but for rounding."""
    rest = values - values.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(rest, axis=0)
    size = np.abs(values).max(axis=0) * np.sqrt(len(values))
    found: NDArray[np.float64] = rest / np.where(length > 1e-7 * size, length, np.nan)
    return found


def same_rows(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Find the rows of one table that are also rows of another, up to rounding.

    Parameters
    ----------
    one, other
        ``(N, D)`` and ``(M, D)``.

    Returns
    -------
    numpy.ndarray
        ``(N,)`` bool.
    """
    scale = max(float(np.abs(other).max(initial=0)), 1e-30)
    line = np.random.default_rng(0).normal(size=one.shape[1])
    tolerance = 1e-5 * scale
    places = other @ line
    order = np.argsort(places, kind="stable")
    reach = tolerance * np.abs(line).sum()
    own = one @ line
    low = np.searchsorted(places[order], own - reach)
    high = np.searchsorted(places[order], own + reach, "right")
    return np.array(
        [
            bool((np.abs(other[order[a:b]] - row).max(axis=1, initial=0) <= tolerance).any())
            for row, a, b in zip(one, low, high, strict=True)
        ],
        bool,
    )
