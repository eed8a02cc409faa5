"""How general the labels of a lens are, asked of one whose neurons are known."""

from __future__ import annotations

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable

TREE = {"red": "colour", "green": "colour", "blue": "colour", "colour": "", "grey": ""}
NAMES = ["red", "green", "blue", "grey"]


@pytest.mark.parametrize("scorer", ["correlation", "csp", "clip-dissect"])
def test_depth_and_what_the_label_fits_besides(colour_lens, scorer):
    lens = colour_lens().run()
    labelled = lens.label(NAMES, scorer=scorer, threshold=-np.inf)
    frame = lens.granularity(TREE)
    assert frame.columns.tolist() == [
        *("layer", "neuron", "label", "depth", "others"),
        *("recall", "recall_random", "recall_constant"),
        *("precision", "precision_random", "precision_constant"),
    ]
    scores = {
        (one.layer, one.neuron): lens.scores(one.layer, one.neuron, NAMES, scorer=scorer).set_index(
            "candidate"
        )["score"]
        for one in labelled.itertuples()
    }
    for row in frame.itertuples():
        if row.label == "unknown":
            assert np.isnan([row.depth, row.others]).all()
            continue
        assert row.depth == (0 if row.label == "grey" else 1)
        others = labelled.query("layer == @row.layer and neuron != @row.neuron").dropna()
        fits = [
            scores[one.layer, one.neuron][row.label] > one.chance + 1e-6
            for one in others.itertuples()
        ]
        assert row.others == pytest.approx(np.mean(fits))
    assert frame.loc[:, "recall":].isna().all(axis=None)


def test_labels_beside_a_truth(colour_lens):
    lens = colour_lens().run()
    lens.label(NAMES, scorer="correlation")
    for neuron, label in enumerate(["red", "colour", "blue"]):
        lens.set_label("seen", neuron, label)
    truth = ["red", "green", "green", "", "", "", ""]
    frame = lens.granularity(TREE, truth=truth)
    assert frame["recall"].tolist()[:3] == [1, 0.5, 0.5]
    assert frame["precision"].tolist()[:3] == [1, 1, 0.5]
    # A label of one of the three by lot: of "red" all, half, half; of "green" half, half, half.
    np.testing.assert_allclose(frame["recall_random"][:3], [2 / 3, 0.5, 0.5])
    # The best one of all labels there are, for all three, is that of another layer's neuron.
    assert "green" in frame["label"].tolist()[3:]
    np.testing.assert_allclose(frame["recall_constant"][:3], [0.5, 1, 1])
    assert frame.loc[3:, "recall":].isna().all(axis=None)


def test_unknown_recalls_nothing(colour_lens):
    lens = colour_lens().run()
    lens.label(NAMES, scorer="correlation", threshold=2.0)
    lens.set_label("seen", 0, "red")
    frame = lens.granularity(TREE, truth=["red", "green", "", "", "", "", ""])
    assert frame["recall"].tolist()[:2] == [1, 0]
    assert np.isnan(frame["recall"][2])
    assert np.isnan(frame["precision"][1])


def test_the_packaged_tree_is_the_default(colour_lens):
    lens = colour_lens().run()
    lens.label(["red", "green", "blue"], threshold=-np.inf)
    depths = lens.granularity().set_index("label")["depth"]
    assert depths["red"].tolist() == [1] * int((lens.neurons["label"] == "red").sum())


def test_what_makes_no_sense_is_refused(colour_lens):
    lens = colour_lens().run()
    with pytest.raises(ValueError, match=r"no neuron is labelled by a scorer yet; call label\(\)"):
        lens.granularity()
    lens.label(NAMES)
    with pytest.raises(ValueError, match="red < warm < red is a circle"):
        lens.granularity({"red": "warm", "warm": "red"})
    for truth in ("red", ["red"], [None] * 7):
        with pytest.raises(ValueError, match="truth must hold one text for each of the 7 neurons"):
            lens.granularity(truth=truth)
    with pytest.raises(LensUnavailable, match="need the foundation model"):
        slw.open(lens.store.path).granularity()
