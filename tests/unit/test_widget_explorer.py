"""The kernel's side of the explorer."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import traitlets

from semlens_widgets.widgets._views import VIEWS
from semlens_widgets.widgets.explorer import Explorer
from tests.unit.map_world import labels_of
from tests.unit.panel_world import Asker, Lens


@pytest.fixture
def explorer():
    return Explorer(Lens())


@pytest.fixture
def ask(explorer, monkeypatch):
    return Asker(explorer, monkeypatch)


def test_the_widgets_inside_are_sent_as_references(explorer):
    state = explorer.get_state()
    inside = explorer.views.values()
    assert [view["model"] for view in state["_views"]] == [
        f"anywidget:{w.model_id}" for w in inside
    ]
    assert state["_layers"] == ["layer3", "layer4"]
    assert repr(explorer) == "Explorer(3 neurons, no neuron)"


def test_the_browser_is_told_which_views_there_are(explorer):
    told = json.loads((Path(__file__).parents[2] / "js/test/explorer/views.json").read_text())
    views = explorer.get_state()["_views"]
    assert [{key: view[key] for key in ("name", "title", "keeps")} for view in views] == told
    for name, kind in VIEWS.items():
        assert set(kind.view_traits) <= set(kind.class_traits()), name
    with pytest.raises(traitlets.TraitError, match=r"there is no view 'galery'.*'gallery'"):
        explorer.tab = "galery"


def test_a_neuron_set_in_python_reaches_all():
    explorer = Explorer(Lens(), active=("layer3", 1))
    children = explorer.views.values()
    assert {child.active for child in children} == {("layer3", 1)}
    explorer.active = ("layer4", 0)
    assert {child.active for child in children} == {("layer4", 0)}


def test_a_neuron_chosen_in_the_browser_is_not_sent_on_from_here(explorer):
    # The browser links the widgets itself; passing it on could undo a later choice.
    explorer.set_state({"active": {"layer": "layer3", "neuron": 1}})
    assert explorer.active == ("layer3", 1)
    assert explorer.map.active is None


def test_a_search_lists_the_best_and_scores_the_rows(ask):
    result, (scores,) = ask("search", query="  stripes ", layer="layer3")
    assert ask.widget.lens.asked == [("stripes", "layer3", 25)]
    assert [(hit["layer"], hit["neuron"]) for hit in result["hits"]] == [
        ("layer4", 0),
        ("layer3", 1),
        ("layer3", 0),
    ]
    np.testing.assert_allclose(np.frombuffer(scores, np.float32), [0.1, 0.5, 0.9])


def test_neurons_like_another_leave_it_out(ask):
    result, (scores,) = ask("search", query="", like={"layer": "layer3", "neuron": 1})
    assert ask.widget.lens.asked == [(("layer3", 1), None, 25)]
    assert [hit["neuron"] for hit in result["hits"]] == [0, 0]
    assert np.isnan(np.frombuffer(scores, np.float32)).tolist() == [False, True, False]


def test_a_search_among_many_sends_its_hits_alone():
    lens = Lens()
    lens.neurons = pd.DataFrame(
        {"layer": "layer3", "neuron": np.arange(1000), "label": "", "x": 0.0, "y": 0.0}
    )
    scores = np.linspace(0, 1, 1000)
    lens.search = lambda *_args, top, **_: (
        lens.neurons.assign(score=scores).sort_values("score", ascending=False).head(top)
    )
    explorer = Explorer(lens)
    result, (highlight,) = explorer._requests["search"](explorer, {"query": "stripes"})
    assert len(result["hits"]) == 24
    assert len(highlight) == 24 * 8
    explorer.map.set_state({"highlight": memoryview(highlight)})
    assert explorer.map.highlighted.index.tolist() == [999 - rank for rank in range(24)]


def test_a_search_says_what_is_missing(ask):
    error, _ = ask("search", query=" ")
    assert "query is blank" in error["message"]
    error, _ = ask("search", query="none")
    assert error == {"type": "LensUnavailable", "message": "There is no foundation model."}


def test_an_accepted_label_shows_everywhere(explorer, monkeypatch):
    ask = Asker(explorer.contrast, monkeypatch)
    ask("accept", layer="layer3", neuron=1, label="dotted", score=0.4)
    assert explorer.gallery.get_state()["_revision"] == 1
    assert labels_of(explorer.map)[1] == "dotted"


def test_labels_given_in_a_cell_reach_open_widgets(explorer):
    before = explorer.gallery.get_state()["_revision"]
    explorer.lens.label(["ring", "dot"])
    assert explorer.gallery.get_state()["_revision"] == before + 1
    assert explorer.contrast.get_state()["_revision"] == before + 1
    assert labels_of(explorer.map) == ["ring", "unknown", "dot"]


def test_a_closed_explorer_closes_what_is_inside_and_hears_no_more(explorer):
    inside = explorer.views.values()
    explorer.close()
    assert {widget.comm for widget in (explorer, *inside)} == {None}
    assert explorer.lens.listeners == []


@pytest.mark.parametrize("inside", ["map", *VIEWS])
def test_a_neuron_set_on_a_widget_inside_reaches_all_in_the_order_it_was_set(inside):
    explorer = Explorer(Lens())
    told = {name: [] for name in explorer.views}
    for name, seen in told.items():
        getattr(explorer, name).observe(lambda c, seen=seen: seen.append(c["new"]), "active")
    getattr(explorer, inside).active = ("layer3", 1)
    getattr(explorer, inside).active = ("layer4", 0)
    assert explorer.active == ("layer4", 0)
    assert list(told.values()) == [[("layer3", 1), ("layer4", 0)]] * len(told)


def test_a_neuron_chosen_on_a_widget_inside_is_not_sent_on_from_here(explorer):
    explorer.map.set_state({"active": {"layer": "layer3", "neuron": 1}})
    assert explorer.active is None


def test_hits_say_what_chance_scores(ask):
    lens = ask.widget.lens
    search = lens.search
    lens.search = lambda *args, **options: search(*args, **options).assign(chance=0.6)
    result, _ = ask("search", query="stripes")
    assert [hit["chance"] for hit in result["hits"]] == [0.6] * 3


def test_the_selection_is_the_lasso_of_the_map(explorer):
    explorer.map.selection = np.array([2, 0], dtype=np.uint32).tobytes()
    assert explorer.selection["neuron"].tolist() == [0, 0]
    assert explorer.selection["layer"].tolist() == ["layer4", "layer3"]


VIEW = {
    "active": ["layer3", 1],
    "query": "stripes",
    "query_layer": "layer4",
    "tab": "contrast",
    "map": {"color_by": "clarity", "contours": True},
    "gallery": {"overlay": True, "group_by": "class"},
    "contrast": {"candidates": ["a", "b"], "settings": {"gamma": 0.5}, "excluded": [1]},
    "selection": [0, 2],
}


def test_a_view_is_restored_from_its_state():
    explorer = Explorer(Lens(), state=VIEW)
    again = Explorer(Lens(), state=json.loads(json.dumps(explorer.state)))
    assert again.state == explorer.state
    for name, value in VIEW.items():
        if isinstance(value, dict):
            assert {key: again.state[name][key] for key in value} == value
        else:
            assert again.state[name] == value
    assert again.contrast.active == ("layer3", 1)
    assert again.selection["layer"].tolist() == ["layer3", "layer4"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"actve": None}, "state has no 'actve'. Did you mean 'active'"),
        ({"map": {"colour_by": "x"}}, r"state\['map'\] has no 'colour_by'.*'color_by'"),
    ],
)
def test_a_state_with_unknown_parts_is_refused(state, message):
    with pytest.raises(ValueError, match=message):
        Explorer(Lens(), state=state)


def test_unknown_options_and_layers_are_refused():
    with pytest.raises(TypeError, match="no option 'querry'"):
        Explorer(Lens(), querry="x")
    with pytest.raises(traitlets.TraitError, match="Did you mean 'layer3'"):
        Explorer(Lens(), query_layer="layer33")


def test_any_copied_state_is_restored_without_what_is_gone():
    before = Explorer(Lens(), active=("layer3", 1)).state
    before["map"] |= {"filter": {"label": ["no such label"]}, "size_by": "gone"}
    before |= {"active": ["layer9", 7], "query_layer": "layer9", "selection": [0, 2, 99]}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        explorer = Explorer(Lens(), state=before)
    words = " ".join(str(one.message) for one in told)
    assert all(gone in words for gone in ("no such label", "gone", "layer9", "1 of 3 neurons"))
    assert explorer.map.filter == {}
    assert explorer.state["selection"] == [0, 2]
    assert explorer.active is None
