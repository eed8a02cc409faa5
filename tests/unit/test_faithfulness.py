"""AUROC against its definition, counted pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from semlens_widgets.analysis.faithfulness import auroc


def test_it_counts_pairs():
    rng = np.random.default_rng(0)
    activations = rng.integers(0, 6, (40, 5)).astype(float)  # many ties
    concepts = rng.random((40, 3)) < 0.3
    expected = np.empty((5, 3))
    for neuron in range(5):
        for concept in range(3):
            shown = activations[concepts[:, concept], neuron]
            hidden = activations[~concepts[:, concept], neuron]
            wins = [(a > b) + 0.5 * (a == b) for a in shown for b in hidden]
            expected[neuron, concept] = np.mean(wins)
    assert auroc(activations, concepts) == pytest.approx(expected)


def test_unreadable_images_are_left_out_and_a_constant_concept_has_no_value():
    activations = np.array([[1.0], [np.nan], [2.0], [3.0]])
    concepts = np.array([[0, 1, 0], [1, 1, 0], [0, 1, 0], [1, 1, 0]], bool)
    assert auroc(activations, concepts)[0, 0] == 1
    assert np.isnan(auroc(activations, concepts)[0, 1:]).all()
    with pytest.raises(ValueError, match="4 images"):
        auroc(activations, concepts[:3])
