"""Whose labels they are, what is stored of them, and who hears of it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.labels.scorers import SCORERS, scorer_of
from tests.colour_world import ColourNet, to_tensor

NAMES = ["red", "green", "blue"]


def first_labels(lens):
    return lens.neurons["label"].iloc[:3].tolist()


def test_a_persons_label_is_kept_by_the_next_label(colour_lens, tmp_path):
    lens = colour_lens().run()
    lens.label(NAMES)
    lens.set_label("seen", 1, "grass")
    for method in ("difference", "semanticlens"):
        found = lens.label([*NAMES, "grey"], scorer=method)
        assert found["label"].iloc[:3].tolist() == ["red", "grass", "blue"]
        assert found["source"].iloc[:3].tolist() == [method, "person", method]
        assert lens.neurons["source"].iloc[:3].tolist() == [method, "person", method]
    assert first_labels(slw.open(tmp_path / "analysis")) == ["red", "grass", "blue"]
    assert found.dtypes["score"] == np.float32
    assert found.dtypes["neuron"] == np.int32


def test_label_and_person_may_be_two_lenses_on_one_folder(colour_lens):
    one, other = colour_lens().run(), colour_lens()
    one.label(NAMES)
    other.set_label("seen", 1, "grass")
    one.set_label("seen", 0, "rose")
    for lens in (one, other, colour_lens()):
        assert first_labels(lens) == ["rose", "grass", "blue"]


def test_a_commit_that_fails_leaves_the_labels_as_they_were(colour_lens, monkeypatch):
    lens = colour_lens().run()
    lens.label(NAMES, scorer="difference")
    before = lens.neurons, lens.vocabulary, lens.labelled_by
    writes = []
    real = type(lens.store).write

    def die(store, table, data):
        """Let one table through, then die: what a kill between two writes leaves behind."""
        if writes:
            raise KeyboardInterrupt
        writes.append(table)
        real(store, table, data)

    monkeypatch.setattr(type(lens.store), "write", die)
    lens.label(["grey", "green"])
    with pytest.raises(KeyboardInterrupt):
        lens.label(["blue"], scorer="semanticlens")
    assert lens.vocabulary == ("grey", "green")
    assert writes == ["labels"]
    again = colour_lens()
    assert again.vocabulary == ("grey", "green")
    assert again.labelled_by["scorer"] == "recognition"
    assert set(again.neurons["label"]) <= {"grey", "green", "unknown"}
    assert before[1] == tuple(NAMES)


def test_views_hear_of_labels_until_they_stop_listening(colour_lens):
    lens = colour_lens().run()
    heard = []
    end = lens.on_labels(lambda: heard.append(first_labels(lens)))
    lens.label(NAMES, scorer="correlation")
    lens.set_label("seen", 1, "grass")
    assert heard == [NAMES, ["red", "grass", "blue"]]
    end()
    end()
    lens.label(NAMES, scorer="correlation")
    assert len(heard) == 2


def test_a_view_that_fails_is_named_and_takes_nothing_with_it(colour_lens):
    lens = colour_lens().run()
    heard = []

    def broken():
        raise RuntimeError("no browser")

    lens.on_labels(broken)
    lens.on_labels(lambda: heard.append(1))
    with pytest.warns(UserWarning, match="no browser"):
        lens.label(NAMES, scorer="correlation")
    assert heard == [1]
    assert first_labels(colour_lens()) == NAMES


def test_a_view_may_stop_listening_while_it_hears(colour_lens):
    lens = colour_lens().run()
    heard = []
    ends = [lens.on_labels(lambda i=i: (heard.append(i), ends[i]())) for i in range(3)]
    lens.label(NAMES)
    assert heard == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:The text encoder")  # this one knows four colours
@pytest.mark.parametrize("method", SCORERS)
@pytest.mark.parametrize("threshold", [None, 0.25])
def test_a_persons_label_has_the_score_of_the_scorer_shown(colour_lens, method, threshold):
    lens = colour_lens().run()
    scorer = scorer_of(method, {"gamma": 0.5, "centred": True})
    settings = {"scorer": scorer, "templates": ("a {}",)}
    lens.label([*NAMES, "grey"], **settings, threshold=threshold)
    for name in ("grey", "something new"):
        lens.set_label("mixed", 2, name)
        among = lens.scores("mixed", 2, [*NAMES, "grey", name], **settings)
        expected = float(among.set_index("candidate")["score"][name])
        row = lens.neurons.loc[5]
        near = partial(pytest.approx, abs=1e-4)  # CLIP-Dissect sums a hundred float32 logarithms
        assert row["score"] == near(expected)
        # The same neuron after label() has scored it anew among all others.
        again = lens.label([*NAMES, "grey"], **settings, threshold=threshold).loc[5]
        assert (again["label"], again["source"]) == (name, "person")
        assert again["score"] == near(expected)
        asked = name == "grey" or threshold is not None or method == "clip-dissect"
        assert asked == np.isfinite(row["margin"])  # by chance candidates alone are asked about
        assert again["margin"] == near(row["margin"], nan_ok=True)
        assert again["chance"] == row["chance"]
        if threshold is not None:
            assert again["margin"] == near(expected - threshold)


def test_a_score_that_nobody_computed_is_unknown(colour_lens, tmp_path):
    lens = colour_lens().run()
    lens.set_label("seen", 1, "grass")
    assert np.isnan(lens.neurons["score"][1])
    lens.label(NAMES)
    read = slw.open(tmp_path / "analysis")  # without the foundation model
    read.set_label("seen", 0, "mine")
    assert np.isnan(read.neurons["score"][0])
    assert read.neurons["label"][0] == "mine"


@pytest.mark.parametrize("method", ["csp", "clip-dissect"])
@pytest.mark.parametrize("threshold", [None, 0.1, 1e9])
def test_a_cleared_label_is_what_the_scorer_said(colour_lens, method, threshold):
    lens = colour_lens().run()
    said = lens.label(NAMES, scorer=method, threshold=threshold)
    lens.set_label("seen", 1, "grass")
    lens.set_label("mixed", 0, "blue")
    lens.clear_label("seen", 1)
    assert lens.neurons["label"][3] == "blue"
    lens.clear_label("mixed", 0)
    after = lens.neurons[said.columns]
    assert after["label"].tolist() == said["label"].tolist()
    assert after["source"].tolist() == said["source"].tolist()
    for name in ("score", "margin", "chance"):
        np.testing.assert_allclose(after[name], said[name], atol=1e-5)
    np.testing.assert_array_equal(after.dtypes, said.dtypes)


def test_a_label_may_be_cleared_before_anything_was_scored(colour_lens):
    lens = colour_lens().run()
    lens.set_label("seen", 1, "grass")
    lens.clear_label("seen", 1)
    lens.clear_label("seen", 2)
    assert lens.neurons["label"].tolist() == [""] * 7
    assert lens.neurons["source"].tolist() == [""] * 7


def test_peoples_labels_outlive_a_change_of_images_and_scorers_do_not(colour_lens):
    lens = colour_lens().run()
    lens.label(NAMES, scorer="correlation")
    lens.set_label("seen", 1, "grass")
    again = colour_lens(n_examples=4, on_change="recompute").run()
    assert first_labels(again) == ["", "grass", ""]
    assert again.neurons["source"].iloc[:3].tolist() == ["", "person", ""]
    assert again.neurons["score"].isna().all()  # it was of other evidence
    assert again.vocabulary == ()
    again.label(NAMES, scorer="correlation")
    assert first_labels(again) == ["red", "grass", "blue"]
    assert first_labels(colour_lens(n_examples=4)) == ["red", "grass", "blue"]


def test_peoples_labels_of_another_model_are_given_up_in_words(colour_lens):
    lens = colour_lens().run()
    lens.set_label("seen", 1, "grass")
    lens.set_label("seen", 2, "sky")
    other = slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor, outputs=["red", "green"])
    with pytest.warns(UserWarning, match=r"people said is given up .*\(2 labels\)"):
        again = colour_lens(target=other, on_change="recompute")
    assert not again.run().neurons["label"].any()


def test_a_lens_shows_what_another_one_wrote_on_the_same_folder(colour_lens):
    one, other = colour_lens().run(), colour_lens()
    one.label(["red"], scorer="correlation")
    assert other.neurons["label"].eq("red").any()
    one.label(NAMES, scorer="correlation")
    one.set_label("seen", 1, "grass")
    assert first_labels(other) == ["red", "grass", "blue"]
    assert other.vocabulary == tuple(NAMES)
    reader = slw.open(one.store.path, foundation=one.foundation)
    # Its own, for as long as it is open and nobody writes.
    reader.label(["grey"], scorer="correlation")
    assert "grass" in first_labels(reader)
    assert first_labels(one) == ["red", "grass", "blue"]
