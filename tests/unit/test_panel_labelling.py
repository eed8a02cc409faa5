"""Labels for all neurons from the panel, and several concepts for one: the kernel's side."""

from __future__ import annotations

from threading import Event

import pytest

import semlens_widgets as slw
from semlens_widgets.widgets.contrast import ContrastPanel
from tests.unit.chat_server import chat_server, looks, refused
from tests.unit.panel_world import EVIL, Asker, Lens

pytestmark = [
    pytest.mark.filterwarnings("ignore:The text encoder"),  # this one knows four colours
    pytest.mark.filterwarnings("ignore:.* neurons got no candidate"),  # the panel says so itself
]
ALL = {"candidates": [], "scorer": "csp", "settings": {}, "templates": "plain"}


@pytest.fixture
def ask(monkeypatch):
    return Asker(ContrastPanel(Lens(), "layer3", 0), monkeypatch)


def test_ready_sources_and_those_given_are_offered_by_name():
    words = slw.Vocabulary(["a", "b"])
    eye = slw.ChatVLM("qwen", base_url="http://localhost:1/v1", api_key="secret")
    panel = ContrastPanel(Lens(), sources={"mine": words, "list": ["c"], "eye": eye})
    offered = {one["name"]: one for one in panel.get_state()["_sources"]}
    assert list(offered) == ["everyday", "wide", "classes", "captions", "mine", "list", "eye"]
    assert [one["asks"] for one in offered.values()][:6] == [""] * 6
    assert offered["eye"]["asks"] == "'qwen' at http://localhost:1/v1"
    assert "secret" not in str(panel.get_state())
    assert panel.sources["mine"] is words
    panel.sources = {}
    assert [one["name"] for one in panel.get_state()["_sources"]] == list(offered)[:4]


@pytest.mark.parametrize(
    ("sources", "error", "said"),
    [
        ({"": ["a"]}, ValueError, "'' is no name"),
        ({"wide": ["a"]}, ValueError, "'wide' is a source of its own"),
        ({"mine": "a"}, TypeError, r"'mine' must be a source or a list: \['a'\]"),
    ],
)
def test_sources_that_make_no_sense_are_refused(sources, error, said):
    with pytest.raises(error, match=said):
        ContrastPanel(Lens(), sources=sources)


def test_all_neurons_are_labelled_from_a_source_and_backed_off(ask):
    words = slw.Vocabulary(["a"])
    ask.widget.sources = {"mine": words}
    ask("label_all", **ALL, source="mine", back_off=True)
    scored = {"scorer": slw.Csp(), "templates": ("{}",)}
    assert ask.widget.lens.asked == [(words, {**scored, "back_off": True})]
    ask("label_all", **ALL, source="captions", back_off=False)
    source, settings = ask.widget.lens.asked[-1]
    assert isinstance(source, slw.CaptionTemplates)
    assert settings == scored
    error, _ = ask("label_all", **ALL, source="mien")
    assert error["message"].startswith("source: there is no 'mien' (any more). Did you mean 'mine'")
    error, _ = ask("preview", source="mine")
    assert error["message"] == "source: 'vocabulary' asks no model."


def test_one_labelling_at_a_time_and_a_stopped_one_changes_nothing(ask):
    lens = ask.widget.lens
    lens.go_on.clear()
    begun = ask.begin("label_all", **ALL)
    assert lens.halfway.wait(10)
    assert "labelled already" in ask("label_all", **ALL)[0]["message"]
    ask.stop(begun)
    lens.go_on.set()
    before = lens.neurons["label"].tolist()
    assert ask.reply(begun)[0] == {"type": "Stopped", "message": "Stopped at 2 of 2."}
    assert lens.neurons["label"].tolist() == before
    assert ask("label_all", **ALL)[0] == {"labelled": 2, "said": ""}


def test_a_model_is_counted_asked_stopped_and_never_asked_the_same_twice(colour_lens, monkeypatch):
    lens = colour_lens().run()
    third, go_on = Event(), Event()

    def slow(number, asked):
        if number == 2:
            third.set()
            assert go_on.wait(20)
        return refused(400, "no") if number == 5 else looks(number, asked)

    with chat_server(slow) as server:
        eye = slw.ChatVLM("eye-1", base_url=server.url, concurrency=1, retries=0)
        ask = Asker(ContrastPanel(lens, sources={"eye": eye}), monkeypatch)
        counted, _ = ask("preview", source="eye")
        assert counted["calls"] == 6
        assert counted["said"] == str(eye.preview(lens))
        assert server.asked == []  # nothing was asked by that
        begun = ask.begin("label_all", **ALL, source="eye", back_off=False)
        assert third.wait(20)
        ask.stop(begun)
        go_on.set()
        assert ask.reply(begun)[0]["type"] == "Stopped"
        assert lens.vocabulary == ()
        known = ask("preview", source="eye")[0]["calls"]
        asked = len(server.asked)
        assert known == 6 - 3
        result, _ = ask("label_all", **ALL, source="eye", back_off=False)
        assert len(server.asked) == asked + known
    assert set(lens.vocabulary) <= {"red", "green", "blue"}
    assert result["labelled"] == int((lens.neurons["label"] != "unknown").sum())
    assert "neurons 'eye-1' at" in result["said"]
    assert "named nothing" in result["said"]


def test_several_concepts_are_the_lenses(ask):
    result, _ = ask("explain", layer="layer3", neuron=0, candidates=["b", "B"], templates="csp")
    assert result == {
        "concepts": [
            {"concept": "dotted", "weight": 0.5, "together": 0.3},
            {"concept": EVIL, "weight": 0.25, "together": None},
        ]
    }
    assert ask.widget.lens.asked == [("layer3", 0, ["b"], {"templates": slw.CSP_TEMPLATES})]
    ask("explain", layer="layer3", neuron=0, candidates=[], templates="plain")
    assert ask.widget.lens.asked[-1][2] is None  # those that the lens knows
