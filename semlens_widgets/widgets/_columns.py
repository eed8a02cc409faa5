"""The columns of a neurons table as the map's browser part reads them: numbers and legends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Labels (and other free categories) that get a colour of their own.
CATEGORIES = 8
#: The bit of a row whose score is no better than chance; one less is no row.
UNSURE = 1 << 31
#: Columns that say where a neuron is, not what it is like.
PLACES = ("neuron", "x", "y")

_TITLES = {"score": "Label score", "firing_rate": "Firing rate", "mean": "Mean activation"}
_TITLES |= {"max": "Max activation", "chance": "Score of random words"}

#: Columns whose colours speak of labels, unsure ones among them.
OF_LABELS = ("label", "score")
#: The source of a label that a person gave.
PERSON = "person"

_CHANCE = ("score", "chance")

Floats = npt.NDArray[np.float32]


def neurons_of(table: pd.DataFrame) -> list[tuple[str, int]]:
    """Return the neuron of each row: its layer, and its number there."""
    layers, numbers = table["layer"].astype(str), table["neuron"].astype(int)
    return list(zip(layers.tolist(), numbers.tolist(), strict=True))


def readable(text: object) -> str:
    """Return a text that can be sent: what no encoding has, as in broken file names, as \ufffd."""
    return str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def title(column: str) -> str:
    """Return a column's name as people read it."""
    return _TITLES.get(column) or readable(column.replace("_", " ").capitalize())


def labels_of(table: pd.DataFrame) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the code of each neuron's label, and the labels; the empty one is no label."""
    return _coded(table["label"] if "label" in table else pd.Series("", index=table.index))


