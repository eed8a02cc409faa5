"""CSV files that people's spreadsheets wrote or will open."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAMED_WRONG = 6  # lines, of many
TOO_MANY = ""  # where fields go that no column is for
_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # what a spreadsheet would work out
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")


def as_text(text: str) -> str:
    """Return a text as a spreadsheet takes it for one: a formula stands behind an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) else text


def from_text(text: str) -> str:
    """Return what :func:`as_text` was given."""
    return text[1:] if _ESCAPED.match(text) else text


def rows_of(path: str | Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Go through the rows with the line that each ends in.

    Parameters
    ----------
    path
        A CSV file in UTF-8; commas or semicolons separate its columns.
    needed
        Columns that it must have.

    Raises
    ------
    ValueError
        If it is no such file.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not in UTF-8; save it as “CSV UTF-8”.") from None
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""),  # str.splitlines would cut a label at U+2028 and the like
        delimiter=";" if first.count(";") > first.count(",") else ",",
        restkey=TOO_MANY,
        strict=True,  # a quote that is never closed would take the rest of the file for a label
    )
    try:
        columns = reader.fieldnames or []
    except csv.Error as error:
        raise ValueError(f"{path}, line 1: no CSV ({error}).") from None
    if twice := [name for name in needed if columns.count(name) > 1]:
        raise ValueError(f"{path}: its first line names {twice[0]!r} twice.")
    missing = [name for name in needed if name not in columns]
    if missing:
        raise ValueError(
            f"{path}: no column {missing[0]!r}; its first line must name {', '.join(needed[:-1])} "
            f"and {needed[-1]} (it names {', '.join(map(repr, columns)) or 'nothing'})."
        )
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: no CSV ({error}).") from None


def listed(wrong: Sequence[str]) -> str:
    """Put what is wrong into one message, a line for each of the first few."""
    more = len(wrong) - _NAMED_WRONG
    return "\n".join([*wrong[:_NAMED_WRONG], *[f"... and {more} more"] * (more > 0)])
