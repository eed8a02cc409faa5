"""The neuron map: every neuron a point, near to those that see alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import traitlets

from semlens_widgets.widgets._base import Handler, LensWidget, Reply, asset, close_matches
from semlens_widgets.widgets._preview import point_colors, scatter_png

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.lens import SemanticLens

#: Above this many neurons the labels are asked for once the map is drawn.
LABELS_AT_ONCE = 10_000
#: Thumbnails on the hover card.
THUMBNAILS = 4
#: Labels (and other free categories) that get a colour of their own.
CATEGORIES = 8
#: Points on the still picture.
PREVIEW_POINTS = 5_000

_TITLES = {"score": "Label score", "firing_rate": "Firing rate", "mean": "Mean activation"}
_TITLES |= {"max": "Max activation"}
_NOT_COLORS = {"neuron", "x", "y"}
_MEASURES = ("clarity", "polysemanticity", "redundancy", "firing_rate")

Floats = npt.NDArray[np.float32]


def _buffer(**metadata: Any) -> traitlets.Bytes:
    """Return a trait of bytes: never echoed, and read back from the browser's views."""
    return traitlets.Bytes(b"", **metadata).tag(
        sync=True, echo_update=False, from_json=lambda value, _widget: bytes(value or b"")
    )


def _title(column: str) -> str:
    return _TITLES.get(column, column.replace("_", " ").capitalize())


def _categorical(column: pd.Series) -> bool:
    return bool(
        pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column.dtype)
    )


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


def color_column(
    table: pd.DataFrame, name: str, order: tuple[str, ...] = ()
) -> tuple[Floats, dict[str, Any]]:
    """Return a column as numbers (category codes; NaN: no value) and its legend.

    Parameters
    ----------
    table : DataFrame
        The neurons.
    name : str
        A column of it.
    order : tuple of str
        Categories in their own order, all of which get a code; otherwise the most frequent do.
    """
    column = table[name]
    values: Floats
    legend: dict[str, Any] = {"name": name, "title": _title(name)}
    if not _categorical(column):
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


