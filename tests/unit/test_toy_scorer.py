"""A scorer of one's own: one class, and a line of registration."""

from dataclasses import dataclass

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.labels.scorer import control
from semlens_widgets.labels.scorers import SCORERS
from semlens_widgets.widgets import ContrastPanel


@dataclass(frozen=True)
class Nearest(slw.Scorer):
    """The cosine of the one concept example that is nearest to a text."""

    name = "nearest"
    title = "Nearest"
    about = "Cosine of the nearest example and the text"
    weight: float = control(1.0, "Weight", "What the cosine is multiplied by")

    def score(self, evidence, texts):
        return self.weight * (evidence.positives @ texts.T).amax(1)


NAMES = ["red", "green", "blue"]


def test_a_scorer_labels_scores_searches_and_has_its_controls_in_the_panel(
    colour_lens, monkeypatch
):
    monkeypatch.setitem(SCORERS, "nearest", Nearest)
    lens = colour_lens().run()
    found = lens.label(NAMES, scorer="nearest")
    assert found["label"].iloc[:3].tolist() == NAMES
    assert set(found["source"]) == {"nearest"}
    scores = lens.scores("seen", 1, NAMES, scorer=Nearest(weight=0.5), templates=["{}"])
    assert scores["score"].idxmax() == 1
    assert scores["score"].max() == pytest.approx(0.5, abs=0.1)
    hits = lens.search("green", layer="seen", scorer="nearest")
    assert hits["neuron"][0] == 1
    assert np.isfinite(hits["chance"]).all()
    lens.set_label("seen", 0, "grass")
    assert np.isfinite(lens.neurons["score"][0])
    assert slw.open(lens.store.path).labelled_by["scorer"] == "nearest"
    panel = ContrastPanel(lens, "seen", 1)
    assert panel.scorer == "nearest"
    assert panel.get_state()["_scorers"][-1]["controls"][0]["label"] == "Weight"
