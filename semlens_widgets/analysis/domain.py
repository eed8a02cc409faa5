"""Whether a foundation model is any good on these images: measures, each beside what chance does.

A model that was never trained on such images, or is fed in another way than in training, still
embeds everything, and every label that follows looks like any other. Its signatures are these:
images that all lie in one cone, few directions that are used (Roy and Vetterli 2007), one text that
is the nearest of most images (hubness: Radovanović et al., JMLR 2010), copies that are not found
again, and class names that tell their classes no better than the names of other classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.audit import LEVEL, proportion
from semlens_widgets.analysis.compare import mean_of
from semlens_widgets.analysis.faithfulness import auroc

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The bound lies halfway between seven pairs of a model and images; others are judged by it in
#: tests/reference/test_domain_truth.py.
LEAST_AREA = 0.8
#: For a gross failure alone; set by eye, with all pairs in view.
MOST_COSINE = 0.9
LEAST_RANK = 5.0
LEAST_FOUND = 0.25
#: With fewer images nothing is called weak; nor rank and copies in a space of fewer dimensions.
FEWEST_IMAGES = 100
FEWEST_DIMENSIONS = 16
NEIGHBOURS = 10
_DRAWS = 1000

GOOD, WEAK, CHANCE, UNCLEAR, NOTED = "good", "weak", "chance", "unclear", ""


@dataclass(frozen=True)
class Measure:
    """One figure of a foundation model on some images.

    Attributes
    ----------
    name
        What is measured.
    value, low, high
        The figure with its 95 % interval; NaN where there is none.
    chance
        What shuffled pairs reach, 95 % of them; NaN where chance has no say.
    bound
        Where the verdict turns; NaN for what is only told.
    verdict
        "good", "weak", "chance" (no better than shuffled pairs), "unclear" (too few images, or the
        interval holds the bound), or "" for what is only told.
    """

    name: str
    value: float
    low: float = nan
    high: float = nan
    chance: float = nan
    bound: float = nan
    verdict: str = NOTED


def of_images(images: NDArray[np.floating], *, seed: int = 0) -> list[Measure]:
    """Measure what can be told of embeddings alone.

    Parameters
    ----------
    images
        ``(images, dim)`` of unit length.
    seed
        Draws images anew for intervals.

    Returns
    -------
    list of Measure
        ``mean_cosine`` of two images; ``effective_rank``; and ``image_hubness``, the skewness of
        how often an image is among the ten nearest of others.
    """
    vectors = images.astype(np.float64)
    enough = len(vectors) >= FEWEST_IMAGES
    lots = np.random.default_rng(seed)
    draws = lots.multinomial(len(vectors), np.full(len(vectors), 1 / len(vectors)), size=200)
    low, high = np.quantile(mean_cosines(vectors, draws), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    cosine = float(mean_cosines(vectors, np.ones((1, len(vectors))))[0])
    rank = effective_rank(vectors)
    wide = enough and vectors.shape[1] >= FEWEST_DIMENSIONS
    return [
        Measure(
            "mean_cosine",
            cosine,
            float(low),
            float(high),
            bound=MOST_COSINE,
            verdict=_judged(cosine <= MOST_COSINE, enough),
        ),
        Measure(
            "effective_rank",
            rank,
            bound=LEAST_RANK,
            verdict=_judged(rank >= LEAST_RANK, wide),
        ),
        Measure("image_hubness", _skewness(_neighbours_of_images(vectors))),
    ]


def of_copies(copies: NDArray[np.floating], images: NDArray[np.floating], of: object) -> Measure:
    """Measure how often the nearest image of a changed copy is the one that was copied.

    Parameters
    ----------
    copies, images
        ``(copies, dim)`` and ``(images, dim)`` of unit length.
    of
        ``(copies,)``, the row of `images` that each copy was made of.
    """
    found = (copies @ images.T).argmax(axis=1) == np.asarray(of)
    share = proportion(int(found.sum()), len(found))
    enough = len(images) >= FEWEST_IMAGES and images.shape[1] >= FEWEST_DIMENSIONS
    return Measure(
        "copies_found",
        *(share.value, share.low, share.high),
        chance=1 / len(images),
        bound=LEAST_FOUND,
        verdict=_judged(share.value >= LEAST_FOUND, enough),
    )


def of_texts(images: NDArray[np.floating], texts: NDArray[np.floating]) -> list[Measure]:
    """Measure how texts and images lie to each other.

    Parameters
    ----------
    images, texts
        ``(images, dim)`` and ``(texts, dim)`` of unit length, two texts or more.

    Returns
    -------
    list of Measure
        ``text_cosine``, the mean of two texts; ``gap``, the distance of the two means (Liang et
        al. 2022); ``largest_hub``, the share of images whose nearest text is the same;
        ``text_to_image_hubness``, the skewness of how often an image is among the ten nearest of
        the texts, and ``image_to_text_hubness`` of how often a text is the nearest of the images.
    """
    similarities = (images @ texts.T).astype(np.float64)
    hub = np.bincount(similarities.argmax(axis=1), minlength=len(texts))
    share = proportion(int(hub.max()), len(images))
    cosine = mean_cosines(texts.astype(np.float64), np.ones((1, len(texts))))[0]
    gap = np.linalg.norm(images.mean(axis=0) - texts.mean(axis=0))
    return [
        Measure("text_cosine", float(cosine)),
        Measure("gap", float(gap)),
        Measure("largest_hub", share.value, share.low, share.high),
        Measure("text_to_image_hubness", _skewness(_occurrences(similarities.T))),
        Measure("image_to_text_hubness", _skewness(hub)),
    ]


def of_classes(
    images: NDArray[np.floating],
    texts: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    seed: int = 0,
) -> list[Measure]:
    """Measure how well class names tell their classes.

    Parameters
    ----------
    images, texts
        ``(images, dim)`` and ``(classes, dim)`` of unit length.
    labels
        ``(images,)``, the class of each; every class has an image, and there are two or more.
    seed
        Shuffles the names, and draws classes anew for the interval.

    Returns
    -------
    list of Measure
        ``class_auroc``, the mean over classes of P(an image of the class is more similar to its
        name than another image), which no hub can spoil; and ``zero_shot``, the share of images
        whose nearest name is their own. For ``chance`` each class gets the name of another one, and
        of the figures 95 % are no larger.

    Notes
    -----
    Permuted images would be too easy a chance: an untrained model tells colours apart, so that any
    direction tells *some* classes from others. What it cannot is tell which name is whose.
    """
    similarities = (images @ texts.T).astype(np.float64)
    count = len(texts)
    own = labels[:, None] == np.arange(count)
    areas = auroc(similarities, own)  # (names, classes)
    said = np.zeros((count, count))  # how many images of a class have a name as their nearest
    np.add.at(said, (similarities.argmax(axis=1), labels), 1)
    lots = np.random.default_rng(seed)
    shuffled_areas, shuffled_hits = np.empty(_DRAWS), np.empty(_DRAWS)
    for draw in range(_DRAWS):
        circle = lots.permutation(count)
        names = np.roll(circle, 1)  # nobody keeps the own
        shuffled_areas[draw] = areas[names, circle].mean()
        shuffled_hits[draw] = said[names, circle].sum() / len(images)
    area = mean_of(areas.diagonal(), seed=seed)
    chance = float(np.quantile(shuffled_areas, LEVEL))
    verdict = _judged(area.value >= LEAST_AREA, len(images) >= FEWEST_IMAGES)
    if verdict == WEAK and area.high >= LEAST_AREA:
        verdict = UNCLEAR
    if area.value <= chance:
        verdict = CHANCE if len(images) >= FEWEST_IMAGES else UNCLEAR
    hits = proportion(int(said.trace()), len(images))
    return [
        Measure(
            "class_auroc", *(area.value, area.low, area.high), chance, LEAST_AREA, verdict=verdict
        ),
        Measure(
            "zero_shot",
            *(hits.value, hits.low, hits.high),
            chance=float(np.quantile(shuffled_hits, LEVEL)),
        ),
    ]


def mean_cosines(
    vectors: NDArray[np.float64], counts: NDArray[np.integer] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean cosine of two different vectors, for each way of counting them.

    Parameters
    ----------
    vectors
        ``(N, dim)`` of unit length.
    counts
        ``(ways, N)``, how often each is taken; a vector is never paired with itself.
    """
    pairs = counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)
    total = ((counts @ vectors) ** 2).sum(axis=1) - (counts**2).sum(axis=1)
    found: NDArray[np.float64] = total / np.maximum(pairs, 1)
    return found


def effective_rank(vectors: NDArray[np.float64]) -> float:
    """Return exp of the entropy of the shares of variance along principal directions."""
    centred = vectors - vectors.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False) ** 2
    if variances.sum() <= 1e-12 * len(vectors):
        return 0.0
    shares = variances[variances > 0] / variances.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _judged(good: bool, enough: bool) -> str:
    return GOOD if good else WEAK if enough else UNCLEAR


def _neighbours_of_images(vectors: NDArray[np.float64]) -> NDArray[np.int64]:
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, -np.inf)
    return _occurrences(similarities)


def _occurrences(similarities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count how often each column is among the ten largest of a row; ties to the first."""
    nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :NEIGHBOURS]
    return np.bincount(nearest.ravel(), minlength=similarities.shape[1])


def _skewness(counts: NDArray[np.integer]) -> float:
    deviation = counts - counts.mean()
    spread = float(np.sqrt((deviation**2).mean()))
    return float((deviation**3).mean() / spread**3) if spread > 0 else nan