class NeuronMap(LensWidget):
    """The neurons of a lens as points; alike ones are near to each other.

    Hovering shows a neuron's examples, a click makes it ``active``, a lasso fills ``selected``.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    color_by : str
        A column of ``lens.neurons``.
    height : int
        Height of the map in pixels where the page is wide enough.
    active : (layer, index) or None
        The neuron looked at.
    """

    _esm = asset("map.js")
    _css = asset("map.css")

    selection = _buffer(help="Rows of lens.neurons inside the lasso, uint32.")
    highlight = _buffer(help="A score for every row, float32; NaN: not highlighted.")
    color_by = traitlets.Unicode("layer", help="The column that gives the colour.").tag(sync=True)
    height = traitlets.Int(460, min=200, max=2000, help="Height in pixels.").tag(sync=True)

    _x = _buffer()
    _y = _buffer()
    _layers = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _layer_codes = _buffer()
    _indices = _buffer()
    _labels = traitlets.List(traitlets.Unicode(), allow_none=True).tag(sync=True, echo_update=False)
    _columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    _color = _buffer()
    _legend = traitlets.Dict().tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(self, lens: SemanticLens, **options: Any) -> None:
        self._table = lens.neurons
        super().__init__(lens, **options)
        self.refresh()

    def refresh(self) -> None:
        """Read the neurons again, after labelling or a new layout."""
        self._table = table = self.lens.neurons
        x, y = layout_columns(table)
        layers = tuple(str(layer) for layer in self.lens.layers)
        codes = pd.Categorical(table["layer"], categories=layers).codes
        columns = [
            {
                "name": str(name),
                "title": _title(str(name)),
                "empty": bool(
                    (table[name] == "").all() if name == "label" else table[name].isna().all()
                ),
            }
            for name in self._color_columns()
        ]
        labels = table["label"].fillna("").astype(str) if "label" in table else None
        with self.hold_trait_notifications():
            self._x, self._y = x.tobytes(), y.tobytes()
            self._layers = list(layers)
            self._layer_codes = codes.astype(np.uint32).tobytes()
            self._indices = table["neuron"].to_numpy(dtype=np.uint32).tobytes()
            self._columns = columns
            at_once = labels is not None and len(table) <= LABELS_AT_ONCE
            self.set_trait("_labels", labels.tolist() if labels is not None and at_once else None)
        self._recolor()
        self._revision += 1

    def _color_columns(self) -> list[str]:
        return [str(name) for name in self._table.columns if name not in _NOT_COLORS]

    @traitlets.validate("color_by")
    def _known_column(self, proposal: dict[str, Any]) -> str:
        name = str(proposal["value"])
        columns = self._color_columns()
        if name not in columns:
            raise traitlets.TraitError(
                f"color_by: there is no column {name!r}.{close_matches(name, columns)}"
            )
        return name

    @traitlets.observe("color_by")
    def _recolor(self, _change: object = None) -> None:
        order = tuple(self._layers) if self.color_by == "layer" else ()
        values, legend = color_column(self._table, self.color_by, order)
        with self.hold_sync():
            self._color = values.tobytes()
            self._legend = legend

    @traitlets.validate("selection")
    def _rows_of_table(self, proposal: dict[str, Any]) -> bytes:
        value: bytes = proposal["value"]
        if len(value) % 4:
            raise traitlets.TraitError("selection: bytes of uint32 row numbers are needed.")
        rows = np.frombuffer(value, dtype=np.uint32)
        if rows.size and int(rows.max()) >= len(self._table):
            raise traitlets.TraitError(
                f"selection: row {int(rows.max())} is outside the {len(self._table)} neurons."
            )
        return value

    @traitlets.validate("highlight")
    def _score_per_row(self, proposal: dict[str, Any]) -> bytes:
        value: bytes = proposal["value"]
        if value and len(value) != 4 * len(self._table):
            raise traitlets.TraitError(
                f"highlight: one float32 for each of the {len(self._table)} neurons is needed."
            )
        return value

    @property
    def selected(self) -> pd.DataFrame:
        """The neurons inside the lasso: rows of ``lens.neurons``."""
        return self._table.iloc[np.frombuffer(self.selection, dtype=np.uint32).astype(np.int64)]

    def highlight_scores(self, scores: pd.DataFrame, *, top: int | None = 20) -> None:
        """Let the neurons with the highest scores stand out.

        Parameters
        ----------
        scores : DataFrame
            Columns layer, neuron, score, such as ``lens.search`` returns.
        top : int, optional
            How many to highlight; None highlights all that are given.
        """
        missing = {"layer", "neuron", "score"} - set(scores.columns)
        if missing:
            raise ValueError(
                f"scores: columns layer, neuron and score are needed; missing: {sorted(missing)}."
            )
        if top is not None and top < 1:
            raise ValueError(f"top: a positive number or None is needed, not {top}.")
        ranked = scores.sort_values("score", ascending=False, kind="stable")
        rows = pd.MultiIndex.from_frame(self._table[["layer", "neuron"]]).get_indexer(
            pd.MultiIndex.from_frame(ranked[["layer", "neuron"]])
        )
        if (rows < 0).any():
            unknown = ranked.iloc[int(np.argmax(rows < 0))]
            raise ValueError(
                f"scores: {unknown['layer']} / {unknown['neuron']} is not a neuron of this lens."
            )
        values = np.full(len(self._table), np.nan, dtype=np.float32)
        values[rows[:top]] = ranked["score"].to_numpy(dtype=np.float32)[:top]
        self.highlight = values.tobytes()

    def clear_highlight(self) -> None:
        """Show all neurons alike again."""
        self.highlight = b""

    def _request_labels(self, _params: Mapping[str, Any]) -> Reply:
        labels = self._table["label"].fillna("").astype(str)
        codes, names = pd.factorize(labels)
        return {"names": [str(name) for name in names]}, [codes.astype(np.uint32).tobytes()]

    def _request_hover(self, params: Mapping[str, Any]) -> Reply:
        row = int(params["row"])
        if not 0 <= row < len(self._table):
            raise ValueError(f"row: {row} is outside the {len(self._table)} neurons.")
        facts = self._table.iloc[row]
        examples = self.lens.examples(str(facts["layer"]), int(facts["neuron"])).head(THUMBNAILS)
        measures = [
            {"title": _title(name), "value": float(facts[name])}
            for name in _MEASURES
            if name in facts and pd.notna(facts[name])
        ]
        score = facts.get("score")
        result = {
            "label": str(facts.get("label") or ""),
            "score": None if score is None or pd.isna(score) else float(score),
            "measures": measures,
            "examples": [str(name or "") for name in examples["class_name"]],
        }
        return result, [self.lens.thumbnail(int(sample)) for sample in examples["sample"]]

    _requests: ClassVar[Mapping[str, Handler]] = {
        "labels": _request_labels,
        "hover": _request_hover,
    }

    def _summary(self) -> str:
        count = len(self._layers)
        return f"{len(self._table)} neurons, {count} layer{'' if count == 1 else 's'}"

    def _preview(self) -> bytes | None:
        step = max(1, len(self._table) // PREVIEW_POINTS)
        x, y, values = (
            np.frombuffer(column, dtype=np.float32)[::step]
            for column in (self._x, self._y, self._color)
        )
        if not np.isfinite(x).any():
            return None
        legend = self._legend
        categorical = legend["kind"] == "category"
        colors = point_colors(
            values, categorical=categorical, low=legend.get("min", 0), high=legend.get("max", 1)
        )
        return scatter_png(x, y, colors)
