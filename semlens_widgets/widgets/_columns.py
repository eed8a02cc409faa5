"""The columns of a neurons table as the map's browser part reads them: numbers and legends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Labels (and other free categories) that get a colour of their own.
CATEGORIES = 8
#: The code of a category that is missing, as it travels.
MISSING = 0xFFFF
#: Columns that say where a neuron is, not what it is like.
PLACES = ("neuron", "x", "y")

_TITLES = {"score": "Label score", "firing_rate": "Firing rate", "mean": "Mean activation"}
_TITLES |= {"max": "Max activation"}

Floats = npt.NDArray[np.float32]


def title(column: str) -> str:
    """Return a column's name as people read it."""
    return _TITLES.get(column, column.replace("_", " ").capitalize())


def is_categorical(column: pd.Series) -> bool:
    """Return whether a column holds categories, flags among them."""
    return bool(
        pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column.dtype)
    )


def describe_column(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return the name, title and kind of a column, and whether it has no values yet."""
    column = table[name]
    return {
        "name": name,
        "title": title(name),
        "kind": "category" if is_categorical(column) else "number",
        "empty": bool((column.fillna("") == "").all() if name == "label" else column.isna().all()),
    }


def layout_columns(table: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return x and y within [-1, 1], the proportions kept."""
    if not {"x", "y"} <= set(table.columns):
        nothing = np.full(len(table), np.nan, dtype=np.float32)
        return nothing, nothing
    places = table[["x", "y"]].to_numpy(dtype=np.float64, copy=True)
    placed = np.isfinite(places).all(axis=1)
    places[~placed] = np.nan
    if placed.any():
        low, high = places[placed].min(axis=0), places[placed].max(axis=0)
        places = (places - (low + high) / 2) / (max((high - low).max() / 2, 1e-9) * 1.06)
    return places[:, 0].astype(np.float32), places[:, 1].astype(np.float32)


def read_column(
    table: pd.DataFrame, name: str, order: Sequence[str] = ()
) -> tuple[Floats, dict[str, Any]]:
    """Return a column as numbers (category codes; NaN: no value) and its legend.

    Parameters
    ----------
    table : DataFrame
        The neurons.
    name : str
        A column of it.
    order : sequence of str
        Categories in their own order, all of which get a code; otherwise the most frequent do.
    """
    column = table[name]
    values: Floats
    legend: dict[str, Any] = {"name": name, "title": title(name)}
    if not is_categorical(column):
        values = column.to_numpy(dtype=np.float32, na_value=np.nan, copy=True)
        values[~np.isfinite(values)] = np.nan
        known = values[~np.isnan(values)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        legend |= {"kind": "number", "min": low, "max": high, "missing": len(values) - known.size}
        return values, legend
    if pd.api.types.is_bool_dtype(column):
        column, order = column.map({True: "yes", False: "no"}), ("no", "yes")
    texts = column.astype("string").fillna("")
    frequencies = texts[texts != ""].value_counts(sort=True)
    names = list(order) if order else [str(text) for text in frequencies.index[:CATEGORIES]]
    codes = texts.map({text: code for code, text in enumerate(names)})
    rest = codes.isna() & (texts != "")
    if rest.any():
        names = [*names, "other"]
        codes[rest] = len(names) - 1
    values = np.asarray(codes.to_numpy(dtype=np.float32, na_value=np.nan), dtype=np.float32)
    counts = [int((values == code).sum()) for code in range(len(names))]
    legend |= {"kind": "category", "names": names, "counts": counts}
    return values, legend | {"missing": int(np.isnan(values).sum())}


def pack(values: Floats, legend: dict[str, Any]) -> bytes:
    """Return a column as bytes: float32 numbers, or uint16 codes with ``MISSING``."""
    if legend["kind"] == "number":
        return values.tobytes()
    return np.where(np.isnan(values), MISSING, values).astype(np.uint16).tobytes()


def pack_rows(rows: npt.NDArray[np.integer[Any]], count: int) -> bytes:
    """Return a set of rows as one bit per row, the first row in the lowest bit."""
    if not rows.size:
        return b""
    inside = np.zeros(count, dtype=bool)
    inside[rows] = True
    return np.packbits(inside, bitorder="little").tobytes()


def unpack_rows(bits: bytes, count: int) -> npt.NDArray[np.uint32]:
    """Return the rows of :func:`pack_rows`, ascending."""
    inside = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), bitorder="little")[:count]
    return np.flatnonzero(inside).astype(np.uint32)


def pack_scores(scores: Floats) -> bytes:
    """Return scores (NaN: none) as the rows that have one, uint32, and then these, float32.

    Where that is no shorter than all scores, these: the length tells which it is.
    """
    rows = np.flatnonzero(~np.isnan(scores)).astype(np.uint32)
    if 2 * len(rows) >= len(scores):
        return scores.tobytes()
    return rows.tobytes() + scores[rows].tobytes()


def unpack_scores(data: bytes, count: int) -> Floats:
    """Return one score per row, of :func:`pack_scores` or of as many float32 as there are rows."""
    if len(data) == 4 * count:
        return np.frombuffer(data, dtype=np.float32)
    scores = np.full(count, np.nan, dtype=np.float32)
    half = len(data) // 2
    scores[np.frombuffer(data[:half], dtype=np.uint32)] = np.frombuffer(data[half:], np.float32)
    return scores
