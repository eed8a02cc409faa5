"""Candidate labels in a file that a person wrote: a list, a tree, or a table."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from semlens_widgets.analysis.granularity import circle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COLUMN, _PARENT = "label", "parent"
Entry = tuple[int, str, str]  # line, word, parent


def read_word_file(path: str | Path) -> dict[str, str]:
    """Read words, each with the word it is a kind of; "" where it is a kind of none.

    Parameters
    ----------
    path
        A file in UTF-8. If its name ends in ``.csv``: a table with the column ``label`` and, if
        there is one, ``parent``, separated by commas or semicolons. Else one word or phrase per
        line; one that is indented further than the line before is a kind of that. Blank lines and
        those that begin with ``#`` say nothing.

    Returns
    -------
    dict
        In the order of the file. Blanks are those between words, one each; what is said twice is
        taken once.

    Raises
    ------
    ValueError
        If the file is no such file or names nothing; a line is no text; a word is a kind of two
        others, of itself, or of one that the file does not name. The line is named.
    """
    path = Path(path)
    lines = [
        (number, line)
        for number, line in enumerate(_text(path).split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    found: dict[str, str] = {}
    named: dict[str, int] = {}  # the line of each
    for number, word, parent in _rows(path, lines) if _is_table(path) else _tree(path, lines):
        if not word:
            raise ValueError(f"{path}, line {number}: there is no label.")
        if odd := next((sign for sign in word + parent if unicodedata.category(sign) == "Cc"), ""):
            raise ValueError(f"{path}, line {number}: {odd!r} is no part of a label.")
        if found.setdefault(word, parent) != parent:
            below = [repr(above) if above else "nothing" for above in (found[word], parent)]
            raise ValueError(
                f"{path}, line {number}: {word!r} stands below {below[1]}, in line {named[word]} "
                f"below {below[0]}; a label has one place."
            )
        named.setdefault(word, number)
    if not found:
        raise ValueError(f"{path}: there is no label in it.")
    for word, parent in found.items():
        if parent and parent not in found:
            raise ValueError(
                f"{path}, line {named[word]}: {parent!r}, above {word!r}, is no label of this "
                "file; give it a line of its own."
            )
    if turn := circle(found):
        raise ValueError(f"{path}, line {named[turn[0]]}: {' < '.join(turn)} is a circle.")
    return found


def _is_table(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # every kind of line end is one
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not in UTF-8; save it as text in UTF-8.") from None


def _tree(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Entry]:
    """Go through lines that stand below the one before that is indented less."""
    above: list[tuple[int, str]] = []  # indentation and word of the lines that are open
    marks: set[str] = set()
    for number, line in lines:
        start = line[: len(line) - len(line.lstrip())]
        marks |= set(start)
        if len(marks) > 1:
            raise ValueError(
                f"{path}, line {number}: indented by tabs here and by blanks there; use one of "
                "them throughout."
            )
        left = above[-1][0] if above else 0
        while above and above[-1][0] >= len(start):
            left = above.pop()[0]
        if len(start) < left or (len(start) > 0 and not above):
            raise ValueError(
                f"{path}, line {number}: indented as no line above it; a kind stands further in "
                "than what it is a kind of, and as far as its other kinds."
            )
        word = _plain(line)
        yield number, word, above[-1][1] if above else ""
        above.append((len(start), word))


def _rows(path: Path, lines: list[tuple[int, str]]) -> Iterator[Entry]:
    """Go through the rows of a table."""
    if not lines:
        return
    (_, head), *rest = lines
    comma = ";" if head.count(";") > head.count(",") else ","
    columns = [_plain(name).lower() for name in next(csv.reader([head], delimiter=comma))]
    if _COLUMN not in columns:
        raise ValueError(
            f"{path}: no column {_COLUMN!r}; its first line must name {_COLUMN} and may name "
            f"{_PARENT} (it names {', '.join(map(repr, columns))})."
        )
    for number, line in rest:
        try:
            (row,) = csv.reader([line], delimiter=comma, strict=True)
        except csv.Error as error:
            raise ValueError(f"{path}, line {number}: no CSV ({error}).") from None
        if len(row) > len(columns):
            raise ValueError(
                f"{path}, line {number}: {len(row)} fields, but the first line names "
                f'{len(columns)}; a label with {comma!r} in it stands between quotes: "...".'
            )
        cells = dict(zip(columns, map(_plain, row), strict=False))
        yield number, cells.get(_COLUMN, ""), cells.get(_PARENT, "")


def _plain(text: str) -> str:
    return " ".join(text.split())
