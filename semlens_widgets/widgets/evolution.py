"""One model through its training: a map with a slider, and a neuron at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import traitlets

from semlens_widgets.widgets import _answers, _columns
from semlens_widgets.widgets._base import Handler, Reply, asset
from semlens_widgets.widgets._columns import Floats, read_column, title
from semlens_widgets.widgets._messages.evolutions import Moment, Through
from semlens_widgets.widgets._messages.neurons import CodedLabels, Hovered, Measure
from semlens_widgets.widgets._preview import point_colors, scatter_png
from semlens_widgets.widgets._requests import close_matches
from semlens_widgets.widgets._selection import SelectingWidget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.widgets import _lens
    from semlens_widgets.widgets._page.pool import Recorder

#: Up to this many points (neurons times steps) the columns are part of the widget's state, so that
#: a saved notebook shows them without a kernel; above it the browser asks for them.
IN_STATE = 20_000
#: Examples of each step in the panel.
EXAMPLES = 6
#: Thumbnails on the hover card.
THUMBNAILS = 4
#: Points on the still picture.
PREVIEW_POINTS = 5_000

#: What neurons are coloured by.
_COLORS = ("layer", "label_changed", "moved", "label", "score", "clarity", "polysemanticity",
           "redundancy")  # fmt: skip
#: What the browser knows of every neuron at every step; the dead ones have no place.
_KNOWN = (*_COLORS, "dead")
_HOVERED = ("clarity", "polysemanticity", "redundancy", "moved")


class EvolutionView(SelectingWidget):
    """Follow the neurons of a model through its training.

    The slider goes from step to step, and neurons move to where they lie then; one that is dead at
    a step is not on the map. Hovering shows a
    neuron's examples at that step, a click shows it at every step beside the map, and with Shift
    adds it to ``selected``, or takes it out.

    Parameters
    ----------
    evolution : Evolution
        What :func:`semlens_widgets.evolution` returns.
    step : str
        The step that is shown; the last by default.
    color_by : str
        What gives the colour: "layer", "label", "label_changed", "moved", "score", "clarity",
        "polysemanticity" or "redundancy". A colour means the same at every step.
    active : (layer, index) or None
        The neuron looked at.
    """

    _esm = asset("evolution.js")
    _css = asset("evolution.css")

    step = traitlets.Unicode(help="The step that is shown.").tag(sync=True)
    color_by = traitlets.Unicode("layer", help="What gives the colour.").tag(sync=True)

    _steps = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _layers = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _columns = traitlets.List(traitlets.Dict()).tag(sync=True)
    #: How many points there are: neurons times steps, the first step's neurons first.
    _count = traitlets.Int(0).tag(sync=True)
    _labels = traitlets.Dict(None, allow_none=True).tag(sync=True, echo_update=False)
    _data = traitlets.Dict().tag(sync=True, echo_update=False)
    _notes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(self, evolution: _lens.Evolved, **options: Any) -> None:
        self.evolution = evolution
        self._table: pd.DataFrame = evolution.neurons
        self._unsure = _columns.unsure_rows(self._table)
        looked_at: Any = evolution
        super().__init__(looked_at, **options)
        self.refresh()

    def refresh(self) -> None:
        """Read the neurons again, after labelling."""
        self._table = table = self.evolution.neurons
        self._unsure = _columns.unsure_rows(table)
        small = len(table) <= IN_STATE
        with self.hold_sync():
            self._count = len(table)
            self._steps = [_columns.readable(step) for step in self.evolution.steps]
            self._layers = [_columns.readable(layer) for layer in self.evolution.layers]
            self._columns = [_columns.describe_column(table, name) for name in _COLORS]
            self._notes = list(self.evolution.notes)
            self.set_trait("_labels", _columns.sent_labels(self._table) if small else None)
            self._data = {
                name: legend | {"data": data}
                for name in (("x", "y", "neuron", "unsure", *_KNOWN) if small else ())
                for legend, data in [self._column(name)]
            }
            self._revision += 1

    # -- what is shown ---------------------------------------------------------------------------

    @traitlets.default("step")
    def _last_step(self) -> str:
        return self.evolution.steps[-1]

    @traitlets.validate("step")
    def _known_step(self, proposal: dict[str, Any]) -> str:
        step: str = proposal["value"]
        if step not in self.evolution.steps:
            raise traitlets.TraitError(
                f"step: there is no step {step!r}.{close_matches(step, self.evolution.steps)}"
            )
        return step

    @traitlets.validate("color_by")
    def _known_color(self, proposal: dict[str, Any]) -> str:
        name: str = proposal["value"]
        if name not in _COLORS:
            raise traitlets.TraitError(
                f"color_by: neurons cannot be coloured by {name!r}.{close_matches(name, _COLORS)}"
            )
        return name

    @property
    def _rows(self) -> pd.DataFrame:
        """The neurons at the step shown, in the order of every step's ``lens.neurons``."""
        return self._table[self._table["step"] == self.step].reset_index(drop=True)

    def _column(self, name: str) -> tuple[dict[str, Any], bytes]:
        """Return a column's legend and its bytes."""
        return _columns.sent_column(self._table, name, self._unsure, self._values)

    def _values(self, name: str) -> tuple[Floats, dict[str, Any]]:
        if name not in _KNOWN:
            raise ValueError(f"There is no column {name!r}.")
        order = tuple(map(str, self.evolution.layers)) if name == "layer" else ()
        column = self._table[[name]]
        if name == "label_changed":  # not known is no answer
            words = column[name].map({True: "changed", False: "kept"})
            column, order = pd.DataFrame({name: words}), ("kept", "changed")
        return read_column(column, name, order)

    # -- what the browser asks -------------------------------------------------------------------

    def _request_column(self, params: Mapping[str, Any]) -> Reply:
        legend, data = self._column(str(params["name"]))
        return legend, [data]

    def _request_labels(self, _params: Mapping[str, Any]) -> Reply:
        coded = _columns.sent_labels(self._table)
        return CodedLabels(kind="labels", names=coded["names"]), [coded["codes"]]

    def _request_hover(self, params: Mapping[str, Any]) -> Reply:
        row = int(params["row"])
        if not 0 <= row < len(self._table):
            raise ValueError(f"row: {row} is outside the {len(self._table)} points.")
        facts = self._table.iloc[row]
        examples = self._examples(str(facts["step"]), str(facts["layer"]), int(facts["neuron"]))
        examples = examples.head(THUMBNAILS)
        result = Hovered(
            label=_answers.text(facts["label"]),
            unsure=bool(row in self._unsure),
            rejected=_answers.rejected(facts.to_dict()),
            score=_answers.number(facts["score"]),
            measures=[
                Measure(title=title(name), value=float(facts[name]))
                for name in _HOVERED
                if pd.notna(facts[name])
            ],
            examples=[_answers.text(name) for name in examples["class_name"]],
        )
        return result, self.evolution.joint.thumbnail_jpegs(examples["sample"].tolist())

    def _request_through(self, params: Mapping[str, Any]) -> Reply:
        layer, neuron = _answers.neuron_of(params)
        moments = [
            Moment(
                examples=[
                    _answers.shown(row)
                    for row in self._examples(step, layer, neuron).head(EXAMPLES).to_dict("records")
                ]
            )
            for step in self.evolution.steps
        ]
        return Through(moments=moments), []

    def _examples(self, step: str, layer: str, neuron: int) -> pd.DataFrame:
        """Return concept examples at a step, their images by the numbers of the joint lens."""
        found: pd.DataFrame = self.evolution.joint.examples(f"{step}/{layer}", neuron)
        return found

    def _request_thumbnails(self, params: Mapping[str, Any]) -> Reply:
        joint = self.evolution.joint
        return _answers.pictures(lambda sample: joint.thumbnail_jpegs([sample])[0], params)

    _requests: ClassVar[Mapping[str, Handler]] = {
        "column": _request_column,
        "labels": _request_labels,
        "hover": _request_hover,
        "through": _request_through,
        "thumbnails": _request_thumbnails,
    }

    def _record(self, page: Recorder) -> None:
        if not self._data:
            for name in ("x", "y", "neuron", "unsure", *_KNOWN):
                page.ask(self, "column", {"name": name})
            page.ask(self, "labels", {})
        page.hovered(self, self._table)
        for of in page.each(self):
            shown = page.ask(self, "through", of)
            for moment in shown["moments"]:
                page.pictures(self, [example["sample"] for example in moment["examples"]])

    def _summary(self) -> str:
        return f"{len(self.evolution.steps)} steps, {len(self._rows)} neurons, at {self.step!r}"

    def _preview(self) -> bytes | None:
        here = (self._table["step"] == self.step).to_numpy()
        x, y = (axis[here] for axis in _columns.layout_columns(self._table))
        if not np.isfinite(x).any():
            return None
        values, legend = self._values(self.color_by)
        shown = np.random.default_rng(0).permutation(len(x))[:PREVIEW_POINTS]
        colors = point_colors(
            values[here][shown],
            categorical=legend["kind"] == "category",
            low=legend.get("min", 0),
            high=legend.get("max", 1),
        )
        return scatter_png(x[shown], y[shown], colors)
