"""The trace: which neurons of the lower layers make a class or a neuron respond, as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import Doer, Handler, LensWidget, Reply, Told, asset
from semlens_widgets.widgets._messages.neurons import Example
from semlens_widgets.widgets._messages.traces import (
    Ablated,
    Agreed,
    Below,
    NodeOfTrace,
    Traced,
    TraceEdge,
    TraceNode,
)
from semlens_widgets.widgets._page.pool import first
from semlens_widgets.widgets._sheet import COLUMNS, sheet_png

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.lens.traced import Trace
    from semlens_widgets.widgets._lens import Traceable
    from semlens_widgets.widgets._page.pool import Recorder

_EXAMPLES = 8


class TraceView(LensWidget):
    """Follow what makes a class or a neuron respond down through the layers.

    Each column is a layer, the target at the left; the width of an edge is relevance, and what is
    not shown of a layer is one node with its share. Without a trace, one can be asked for.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    trace : Trace, optional
        What ``lens.trace(...)`` gave; also an attribute, which may be set at any time.
    target : str
        The class that the form names.
    keep : float
        Of each layer, the share of the positive relevance that the form asks to keep.
    threshold : float
        Neurons with less than this share of their layer are put with the rest.
    pinned : list of (layer, index)
        Neurons that stay whatever the threshold.
    groups : dict
        By name, neurons that are shown as one node in each layer.
    """

    view_title = "Trace"
    view_traits = ("target", "keep", "threshold", "pinned", "groups")

    _esm = asset("trace.js")
    _css = asset("trace.css")

    lens: Traceable
    target = traitlets.Unicode("", help="The class that the form names.").tag(sync=True)
    keep = traitlets.Float(0.8, min=0.05, max=1.0, help="Share to keep of a layer.").tag(sync=True)
    threshold = traitlets.Float(0.0, min=0.0, max=1.0, help="The least share shown.").tag(sync=True)
    pinned: traitlets.List[Any] = traitlets.List(help="Neurons that stay.").tag(sync=True)
    groups = traitlets.Dict(help="Neurons shown as one, by name.").tag(sync=True)
    #: Counts traces and labels: what was asked before is asked again.
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(self, lens: Traceable, *, trace: Trace | None = None, **options: Any) -> None:
        self._trace = trace
        if trace is not None and isinstance(trace.target, str):
            options = {"target": trace.target} | options
        super().__init__(lens, **options)

    @property
    def trace(self) -> Trace | None:
        """What is shown; None before anything was traced."""
        return self._trace

    @trace.setter
    def trace(self, trace: Trace | None) -> None:
        self._trace = trace
        with self.hold_sync():
            self.pinned, self.groups = [], {}
            self._revision += 1

    def refresh(self) -> None:
        """Ask the browser to fetch labels again."""
        self._revision += 1

    @traitlets.validate("pinned")
    def _neurons(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._neuron(one, "pinned") for one in proposal["value"]]

    @traitlets.validate("groups")
    def _groups_of_neurons(self, proposal: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        groups: Mapping[str, Any] = proposal["value"]
        checked = {}
        for name, members in groups.items():
            if not isinstance(name, str) or not name.strip():
                raise traitlets.TraitError(f"groups: {name!r} is no name.")
            checked[name] = [self._neuron(one, "groups") for one in members]
        return checked

    def _neuron(self, value: Any, what: str) -> dict[str, Any]:
        """Return a neuron as the browser writes it, however it was given."""
        try:
            if not isinstance(value, dict):
                layer, neuron = value
                value = {"layer": layer, "neuron": neuron}
            layer, neuron = _answers.neuron_of(value)
        except (TypeError, ValueError):
            raise traitlets.TraitError(f"{what}: {value!r} is no (layer, index).") from None
        if layer not in self.lens.layers:
            raise traitlets.TraitError(f"{what}: there is no layer {layer!r}.")
        return {"layer": layer, "neuron": neuron}

    # -- what the browser asks -------------------------------------------------------------------

    def _classes(self, _params: Mapping[str, Any]) -> Reply:
        """Answer the classes that may be traced."""
        return [str(name) for name in self.lens.classes], []

    def _traced(self, _params: Mapping[str, Any]) -> Reply:
        """Answer the whole trace, or None before there is one."""
        trace = self._trace
        if trace is None:
            return None, []
        drops = {}
        if trace.verified is not None:
            columns = trace.verified["layer"], trace.verified["neuron"], trace.verified["drop"]
            drops = {
                (layer, int(one)): float(drop) for layer, one, drop in zip(*columns, strict=True)
            }
        nodes = []
        for row in trace.nodes.to_dict("records"):
            layer, neuron = str(row["layer"]), int(row["neuron"])
            of_lens = bool(layer) and neuron >= 0
            nodes.append(
                TraceNode(
                    kind=row["kind"],
                    layer=layer,
                    neuron=neuron,
                    label=_answers.text(row["label"]),
                    relevance=_answers.number(row["relevance"]),
                    traced=_answers.number(row["traced"]),
                    share=_answers.number(row["share"]),
                    drop=drops.get((layer, neuron)),
                    sample=self._first_example(layer, neuron) if of_lens else None,
                )
            )
        places = {(one["layer"], one["neuron"]): at for at, one in enumerate(nodes)}
        edges = [
            TraceEdge(
                upper=places[row["upper_layer"], row["upper"]],
                lower=places[row["lower_layer"], row["lower"]],
                relevance=float(row["relevance"]),
            )
            for row in trace.edges.to_dict("records")
        ]
        sizes = {layer: len(level.relevance) for layer, level in trace.levels.items()}
        return Traced(
            images=len(trace.images),
            method=trace.method,
            keep=trace.keep,
            top=trace.top,
            layers=list(trace.levels),
            sizes=sizes,
            nodes=nodes,
            edges=edges,
            ablated=_ablated(trace),
        ), []

    def _first_example(self, layer: str, neuron: int) -> int | None:
        samples = self.lens.examples(layer, neuron)["sample"]
        return int(samples.iloc[0]) if len(samples) else None

    def _node(self, params: Mapping[str, Any]) -> Reply:
        """Answer a neuron's facts and examples, and what it gets most from, if it is traced."""
        layer, neuron = _answers.neuron_of(params)
        facts = _answers.facts(self.lens.neurons, layer, neuron)
        rows = self.lens.examples(layer, neuron).head(_EXAMPLES).to_dict("records")
        examples = [Example(**_answers.shown(row), rank=int(row["rank"])) for row in rows]
        return NodeOfTrace(facts=facts, examples=examples, below=self._below(layer, neuron)), []

    def _below(self, layer: str, neuron: int) -> list[Below]:
        if self._trace is None:
            return []
        try:
            found = self._trace.below(layer, neuron)
        except ValueError:  # a neuron beside the trace
            return []
        return [
            Below(
                layer=str(row["layer"]),
                neuron=int(row["neuron"]),
                label=_answers.text(row["label"]),
                relevance=float(row["relevance"]),
                kept=bool(row["kept"]),
            )
            for row in found.to_dict("records")
        ]

    def _do_trace(self, params: Mapping[str, Any], tell: Told) -> Reply:
        """Trace a class, or a neuron."""
        own = params.get("neuron")
        target = str(params.get("target") or "") if own is None else _answers.neuron_of(own)
        if not target:
            raise ValueError("target is blank. Choose a class, or a neuron.")
        self.trace = self.lens.trace(target, keep=float(params["keep"]), progress=tell)
        return {}, []

    def _verify(self, _params: Mapping[str, Any], tell: Told) -> Reply:
        """Ablate each node of what is shown."""
        if self._trace is None:
            raise ValueError("There is nothing to verify yet: trace a class first.")
        self._trace.verify(progress=tell)
        self._revision += 1
        return {}, []

    _requests: ClassVar[Mapping[str, Handler]] = {
        "traceable": _classes,
        "traced": _traced,
        "node": _node,
        "thumbnails": _answers.thumbnails,
    }
    _actions: ClassVar[Mapping[str, Doer]] = {"trace": _do_trace, "verify": _verify}

    def _record(self, page: Recorder) -> None:
        traced = page.ask(self, "traced", {})
        if traced is not None:
            samples = [node["sample"] for node in traced["nodes"]]
            page.pictures(self, [one for one in samples if one is not None])
        for of in page.each(self):
            shown = page.ask(self, "node", of, first("examples", page.examples))
            page.pictures(self, [example["sample"] for example in shown["examples"]])

    def _summary(self) -> str:
        return "no trace" if self._trace is None else repr(self._trace)

    def _preview(self) -> bytes | None:
        """Draw the examples of the kept neurons, a layer in each row."""
        if self._trace is None:
            return None
        rows = [
            [
                -1 if (first := self._first_example(layer, neuron)) is None else first
                for neuron in level.kept[:COLUMNS].tolist()
            ]
            for layer, level in self._trace.levels.items()
        ]
        return sheet_png(self.lens, [row for row in rows if row])


def _ablated(trace: Trace) -> Ablated | None:
    if trace.verified is None:
        return None
    means = trace.verified.groupby("kind")["drop"].mean()
    every, nodes = (
        None if found is None else Agreed(value=found.value, low=found.low, high=found.high)
        for found in (trace.agreement, trace.agreement_of_nodes)
    )
    return Ablated(
        neurons=len(trace.verified),
        agreement=every,
        of_nodes=nodes,
        drop=_answers.number(means.get("node")),
        control=_answers.number(means.get("control")),
    )
