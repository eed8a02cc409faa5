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
    with pytest.raises(ValueError, match="resamples=1 must be a whole number of 2 or more"):
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


def test_intervals_of_one_neuron_are_those_of_its_label(colour_lens):
    lens = colour_lens().run()
    for scorer in ("correlation", "csp", "recognition"):
        lens.label(NAMES, scorer=scorer)
        frame = lens.trust(resamples=8)
        for row in frame[frame["label"].isin(NAMES)].itertuples():
            found = lens.intervals(row.layer, row.neuron, NAMES, scorer=scorer, resamples=8)
            assert found["candidate"].tolist() == NAMES
            scores = lens.scores(row.layer, row.neuron, NAMES, scorer=scorer)["score"]
            np.testing.assert_allclose(found["score"], scores, atol=1e-6)
            mine = found.set_index("candidate").loc[row.label]
            # There all neurons are drawn together, here one alone: the draws are the same.
            assert mine["low"] == pytest.approx(row.low, abs=1e-5)
            assert mine["high"] == pytest.approx(row.high, abs=1e-5)
            assert mine["by_chance"] == pytest.approx(row.by_chance, abs=1e-6)
            assert mine["known"] == row.known


def test_what_the_best_of_many_gains_by_luck_is_taken_off_it_alone(colour_lens):
    lens = colour_lens().run()
    some = {"scorer": "csp", "resamples": 30}
    alone = lens.intervals("mixed", 0, ["red"], **some).iloc[0]
    among = lens.intervals("mixed", 0, NAMES, among=[*NAMES, "black"], **some)
    ordered = lens.scores("mixed", 0, [*NAMES, "black"], scorer="csp")
    best = ordered.sort_values("score", ascending=False)["candidate"].iloc[0]
    for row in among.itertuples():
        middle = (row.low + row.high) / 2
        if row.candidate == best:
            assert middle < row.score
        else:
            assert middle == pytest.approx(row.score, abs=1e-6)
    assert among["by_chance"].iloc[0] >= alone["by_chance"]  # more have more luck


def test_intervals_tell_how_far_they_are_and_remember_the_bar(colour_lens):
    lens = colour_lens().run()
    steps = []

    def tell(done, total):
        steps.append((done, total))

    first = lens.intervals("mixed", 0, NAMES, scorer="csp", resamples=10, progress=tell)
    assert steps[0] == (0, steps[-1][1])
    assert steps[-1][0] == steps[-1][1] > 10
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    steps.clear()
    again = lens.intervals("mixed", 0, NAMES, scorer="csp", resamples=10, progress=tell)
    assert steps[-1] == (10, 10)
    assert first.equals(again)


def test_intervals_that_make_no_sense_are_refused(colour_lens):
    lens = colour_lens().run()
    with pytest.raises(ValueError, match="intervals: the scores of clip-dissect depend on all"):
        lens.intervals("mixed", 0, NAMES, scorer="clip-dissect")
    with pytest.raises(ValueError, match="none can be left out"):
        lens.intervals("mixed", 0, NAMES, exclude=[0])
    with pytest.raises(ValueError, match="the list is empty"):
        lens.intervals("mixed", 0, [])
    with pytest.raises(ValueError, match="resamples=1 must be a whole number of 2 or more"):
        lens.intervals("mixed", 0, NAMES, resamples=1)


def test_pairs_left_out_are_not_drawn(colour_lens):
    lens = colour_lens().run()
    count = lens.n_examples
    one = lens.intervals(
        "mixed", 0, ["red"], scorer="semanticlens", exclude=list(range(1, count)), resamples=10
    ).iloc[0]
    # One pair is left: whatever is drawn is that one, and nothing is uncertain.
    assert one["low"] == pytest.approx(one["score"], abs=1e-6)
    assert one["high"] == pytest.approx(one["score"], abs=1e-6)
