"""What raters of a study answered, read from the files that they downloaded."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from semlens_widgets.lens.spreadsheet import from_text, listed, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from semlens_widgets.lens.study_page import Key

_NEEDED = ("study", "rater", "task", "choice", "seconds")
_LONGEST = 60  # characters of a name, as in the page


class Answer(NamedTuple):
    """What a rater chose, from 1, how long it took, and where that stands."""

    choice: int
    seconds: float
    where: str


def read_answers(paths: Iterable[str | Path], key: Key) -> dict[str, dict[int, Answer]]:
    """Read answers by rater and task.

    The same answer in two files, as of one who downloaded twice, counts once.

    Parameters
    ----------
    paths
        CSV files, as the page gives them.
    key
        The study that they answer.

    Returns
    -------
    dict
        By rater, in the order of the files, by task from 0.

    Raises
    ------
    ValueError
        If a file is no such file; lines are of another study, name no rater, task or choice, or
        answer what was answered before. The message has a line for each of the first few.
    """
    found: dict[str, dict[int, Answer]] = {}
    wrong: list[str] = []
    for path in paths:
        own: set[tuple[str, int]] = set()  # of this file
        for line, row in rows_of(path, _NEEDED):
            try:
                _take(row, key, found, own, f"{path}, line {line}")
            except ValueError as error:
                wrong.append(f"{path}, line {line}: {error}")
    if wrong:
        raise ValueError(listed(wrong))
    return found


def _take(
    row: dict[str, str | None],
    key: Key,
    found: dict[str, dict[int, Answer]],
    own: set[tuple[str, int]],
    where: str,
) -> None:
    study, rater, number, choice, seconds = (
        from_text((row[name] or "").strip()) for name in _NEEDED
    )
    if study != key.study:
        raise ValueError(f"it answers the study {study[:20]!r}; the key is of {key.study!r}.")
    if not rater or len(rater) > _LONGEST or not rater.isprintable():
        raise ValueError(f"the rater {rater[:20]!r} must be a name of 1 to {_LONGEST} characters.")
    task = _whole("task", number, len(key.tasks)) - 1
    answer = Answer(_whole("choice", choice, key.choices), _taken(seconds), where)
    if (rater, task) in own:
        raise ValueError(f"{rater!r} has answered task {number} before in this file.")
    own.add((rater, task))
    before = found.setdefault(rater, {}).setdefault(task, answer)
    if before.choice != answer.choice:
        raise ValueError(
            f"{rater!r} answered task {number} differently in {before.where}: give the later file "
            "alone, or two raters use one name."
        )


def _whole(name: str, text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        raise ValueError(f"the {name} {text[:20]!r} is none of 1 to {most}.")
    return int(text)


def _taken(text: str) -> float:
    """Read seconds; a spreadsheet may have written a decimal comma."""
    try:
        seconds = float(text.replace(",", "."))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"the seconds {text[:20]!r} are no number of 0 or more.")
    return seconds