def _coded(column: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the code of each row's text and the texts, in the order in which they first come."""
    codes, values = pd.factorize(column.astype(object).where(column.notna(), ""))
    texts = [readable(value) for value in values]
    names = list(dict.fromkeys(texts))  # what was different may read alike
    place = {name: code for code, name in enumerate(names)}
    return np.array([place[text] for text in texts], dtype=np.int64)[codes], names


def sent_labels(table: pd.DataFrame) -> dict[str, Any]:
    """Return the labels as the browser gets them: the names, and the bytes of each row's code."""
    codes, names = labels_of(table)
    kind = np.uint8 if len(names) <= 256 else np.uint32
    return {"names": names, "codes": codes.astype(kind).tobytes()}


def sent_column(
    table: pd.DataFrame,
    name: str,
    unsure: npt.NDArray[np.int64],
    values_of: Callable[[str], tuple[Floats, dict[str, Any]]],
) -> tuple[dict[str, Any], bytes]:
    """Return a column's legend and bytes as the browser gets them.

    Parameters
    ----------
    unsure
        From :func:`unsure_rows`, which are a column too.
    values_of
        Gives the values and the legend of a column that says what neurons are like.
    """
    if name in {"x", "y"}:
        x, y = layout_columns(table)
        return {"kind": "place"}, (x if name == "x" else y).tobytes()
    if name == "neuron":
        return {"kind": "index"}, table["neuron"].to_numpy(dtype=np.uint32).tobytes()
    if name == "unsure":
        return {"kind": "flags"}, pack_rows(unsure, len(table))
    values, legend = values_of(name)
    return legend, pack(values, legend)


def unsure_rows(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the rows whose label fits no better than random words do.

    Their ``score`` is not above their ``chance``. A label that a person gave is never among them.
    """
    if not {"label", "score", "chance"} <= set(table.columns):
        return np.zeros(0, dtype=np.int64)
    score, chance = (table[name].to_numpy(np.float64, na_value=np.nan) for name in _CHANCE)
    codes, labels = labels_of(table)
    unsure = (score <= chance) & np.array([label != "" for label in labels], dtype=bool)[codes]
    if "source" in table:
        unsure &= (table["source"] != PERSON).to_numpy(dtype=bool)
    return np.flatnonzero(unsure)


def is_categorical(column: pd.Series) -> bool:
    """Return whether a column holds categories, flags among them."""
    return bool(
        pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column.dtype)
    )


def describe_column(table: pd.DataFrame, name: str) -> dict[str, Any]:
    """Return the name, title and kind of a column, and whether it has no values yet."""
    column = table[name]
    categorical = is_categorical(column)
    return {
        "name": name,
        "title": title(name),
        "kind": "category" if categorical else "number",
        "empty": not any(_coded(column)[1]) if categorical else bool(column.isna().all()),
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

    Rare categories share the last code, and ``rest`` in the legend is true then. Its name is none
    that a category has.

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
    codes, texts = _coded(column)
    frequencies = np.bincount(codes, minlength=len(texts))
    given = [code for code in np.argsort(-frequencies, kind="stable") if texts[code]]
    names = list(map(readable, order)) or [texts[code] for code in given[:CATEGORIES]]
    place = {name: code for code, name in enumerate(names)}
    rest = [texts[code] for code in given if texts[code] not in place]
    if rest:
        place |= dict.fromkeys(rest, len(names))
        names = [*names, _name_of_rest({*names, *rest})]
    values = np.array([place.get(text, np.nan) for text in texts], dtype=np.float32)[codes]
    counts = [int((values == code).sum()) for code in range(len(names))]
    legend |= {"kind": "category", "names": names, "counts": counts, "rest": bool(rest)}
    return values, legend | {"missing": int(np.isnan(values).sum())}


def _name_of_rest(taken: set[str]) -> str:
    name = "other"
    while name in taken:
        name = f"all {name}"
    return name


def pack(values: Floats, legend: dict[str, Any]) -> bytes:
    """Return a column as bytes: float32 numbers, or codes, of which the highest means missing.

    Codes are uint8 where there are few categories, else uint16: the length tells which.
    """
    if legend["kind"] == "number":
        return values.tobytes()
    kind = np.uint8 if len(legend["names"]) < np.iinfo(np.uint8).max else np.uint16
    return np.where(np.isnan(values), np.iinfo(kind).max, values).astype(kind).tobytes()


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


def pack_scores(scores: Floats, unsure: npt.NDArray[np.bool_] | None = None) -> bytes:
    """Return scores (NaN: none) as the rows that have one, uint32, and then these, float32.

    A row that is ``unsure``, as its score is no better than chance, has its highest bit set. Where
    none is, and that would be no shorter than all scores, these: the length tells which it is.
    """
    rows = np.flatnonzero(~np.isnan(scores)).astype(np.uint32)
    doubted = np.zeros(len(rows), dtype=bool) if unsure is None else unsure[rows]
    if not doubted.any():
        if 2 * len(rows) >= len(scores):
            return scores.tobytes()
        return rows.tobytes() + scores[rows].tobytes()
    values = scores[rows]
    rows[doubted] |= UNSURE
    if 2 * len(rows) == len(scores):  # as long as all scores: one more, of no row
        rows, values = np.append(rows, UNSURE - 1), np.append(values, np.float32(0))
    return rows.astype(np.uint32).tobytes() + values.astype(np.float32).tobytes()


def unpack_scores(data: bytes, count: int) -> Floats:
    """Return one score per row, of :func:`pack_scores` or of as many float32 as there are rows."""
    if len(data) == 4 * count:
        return np.frombuffer(data, dtype=np.float32)
    scores = np.full(count, np.nan, dtype=np.float32)
    rows, values = scored_rows(data), np.frombuffer(data[len(data) // 2 :], np.float32)
    inside = rows < count
    scores[rows[inside]] = values[inside]
    return scores


def scored_rows(data: bytes) -> npt.NDArray[np.uint32]:
    """Return the rows at the start of :func:`pack_scores`, those of no row among them."""
    return np.frombuffer(data[: len(data) // 2], dtype=np.uint32) & np.uint32(UNSURE - 1)
