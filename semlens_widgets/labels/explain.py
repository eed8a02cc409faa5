"""Several concepts for one neuron: the few texts whose likeness together predicts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

_FOLDS = 4
_COMMON = 0.8  # of the images show a text no more than any


@dataclass(frozen=True, eq=False)
class Explanation:
    """The texts that explain a neuron, found on one half of the images and judged on the other.

    Attributes
    ----------
    texts
        Their places among the candidates, in the order in which they were found.
    weights
        By how many standard deviations the neuron rises when a text's likeness does by one; all
        above 0.
    correlations
        Of the neuron with what the first of them predict together, on the other half: the first
        alone, the first two, and so on. NaN if there all images have the same activation.
    """

    texts: tuple[int, ...]
    weights: tuple[float, ...]
    correlations: tuple[float, ...]


def explain(values: Values, likeness: Values, most: int, seed: int) -> Explanation:
    """Find a sparse non-negative combination of texts that predicts a neuron's activation.

    Texts are added one after the other, each time the one that goes most with what is left
    (non-negative orthogonal matching pursuit), as long as this predicts images better that were
    left out of the fit.

    Parameters
    ----------
    values
        ``(images,)`` activations.
    likeness
        ``(images, texts)``, how like each text an image is. What goes in is by how much an image
        is more like it than four fifths of the images: how unlike a text the others are says
        nothing about it.
    most
        How many texts at most.
    seed
        Deals the images out to the half that is fitted and the half that judges.

    Returns
    -------
    Explanation
        Without texts if none goes with the neuron.

    Notes
    -----
    Linear explanations as in Oikarinen and Weng, Linear explanations for individual neurons (ICML
    2024), with non-negative weights.
    """
    order = np.random.default_rng(seed).permutation(len(values))
    fitted, judging = order[: len(order) // 2], order[len(order) // 2 :]
    # The other half is measured by the fitted one: nothing is known of it.
    shown = np.maximum(likeness - np.quantile(likeness[fitted], _COMMON, axis=0), 0)
    target, features = _standardised(values, fitted), _standardised(shown, fitted)
    count = _how_many(features[fitted], target[fitted], most)
    texts, weights = _pursued(features[fitted], target[fitted], count)
    found = []
    for some in range(1, len(texts) + 1):
        part, share = texts[:some], nnls(features[fitted][:, texts[:some]], target[fitted])[0]
        found.append(_correlation(features[judging][:, part] @ share, target[judging]))
    return Explanation(tuple(texts), tuple(weights.tolist()), tuple(found))


def _standardised(values: Values, by: NDArray[np.int64]) -> Values:
    spread = values[by].std(axis=0)
    rest = values - values[by].mean(axis=0)
    found: Values = np.divide(rest, spread, out=np.zeros_like(rest), where=spread > 0)
    return found


def _pursued(features: Values, target: Values, count: int) -> tuple[list[int], Values]:
    """Return the texts, in the order in which they are found, and their weights."""
    chosen: list[int] = []
    weights = np.empty(0)
    while len(chosen) < count:
        rest = target - features[:, chosen] @ weights
        going = features.T @ rest
        going[chosen] = -np.inf
        best = int(going.argmax())
        if going[best] <= 0:
            break
        weights, _ = nnls(features[:, [*chosen, best]], target)
        chosen.append(best)
        kept = weights > 0
        chosen = [text for text, keep in zip(chosen, kept, strict=True) if keep]
        weights = weights[kept]
        if best not in chosen:
            break
    return chosen, weights


def _how_many(features: Values, target: Values, most: int) -> int:
    """Return how many texts predict best what they were not fitted to; the fewest of equals."""
    fold = np.arange(len(target)) % _FOLDS
    errors = np.zeros(most)
    for left_out in range(_FOLDS):
        here, there = fold != left_out, fold == left_out
        for count in range(1, most + 1):
            texts, weights = _pursued(features[here], target[here], count)
            errors[count - 1] += ((target[there] - features[there][:, texts] @ weights) ** 2).sum()
    return int(errors.argmin()) + 1


def _correlation(one: Values, other: Values) -> float:
    if not len(one) or one.std() == 0 or other.std() == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
