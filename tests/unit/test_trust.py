"""How far to trust labels, asked of a lens whose neurons are known."""

from __future__ import annotations

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable

NAMES = ["red", "green", "blue"]


def test_labels_come_with_interval_stability_and_runner_up(colour_lens):
    lens = colour_lens().run()
    lens.label(NAMES, scorer="correlation")
    steps = []
    frame = lens.trust(resamples=20, progress=lambda done, total: steps.append((done, total)))
    assert frame.columns.tolist() == [
        *("layer", "neuron", "label", "score", "low", "high", "again"),
        *("runner_up", "lead", "by_chance", "known"),
    ]
    assert steps[0] == (0, len(frame))
    assert steps[-1] == (len(frame), len(frame))
    for row in frame.itertuples():
        scores = lens.scores(row.layer, row.neuron, NAMES, scorer="correlation")
        if row.label not in NAMES:
            assert np.isnan([row.score, row.low, row.high, row.again, row.lead]).all()
            assert not row.known
            assert row.runner_up == ""
            continue
        ordered = scores.set_index("candidate")["score"].sort_values(ascending=False)
        assert row.score == pytest.approx(ordered.iloc[0], abs=1e-5)
        assert row.runner_up == ordered.index[1]
        assert row.lead == pytest.approx(ordered.iloc[0] - ordered.iloc[1], abs=1e-5)
        assert row.low < row.high
        assert 0 <= row.again <= 1
        assert row.known == (row.score > row.by_chance)
    assert (frame["label"].isin(NAMES)).any()
    again = lens.trust(resamples=20)
    assert frame.equals(again)
    assert not frame["low"].equals(lens.trust(resamples=20, seed=1)["low"])


def test_a_persons_label_is_judged_without_what_luck_gives_the_best(colour_lens):
    lens = colour_lens().run()
    lens.label(NAMES, scorer="correlation")
    lens.set_label("mixed", 1, "chartreuse")
    row = lens.trust(resamples=10).query("layer == 'mixed' and neuron == 1").iloc[0]
    assert row["label"] == "chartreuse"
    assert row["again"] == 0
    assert row["runner_up"] in NAMES
    assert (row["low"] + row["high"]) / 2 == pytest.approx(row["score"], abs=1e-6)


def test_what_cannot_be_said_is_refused_before_anything_is_computed(colour_lens):
    lens = colour_lens().run()
    with pytest.raises(ValueError, match=r"no neuron is labelled by a scorer yet; call label\(\)"):
        lens.trust()
    lens.label(NAMES, scorer="clip-dissect")
    with pytest.raises(ValueError, match="the scores of clip-dissect depend on all candidates"):
        lens.trust()
    lens.label(NAMES)
    with pytest.raises(ValueError, match=r"level=1\.5: expected a number between 0 and 1"):
        lens.trust(level=1.5)
    with pytest.raises(ValueError, match="resamples=1: expected at least 2"):
        lens.trust(resamples=1)
    with pytest.raises(LensUnavailable):
        slw.open(lens.store.path).trust()


def test_every_scorer_that_judges_a_label_alone_can_be_asked(colour_lens):
    lens = colour_lens().run()
    for scorer in ("recognition", "correlation", "csp", "semanticlens", "difference"):
        lens.label(NAMES, scorer=scorer, threshold=-np.inf)
        frame = lens.trust(resamples=5)
        said = frame[frame["label"].isin(NAMES)]
        assert len(said), scorer
        assert np.isfinite(said[["low", "high", "lead"]]).all(axis=None), scorer
