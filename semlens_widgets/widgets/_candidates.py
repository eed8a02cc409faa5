"""Candidate labels as a panel has them: typed by a person, known to a lens, scored and ranked."""

from __future__ import annotations

import heapq
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import holds_half

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from semlens_widgets.widgets._lens import Lens

#: Scores that are kept in a saved notebook, and candidates whose scores are taken apart.
KEPT = 64
#: A list of candidates is saved with the notebook; contrast/candidate-list.ts in
#: ``js/src`` knows the same bounds.
MOST_CANDIDATES = 5_000
LONGEST_CANDIDATE = 120


def best(pairs: Sequence[Sequence[Any]], most: int) -> list[list[Any]]:
    """Return the ``[candidate, score]`` pairs that score best, best first."""

    def key(pair: Sequence[Any]) -> float:
        return float("inf") if pair[1] is None else -pair[1]

    return [list(pair) for pair in heapq.nsmallest(most, pairs, key=key)]


def distinct(candidates: Iterable[Any]) -> tuple[list[str], list[str]]:
    """Return the candidates with single spaces and without repetition, and the repeated ones.

    Upper and lower case count as the same, as they do for the text encoders.
    """
    kept: dict[str, str] = {}
    repeated = []
    for position, candidate in enumerate(candidates):
        if not isinstance(candidate, str):
            raise TypeError(f"candidates: entry {position} is {candidate!r}, not a text.")
        if holds_half(candidate):
            raise ValueError(
                f"candidates: entry {position}, {candidate!r}, holds half a character."
            )
        words, lower = _spaced(candidate)
        if not words:
            raise ValueError(f"candidates: entry {position} is blank. Give a text like 'striped'.")
        if lower in kept:
            repeated.append(words)
        else:
            kept[lower] = words
    return list(kept.values()), repeated


@lru_cache(maxsize=4 * MOST_CANDIDATES)
def _spaced(text: str) -> tuple[str, str]:
    """Return a text with single spaces, and in lower case; the same come with every key."""
    words = " ".join(text.split())
    return words, words.lower()


def known_labels(lens: Lens, own: str = "") -> list[str]:
    """Return a neuron's own label and those that the lens knows."""
    return distinct(label for label in (own, *lens.vocabulary) if label.strip())[0]


def listed(params: Mapping[str, Any], name: str = "candidates") -> list[str]:
    """Return the candidates that a request names."""
    return distinct(params.get(name) or [])[0]
