"""How the hits of a search are judged, where it is known what images show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import semlens_widgets as slw
from semlens_widgets.demo.bench_labels import BEST, RANDOM
from semlens_widgets.demo.bench_search import COSINE, SEARCHES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from PIL import Image

FIGURES = ("right_1", "right_5", "auroc_1", "auroc_5")
#: A ranking by the truth on the very images that were analysed: no search can know more.
KNOWN = "annotations of the analysed images"
WORD, PICTURE, FIVE = "word", "picture", "five pictures"
ONE = "one"
TEMPLATES: dict[str, Sequence[str] | None] = {
    ONE: None,
    "six": slw.CSP_TEMPLATES,
    "seven": slw.CLIP_TEMPLATES,
}
RAW = "cosine"
FEW = 5


def chance_of(shown: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return by how much an AUROC varies for a neuron that knows nothing: ``(concepts,)``.

    One standard deviation of the Mann-Whitney statistic over its greatest value, without ties.

    Parameters
    ----------
    shown
        ``(images, concepts)``, which image shows which concept.
    """
    images, present = len(shown), shown.sum(0)
    with np.errstate(divide="ignore"):
        found: NDArray[np.float64] = np.sqrt((images + 1) / (12 * present * (images - present)))
    return found


def told_best(truth: NDArray[np.float64], shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which concept each neuron tells best, ``(neurons, concepts)``.

    It is the one whose AUROC lies highest after two standard deviations of chance are taken off,
    which keeps what three images show from being best by luck; none, if that is .5 or less. Kinds
    do not compete with what they are kinds of: a neuron that tells terriers best is right for dogs,
    too, if it tells dogs better than all that are none.

    Parameters
    ----------
    truth
        ``(neurons, concepts)`` AUROC.
    shown
        ``(images, concepts)``, on which that was measured.
    """
    surely = truth - 2 * chance_of(shown)
    kinds = (shown.T.astype(int) @ ~shown) == 0  # (kind, concept): all that show it show the other
    best = np.zeros(truth.shape, bool)
    for concept in range(truth.shape[1]):
        others = surely[:, ~kinds[:, concept]].max(1, initial=0.5)
        best[:, concept] = surely[:, concept] > others
    return best


def judged(
    lens: slw.SemanticLens,
    truth: NDArray[np.float64],
    right: NDArray[np.bool_],
    concepts: Mapping[str, int],
    *,
    pictures: Mapping[str, Sequence[Image.Image]],
    templates: Sequence[str] = (ONE,),
    scores: Sequence[str] = tuple(SEARCHES),
    among: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Search for concepts in every way, and judge the first hits.

    Parameters
    ----------
    lens
        The analysis.
    truth, right
        ``(neurons, all concepts)``, in the order of ``lens.neurons``; see :func:`told_best`.
    concepts
        The words to search for, and their columns.
    pictures
        By word, pictures to search with, none of which was analysed. Each is asked with alone, of
        which the mean is told, and all together.
    templates, scores
        In which sentences, and by what, names of `TEMPLATES` and `SEARCHES`.
    among
        Rows of the neurons that are looked at; by default all.

    Returns
    -------
    pandas.DataFrame
        query, templates, score, concept, right_1 and auroc_1 (of the first hit), right_5 and
        auroc_5 (means of the first five).
    """
    rows = pd.MultiIndex.from_frame(lens.neurons[["layer", "neuron"]])
    seen = np.arange(len(rows)) if among is None else np.asarray(among)
    found = []
    for concept, at in concepts.items():
        own = list(pictures[concept])
        asked: list[tuple[str, str, str, list[Any]]] = [
            *((WORD, named, score, [concept]) for named in templates for score in scores),
            *((PICTURE, "", score, own) for score in (RAW, COSINE) if own),
            *((FIVE, "", score, [own]) for score in (RAW, COSINE) if len(own) == FEW),
        ]
        for query, named, score, some in asked:
            told = []
            for one in some:
                hits = lens.search(one, templates=TEMPLATES.get(named), **SEARCHES[score])
                order = rows.get_indexer(pd.MultiIndex.from_frame(hits[["layer", "neuron"]]))
                order = order[np.isin(order, seen)]
                told.append(_first(order, truth[:, at], right[:, at]))
            way = {"query": query, "templates": named, "score": score, "concept": concept}
            found.append(way | {name: np.mean([one[name] for one in told]) for name in FIGURES})
    return pd.DataFrame(found)


def bounds(
    truth: NDArray[np.float64],
    right: NDArray[np.bool_],
    known: NDArray[np.float64],
    concepts: Mapping[str, int],
) -> pd.DataFrame:
    """Judge what stands beside all searches: the best there is, what can be known, and luck.

    Parameters
    ----------
    truth, right, concepts
        As in :func:`judged`.
    known
        ``(neurons, all concepts)`` AUROC on the images that were analysed.

    Returns
    -------
    pandas.DataFrame
        As :func:`judged`; a query is asked of none of them.
    """
    found = []
    for concept, at in concepts.items():
        true, fits = truth[:, at], right[:, at]
        best = {
            **_first(np.argsort(-true, kind="stable"), true, fits),
            **{f"right_{n}": min(fits.sum(), n) / n for n in (1, FEW)},
        }
        luck = {"right": fits.mean(), "auroc": true.mean()}
        figures = {
            BEST: best,
            KNOWN: _first(np.argsort(-known[:, at], kind="stable"), true, fits),
            RANDOM: {f"{name}_{n}": value for name, value in luck.items() for n in (1, FEW)},
        }
        for score, told in figures.items():
            way = {"query": "", "templates": "", "score": score, "concept": concept}
            found.append(way | told)
    return pd.DataFrame(found)


def _first(
    order: NDArray[np.integer], true: NDArray[np.float64], right: NDArray[np.bool_]
) -> dict[str, float]:
    """Judge the neurons that come first in an order."""
    figures = {"right": right[order], "auroc": true[order]}
    return {f"{name}_{n}": float(of[:n].mean()) for name, of in figures.items() for n in (1, FEW)}
