"""The neuron map: every neuron a point, near to those that see alike."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import traitlets

from semlens_widgets.lens.joint import JointLens
from semlens_widgets.widgets import _answers, _columns, _filter
from semlens_widgets.widgets._base import Handler, Reply, asset
from semlens_widgets.widgets._columns import Floats, read_column, title
from semlens_widgets.widgets._messages.neurons import CodedLabels, Hovered, Measure
from semlens_widgets.widgets._preview import FAINT, point_colors, scatter_png
from semlens_widgets.widgets._requests import close_matches
from semlens_widgets.widgets._selection import SelectingWidget, buffer

if TYPE_CHECKING:
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.widgets._lens import Examples
    from semlens_widgets.widgets._page.pool import Recorder

#: Up to this many neurons the columns are part of the widget's state, so that an exported page
#: works without a kernel; above it the browser asks for them, and a saved notebook stays small.
IN_STATE = 10_000
#: Thumbnails on the hover card.
THUMBNAILS = 4
#: Points on the still picture.
PREVIEW_POINTS = 5_000
#: Highlighting more neurons than this says nothing; a colour does.
MOST_HITS = 20_000

_MEASURES = ("clarity", "polysemanticity", "redundancy", "firing_rate")


class NeuronMap(SelectingWidget):
    """The neurons of a lens as points; alike ones are near to each other.

    Typing highlights the neurons that fit the words best, hovering shows a neuron's examples, a
    click makes it ``active``, a lasso or a box fills ``selected`` (with Shift it adds, with Alt it
    removes), a click on the legend filters.

    Parameters
    ----------
    lens : SemanticLens, or several of them in a sequence or a mapping of names
        The analyses to look at. Several must share their foundation model; their neurons are
        laid out together, and ``model`` is a column to colour and filter by.
    color_by : str
        A column of ``lens.neurons``.
    size_by, opacity_by : str or None
        Columns of numbers; the larger the number, the larger or the more solid the point.
    filter : dict
        What is shown, by column: names for categories, ``(low, high)`` for numbers, where None or
        an infinite bound is open.
    contours : bool
        Whether lines show where neurons are dense.
    region_labels : bool
        Whether regions are named by the labels of their neurons.
    tool : {"pan", "lasso", "box"}
        What dragging does.
    height : int
        Height of the map in pixels where the page is wide enough.
    active : (layer, index) or None
        The neuron looked at.
    """

    view_title = "Map"
    view_traits = (
        "color_by", "size_by", "opacity_by", "filter", "contours", "region_labels", "tool",
    )  # fmt: skip

    _esm = asset("map.js")
    _css = asset("map.css")

    highlight = buffer(help="A float32 score per row (NaN: none), or rows and then scores.")
    color_by = traitlets.Unicode("layer", help="The column that gives the colour.").tag(sync=True)
    size_by = traitlets.Unicode(None, allow_none=True, help="A column of numbers.").tag(sync=True)
    opacity_by = traitlets.Unicode(None, allow_none=True, help="A column of numbers.").tag(
        sync=True
    )
    filter = traitlets.Dict(help="What is shown, by column.").tag(sync=True)
    contours = traitlets.Bool(False, help="Show where neurons are dense.").tag(sync=True)
    region_labels = traitlets.Bool(True, help="Name the regions.").tag(sync=True)
    tool = traitlets.Enum(["pan", "lasso", "box"], "pan", help="What dragging does.").tag(sync=True)
    height = traitlets.Int(460, min=200, max=2000, help="Height in pixels.").tag(sync=True)

    _count = traitlets.Int(0).tag(sync=True)
    _layers = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    #: What every neuron is called: the names, and codes of them; None where the browser asks.
    _labels = traitlets.Dict(None, allow_none=True).tag(sync=True, echo_update=False)
    _data = traitlets.Dict().tag(sync=True, echo_update=False)
    _said = traitlets.Unicode("", help="What a person should know of the filter.").tag(sync=True)
    _search_box = traitlets.Bool(True).tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        lens: Examples | Sequence[SemanticLens] | Mapping[str, SemanticLens],
        **options: Any,
    ) -> None:
        several = isinstance(lens, Sequence | Mapping)
        looked_at: Any = JointLens(lens) if isinstance(lens, Sequence | Mapping) else lens
        self._table: pd.DataFrame = looked_at.neurons
        self._unsure = _columns.unsure_rows(self._table)
        if several:
            options = {"color_by": "model", **options}
        super().__init__(looked_at, **options)
        self.refresh()

    def hide_search(self) -> None:
        """Leave the box for a search out, where something around the map has one."""
        self._search_box = False

    def refresh(self) -> None:
        """Read the neurons again, after labelling or a new layout."""
        before, self._table = self._table, self.lens.neurons
        table = self._table
        self._unsure = _columns.unsure_rows(table)
        names = self._color_columns()
        small = len(table) <= IN_STATE
        with self.hold_sync():
            if len(table) != len(before):  # rows mean other neurons now
                self.selection = self.highlight = b""
            self._count = len(table)
            self._layers = [_columns.readable(layer) for layer in self.lens.layers]
            self._columns = [_columns.describe_column(table, name) for name in names]
            labels = _columns.sent_labels(table) if small and "label" in table else None
            self.set_trait("_labels", labels)
            everything = ["x", "y", "neuron", *names] if small else []
            if small and "chance" in names:
                everything.append("unsure")
            self._data = {
                name: legend | {"data": data}
                for name in everything
                for legend, data in [self._column(name)]
            }
            self.filter = self._still_shown(self.filter)
            self._revision += 1

    # The places and colours as the browser gets them.
    @property
    def _x(self) -> bytes:
        return _columns.layout_columns(self._table)[0].tobytes()

    @property
    def _y(self) -> bytes:
        return _columns.layout_columns(self._table)[1].tobytes()

    def _column(self, name: str) -> tuple[dict[str, Any], bytes]:
        """Return a column's legend and its bytes."""
        return _columns.sent_column(self._table, name, self._unsure, self._values)

    def _values(self, name: str) -> tuple[Floats, dict[str, Any]]:
        if name not in self._color_columns():
            raise ValueError(f"There is no column {name!r}.")
        order: tuple[str, ...] = ()
        if name == "layer":
            order = tuple(str(layer) for layer in self.lens.layers)
        elif name == "model" and isinstance(self.lens, JointLens):
            order = self.lens.models
        return read_column(self._table, name, order)

    def _color_columns(self) -> list[str]:
        return [str(name) for name in self._table.columns if name not in _columns.PLACES]

    @traitlets.validate("color_by", "size_by", "opacity_by")
    def _known_column(self, proposal: dict[str, Any]) -> str | None:
        name: str | None = proposal["value"]
        trait = proposal["trait"].name
        if name is None:
            return None
        columns = self._color_columns()
        if trait != "color_by":
            columns = [c for c in columns if not _columns.is_categorical(self._table[c])]
        if name not in columns:
            kind = "column" if trait == "color_by" else "column of numbers"
            raise traitlets.TraitError(
                f"{trait}: there is no {kind} {name!r}.{close_matches(name, columns)}"
            )
        return name

    @traitlets.validate("filter")
    def _known_filter(self, proposal: dict[str, Any]) -> dict[str, list[Any]]:
        known = self._known()
        return {
            str(name): _filter.shown(str(name), wanted, known)
            for name, wanted in proposal["value"].items()
            if wanted is not None
        }

    def _known(self) -> _filter.Known:
        return {name: partial(self._names, name) for name in self._color_columns()}

    def _names(self, name: str) -> list[str] | None:
        """Return the categories of a column; None for one of numbers."""
        categorical = _columns.is_categorical(self._table[name])
        return list(self._values(name)[1]["names"]) if categorical else None

    def _still_shown(self, wanted: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Return a filter without what is gone, and tell that in the browser."""
        kept, gone = _filter.still_shown(wanted, self._known())
        self._said = f"Left out of the filter, as it is gone: {', '.join(gone)}." if gone else ""
        return kept

    def _show_again(self, values: Mapping[str, Any]) -> None:
        """Set traits as they were once; of the filter what there still is."""
        for name, value in values.items():
            if name != "filter":
                super()._show_again({name: value})
                continue
            self.filter = self._still_shown(value)
            if self._said:
                warnings.warn(self._said, stacklevel=4)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what the browser says, which may not have heard of the newest labels."""
        if "filter" in sync_data:
            sync_data = {**sync_data, "filter": self._still_shown(sync_data["filter"])}
        super().set_state(sync_data)

    @traitlets.validate("highlight")
    def _score_per_row(self, proposal: dict[str, Any]) -> bytes:
        value: bytes = proposal["value"]
        count = len(self._table)
        pairs = len(value) % 8 == 0 and len(value) <= 8 * MOST_HITS
        if pairs and value and len(value) != 4 * count:
            rows = _columns.scored_rows(value)
            pairs = bool(((rows < count) | (rows == _columns.UNSURE - 1)).all())
        if value and len(value) != 4 * count and not pairs:
            raise traitlets.TraitError(
                f"highlight: one float32 for each of the {count} neurons is needed."
            )
        if value and len(value) == 4 * count:
            return _columns.pack_scores(np.frombuffer(value, dtype=np.float32))
        return value

    @property
    def _rows(self) -> pd.DataFrame:
        return self._table

    @property
    def highlighted(self) -> pd.DataFrame:
        """The neurons that stand out, best first: layer, neuron, score."""
        if not self.highlight:
            return self._table[["layer", "neuron"]].head(0).assign(score=np.float32(0))
        scores = _columns.unpack_scores(self.highlight, len(self._table))
        found = self._table[["layer", "neuron"]].assign(score=scores).dropna(subset=["score"])
        return found.sort_values("score", ascending=False, kind="stable")

    def highlight_scores(self, scores: pd.DataFrame, *, top: int | None = 20) -> None:
        """Let the neurons with the highest scores stand out.

        Parameters
        ----------
        scores : DataFrame
            Columns layer, neuron, score, such as ``lens.search`` returns. With a column chance,
            neurons whose score is not above it are marked, and neither enlarged nor named.
        top : int, optional
            How many to highlight; None highlights all that are given.

        Raises
        ------
        ValueError
            If a column is missing, a neuron is unknown, or too many would stand out.
        """
        missing = {"layer", "neuron", "score"} - set(scores.columns)
        if missing:
            raise ValueError(
                f"scores: columns layer, neuron and score are needed; missing: {sorted(missing)}."
            )
        if top is not None and top < 1:
            raise ValueError(f"top: a positive number or None is needed, not {top}.")
        ranked = scores.sort_values("score", ascending=False, kind="stable").iloc[:top]
        if len(ranked) > MOST_HITS:
            raise ValueError(
                f"top: {len(ranked)} neurons cannot stand out; highlight at most {MOST_HITS}."
            )
        rows = pd.MultiIndex.from_frame(self._table[["layer", "neuron"]]).get_indexer(
            pd.MultiIndex.from_frame(ranked[["layer", "neuron"]])
        )
        if (rows < 0).any():
            unknown = ranked.iloc[int(np.argmax(rows < 0))]
            raise ValueError(
                f"scores: {unknown['layer']} / {unknown['neuron']} is not a neuron of this lens."
            )
        values = np.full(len(self._table), np.nan, dtype=np.float32)
        values[rows] = ranked["score"].to_numpy(dtype=np.float32)
        unsure = np.zeros(len(self._table), dtype=bool)
        if "chance" in ranked:
            unsure[rows] = (ranked["score"] <= ranked["chance"]).to_numpy()
        self.highlight = _columns.pack_scores(values, unsure)

    def clear_highlight(self) -> None:
        """Show all neurons alike again."""
        self.highlight = b""

    def _request_column(self, params: Mapping[str, Any]) -> Reply:
        legend, data = self._column(str(params["name"]))
        return legend, [data]

    def _request_labels(self, _params: Mapping[str, Any]) -> Reply:
        coded = _columns.sent_labels(self._table)
        return CodedLabels(kind="labels", names=coded["names"]), [coded["codes"]]

    def _request_hover(self, params: Mapping[str, Any]) -> Reply:
        row = int(params["row"])
        if not 0 <= row < len(self._table):
            raise ValueError(f"row: {row} is outside the {len(self._table)} neurons.")
        facts = self._table.iloc[row]
        neuron = str(facts["layer"]), int(facts["neuron"])
        examples = self.lens.examples(*neuron).head(THUMBNAILS)
        measures = [
            Measure(title=title(name), value=float(facts[name]))
            for name in _MEASURES
            if name in facts and pd.notna(facts[name])
        ]
        result = Hovered(
            label=_answers.text(facts.get("label")),
            rejected=_answers.rejected(facts.to_dict()),
            unsure=bool(row in self._unsure),
            score=_answers.number(facts.get("score")),
            measures=measures,
            examples=[_answers.text(name) for name in examples["class_name"]],
        )
        return result, self.lens.thumbnail_jpegs(examples["sample"].tolist())

    _requests: ClassVar[Mapping[str, Handler]] = {
        "column": _request_column,
        "labels": _request_labels,
        "hover": _request_hover,
        "search": _answers.search,
    }

    def _record(self, page: Recorder) -> None:
        page.to_score.add(self.lens, [], None)
        if not self._data:
            for name in ("x", "y", "neuron", "unsure", *self._color_columns()):
                page.ask(self, "column", {"name": name})
        labels: Any = self._labels
        if labels is None:
            page.ask(self, "labels", {})
        page.hovered(self, self._table)

    def _summary(self) -> str:
        count = len(self._layers)
        return f"{len(self._table)} neurons, {count} layer{'' if count == 1 else 's'}"

    def _preview(self) -> bytes | None:
        x, y = _columns.layout_columns(self._table)
        if not np.isfinite(x).any():
            return None
        values, legend = self._values(self.color_by)
        shown = np.random.default_rng(0).permutation(len(x))[:PREVIEW_POINTS]
        colors = point_colors(
            values[shown],
            categorical=legend["kind"] == "category",
            low=legend.get("min", 0),
            high=legend.get("max", 1),
        )
        if self.color_by in _columns.OF_LABELS:
            unsure = np.isin(shown, self._unsure)
            colors = [FAINT if one else color for one, color in zip(unsure, colors, strict=True)]
        return scatter_png(x[shown], y[shown], colors)
