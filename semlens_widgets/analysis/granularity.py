"""How general labels are: depth among hypernyms, how many neurons they fit, and a truth beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_ROUNDING = 1e-6  # two ways to compute the same score differ by less


def lineage(word: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """Return a word and what it is a kind of, the nearest first.

    Parameters
    ----------
    parents
        By word, what it is a kind of; "" for the most general ones. A word that is not among them
        stands alone. Without a circle, see :func:`circle`.
    """
    found = [word]
    while above := parents.get(found[-1], ""):
        found.append(above)
    return tuple(found)


def circle(parents: Mapping[str, str]) -> tuple[str, ...]:
    """Return words that are kinds of each other, the first one again at the end; empty if none."""
    done: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        word = start
        while word and word not in done and word not in path:
            path[word] = None
            word = parents.get(word, "")
        if word in path:
            turn = list(path)
            return (*turn[turn.index(word) :], word)
        done |= path.keys()
    return ()


def depths(words: Sequence[str], parents: Mapping[str, str]) -> NDArray[np.float64]:
    """Return how many hypernyms each word has, ``(words,)``; NaN for one that has no place.

    Parameters
    ----------
    parents
        As for :func:`lineage`. A word has a place if it has a parent or is one.
    """
    placed = {*parents, *parents.values()} - {""}
    return np.array(
        [len(lineage(word, parents)) - 1 if word in placed else np.nan for word in words]
    )


def fitting_others(
    scores: NDArray[np.floating],
    chance: NDArray[np.floating],
    labels: NDArray[np.int64],
    layers: Sequence[slice],
) -> NDArray[np.float64]:
    """Return which share of the other neurons of its layer a neuron's label fits, ``(neurons,)``.

    A label fits a neuron if it scores more for that neuron, by more than rounding, than what chance
    is for it. A label that fits all others says nothing of its own.

    Parameters
    ----------
    scores
        ``(neurons, labels)``; NaN where nothing can be said, and such neurons do not count.
    chance
        ``(neurons,)``, what a random word reaches for the neuron one time in twenty.
    labels
        ``(neurons,)`` which label each has; -1 for none.
    layers
        The neurons of each layer.

    Returns
    -------
    ndarray
        NaN for a neuron without a label, or without another one in its layer.
    """
    share = np.full(len(labels), np.nan)
    known = np.isfinite(scores) & np.isfinite(chance)[:, None]
    fits = known & (scores > chance[:, None] + _ROUNDING)
    for layer in layers:
        rows = np.arange(len(labels))[layer]
        rows = rows[labels[rows] >= 0]
        own = labels[rows]
        others = known[layer].sum(0)[own] - known[rows, own]
        fitting = fits[layer].sum(0)[own] - fits[rows, own]
        share[rows] = np.where(others > 0, fitting / np.maximum(others, 1), np.nan)
    return share


def hierarchical(label: str, truth: str, parents: Mapping[str, str]) -> tuple[float, float]:
    """Return hierarchical recall and precision of a label.

    Recall is the share of the truth's lineage (itself and its hypernyms) that the label's lineage
    holds, precision the share of the label's lineage that the truth's holds. A label that is too
    general loses recall alone, one that is too specific loses precision alone, a wrong one loses
    both; a cousin keeps what the two are kinds of.

    Parameters
    ----------
    label
        "" for none: it recalls nothing, and its precision is NaN.
    truth
        "" where it is not known: both are NaN.
    parents
        As for :func:`lineage`.

    Notes
    -----
    Kiritchenko, Matwin and Famili, Functional annotation of genes using hierarchical text
    categorization (2005).
    """
    if not truth:
        return np.nan, np.nan
    if not label:
        return 0.0, np.nan
    said, true = set(lineage(label, parents)), set(lineage(truth, parents))
    shared = len(said & true)
    return shared / len(true), shared / len(said)
