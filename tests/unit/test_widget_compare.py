"""The kernel's side of the comparison of two analyses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import traitlets

import semlens_widgets as slw
from semlens_widgets.widgets.compare import CompareView
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor
from tests.unit.panel_world import Asker

LAYERS = {"a": "before", "layer_a": "seen", "b": "after", "layer_b": "seen"}


@pytest.fixture(scope="module")
def lenses(tmp_path_factory):
    """The colour model, and again with channel 1 of `seen` at zero."""

    def make(name: str, pruned: list[int]) -> slw.SemanticLens:
        model = ColourNet()
        with torch.no_grad():
            model.seen.weight[pruned] = 0
        target = slw.TargetModel(model, ["seen", "mixed"], transform=to_tensor, poles="positive")
        images = slw.ImageDataset.from_list(
            colour_images(), [i % 3 for i in range(60)], ["red", "green", "blue"]
        )
        path = tmp_path_factory.mktemp("compared") / name
        return slw.SemanticLens(target, images, ColourFoundation(), path=path, n_examples=6).run()

    return {"before": make("before", []), "after": make("after", [1])}


@pytest.fixture
def comparison(lenses):
    for lens in lenses.values():
        lens.clear_label("seen", 0)
    return slw.compare(lenses)


@pytest.fixture
def ask(comparison, monkeypatch):
    return Asker(comparison.view(), monkeypatch)


def test_it_starts_with_the_last_layers_of_the_first_two(comparison):
    view = comparison.view()
    assert (view.a, view.layer_a, view.b, view.layer_b) == ("before", "mixed", "after", "mixed")
    assert repr(view) == "CompareView(before/mixed and after/mixed)"
    assert [one["name"] for one in view._analyses] == ["before", "after"]


def test_what_is_not_there_is_refused_by_name(comparison):
    with pytest.raises(traitlets.TraitError, match=r"no analysis 'befor'.*'before'"):
        CompareView(comparison, a="befor")
    with pytest.raises(traitlets.TraitError, match=r"'after' has no layer 'sean'.*'seen'"):
        CompareView(comparison, layer_b="sean")
    with pytest.raises(traitlets.TraitError, match="both 'after'"):
        CompareView(comparison, a="after", b="after")
    with pytest.raises(traitlets.TraitError, match="no layer 'seen'"):
        CompareView(comparison, active=("seen", 0))
    with pytest.raises(TypeError, match="no option 'modus'"):
        CompareView(comparison, modus="split")


def test_the_layers_follow_the_neuron_and_the_neuron_the_layers(comparison):
    view = comparison.view(active=("after/seen", 2))
    assert (view.layer_a, view.layer_b) == ("mixed", "seen")
    view.layer_b = "mixed"
    assert view.active is None
    view.set_state({"a": "after", "layer_a": "seen", "b": "before", "layer_b": "mixed"})
    assert repr(view) == "CompareView(after/seen and before/mixed)"


def test_a_third_analysis_takes_the_place_of_the_first(lenses):
    view = slw.compare({**lenses, "again": lenses["before"]}).view(layer_a="seen")
    view.active = ("again/mixed", 0)
    assert (view.a, view.layer_a, view.b) == ("again", "mixed", "after")
    assert view.active == ("again/mixed", 0)


def test_the_figures_are_those_of_the_comparison(ask, comparison):
    found, buffers = ask("compared", **LAYERS)
    table = comparison.similarity.query("of_layer == 'seen' and to_layer == 'seen'")
    forth, back = (table.query(f"of == '{name}'").iloc[0] for name in ("before", "after"))
    assert found["forth"]["mean"] == pytest.approx(forth["similarity"])
    assert found["back"]["low"] == pytest.approx(back["low"])
    assert found["forth"]["neurons"] + found["forth"]["without"] == 3
    clarity = next(one for one in found["measures"] if one["title"].lower() == "clarity")
    expected = comparison.lenses["after"].neurons.query("layer == 'seen'")["clarity"].mean()
    assert clarity["b"]["mean"] == pytest.approx(expected)
    assert found["change"]
    assert not ask("compared", **LAYERS | {"layer_b": "mixed"})[0]["change"]
    places = [np.frombuffer(axis, np.float32) for axis in buffers]
    assert [len(axis) for axis in places] == [3, 3, 3, 3]
    laid_out = comparison.joint.neurons.query("layer in ['before/seen', 'after/seen']")
    shown = np.concatenate([places[0], places[2]])
    assert np.corrcoef(shown, laid_out["x"])[0, 1] == pytest.approx(1, abs=1e-5)
    assert np.abs(shown).max() <= 1
    again = slw.compare(comparison.lenses).view()._request_compared(LAYERS)[1]
    assert again == buffers


def test_matches_go_either_way_and_changes_show_what_was_pruned(ask, comparison):
    for how in ("nearest", "assigned"):
        found, _ = ask("matches", **LAYERS, how=how)
        table = comparison.matches("before", "after", layer="seen", how=how)
        assert found["match"] == table["match"].tolist()
        assert found["match"][0] == 0
        assert found["match"][2] == 2
    same, _ = ask("matches", **LAYERS, how="same")
    assert same["match"] == [0, 1, 2]
    assert same["changed"] == [False, True, False]
    assert same["kept"][0] == same["kept"][2] == 1
    error, _ = ask("matches", **LAYERS | {"layer_a": "sean"}, how="nearest")
    assert "'sean' is none of the layers of 'before'" in error["message"]
    error, _ = ask("matches", **LAYERS, how="best")
    assert "how='best'" in error["message"]


def test_labels_that_one_has_alone_lead_to_their_neuron(ask, lenses):
    lenses["before"].set_label("seen", 0, "red", 0.4)
    found, _ = ask("only_labels", a="before", b="after")
    expected = {"label": "red", "score": pytest.approx(0.4), "neurons": 1, "neuron": 0}
    assert found["a"] == [{**expected, "layer": "before/seen"}]
    assert (found["b"], found["total_a"], found["shared"]) == ([], 1, 0)
    assert ask.widget._revision > 0  # the browser asks again
    side = ask("compared", **LAYERS)[0]["side_a"]
    assert side["labels"] == ["red", "", ""]
    lenses["after"].set_label("seen", 2, "red", 0.3)
    assert ask("only_labels", a="before", b="after")[0]["shared"] == 1
    lenses["after"].clear_label("seen", 2)


def test_images_are_those_of_the_analysis_that_owns_the_neuron(ask, lenses):
    for name, lens in lenses.items():
        detail, _ = ask("neuron", layer=f"{name}/seen", neuron=0)
        own = lens.examples("seen", 0)
        assert [one["uri"] for one in detail["examples"]] == own["uri"].tolist()
        samples = [one["sample"] for one in detail["examples"]][:2]
        _, pictures = ask("thumbnails", samples=samples)
        assert pictures == lens.thumbnail_jpegs(own["sample"].tolist()[:2])
        _, originals = ask("original", samples=samples[:1])
        assert originals == [lens.original_jpeg(int(own["sample"][0]))]
        _, heatmaps = ask("heatmaps", layer=f"{name}/seen", neuron=0, samples=samples[:1])
        stored = lens.heatmap("seen", 0, int(own["sample"][0]))
        assert heatmaps == [np.ascontiguousarray(stored.values, np.uint8).tobytes()]
        counts, _ = lens.activation_histogram("seen", 0)
        assert detail["histogram"]["counts"] == counts.tolist()
    error, _ = ask("heatmaps", layer="before/seen", neuron=0, samples=samples[:1])
    assert "another analysis" in error["message"]


def test_where_no_javascript_runs_the_joint_map_stands(comparison):
    assert comparison.view()._preview().startswith(b"\x89PNG")


@pytest.mark.parametrize("question", ["compared", "matches", "only_labels"])
def test_questions_about_what_is_not_there_are_refused_by_name(ask, question):
    refused, _ = ask(question, a="before", b="aftr", layer_a="seen", layer_b="seen", how="same")
    assert refused["message"] == "b: there is no analysis 'aftr'. Did you mean 'after'?"
