"""What a panel scores by: the sentences and settings that gave the labels, or a person's own."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets

import semlens_widgets as slw
from semlens_widgets.widgets import ContrastPanel
from tests.unit.panel_world import Asker, Lens

NAMES = ["red", "green", "blue", "grey"]


def controls(panel):
    return {
        scorer["name"]: [control["name"] for control in scorer["controls"]]
        for scorer in panel.get_state()["_scorers"]
    }


def test_controls_without_anything_to_choose_are_not_offered():
    lens = Lens()
    assert controls(ContrastPanel(lens))["csp"] == ["gamma", "centred", "weights"]
    assert controls(ContrastPanel(lens))["clip-dissect"] == ["centred"]
    lens.embedding, lens.n_contrasts = "crop", 3
    offered = controls(ContrastPanel(lens))
    assert offered["csp"] == ["gamma", "centred", "weights", "neighbours", "embedding"]
    assert offered["clip-dissect"] == ["centred", "cropped"]


def test_what_a_scorer_has_by_default_is_no_choice_for_another():
    """SemanticLens weighs all examples alike, CSP by activation: a change of scorer keeps that."""
    lens = Lens()
    lens.labelled_by = {"scorer": "semanticlens", **slw.Semantic().settings, "templates": ("{}",)}
    panel = ContrastPanel(lens, "layer3", 0)
    assert panel.settings == {"centred": True, "embedding": "analysed"}
    lens.labelled_by["weights"] = "rank"
    assert ContrastPanel(lens, "layer3", 0).settings["weights"] == "rank"
    given = ContrastPanel(lens, "layer3", 0, scorer=slw.Csp(gamma=0.5))
    assert "weights" not in given.settings
    assert given.settings["gamma"] == 0.5
    with pytest.raises(traitlets.TraitError, match="weights: expected one of 'none', 'raw'"):
        panel.settings = {"weights": "cubed"}


def test_sentences_of_ones_own_reach_the_lens(monkeypatch):
    own = ["a drawing of a {}", "{}"]
    panel = ContrastPanel(Lens(), "layer3", 0, templates=tuple(own))
    assert panel.templates == own
    ask = Asker(panel, monkeypatch)
    for templates, expected in ((own, own), ("clip", slw.CLIP_TEMPLATES)):
        ask("scores", layer="layer3", neuron=0, candidates=["a"], scorer="csp", templates=templates)
        asked = [entry[-1] for entry in panel.lens.asked if "templates" in entry[-1]]
        assert list(asked[-1]["templates"]) == list(expected)
    for bad in ([], ["a drawing"]):
        with pytest.raises(traitlets.TraitError, match="templates"):
            panel.templates = bad
    with pytest.raises(traitlets.TraitError):
        panel.templates = "drawings"
    assert panel.templates == own


def test_the_live_panel_scores_as_the_labels_were_given(colour_lens, monkeypatch):
    """In sentences that no panel offers, some of which say another colour."""
    lens = colour_lens().run()
    sentences = ("{}", "a {} thing", "{} beside blue")
    lens.label(NAMES, scorer=slw.Semantic(weights="rank"), templates=sentences)
    panel = ContrastPanel(lens, "mixed", 0)
    assert (panel.templates, panel.settings["weights"]) == (list(sentences), "rank")
    params = {"scorer": panel.scorer, "settings": panel.settings, "templates": panel.templates}
    ask = Asker(panel, monkeypatch)
    result, _ = ask("scores", layer="mixed", neuron=0, candidates=NAMES, **params)
    scores = dict(result["scores"])
    neuron = lens.neurons.query("layer == 'mixed' and neuron == 0").iloc[0]
    best = max(scores, key=scores.get)
    assert neuron["score"] == pytest.approx(scores[best], abs=1e-6)
    alone = lens.scores("mixed", 0, NAMES, scorer=slw.Semantic(weights="rank"))
    assert not np.allclose(alone["score"], [scores[name] for name in NAMES])


def test_templates_that_make_no_sense_are_refused_before_anything_is_embedded(colour_lens):
    lens = colour_lens().run()
    for templates, error, said in (
        ((), ValueError, "templates is empty"),
        (["a thing"], ValueError, "has no {} for the text"),
        (["{}", 3], TypeError, "templates holds 3"),
        ("a {}", TypeError, "must be a list of sentences"),
    ):
        for ask in (lens.label, lens.search):
            with pytest.raises(error, match=said):
                ask(NAMES, templates=templates)
