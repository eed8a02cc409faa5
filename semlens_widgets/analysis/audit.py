"""On what a class rests: shares of relevance, what counts as aligned, verdicts, and behaviour.

The audit of SemanticLens (arXiv 2501.05398, section "auditing concept alignment"), with a null for
what chance aligns and an interval for what a sample of images cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.faithfulness import auroc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: What an audit says of a neuron.
VERDICTS = ("valid", "spurious", "both", "unexpected", "weak")
DRAWS = 1000
LEVEL = 0.95
_AT_ONCE = 1 << 24  # values of resampled means: 128 MiB


def relevance_shares(relevance: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each neuron's share of a layer's positive relevance on each image.

    Parameters
    ----------
    relevance
        ``(images, neurons)``, signed, of one layer; of units also what is none of theirs.

    Returns
    -------
    numpy.ndarray
        ``(images, neurons)``; each row sums to 1, or is NaN where nothing is positive.
    """
    positive = np.maximum(relevance.astype(np.float64), 0)
    total = positive.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: NDArray[np.float64] = positive / total
    return shares


def resampled_means(
    values: NDArray[np.floating], *, seed: int = 0, draws: int = DRAWS
) -> NDArray[np.float64]:
    """Return the means of columns over images that are drawn anew, with replacement.

    Parameters
    ----------
    values
        ``(images, columns)``.
    seed
        The same seed draws the same images.
    draws
        How many times.

    Returns
    -------
    numpy.ndarray
        ``(draws, columns)``; NaN of a single image, which says nothing of others.
    """
    count = len(values)
    if count == 1:
        return np.full((draws, values.shape[1]), np.nan)
    generator = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // max(1, count))
    means = []
    for start in range(0, draws, step):
        some = min(step, draws - start)
        times = generator.multinomial(count, np.full(count, 1 / count), size=some)
        means.append(times @ values.astype(np.float64) / count)
    return np.concatenate(means)


def interval(resampled: NDArray[np.floating], level: float = LEVEL) -> NDArray[np.float64]:
    """Return the percentile interval of resampled figures, ``(columns, 2)``: low, high."""
    tail = (1 - level) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return np.stack([low, high], axis=-1)


@dataclass(frozen=True)
class Measured:
    """A figure with the interval in which it lies, at 95 %; NaN where there is none."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        between = "" if np.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.value:.3f}{between}"


@dataclass(frozen=True, eq=False)
class Shares:
    """What each neuron carries of its layer's relevance for a class, image by image.

    Attributes
    ----------
    values
        ``(images, neurons)`` from :func:`relevance_shares`, the layers side by side; NaN where
        nothing in a layer speaks for the class.
    layers
        The neurons of each layer.
    seed
        Draws the images anew for the intervals.
    rest
        ``(images,)`` by layer whose neurons are units of an encoder: what no unit carries, the
        encoder's error.
    """

    values: NDArray[np.float64]
    layers: Mapping[str, slice]
    seed: int = 0
    rest: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @cached_property
    def known(self) -> NDArray[np.float64]:
        """The values, 0 where nothing in a layer speaks for the class."""
        return np.nan_to_num(self.values)

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """``(neurons,)`` mean share over the images."""
        mean: NDArray[np.float64] = self.known.mean(axis=0)
        return mean

    @cached_property
    def interval(self) -> NDArray[np.float64]:
        """``(neurons, 2)`` 95 % bootstrap interval of the mean."""
        return interval(resampled_means(self.known, seed=self.seed))

    def of(self, layer: str, neurons: NDArray[np.bool_]) -> Measured:
        """Return the share on some neurons of a layer, ``(neurons of the layer,)`` bool."""
        return self._measured(self.known[:, self.layers[layer]][:, neurons].sum(axis=1))

    def of_rest(self, layer: str) -> Measured | None:
        """Return the share of an encoder's error, None of a layer without an encoder."""
        return self._measured(np.nan_to_num(self.rest[layer])) if layer in self.rest else None

    def _measured(self, each: NDArray[np.float64]) -> Measured:
        low, high = interval(resampled_means(each[:, None], seed=self.seed))[0]
        return Measured(float(each.mean()), float(low), float(high))

    def silent(self, layer: str) -> int:
        """Count the images on which nothing in a layer speaks for the class."""
        return int(np.isnan(self.values[:, self.layers[layer]]).all(axis=1).sum())


@dataclass(frozen=True, eq=False)
class Alignment:
    """How well neurons fit a list of concepts, beside what chance fits.

    Attributes
    ----------
    score
        ``(neurons,)``, the best of all phrases; NaN for a neuron that cannot be scored.
    phrase
        ``(neurons,)`` int64, which phrase that is; the first of equals, -1 where there is none.
    null
        ``(neurons,)``, how probable so high a score is among as many random words.
    level
        ``(neurons,)``, the score that one such draw in twenty reaches.
    """

    score: NDArray[np.float64]
    phrase: NDArray[np.int64]
    null: NDArray[np.float64]
    level: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Aligned:
    """How well neurons fit what a class should rest on, and what it should not."""

    valid: Alignment
    spurious: Alignment


