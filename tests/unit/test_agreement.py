"""Baselines of labels, and agreement, against permutations and pairs that are counted."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from semlens_widgets.analysis.agreement import (
    Beside,
    beside_baselines,
    neighbours_agreeing,
    summarised,
)


def test_a_random_label_is_the_mean_over_all_permutations_and_the_constant_the_best():
    measured = np.random.default_rng(0).random((6, 3))
    labels = np.array([0, 1, 1, 2, -1, 0])
    found = beside_baselines(measured, labels, [slice(0, 4), slice(4, 6)])
    for neuron in range(4):
        drawn = [measured[neuron, one[neuron]] for one in permutations(labels[:4])]
        assert found.random[neuron] == pytest.approx(np.mean(drawn))
    best = measured[:4].mean(0).argmax()
    np.testing.assert_allclose(found.constant[:4], measured[:4, best])
    np.testing.assert_allclose(found.own[:4], measured[range(4), labels[:4]])
    for one in (found.own, found.random, found.constant):
        assert np.isnan(one[4])  # no label
        assert np.isfinite(one[5])


def test_a_summary_is_of_the_neurons_that_were_judged():
    own = np.array([0.9, np.nan, 0.7, 0.8])
    random = np.array([0.5, np.nan, 0.4, 0.6])
    found = summarised(Beside(own, random), slice(0, 3))
    assert found["neurons"] == 2
    assert found["label"] == pytest.approx(0.8)
    assert found["over_random"] == pytest.approx(0.35)
    assert found["over_random_low"] <= 0.35 <= found["over_random_high"]
    assert "constant" not in found
    assert found == summarised(Beside(own, random), slice(0, 3))
    nothing = summarised(Beside(own, random), slice(1, 2))
    assert nothing["neurons"] == 0
    assert np.isnan(nothing["label"])


def test_neighbours_are_counted_pair_by_pair():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(25, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = rng.integers(-1, 3, 25)
    near, agree, chance = neighbours_agreeing(vectors, labels, 0.7)
    for one in range(25):
        others = [k for k in range(25) if k != one and labels[k] >= 0 <= labels[one]]
        close = [k for k in others if vectors[one] @ vectors[k] >= 0.7]
        assert near[one] == len(close)
        if close:
            assert agree[one] == pytest.approx(np.mean(labels[close] == labels[one]))
            assert chance[one] == pytest.approx(np.mean(labels[others] == labels[one]))
        else:
            assert np.isnan(agree[one])
            assert np.isnan(chance[one])


LABELS = ["red", "green", "blue", "red", "green", "blue", "unknown"]


@pytest.fixture
def people(tmp_path):
    """Two people on the first neuron, one on two others, one on a neuron without a label."""
    said = [
        ("seen", 0, " Red "),
        ("seen", 0, "grey"),
        ("seen", 1, "blue"),
        ("mixed", 2, "blue"),
        ("mixed", 3, "red"),
    ]
    path = tmp_path / "people.csv"
    pd.DataFrame(said, columns=["layer", "neuron", "label"]).to_csv(path, index=False)
    return path


def test_labels_are_compared_with_those_of_people(colour_lens, people):
    lens = colour_lens().run()
    found = lens.agreement(people, labels=LABELS)
    exact = found.neurons["exact"].to_numpy()
    assert found.neurons["people"].tolist() == [2, 1, 0, 0, 0, 1, 0]
    np.testing.assert_array_equal(exact, [0.5, 0, np.nan, np.nan, np.nan, 1, np.nan])
    # Compared are red, green and blue: of three shuffled labels one is that of the person.
    random = found.neurons["exact_random"].to_numpy()
    np.testing.assert_allclose(random[[0, 1, 5]], [1 / 6, 1 / 3, 1 / 3])
    grey = 1 / np.sqrt(3)  # of the colours to a word that this model does not know, as "Red"
    np.testing.assert_allclose(
        found.neurons["similarity"].to_numpy()[[0, 1, 5]], [grey, 0, 1], atol=1e-6
    )
    total = found.summary.query("measure == 'exact' and layer == 'all'").iloc[0]
    assert total["neurons"] == 3
    assert total["label"] == pytest.approx(0.5)
    assert total["random"] == pytest.approx(np.mean([1 / 6, 1 / 3, 1 / 3]))
    assert "1 labels of people are of neurons without a label." in found.said
    frame = pd.read_csv(people)
    pd.testing.assert_frame_equal(lens.agreement(frame, labels=LABELS).neurons, found.neurons)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="label"), "people has no column 'label'"),
        (lambda f: f.assign(layer="sen"), "row 0: layer='sen' is not one of"),
        (lambda f: f.assign(neuron=9), r"row 0: neuron=9 is outside 0\.\.2"),
        (lambda f: f.assign(label=None), "row 0 has no label"),
        (lambda f: f.iloc[4:], "none of these neurons has a label"),
    ],
)
def test_what_people_said_is_checked(colour_lens, people, change, said):
    with pytest.raises(ValueError, match=said):
        colour_lens().run().agreement(change(pd.read_csv(people)), labels=LABELS)
    with pytest.raises(ValueError, match=r"no file 'nobody\.csv'"):
        colour_lens().agreement("nobody.csv", labels=LABELS)


def test_like_neurons_with_the_same_label_agree(colour_lens):
    lens = colour_lens().run()
    red = lens.vectors @ lens.vectors[0] > 0.99
    labels = np.where(red, "red", "other").tolist()
    found = lens.consistency(0.99, labels=labels)
    assert found.neurons["neighbours"][0] == red.sum() - 1 > 0
    assert found.neurons["agree"][0] == 1
    assert found.neurons["agree_random"][0] == pytest.approx((red.sum() - 1) / 6)
    with pytest.raises(ValueError, match="must be a cosine"):
        lens.consistency(3, labels=labels)
    with pytest.raises(ValueError, match="call label"):
        lens.consistency()
