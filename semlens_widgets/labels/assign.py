"""From scores to labels: which candidates there may be, the best one, and what chance scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from semlens_widgets.errors import holds_half

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

UNKNOWN = "unknown"
_SORTED_AT_ONCE = 1 << 14  # neurons


def check_candidates(candidates: Sequence[str]) -> tuple[str, ...]:
    """Return the candidate labels stripped of outer blanks, later duplicates dropped.

    Ties go to the first candidate, so a set, whose order changes from run to run, is sorted.

    Raises
    ------
    TypeError
        If ``candidates`` is one string or no collection, or holds something else than strings.
    ValueError
        If there are none, or one is empty, blank or no valid text.
    """
    if isinstance(candidates, str):
        raise TypeError(f"candidates: expected a sequence of labels, got the string {candidates!r}")
    given: object = candidates  # what its type rules out, a person may give
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        kind = type(given).__name__
        raise TypeError(f"candidates: expected a sequence of labels, got {kind}")
    stripped = []
    entries = sorted(given, key=str) if isinstance(given, Set) else given
    for position, candidate in enumerate(entries):
        if not isinstance(candidate, str):
            kind = type(candidate).__name__
            raise TypeError(f"candidates: entry {position} is {kind}, expected a string")
        text = candidate.strip()
        if text and text.isprintable():  # as nearly all are: nothing else to ask
            stripped.append(text)
            continue
        if not any(sign.isprintable() and not sign.isspace() for sign in candidate):
            raise ValueError(f"candidates: entry {position} is empty or invisible; remove it")
        if holds_half(candidate):
            raise ValueError(f"candidates: entry {position}, {candidate!r}, holds half a character")
        stripped.append(text)
    if not stripped:
        raise ValueError("candidates: the list is empty; give at least one label")
    return tuple(dict.fromkeys(stripped))


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels as :func:`check_candidates` does, none of which is called "unknown".

    Raises
    ------
    TypeError, ValueError
        As there; also if one is "unknown", which would read as no label wherever labels are shown.
    """
    names = check_candidates(labels)
    for name in names:
        if name.casefold() == UNKNOWN:
            raise ValueError(
                f"{name!r} is how a neuron without a label is called, and cannot be one. Leave it "
                'out; set_labels({(layer, neuron): ""}) says that no label fits.'
            )
    return names


def chance_level(scores: Tensor) -> Tensor:
    """Return median and 95th percentile of the scores of random words, ``(N, 2)`` float32.

    Parameters
    ----------
    scores
        ``(N, W)`` scores of `W` words that were not chosen for these neurons, such as
        :data:`semlens_widgets.labels.words.RANDOM_WORDS`.
    """
    levels = []
    places = [share * (scores.shape[1] - 1) for share in (0.5, 0.95)]
    for part in torch.split(scores.float(), _SORTED_AT_ONCE):
        ordered = part.sort(dim=1).values
        level = [
            torch.lerp(ordered[:, math.floor(at)], ordered[:, math.ceil(at)], at % 1)
            for at in places
        ]
        unknown = part.isnan().any(1, keepdim=True)
        levels.append(torch.stack(level, dim=1).masked_fill(unknown, torch.nan))
    return torch.cat(levels)


@dataclass(frozen=True)
class Assignment:
    """The best candidate of every neuron.

    Attributes
    ----------
    indices
        ``(N,)`` int64, the best candidate; -1 where unknown.
    labels
        The best candidates' names; "unknown" where the bar was not reached.
    score
        ``(N,)`` float32, the best candidate's score, also where unknown.
    margin
        ``(N,)`` float32, how far it lies above the bar; NaN where there is no bar.
    """

    indices: Tensor
    labels: tuple[str, ...]
    score: Tensor
    margin: Tensor


def assign(
    scores: Tensor,
    candidates: Sequence[str],
    bars: Tensor | None = None,
    threshold: float | None = None,
    eligible: Tensor | None = None,
) -> Assignment:
    """Return the best candidate of every neuron, or "unknown"; ties go to the first candidate.

    Parameters
    ----------
    scores
        ``(N, T)`` from a scorer.
    candidates
        The T labels, in the order of the scores' columns.
    bars
        What a label must score strictly more than: ``(N,)`` for each neuron, such as the scores of
        the empty text, or ``(N, T)`` or ``(N, 1)`` for each text too.
    threshold
        A score to reach instead; takes the place of the bars.
    eligible
        ``(N, T)`` bool, which candidates count for which neuron; all by default. A neuron without
        any is unknown, and its score NaN.

    Raises
    ------
    ValueError
        If shapes do not fit together or there is no candidate.
    """
    names = tuple(candidates)
    if not names:
        raise ValueError("candidates: the list is empty; give at least one label")
    if scores.ndim != 2 or scores.shape[1] != len(names):
        raise ValueError(
            f"scores: expected shape (neurons, {len(names)}), one column per candidate, "
            f"got {tuple(scores.shape)}"
        )
    if bars is not None:
        bars = bars[:, None] if bars.ndim == 1 else bars
        if len(bars) != len(scores) or bars.shape[1] not in {1, len(names)}:
            raise ValueError(
                f"bars: expected shape ({len(scores)},) or ({len(scores)}, {len(names)}), "
                f"got {tuple(bars.shape)}"
            )
    if eligible is not None:
        scores = scores.masked_fill(~eligible, -torch.inf)
        scores = scores.masked_fill(~eligible.any(1, keepdim=True), torch.nan)
    best, index = scores.max(1)  # NaN is propagated; the first of equal maxima is taken
    if threshold is not None:
        margin = best - threshold
        known = margin >= 0
    elif bars is not None:
        margin = best - bars.expand(-1, len(names)).gather(1, index[:, None])[:, 0]
        known = margin > 0
    else:
        margin = torch.full_like(best, torch.nan)
        known = ~best.isnan()
    index = index.masked_fill(~known, -1)
    labels = tuple(names[i] if i >= 0 else UNKNOWN for i in index.tolist())
    return Assignment(indices=index, labels=labels, score=best, margin=margin)


def relabelled(
    found: Assignment, indices: Tensor, candidates: Sequence[str], scores: Tensor, bars: Tensor
) -> Assignment:
    """Return the assignment with other candidates in place of some of the best.

    Parameters
    ----------
    indices
        ``(N,)`` the candidates, -1 where unknown, which stays as it is.
    candidates, scores, bars
        As for :func:`assign`; bars ``(N, T)`` or ``(N, 1)``.
    """
    changed = indices != found.indices
    at = indices.clamp(min=0)[:, None]
    own = scores.gather(1, at)[:, 0]
    margin = own - bars.expand(scores.shape).gather(1, at)[:, 0]
    return replace(
        found,
        indices=indices,
        labels=tuple(candidates[at] if at >= 0 else UNKNOWN for at in indices.tolist()),
        score=torch.where(changed, own, found.score),
        margin=torch.where(changed, margin, found.margin),
    )
