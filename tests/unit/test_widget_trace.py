"""The trace view: what the kernel answers, does and keeps."""

from __future__ import annotations

import pytest
import torch
import traitlets

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable
from semlens_widgets.widgets import TraceView
from tests.unit.panel_world import EVIL, Asker


@pytest.fixture
def lens(colour_lens):
    lens = colour_lens().run()
    lens.label(["red", "green", "blue"])
    return lens


@pytest.fixture
def view(lens):
    return lens.trace("red", keep=0.7).view()


def asker(view, monkeypatch):
    return Asker(view, monkeypatch)


def test_the_browser_gets_the_trace_as_it_is(lens, view, monkeypatch):
    trace = view.trace
    told, _ = asker(view, monkeypatch)("traced")
    nodes, edges = trace.nodes, trace.edges
    assert [(one["layer"], one["neuron"]) for one in told["nodes"]] == list(
        zip(nodes["layer"], nodes["neuron"], strict=True)
    )
    assert [one["share"] for one in told["nodes"]] == pytest.approx(nodes["share"].tolist())
    assert [one["relevance"] for one in told["edges"]] == pytest.approx(edges["relevance"].tolist())
    for edge, (layer, upper, below, lower, _) in zip(
        told["edges"], edges.itertuples(index=False), strict=True
    ):
        ends = told["nodes"][edge["upper"]], told["nodes"][edge["lower"]]
        assert [(one["layer"], one["neuron"]) for one in ends] == [(layer, upper), (below, lower)]
    assert told["layers"] == ["mixed", "seen"]
    assert told["sizes"] == {"mixed": 4, "seen": 3}
    assert told["images"] == 20
    assert told["ablated"] is None
    for one in told["nodes"]:
        if one["kind"] == "neuron":
            first = lens.examples(one["layer"], one["neuron"])["sample"].iloc[0]
            assert one["sample"] == first
        else:
            assert one["sample"] is None


def test_before_a_trace_there_is_a_form(lens, monkeypatch):
    view = TraceView(lens)
    ask = asker(view, monkeypatch)
    assert ask("traced") == (None, [])
    assert ask("traceable")[0] == ["red", "green", "blue"]
    assert repr(view) == "TraceView(no trace)"
    assert view._preview() is None
    error, _ = ask("verify")
    assert "nothing to verify yet" in error["message"]


def test_a_class_or_a_neuron_is_traced_with_progress(lens, monkeypatch):
    view = TraceView(lens, pinned=[("mixed", 0)])
    ask = asker(view, monkeypatch)
    ask("trace", target="red", neuron=None, keep=0.5)
    progress = [reply for reply, *_ in ask.replies if reply["kind"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == 40
    assert view.trace.target == "red"
    assert view.trace.keep == 0.5
    assert view.pinned == []  # they belonged to another trace
    assert view.get_state()["_revision"] == 1
    ask("trace", target="", neuron={"layer": "mixed", "neuron": 2}, keep=0.9)
    assert view.trace.goal == ("mixed", 2)
    before = view.trace
    for asked, said in (
        ({"target": "", "neuron": None}, "target is blank"),
        ({"target": "blue", "neuron": None}, "'blue' is not the name of an output"),
        ({"target": "", "neuron": {"layer": "seen", "neuron": 0}}, "no layer to trace"),
    ):
        error, _ = ask("trace", keep=0.8, **asked)
        assert said in error["message"]
    assert view.trace is before


def test_ablation_is_shown_beside_relevance(view, monkeypatch):
    ask = asker(view, monkeypatch)
    revision = view.get_state()["_revision"]
    ask("verify")
    assert view.get_state()["_revision"] == revision + 1
    told, _ = ask("traced")
    verified = view.trace.verified
    drops = verified.set_index(["layer", "neuron"])["drop"]
    for one in told["nodes"]:
        if one["kind"] == "neuron":
            assert one["drop"] == pytest.approx(drops[one["layer"], one["neuron"]])
    found = told["ablated"]
    means = verified.groupby("kind")["drop"].mean()
    assert (found["drop"], found["control"]) == pytest.approx((means["node"], means["control"]))
    assert found["neurons"] == len(verified)
    agreement = view.trace.agreement
    assert found["agreement"] == (agreement and pytest.approx(vars(agreement)))


def test_a_node_shows_its_examples_and_what_it_gets_most_from(lens, view, monkeypatch):
    ask = asker(view, monkeypatch)
    (kept, *_) = view.trace.levels["mixed"].kept.tolist()
    told, _ = ask("node", layer="mixed", neuron=kept)
    below = view.trace.below("mixed", kept)
    assert [one["neuron"] for one in told["below"]] == below["neuron"].tolist()
    assert [one["kept"] for one in told["below"]] == below["kept"].tolist()
    samples = lens.examples("mixed", kept)["sample"].tolist()
    assert [one["sample"] for one in told["examples"]] == samples[:8]
    others = set(range(4)) - set(view.trace.levels["mixed"].kept.tolist())
    for other in others:
        assert ask("node", layer="mixed", neuron=other)[0]["below"] == []


def test_new_labels_reach_the_trace(lens, view, monkeypatch):
    before = view.get_state()["_revision"]
    (kept, *_) = view.trace.levels["mixed"].kept.tolist()
    lens.set_label("mixed", kept, EVIL)
    assert view.get_state()["_revision"] > before
    told, _ = asker(view, monkeypatch)("traced")
    assert told["nodes"][1]["label"] == EVIL


def test_pins_and_groups_are_neurons_of_the_lens(view):
    view.pinned = [("mixed", 1), {"layer": "seen", "neuron": 0}]
    assert view.pinned == [{"layer": "mixed", "neuron": 1}, {"layer": "seen", "neuron": 0}]
    view.groups = {"warm": [("mixed", 0), ("mixed", 1)]}
    assert view.groups["warm"][1] == {"layer": "mixed", "neuron": 1}
    for name, value, said in (
        ("pinned", [("mixd", 1)], "no layer 'mixd'"),
        ("pinned", ["mixed"], "no .layer, index."),
        ("groups", {" ": []}, "is no name"),
        ("threshold", 2.0, "2.0"),
        ("keep", 0.0, "0"),
    ):
        with pytest.raises(traitlets.TraitError, match=said):
            setattr(view, name, value)


def test_the_form_names_the_class_that_is_shown(lens, view):
    assert view.target == "red"
    assert lens.trace(("mixed", 0)).view().target == ""
    assert repr(view) == f"TraceView({view.trace!r})"
    assert view._preview().startswith(b"\x89PNG")


def test_a_lens_without_its_model_says_so(lens, monkeypatch, tmp_path):
    read = slw.open(tmp_path / "analysis")
    error, _ = asker(TraceView(read), monkeypatch)("trace", target="red", neuron=None, keep=0.8)
    assert error["type"] == LensUnavailable.__name__
    assert "Traces that are not stored need the model" in error["message"]


def test_relevance_that_is_not_finite_is_no_trace(lens, monkeypatch):
    monkeypatch.setattr(
        "semlens_widgets.pipeline.trace.conditional_relevance",
        lambda *_: (torch.full((20, 4), torch.nan), torch.zeros(0, 20, 4)),
    )
    error, _ = asker(TraceView(lens), monkeypatch)("trace", target="red", neuron=None, keep=0.8)
    assert "not finite" in error["message"]
