"""What browser and kernel say to each other is declared once, and real answers are as declared."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from typing_extensions import is_typeddict

import semlens_widgets as slw
from semlens_widgets.widgets import (
    AuditView,
    CompareView,
    ConceptGallery,
    ContrastPanel,
    EvolutionView,
    Explorer,
    InterveneView,
    LabelTable,
    NeuronMap,
    TraceView,
    _messages,
)
from semlens_widgets.widgets._messages import ACTIONS, QUESTIONS
from tests.unit.panel_world import Asker

ROOT = Path(__file__).parents[2]
OF_ONE = (
    NeuronMap,
    ConceptGallery,
    ContrastPanel,
    LabelTable,
    AuditView,
    InterveneView,
    TraceView,
    Explorer,
)
WIDGETS = (*OF_ONE, CompareView, EvolutionView)
NEURON = {"layer": "mixed", "neuron": 1}
SCORING = {"candidates": ["red", "blue"], "scorer": "csp", "settings": {"gamma": 0.5}}
SCORING |= {"templates": "plain"}
ALL = {**SCORING, "source": "", "back_off": False}
SAMPLES = [0, 3]
LAYERS = {"a": "one", "layer_a": "mixed", "b": "other", "layer_b": "mixed"}
OF_TWO = {
    "compared": LAYERS,
    "matches": {**LAYERS, "how": "same"},
    "only_labels": {"a": "one", "b": "other"},
}
OF_STEPS = {"through": NEURON}
ASKED = {
    "neuron": NEURON,
    "clusters": NEURON,
    "pairs": NEURON,
    "original": {"samples": SAMPLES[:1]},
    "thumbnails": {"samples": SAMPLES},
    "heatmaps": {**NEURON, "samples": SAMPLES},
    "scores": {**NEURON, **SCORING, "exclude": [1]},
    "chance": {**NEURON, **SCORING, "exclude": []},
    "vocabulary": {},
    "column": {"name": "clarity"},
    "labels": {},
    "hover": {"row": 2},
    "search": {"query": "red", "like": None, "layer": None},
    "beside": {**NEURON, **SCORING, "exclude": [0]},
    "intervals": {**NEURON, **SCORING, "exclude": [0], "among": ["red", "green", "blue"]},
    "accept": {**NEURON, "label": "crimson", "score": 0.5},
    "explain": {**NEURON, "candidates": ["red", "green", "blue"], "templates": "plain"},
    "preview": {"source": "eye"},
    "label_all": ALL,
    "classes": {},
    "audit": {"audit": 1},
    "audit_rows": {"audit": 1, "layer": "mixed"},
    "decisions": {"audit": 1},
    "class_images": NEURON,
    "make_audit": {"target": "red", "valid": "red", "spurious": "sea: blue, ocean"},
    "decide": {**NEURON, "audit": 1, "decision": "reject", "note": "it is the sea"},
    "review": {},
    "offers": {"rows": [0, 2]},
    "label_file": {},
    "give_labels": {"rows": [1, 2], "how": "set", "label": "crimson", "theirs": "ask"},
    "step_labels": {"back": True},
    "read_labels": {"data": "bGF5ZXIsbmV1cm9uLGxhYmVsCm1peGVkLDAscm9zZQo=", "theirs": "replace"},
    "judge_labels": {},
    "traceable": {},
    "traced": {},
    "node": NEURON,
    "trace": {"target": "", "neuron": NEURON, "keep": 0.5},
    "verify": {},
    "effects": {"rows": [1], "how": "scale", "amount": 0.5, "of": ""},
    "effects_of_all": {"rows": [1], "how": "zero", "amount": 0, "of": "red"},
    **OF_TWO,
    **OF_STEPS,
}
MORE = [
    ("column", {"name": "layer"}),
    ("column", {"name": "neuron"}),
    ("column", {"name": "x"}),
    ("search", {"query": "", "like": NEURON, "layer": "mixed"}),
]


@pytest.fixture(scope="module", autouse=True)
def strict():
    """No answer holds more than is declared."""
    every = [one for module in _messages.MODULES for one in vars(module).values()]
    kinds = {one for one in every if is_typeddict(one)}
    for kind in kinds:
        kind.__pydantic_config__ = {"extra": "forbid"}
    yield
    for kind in kinds:
        del kind.__pydantic_config__


def fits(value, kind):
    """Read a value as it travels, strictly."""
    TypeAdapter(kind).validate_json(json.dumps(value, allow_nan=False), strict=True)


def declared(method):
    return {**QUESTIONS, **ACTIONS}[method]


def test_the_browsers_declarations_are_current():
    script = runpy.run_path(str(ROOT / "js/messages.py"))
    assert script["TARGET"].read_text("utf-8") == script["written"](), "run: make messages"


def test_what_widgets_answer_is_what_is_declared():
    answered = {name for widget in WIDGETS for name in widget._requests}
    done = {name for widget in WIDGETS for name in widget._actions}
    assert (answered, done) == (set(QUESTIONS), set(ACTIONS))
    assert set(ASKED) == answered | done


@pytest.fixture
def widgets(colour_lens):
    lens = colour_lens().run()
    lens.label(["red", "green", "blue"])
    made = [kind(lens) for kind in OF_ONE]
    shown = next(one for one in made if isinstance(one, AuditView))
    shown.audit = lens.audit("red", ["red"], ["blue"])
    shown.audit.decide("mixed", 0, "accept")
    table = next(one for one in made if isinstance(one, LabelTable))
    table._give({"rows": [0], "how": "reject", "theirs": "ask"}, lambda *_: None)
    panel = next(one for one in made if isinstance(one, ContrastPanel))
    panel.sources = {"eye": slw.ChatVLM("eye", base_url="http://localhost:1/v1")}
    traced = next(one for one in made if isinstance(one, TraceView))
    traced.trace = lens.trace("red")
    traced.trace.verify()
    return made


@pytest.mark.parametrize("method", OF_TWO)
def test_a_real_answer_about_two_analyses_fits(colour_lens, monkeypatch, method):
    lens = colour_lens().run()
    lens.set_label("mixed", 0, "red", 0.5)
    view = slw.compare({"one": lens, "other": lens}).view()
    fits(OF_TWO[method], declared(method).params)
    result, _ = Asker(view, monkeypatch)(method, **OF_TWO[method])
    fits(result, declared(method).result)


def test_real_answers_about_several_steps_fit(colour_lens, monkeypatch):
    lens = colour_lens().run()
    ask = Asker(slw.evolution({"one": lens, "other": lens}).show(), monkeypatch)
    for method in (*EvolutionView._requests, "column"):
        params = {"name": "moved"} if method == "column" else ASKED[method]
        fits(params, declared(method).params)
        fits(ask(method, **params)[0], declared(method).result)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        *((name, asked) for name, asked in ASKED.items() if name not in {*OF_TWO, *OF_STEPS}),
        *MORE,
    ],
)
def test_a_real_answer_fits(widgets, monkeypatch, method, params):
    fits(params, declared(method).params)
    able = [one for one in widgets if method in {**one._requests, **one._actions}]
    assert able
    for widget in able:
        result, _ = Asker(widget, monkeypatch)(method, **params)
        fits(result, declared(method).result)


def test_an_answer_that_lacks_or_adds_something_does_not_fit():
    hit = {"layer": "a", "neuron": 0, "label": "", "score": None, "chance": None}
    fits({"hits": [hit]}, _messages.neurons.Hits)
    for wrong in (hit | {"more": 1}, hit | {"score": "1"}, {"layer": "a", "neuron": 0}):
        with pytest.raises(ValidationError):
            fits({"hits": [wrong]}, _messages.neurons.Hits)


def test_an_action_tells_how_far_it_is(colour_lens, monkeypatch):
    lens = colour_lens().run()
    ask = Asker(ContrastPanel(lens), monkeypatch)
    ask("label_all", **ALL)
    told = [message for message, *_ in ask.replies]
    count = len(lens.neurons)
    assert {(one["kind"], one["id"]) for one in told[:-1]} == {("progress", told[-1]["id"])}
    assert [one["done"] for one in told[:-1]] == [0, count]
    assert {one["total"] for one in told[:-1]} == {count}
    assert told[-1]["result"] == {
        "labelled": int((lens.neurons["label"] != "unknown").sum()),
        "said": "",
    }


def test_every_widget_has_a_name_for_each_handler_once():
    for widget in WIDGETS:
        assert not set(widget._requests) & set(widget._actions)
