"""Labels as a CSV file that people edit in a spreadsheet."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Literal

from semlens_widgets.labels.assign import UNKNOWN, check_candidates
from semlens_widgets.lens.spreadsheet import TOO_MANY, as_text, from_text, listed, rows_of
from semlens_widgets.store.labels import NO_LABEL, PERSON

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    import pandas as pd

_NEEDED = ("layer", "neuron", "label")
_COLUMNS = [*_NEEDED, "score", "margin", "chance", "source"]

Key = tuple[str, int]


def write_label_file(path: str | Path, labels: pd.DataFrame) -> None:
    """Write labels, those that a spreadsheet would take for a formula behind an apostrophe."""
    named = {name: labels[name].map(as_text) for name in ("layer", "label", "source")}
    # Before Python 3.13 a lone carriage return is not quoted by itself, and would end the row.
    returns = any(column.str.contains("\r", regex=False).any() for column in named.values())
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    table = labels.assign(**named)[_COLUMNS]
    table.to_csv(path, index=False, encoding="utf-8", quoting=quoting)


def read_label_file(path: str | Path, known: Container[Key]) -> dict[Key, str]:
    """Read labels by layer and neuron; rows without a label are passed over.

    Not so those whose source is a person: there none fits, and the label is the empty text.

    Parameters
    ----------
    path
        A CSV file in UTF-8 with the columns layer, neuron and label, and source if it says whose
        they are; others are not read. Commas or semicolons separate them.
    known
        The neurons that there are.

    Raises
    ------
    ValueError
        If it is no such file; lines name no neuron, one that was named before, or no label. The
        message has a line for each of the first few.
    """
    found: dict[Key, str] = {}
    named: set[Key] = set()
    wrong: list[str] = []
    for line, row in rows_of(path, _NEEDED):
        try:
            key, label = _read_row(row, known, named)
        except ValueError as error:
            wrong.append(f"{path}, line {line}: {error}")
            continue
        named.add(key)
        if label or row.get("source") == PERSON:
            found[key] = label
    if wrong:
        raise ValueError(listed(wrong))
    return found


def _read_row(
    row: dict[str, str | None], known: Container[Key], before: Container[Key]
) -> tuple[Key, str]:
    layer, number, label = (from_text((row[name] or "").strip()) for name in _NEEDED)
    key = (layer, int(number)) if re.fullmatch(r"[0-9]{1,9}", number) else None
    if key is None or key not in known:
        raise ValueError(f"there is no neuron {layer!r} {number!r} here.")
    if key in before:
        raise ValueError(f"{layer} {number} has been named before.")
    if any(row.get(TOO_MANY) or ()):
        raise ValueError("there is more than the first line names; quote a label with commas.")
    if not label or label.casefold() == UNKNOWN:
        return key, NO_LABEL
    try:
        (label,) = check_candidates([label])
    except ValueError as error:
        raise ValueError(f"the label is no text ({error})") from None
    return key, label
