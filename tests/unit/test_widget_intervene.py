"""The kernel's side of the view of interventions, on a model whose shortcut is in its weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.widgets.explorer import Explorer
from semlens_widgets.widgets.intervene import InterveneView
from tests.colour_world import to_tensor
from tests.unit.panel_world import Asker, Lens
from tests.unit.test_intervene import Shortcut, pictures


@pytest.fixture
def lens(colour_lens):
    images = slw.ImageDataset.from_list(*pictures())
    target = slw.TargetModel(Shortcut(), ["seen"], transform=to_tensor, outputs=["red", "green"])
    return colour_lens(target=target, images=images).run()


def asked(**changes):
    return {"rows": [2], "how": "zero", "amount": 0, "of": ""} | changes


def test_it_says_what_the_effects_say(lens, monkeypatch):
    ask = Asker(InterveneView(lens), monkeypatch)
    said, buffers = ask("effects", **asked())
    effects = lens.intervene([("seen", 2)]).effects()
    assert buffers == []
    assert (said["of"], said["images"], said["total"], said["draws"]) == ("red", 40, 40, 20)
    assert said["changed"] == 10
    assert said["classes"] == ["red", "green"]
    accuracy, worst, found, others = said["figures"]
    of = effects.classes.set_index("class").loc["red"]
    assert accuracy["after"] == effects.accuracy["after"].iloc[0]
    assert worst["before"] == effects.accuracy["before"].iloc[-1]
    assert (found["up"], found["after"], found["images"]) == (True, of["recall_after"], 20)
    assert (others["up"], others["before"], others["after"]) == (False, 0.5, 0)
    assert (others["low"], others["high"]) == (of["false_low"], of["false_high"])
    first = said["answers"][0]
    assert (first["class_name"], first["before"], first["after"]) == ("green", "red", "green")
    json.dumps(said, allow_nan=False)
    other, _ = ask("effects", **asked(of="green"))
    assert other["of"] == "green"
    half, _ = ask("effects", **asked(how="scale", amount=1))
    assert half["changed"] == 0


def test_while_trying_few_images_are_looked_at_and_all_when_asked(lens, monkeypatch):
    monkeypatch.setattr("semlens_widgets.widgets.intervene.LIVE", 15)
    view = InterveneView(lens)
    ask = Asker(view, monkeypatch)
    said, _ = ask("effects", **asked())
    assert (said["images"], said["total"]) == (15, 40)
    told = []
    monkeypatch.setattr(view, "_teller", lambda *_: lambda *how_far: told.append(how_far))
    said, _ = ask("effects_of_all", **asked())
    assert (said["images"], said["total"]) == (40, 40)
    assert told[-1] == (40, 40)


def test_pictures_of_images_that_are_no_examples_are_there(lens, monkeypatch):
    ask = Asker(InterveneView(lens), monkeypatch)
    shown = [lens.examples("seen", neuron) for neuron in range(6)]
    examples = {sample for one in shown for sample in [*one["sample"], *one["contrast_sample"]]}
    other = next(sample for sample in range(40) if sample not in examples)
    found, buffers = ask("thumbnails", samples=[other])
    assert found["errors"] == [None]
    assert bytes(buffers[0][:2]) == b"\xff\xd8"


def test_what_cannot_be_done_is_said(lens, monkeypatch):
    ask = Asker(InterveneView(lens), monkeypatch)
    for rows in ([], [6], [-1]):
        problem, _ = ask("effects", **asked(rows=rows))
        assert "of the 6 neurons" in problem["message"]
    problem, _ = ask("effects", **asked(how="prune"))
    assert "how='prune'" in problem["message"]
    alone = Asker(InterveneView(Lens()), monkeypatch)
    problem, _ = alone("effects", **asked())
    assert problem["type"] == "LensUnavailable"


def test_an_intervention_is_viewed_with_its_neurons(lens):
    view = lens.intervene([("seen", 4), ("seen", 2)], "mean").view(of="red")
    assert sorted(view.selected["neuron"]) == [2, 4]
    assert (view.how, view.of) == ("mean", "red")
    assert repr(view) == "InterveneView(mean, 2 neurons)"
    assert view.get_state()["_spans"] == [["seen", 6]]


def test_in_an_explorer_the_selection_of_the_map_is_what_is_changed(lens):
    explorer = Explorer(lens)
    explorer.map.selection = np.array([1, 5], np.uint32).tobytes()
    assert explorer.intervene.selected["neuron"].tolist() == [1, 5]
    explorer.intervene.selection = b""
    assert explorer.selection.empty
    explorer.intervene.how = "scale"
    again = Explorer(lens, state=json.loads(json.dumps(explorer.state)))
    assert again.intervene.how == "scale"
