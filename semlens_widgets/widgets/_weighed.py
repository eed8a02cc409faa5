"""What a panel says beside the scores of labels: chance, intervals, other opinions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from semlens_widgets.labels.scorer import Competing
from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._candidates import KEPT, known_labels, listed
from semlens_widgets.widgets._messages.labels import Beside, Explained, Intervals, PartConcept
from semlens_widgets.widgets._scoring import scored_by, sentences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.widgets._base import LensWidget, Reply, Told


def chance(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    """Answer what random words score for a neuron: median and 95th percentile, or None."""
    layer, neuron = _answers.neuron_of(params)
    return _chance(widget, layer, neuron, listed(params), scored_by(params)), []


def _chance(
    widget: LensWidget, layer: str, neuron: int, names: list[str], asked: Mapping[str, Any]
) -> tuple[float, float] | None:
    level = widget.lens.neuron_chance(layer, neuron, names, **asked)
    median, high = map(_answers.number, level)
    return None if median is None or high is None else (median, high)


def beside(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    """Answer how a second scorer scores the labels shown."""
    layer, neuron = _answers.neuron_of(params)
    names, asked = listed(params), scored_by(params)
    table = widget.lens.scores(layer, neuron, names, **asked)
    scores = map(_answers.number, table["score"].tolist())
    competes = isinstance(asked["scorer"], Competing)
    return Beside(
        layer=layer,
        neuron=neuron,
        scorer=asked["scorer"].name,
        scores=list(zip(table["candidate"].tolist(), scores, strict=True)),
        chance=_chance(widget, layer, neuron, names if competes else [], asked),
    ), []


def intervals(widget: LensWidget, params: Mapping[str, Any], tell: Told) -> Reply:
    """Answer how far to trust some scores, and what the best of all reaches by chance."""
    layer, neuron = _answers.neuron_of(params)
    names = listed(params)
    if not 0 < len(names) <= KEPT:
        raise ValueError(f"candidates: 1 to {KEPT} intervals at once, not {len(names)}.")
    among = listed(params, "among") or known_labels(widget.lens)
    found = widget.lens.intervals(
        layer, neuron, names, among=among, **scored_by(params), progress=tell
    )
    number = _answers.number
    rows = [
        (str(row["candidate"]), number(row["low"]), number(row["high"]), number(row["by_chance"]))
        for row in found.to_dict("records")
    ]
    return Intervals(intervals=rows, among=len({*among, *names})), []


def explain(widget: LensWidget, params: Mapping[str, Any], tell: Told) -> Reply:
    """Answer the concepts that together predict a neuron's activation."""
    layer, neuron = _answers.neuron_of(params)
    tell(0, 1)
    found = widget.lens.explain(layer, neuron, listed(params) or None, templates=sentences(params))
    tell(1, 1)
    concepts = [
        PartConcept(
            concept=str(row["concept"]),
            weight=float(row["weight"]),
            together=_answers.number(row["together"]),
        )
        for row in found.to_dict("records")
    ]
    return Explained(concepts=concepts), []