def alignment(
    scores: NDArray[np.floating], random: NDArray[np.floating], layers: Sequence[slice]
) -> Alignment:
    """Find the best phrase for every neuron, and what chance would have fitted as well.

    Chance is what random words score for the neurons of the same layer. Of several phrases the best
    one is taken, so it is compared with the best of as many random words.

    Parameters
    ----------
    scores
        ``(neurons, phrases)``.
    random
        ``(neurons, words)``, the scores of random words.
    layers
        The neurons of each layer.
    """
    known = np.isfinite(scores).all(axis=1) & np.isfinite(random).all(axis=1)
    best = np.where(known, np.where(known[:, None], scores, 0).argmax(axis=1), -1)
    score = np.where(known, np.take_along_axis(scores, best[:, None], axis=1)[:, 0], np.nan)
    null, level = np.full(len(scores), np.nan), np.full(len(scores), np.nan)
    for layer in layers:
        rows = np.flatnonzero(known[layer]) + layer.start
        if not len(rows):
            continue
        chance = np.sort(random[rows].ravel())
        above = len(chance) - np.searchsorted(chance, score[rows], side="left")
        one = (1 + above) / (1 + len(chance))
        null[rows] = 1 - (1 - one) ** scores.shape[1]
        level[rows] = np.quantile(chance, LEVEL ** (1 / scores.shape[1]))
    return Alignment(score.astype(np.float64), best.astype(np.int64), null, level)


def verdicts(
    aligned: Aligned, share: NDArray[np.floating], layers: Sequence[slice]
) -> NDArray[np.str_]:
    """Tell of every neuron what it speaks for.

    Parameters
    ----------
    aligned
        How well it fits both sides.
    share
        ``(neurons,)``, its mean share of its layer's relevance.
    layers
        The neurons of each layer.

    Returns
    -------
    numpy.ndarray
        ``(neurons,)`` of `VERDICTS`. A neuron that fits both sides better than chance speaks for
        the one that it fits better, and for ``"both"`` if it fits them alike. One that fits neither
        is ``"unexpected"`` if it carries at least as much as a neuron of its layer does on average,
        else ``"weak"``.
    """
    valid, spurious = aligned.valid, aligned.spurious
    fits, misfits = valid.null <= 1 - LEVEL, spurious.null <= 1 - LEVEL
    even = np.empty(len(share))
    for layer in layers:
        even[layer] = 1 / max(1, layer.stop - layer.start)
    better = valid.score - spurious.score
    return np.select(
        [
            fits & misfits & (better == 0),
            fits & (~misfits | (better > 0)),
            misfits,
            share >= even,
        ],
        ["both", "valid", "spurious", "unexpected"],
        default="weak",
    )


def proportion(hits: int, count: int, level: float = LEVEL) -> Measured:
    """Return a proportion with its interval by Wilson's score, which holds near 0 and 1 too."""
    from scipy.stats import norm

    z = norm.ppf(1 - (1 - level) / 2)
    rate = hits / count
    middle = (rate + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(rate * (1 - rate) / count + z**2 / (4 * count**2))
    return Measured(rate, max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def compared(
    shown: NDArray[np.floating], controls: NDArray[np.floating], *, seed: int = 0
) -> tuple[Measured, Measured]:
    """Compare the logits of a class on two sets of images.

    Parameters
    ----------
    shown, controls
        ``(images,)`` logits on images that show something and on images that do not.
    seed
        Draws the images anew for the intervals, each set by itself.

    Returns
    -------
    shift, auroc
        By how much the mean logit is higher, and P(higher), each with its interval.
    """

    def area_of(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
        shows = np.arange(len(one) + len(other)) < len(one)
        return float(auroc(np.concatenate([one, other])[:, None], shows[:, None])[0, 0])

    generator = np.random.default_rng(seed)
    shifts, areas = np.empty(DRAWS), np.empty(DRAWS)
    for draw in range(DRAWS):
        one = shown[generator.integers(len(shown), size=len(shown))]
        other = controls[generator.integers(len(controls), size=len(controls))]
        shifts[draw], areas[draw] = one.mean() - other.mean(), area_of(one, other)
    between = interval(np.stack([shifts, areas], axis=1))
    values = float(shown.mean() - controls.mean()), area_of(shown, controls)
    shift, area = (
        Measured(value, float(low), float(high))
        for value, (low, high) in zip(values, between, strict=True)
    )
    return shift, area
