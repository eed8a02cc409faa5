"""How general labels are, held against what the formulas say."""

from __future__ import annotations

import numpy as np
import pytest

from semlens_widgets.analysis.granularity import (
    circle,
    depths,
    fitting_others,
    hierarchical,
    lineage,
)

TREE = {
    "animal": "",
    "dog": "animal",
    "beagle": "dog",
    "poodle": "dog",
    "cat": "animal",
    "red": "colour",
}


def test_lineage_and_depth():
    assert lineage("beagle", TREE) == ("beagle", "dog", "animal")
    assert lineage("stone", TREE) == ("stone",)
    found = depths(["beagle", "dog", "animal", "red", "colour", "stone", ""], TREE)
    assert np.array_equal(found, [2, 1, 0, 1, 0, np.nan, np.nan], equal_nan=True)


def test_circles_are_found_wherever_they_begin():
    assert circle(TREE) == ()
    assert circle({"a": "b", "b": "c", "c": "b"}) == ("b", "c", "b")
    assert circle({"x": "", "a": "a"}) == ("a", "a")


@pytest.mark.parametrize(
    ("label", "truth", "recall", "precision"),
    [
        ("beagle", "beagle", 1, 1),
        ("dog", "beagle", 2 / 3, 1),
        ("animal", "beagle", 1 / 3, 1),
        ("beagle", "dog", 1, 2 / 3),
        ("poodle", "beagle", 2 / 3, 2 / 3),
        ("cat", "beagle", 1 / 3, 1 / 2),
        ("red", "beagle", 0, 0),
        ("stone", "stone", 1, 1),
        ("stone", "beagle", 0, 0),
        ("", "beagle", 0, np.nan),
        ("beagle", "", np.nan, np.nan),
    ],
)
def test_hierarchical_recall_and_precision(label, truth, recall, precision):
    assert hierarchical(label, truth, TREE) == pytest.approx((recall, precision), nan_ok=True)


def test_the_share_of_others_that_a_label_fits():
    rng = np.random.default_rng(0)
    scores = rng.random((9, 4))
    scores[2] = np.nan  # nothing is known of it
    chance = rng.random(9)
    labels = np.array([0, 1, 2, -1, 3, 0, 0, 1, 2])
    layers = [slice(0, 5), slice(5, 8), slice(8, 9)]
    found = fitting_others(scores, chance, labels, layers)
    for layer in layers:
        for row in range(9)[layer]:
            others = [at for at in range(9)[layer] if at not in {row, 2}]
            fits = [scores[at, labels[row]] > chance[at] for at in others]
            expected = np.mean(fits) if labels[row] >= 0 and others else np.nan
            assert found[row] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(found[[3, 8]]).all()
    assert np.isfinite(found[:3]).all()
