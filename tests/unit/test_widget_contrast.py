"""The kernel's side of the contrast panel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import traitlets

import semlens_widgets as slw
from semlens_widgets.widgets.contrast import ContrastPanel
from tests.unit.panel_world import EVIL, Asker, Lens


@pytest.fixture
def ask(monkeypatch):
    return Asker(ContrastPanel(Lens(), "layer3", 0), monkeypatch)


def test_settings_are_checked_with_clear_messages():
    panel = ContrastPanel(Lens(), "layer3", 0, settings={"gamma": 0.5}, scorer="difference")
    with pytest.raises(traitlets.TraitError, match=r"gamma: expected a number from 0 to 1, got 1"):
        panel.settings = {"gamma": 1.5}
    with pytest.raises(traitlets.TraitError, match="centred"):
        ContrastPanel(Lens(), settings={"centred": 3})
    with pytest.raises(traitlets.TraitError, match=r"no scorer has 'gama'.*'gamma'"):
        panel.settings = {"gama": 0.5}
    with pytest.raises(traitlets.TraitError, match=r"there is no 'cps'.*'csp'"):
        panel.scorer = "cps"
    assert (panel.settings, panel.scorer) == ({"gamma": 0.5}, "difference")
    with pytest.raises(TypeError, match=r"no method= any more: give scorer="):
        ContrastPanel(Lens(), method="csp")
    by_object = ContrastPanel(Lens(), scorer=slw.Csp(gamma=0.25))
    assert (by_object.scorer, by_object.settings["gamma"]) == ("csp", 0.25)


def test_the_browser_is_told_which_scorers_there_are_and_their_controls():
    told = json.loads((Path(__file__).parents[2] / "js/test/contrast/scorers.json").read_text())
    assert ContrastPanel(Lens()).get_state()["_scorers"] == told


def test_the_first_settings_are_those_that_gave_the_labels():
    lens = Lens()
    lens.labelled_by = {
        "scorer": "semanticlens",
        "gamma": 0.5,
        "centred": True,
        "templates": ("{}",),
    }
    panel = ContrastPanel(lens, "layer3", 0)
    found = (panel.scorer, panel.settings, panel.templates)
    assert found == ("semanticlens", {"gamma": 0.5, "centred": True}, "plain")
    assert ContrastPanel(lens, "layer3", 0, scorer="csp").settings["gamma"] == 0.5
    assert ContrastPanel(lens, "layer3", 0, scorer="csp").scorer == "csp"
    lens.labelled_by["templates"] = ("a painting of a {}",)
    assert ContrastPanel(lens).templates == ["a painting of a {}"]


def test_blank_candidates_are_refused_and_repeated_ones_kept_once():
    panel = ContrastPanel(Lens())
    with pytest.raises(traitlets.TraitError, match="entry 1 is blank"):
        panel.candidates = ["a", "  "]
    with pytest.raises(traitlets.TraitError):
        panel.candidates = ["a", 3]
    with pytest.warns(UserWarning, match="kept once: 'STRIPED'"):
        panel.candidates = [" striped  cat", "striped", "STRIPED"]
    assert panel.candidates == ["striped cat", "striped"]


def test_a_list_of_candidates_stays_small_enough_to_be_saved():
    panel = ContrastPanel(Lens())
    words = [f"word {i}" for i in range(5_001)]
    with pytest.raises(traitlets.TraitError, match=r"5001 labels are too many .* 5000 at most"):
        panel.candidates = words
    with pytest.raises(traitlets.TraitError, match=r"'aaaa.* has 121 characters"):
        panel.candidates = ["a" * 121]
    panel.candidates = words[:5_000]
    assert panel.candidates == words[:5_000]


def test_scores_and_accepted_are_read_only():
    panel = ContrastPanel(Lens())
    for name in ("scores", "accepted"):
        with pytest.raises(traitlets.TraitError, match="read-only"):
            setattr(panel, name, None)


def test_pairs_hold_an_example_and_its_contrast(ask):
    detail, _ = ask("pairs", layer="layer3", neuron=0)
    first, second = detail["pairs"]
    assert first["sample"] == 7
    assert first["contrast"]["sample"] == 5
    assert first["similarity"] == 0.8
    assert second["contrast"] is None
    assert second["similarity"] is None
    assert detail["facts"]["label"] == "striped"
    json.dumps(detail, allow_nan=False)


def test_scores_are_one_call_of_the_lens(ask):
    settings = {"scorer": "semanticlens", "settings": {"gamma": 0.5, "centred": True}}
    result, _ = ask("scores", layer="layer3", neuron=0, candidates=["b", EVIL], **settings)
    scored = ["b", EVIL, "striped"]  # the neuron's own label too
    assert result["scores"] == [[name, pytest.approx(i / 10)] for i, name in enumerate(scored)]
    assert ask.widget.lens.asked == [("layer3", 0, scored, {"scorer": slw.Semantic(centred=True)})]
    assert ask.widget.scores == result["scores"]


@pytest.mark.parametrize(
    ("candidates", "label", "scored", "own"),
    [
        (["a"], "striped", ["a", "striped"], "striped"),
        (["a", "Striped"], "striped", ["a", "Striped"], "Striped"),
        (["a"], "", ["a"], ""),
        (["a"], "unknown", ["a"], ""),
        (["a"], "x" * 121, ["a"], ""),
        (["a"], "שלום", ["a", "שלום"], "שלום"),
    ],
)
def test_a_list_made_for_another_neuron_gets_this_ones_label(ask, candidates, label, scored, own):
    ask.widget.lens.neurons.loc[0, "label"] = label
    result, _ = ask("scores", layer="layer3", neuron=0, candidates=candidates)
    assert [name for name, _ in result["scores"]] == scored
    assert result["own"] == own


def test_scores_are_told_with_their_neuron_and_dropped_with_it():
    panel = ContrastPanel(Lens(), "layer3", 0)
    panel.send = lambda *_: None
    asked = {"kind": "request", "id": 1, "method": "scores"}
    neuron = {"layer": "layer3", "neuron": 0}
    panel._answer(panel, asked | {"params": neuron | {"candidates": ["a"]}}, [])
    assert panel.get_state()["_scored"] == neuron
    assert panel.scores
    panel.active = ("layer3", 1)
    assert (panel.scores, panel.get_state()["_scored"]) == ([], None)
    # A request may come before the change of neuron that brought it about.
    other = {"layer": "layer4", "neuron": 0}
    panel._answer(panel, asked | {"params": other | {"candidates": ["a"]}}, [])
    panel.active = ("layer4", 0)
    assert panel.scores
    assert panel.get_state()["_scored"] == other


def test_what_random_words_score_for_a_neuron_is_told(ask):
    settings = {"scorer": "csp", "settings": {"gamma": 0.5}, "exclude": [0]}
    result, _ = ask("chance", layer="layer3", neuron=1, candidates=["a"], **settings)
    assert result == [0.2, 0.3]
    assert ask.widget.lens.chance_asked == (
        "layer3",
        1,
        ["a"],
        {"scorer": slw.Csp(gamma=0.5), "exclude": [0]},
    )
    assert ask("chance", layer="layer4", neuron=0)[0] is None


def test_all_neurons_are_labelled_as_the_panel_scores(ask):
    settings = {"scorer": "difference", "settings": {"gamma": 1.0, "centred": True}}
    lens = ask.widget.lens
    result, _ = ask("label_all", candidates=["a", "b", "A"], templates="plain", **settings)
    assert lens.asked == [
        (["a", "b"], {"scorer": slw.Difference(centred=True), "templates": ("{}",)})
    ]
    assert result == {"labelled": 2, "said": ""}
    ask("label_all", candidates=[])
    assert lens.asked[-1] == (["dotted", "Striped", "plain"], {"scorer": slw.Recognition()})
    lens.vocabulary = ()
    error, _ = ask("label_all", candidates=[])
    assert "knows no labels yet" in error["message"]


def test_without_candidates_the_best_known_labels_are_suggested(ask):
    ask.widget.lens.vocabulary = ("Striped", *(f"word {i}" for i in range(20)))
    result, _ = ask("scores", layer="layer3", neuron=0, candidates=[])
    (asked,) = ask.widget.lens.asked
    assert asked[2] == ["striped", *(f"word {i}" for i in range(20))]
    best = [f"word {i}" for i in range(19, 11, -1)]
    assert [name for name, _ in result["scores"]] == [*best, "striped"]  # its own in any case


def test_a_lens_that_knows_no_labels_suggests_none(ask):
    ask.widget.lens.vocabulary = ()
    result, _ = ask("scores", layer="layer3", neuron=1, candidates=[])
    assert result == {"scores": [], "explained": [], "own": ""}
    assert ask.widget.lens.asked == []


def test_a_blank_candidate_from_the_browser_is_refused(ask):
    error, _ = ask("scores", layer="layer3", neuron=0, candidates=[""])
    assert error == {
        "type": "ValueError",
        "message": "candidates: entry 0 is blank. Give a text like 'striped'.",
    }


def test_an_accepted_label_reaches_lens_and_listeners(ask):
    events = []
    ask.widget.observe(lambda change: events.append(change["new"]), names="accepted")
    ask("accept", layer="layer3", neuron=1, label="  polka  dots ", score=0.4)
    expected = {"layer": "layer3", "neuron": 1, "label": "polka dots", "score": 0.4}
    assert events == [expected]
    assert ask.widget.lens.neurons.loc[1, "label"] == "polka dots"
    error, _ = ask("accept", layer="layer3", neuron=1, label=" ")
    assert "label is blank" in error["message"]


def test_the_scores_of_the_best_come_taken_apart_into_pairs(ask):
    both = {"candidates": ["a", "b"], "scorer": "csp"}
    result, (parts,) = ask("scores", layer="layer3", neuron=1, **both)
    assert result["explained"] == ["b", "a"]
    values = np.frombuffer(parts, np.float32).reshape(2, 2)  # (candidates, ranks)
    assert values.tolist() == [[0.0, 2.0], [1.0, 3.0]]
    settings = {"scorer": "clip-dissect"}
    result, buffers = ask("scores", layer="layer3", neuron=0, candidates=["a"], **settings)
    assert (result["explained"], buffers) == ([], [])


def test_templates_and_excluded_pairs_reach_the_lens(ask):
    settings = {"templates": "plain", "exclude": [1]}
    ask("scores", layer="layer3", neuron=0, candidates=["a"], scorer="csp", **settings)
    assert ask.widget.lens.asked[0][3] == {
        "scorer": slw.Csp(),
        "templates": ("{}",),
        "exclude": [1],
    }
    ask("scores", layer="layer3", neuron=0, candidates=["a"], scorer="recognition", **settings)
    assert "exclude" not in ask.widget.lens.asked[-1][3]  # it knows no pairs


def test_excluded_pairs_belong_to_their_neuron():
    panel = ContrastPanel(Lens(), "layer3", 0, excluded=[1, 1])
    assert panel.excluded == [1]
    assert panel.get_state()["_excluded"] == {"layer": "layer3", "neuron": 0, "ranks": [1]}
    events = []
    panel.observe(lambda change: events.append(change["new"]), names="excluded")
    panel.set_state({"_excluded": {"layer": "layer3", "neuron": 0, "ranks": [0]}})
    panel.active = ("layer3", 1)
    assert events == [[0], []]
    panel.set_state({"_excluded": {"layer": "layer3", "neuron": 0, "ranks": [1]}})
    assert panel.excluded == []
    with pytest.raises(traitlets.TraitError, match="no rank 2"):
        panel.excluded = [2]
    with pytest.raises(traitlets.TraitError, match="choose a neuron"):
        ContrastPanel(Lens()).excluded = [0]


def test_the_vocabulary_is_offered(ask):
    assert ask("vocabulary")[0] == {"words": ["dotted", "Striped", "plain"], "total": 3}


def test_a_saved_notebook_keeps_few_scores(ask):
    ask("scores", layer="layer3", neuron=1, candidates=[f"word {i}" for i in range(200)])
    assert len(ask.widget.scores) == 200
    kept = ask.widget.get_state("scores")["scores"]
    assert len(kept) == 64
    assert kept[0][0] == "word 199"


def test_intervals_are_asked_for_in_the_kernels_words(ask):
    lens = ask.widget.lens
    params = {"scorer": "csp", "settings": {"gamma": 0.5}, "templates": "plain", "exclude": [1]}
    result, _ = ask("intervals", layer="layer3", neuron=0, candidates=["a", "b"], **params)
    assert result == {
        "intervals": [["a", -1, 1, 0.25], ["b", pytest.approx(-0.9), pytest.approx(1.1), 0.25]],
        "among": 5,  # with the three that the lens knows
    }
    asked = {"scorer": slw.Csp(gamma=0.5), "templates": ("{}",), "exclude": [1]}
    known = ["dotted", "Striped", "plain"]
    assert lens.asked == [("layer3", 0, ["a", "b"], {"among": known, **asked})]
    ask("intervals", layer="layer3", neuron=0, candidates=["a"], among=["a", "b", "A"])
    assert lens.asked[-1][3]["among"] == ["a", "b"]
    error, _ = ask("intervals", layer="layer3", neuron=0, candidates=[])
    assert error["message"] == "candidates: 1 to 64 intervals at once, not 0."


def test_what_is_long_waits_in_nobodys_way_and_is_stopped_where_it_next_tells(ask):
    lens = ask.widget.lens
    lens.go_on.clear()
    begun = ask.begin("intervals", layer="layer3", neuron=0, candidates=["a"])
    assert lens.halfway.wait(10)
    assert ask("scores", layer="layer3", neuron=0, candidates=["a"])[0]["scores"][0][0] == "a"
    ask.stop(begun)
    ask.stop(12345)  # something that is not known
    lens.go_on.set()
    error, _ = ask.reply(begun)
    assert error == {"type": "Stopped", "message": "Stopped at 1 of 2."}


def test_what_is_under_way_ends_with_the_view(ask):
    lens = ask.widget.lens
    lens.go_on.clear()
    begun = ask.begin("intervals", layer="layer3", neuron=0, candidates=["a"])
    assert lens.halfway.wait(10)
    ask.widget.close()
    lens.go_on.set()
    assert ask.reply(begun)[0]["type"] == "Stopped"


def test_pairs_say_where_their_contrast_is_from(ask):
    pairs = ask("pairs", layer="layer3", neuron=0)[0]["pairs"]
    assert [(pair["origin"], pair["changed"]) for pair in pairs] == [("edited", 0.25), ("", None)]
    assert pairs[1]["contrast"] is None


def test_a_second_scorer_scores_beside_and_leaves_the_traits_alone(ask):
    lens, panel = ask.widget.lens, ask.widget
    ask("scores", layer="layer3", neuron=0, candidates=["a", "b"])
    first = panel.scores
    params = {"scorer": "clip-dissect", "templates": "plain", "exclude": [1]}
    result, _ = ask("beside", layer="layer3", neuron=0, candidates=["b", "a"], **params)
    assert result == {
        "layer": "layer3",
        "neuron": 0,
        "scorer": "clip-dissect",
        "scores": [["b", 0.0], ["a", pytest.approx(0.1)]],
        "chance": [0.2, 0.3],
    }
    assert panel.scores == first
    assert lens.chance_asked[2] == ["b", "a"]  # what random words score depends on these
    ask("beside", layer="layer3", neuron=0, candidates=["b"], scorer="csp")
    assert lens.chance_asked[2] == []
    panel.second = "csp"
    panel.second = ""
    with pytest.raises(traitlets.TraitError, match=r"second: there is no 'cps'.*'csp'"):
        panel.second = "cps"
