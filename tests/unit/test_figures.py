"""Figures show what the tables say."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from tests.colour_world import ColourNet, to_tensor


@pytest.fixture
def lens(colour_lens):
    return colour_lens().run()


@pytest.fixture
def audit(lens):
    return lens.audit("red", ["red"], ["blue"])


def traces(figure, kind: str) -> list:
    return [trace for trace in figure.data if trace.type == kind]


def test_an_audit_is_drawn_as_its_tables_say(audit):
    figure = audit.figure()
    neurons, summary = audit.neurons, audit.summary
    points = traces(figure, "scatter")
    drawn = [(trace.name, x, y) for trace in points for x, y in zip(trace.x, trace.y, strict=True)]
    known = neurons.dropna(subset=["valid", "spurious"])
    assert sorted(drawn) == sorted(
        zip(known["verdict"], known["valid"], known["spurious"], strict=True)
    )
    unknown = len(neurons) - len(known)
    assert (f"{unknown} neurons" in figure.layout.annotations[-1].text) == (unknown > 0)
    bars = traces(figure, "bar")
    assert len(bars) == 2  # layers
    assert [y for bar in bars for y in bar.y] == summary["share"].tolist()
    high = [y + e for bar in bars for y, e in zip(bar.y, bar.error_y.array, strict=True)]
    assert high == pytest.approx(summary["high"].tolist())
    levels = {line.x0 for line in figure.layout.shapes if line.x0 == line.x1}
    assert levels == set(audit.aligned.valid.level[np.isfinite(audit.aligned.valid.level)])
    one = audit.figure("seen")
    assert len(traces(one, "bar")) == 1
    with pytest.raises(KeyError, match="nowhere"):
        audit.figure("nowhere")


def test_larger_is_more_relevant(audit):
    sizes = {}
    for trace in traces(audit.figure("seen"), "scatter"):
        sizes |= dict(zip(zip(trace.x, trace.y, strict=True), trace.marker.size, strict=True))
    neurons = audit.neurons.query("layer == 'seen'")
    shares = {(row.valid, row.spurious): row.relevance_share for row in neurons.itertuples()}
    assert sorted(sizes, key=sizes.get) == sorted(shares, key=shares.get)


def test_labels_are_text_and_no_markup(lens):
    lens.set_label("seen", 0, "<img src=x onerror=alert(1)>")
    figure = lens.audit("red", ["red"], ["blue"]).figure()
    said = [text for trace in traces(figure, "scatter") for text in trace.text]
    assert not any("<img" in text for text in said)
    assert any("&lt;img" in text for text in said)


def test_a_comparison_is_drawn_as_its_tables_say(lens, colour_lens, tmp_path):
    model = ColourNet()
    with torch.no_grad():
        model.seen.weight[1] = 0
    target = slw.TargetModel(model, ["seen", "mixed"], transform=to_tensor, poles="positive")
    other = colour_lens(target=target, path=tmp_path / "other").run()
    comparison = slw.compare({"one": lens, "other": other})
    figure = comparison.figure()
    cells = [z for heat in traces(figure, "heatmap") for row in heat.z for z in row]
    assert cells == pytest.approx(comparison.similarity["similarity"].tolist(), abs=1e-4)
    means = [y for points in traces(figure, "scatter") for y in points.y]
    table = comparison.measures.sort_values(["measure", "analysis"], kind="stable")
    assert sorted(means) == pytest.approx(sorted(table["mean"]))


def test_measures_are_drawn_by_layer(lens):
    figure = lens.figure("clarity")
    boxes = traces(figure, "box")
    assert [box.name for box in boxes] == ["seen", "mixed"]
    clarity = lens.neurons.query("layer == 'seen'")["clarity"]
    assert list(boxes[0].y) == pytest.approx(clarity.dropna().tolist(), abs=1e-5)
    (means,) = traces(figure, "scatter")
    assert means.y[0] == pytest.approx(clarity.mean(), abs=1e-6)
    assert len(traces(lens.figure(layer="seen"), "box")) == 4
    with pytest.raises(ValueError, match="measure='clearness' must be one or some of"):
        lens.figure("clearness")
    with pytest.raises(ValueError, match="must be one"):
        lens.figure([])


def test_a_figure_is_the_same_again(audit, lens):
    assert audit.figure().to_json() == audit.figure().to_json()
    assert lens.figure().to_json() == lens.figure().to_json()


def test_drawing_is_loaded_when_it_is_asked_for():
    code = "import sys, semlens_widgets.lens.lens as _; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_effects_are_drawn_as_their_tables_say(lens):
    intervention = lens.intervene([("seen", 0)])
    figure, effects = intervention.figure(), intervention.effects()
    drawn = {(trace.xaxis, trace.name): trace for trace in traces(figure, "scatter")}
    accuracy = effects.accuracy
    for kind, name in (("before",) * 2, ("after",) * 2, ("control", "random neurons")):
        assert list(drawn["x", name].x) == accuracy[kind].tolist()
    control = drawn["x", "random neurons"]
    high = [x + e for x, e in zip(control.x, control.error_x.array, strict=True)]
    assert high == pytest.approx(accuracy["high"].tolist())
    classes = effects.classes.set_index("class")
    of_class = drawn["x2", "after"]
    assert list(of_class.x) == classes.loc[list(of_class.y), "recall_after"].tolist()
    of_class = drawn["x3", "after"]
    assert list(of_class.x) == classes.loc[list(of_class.y), "false_after"].tolist()
