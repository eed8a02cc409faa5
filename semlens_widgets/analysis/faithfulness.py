"""Is a label true of its neuron? Measured against annotated images."""

from __future__ import annotations

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
