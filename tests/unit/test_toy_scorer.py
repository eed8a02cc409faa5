"""A scorer of one's own: one class, and a line of registration."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch

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
    found = lens.label(NAMES, scorer="nearest", threshold=-np.inf)
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


class Careless(Nearest):
    """Writes into the texts that it is given."""

    def score(self, evidence, texts):
        found = super().score(evidence, texts)
        texts.zero_()
        return found


def test_what_a_scorer_does_to_its_texts_changes_no_later_score(colour_lens):
    lens = colour_lens().run()
    expected = lens.scores("seen", 1, NAMES)
    first, again = (lens.scores("seen", 1, NAMES, scorer=Careless()) for _ in range(2))
    assert first["score"].gt(0).any()
    pd.testing.assert_frame_equal(again, first)
    pd.testing.assert_frame_equal(lens.scores("seen", 1, NAMES), expected)


class Failing(Nearest):
    def score(self, evidence, texts):
        assert torch.get_num_threads() == 1  # a few examples are no work to share
        raise OSError("no scores today")


def test_a_scorer_that_fails_leaves_the_threads_as_they_were(colour_lens):
    lens, before = colour_lens().run(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(OSError, match="today"):
            lens.scores("seen", 1, NAMES, scorer=Failing())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
