"""Odd-one-out tasks: examples of a neuron and one intruder, in an order by lot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The row of a task that asks of no neuron: its answer is plain, and whoever fails it did not look.
CATCH = -1


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes
    ----------
    row
        Which neuron it asks of; `CATCH` of none.
    samples
        The images in the order in which they are shown.
    odd
        Where the intruder stands, from 0.
    """

    row: int
    samples: tuple[int, ...]
    odd: int


def spread(values: NDArray[np.floating], count: int, lots: np.random.Generator) -> list[list[int]]:
    """Divide rows by a measure into parts of about equal size, each in an order by lot.

    One row of each part gives rows that are spread over the measure as all of them are.

    Parameters
    ----------
    values
        ``(rows,)``; ties go by row.
    count
        How many parts.

    Returns
    -------
    list of list of int
        `count` parts, from the lowest values to the highest.
    """
    ordered = np.argsort(values, kind="stable")
    return [lots.permutation(part).tolist() for part in np.array_split(ordered, count)]


def intruders(
    pool: NDArray[np.int64], own: NDArray[np.int64], activations: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Return the images that do not belong to a neuron.

    Parameters
    ----------
    pool
        Images to choose from.
    own
        The neuron's concept examples.
    activations
        ``(images,)`` of the neuron; NaN where an image is unreadable.

    Returns
    -------
    numpy.ndarray
        Those of the pool that are no example of the neuron and activate it no more than half of
        all images do, ascending.
    """
    quiet = activations <= np.nanmedian(activations)  # false where unreadable
    others: NDArray[np.int64] = np.setdiff1d(pool, own)
    found: NDArray[np.int64] = others[quiet[others]]
    return found


def odd_one_out(
    row: int,
    own: NDArray[np.int64],
    foreign: NDArray[np.int64],
    count: int,
    lots: np.random.Generator,
) -> Task:
    """Draw `count` of a neuron's examples and one intruder, and their order.

    Notes
    -----
    As word intrusion is for topics (Chang et al., Reading tea leaves, NIPS 2009, section 3.1).
    """
    shown = lots.choice(own, count, replace=False)
    return _placed(row, shown, int(lots.choice(foreign)), lots)


def catch_trial(
    pool: NDArray[np.int64], embeddings: NDArray[np.floating], count: int, lots: np.random.Generator
) -> Task:
    """Show one image `count` times, and the one that is least like it.

    Parameters
    ----------
    pool
        ``(images,)`` to choose from, two at least.
    embeddings
        ``(images, dim)`` of them, of unit length.
    """
    one = int(lots.integers(len(pool)))
    least = int(np.argmin(np.delete(embeddings @ embeddings[one], one)))
    other = int(np.delete(pool, one)[least])
    return _placed(CATCH, np.repeat(pool[one], count), other, lots)


def _placed(row: int, shown: NDArray[np.int64], odd: int, lots: np.random.Generator) -> Task:
    place = int(lots.integers(len(shown) + 1))
    return Task(row, tuple(map(int, np.insert(shown, place, odd))), place)
