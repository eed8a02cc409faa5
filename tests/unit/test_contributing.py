"""The examples of CONTRIBUTING run as they are written there: a scorer, a source, a row, a view."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import traitlets

import semlens_widgets as slw
from semlens_widgets.attribution import operations
from semlens_widgets.labels.scorer import control
from semlens_widgets.widgets._base import LensWidget, asset
from semlens_widgets.widgets._views import VIEWS
from tests.unit.panel_world import Lens
from tests.unit.test_toy_operation import PLAIN, Bent, seen

PAGE = (Path(__file__).parents[2] / "docs" / "CONTRIBUTING.md").read_text("utf-8")


def example(heading: str, **given: object) -> dict[str, object]:
    """What the block under a heading defines, with the names that the page takes as given."""
    found = re.search(rf"^### {heading}$.*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    assert found, heading
    names = {"__name__": __name__, "dataclass": dataclass, **given}
    exec(compile(found[1], f"CONTRIBUTING.md, {heading}", "exec"), names)  # noqa: S102
    return names


def test_the_scorer_labels_neurons(colour_lens):
    scorer = example("A scorer of labels", Scorer=slw.Scorer, control=control)["Nearest"]
    found = colour_lens().run().label(["red", "green", "blue"], scorer=scorer(), threshold=-np.inf)
    assert found["label"].iloc[:3].tolist() == ["red", "green", "blue"]
    assert set(found["source"]) == {"nearest"}


def test_the_source_names_the_classes_of_the_examples(colour_lens):
    given = {"CandidateSource": slw.CandidateSource, "Candidates": slw.Candidates}
    source = example("A source of candidate labels", **given)["OfTheExamples"]
    lens = colour_lens().run()
    lens.label(source(), scorer="csp")
    assert lens.labelled_by["candidates"] == "own classes"
    assert set(lens.labels["label"]) - {"unknown"}
    for (layer, neuron), label in lens.labels.set_index(["layer", "neuron"])["label"].items():
        classes = set(lens.examples(layer, neuron)["class_name"])
        assert label in {*classes, "unknown"}


def test_the_row_makes_a_function_known(monkeypatch):
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 0.3
    assert seen(Bent(), images)[0] == f"{PLAIN}; erfinv by gradient"
    given = {"others": operations.OPERATIONS, "_rows": operations._rows}
    rows = example("A function of a model family", **given)["OPERATIONS"]
    monkeypatch.setitem(operations.OPERATIONS, "erfinv", rows["erfinv"])
    assert seen(Bent(), images)[0] == PLAIN


def test_the_view_stands_in_the_explorer(monkeypatch):
    given = {"LensWidget": LensWidget, "asset": asset, "traitlets": traitlets}
    view = example("A view in the explorer", **given)["Note"]
    monkeypatch.setitem(VIEWS, "notes", view)
    explorer = slw.Explorer(Lens(), active=("layer3", 1))
    assert explorer.get_state()["_views"][-1]["title"] == "Notes"
    explorer.active = ("layer4", 0)
    assert explorer.notes.active == ("layer4", 0)
    explorer.notes.note = "a shortcut?"
    assert slw.Explorer(Lens(), state=explorer.state).notes.note == "a shortcut?"
