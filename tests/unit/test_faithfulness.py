"""Measures of labels against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from semlens_widgets.analysis.faithfulness import (
    above_controls,
    auroc,
    correlations,
    detection,
    mean_difference,
    moments_with_and_without,
    of_maximum,
    same_rows,
)


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


def tied_world(images=40, neurons=4, concepts=3):
    rng = np.random.default_rng(1)
    return rng.integers(0, 6, (images, neurons)).astype(float), rng.random((images, concepts)) < 0.3


def test_detection_is_that_of_sklearn_and_the_best_of_all_thresholds():
    from sklearn.metrics import average_precision_score, f1_score, jaccard_score

    activations, concepts = tied_world()
    found = detection(activations, concepts)
    for neuron, values in enumerate(activations.T):
        for concept, shown in enumerate(concepts.T):
            seen = [values >= threshold for threshold in np.unique(values)]
            assert found.auprc[neuron, concept] == pytest.approx(
                average_precision_score(shown, values)
            )
            assert found.f1[neuron, concept] == pytest.approx(max(f1_score(shown, s) for s in seen))
            assert found.iou[neuron, concept] == pytest.approx(
                max(jaccard_score(shown, s) for s in seen)
            )


def test_detection_does_not_depend_on_the_order_of_ties():
    activations, concepts = tied_world()
    order = np.random.default_rng(2).permutation(len(activations))
    one, other = detection(activations, concepts), detection(activations[order], concepts[order])
    for name in ("auprc", "f1", "iou"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name))


def test_a_concept_of_all_images_or_none_has_no_figures():
    activations, concepts = tied_world()
    concepts[:, 0], concepts[:, 1] = True, False
    found = detection(activations, concepts)
    _, outside, _ = moments_with_and_without(activations, concepts)
    for values in (found.auprc, found.f1, found.iou, outside):
        assert np.isnan(values[:, :2]).all()
        assert np.isfinite(values[:, 2]).all()
    with pytest.raises(ValueError, match="40 images, concepts of 39"):
        detection(activations, concepts[1:])


def test_images_above_controls_are_counted_pair_by_pair():
    activations, _ = tied_world()
    shown, controls = activations[:7], activations[7:]
    expected = [
        [np.mean((a > controls[:, k]) + 0.5 * (a == controls[:, k])) for k, a in enumerate(row)]
        for row in shown
    ]
    np.testing.assert_allclose(above_controls(shown, controls), expected)


def test_differences_of_means_are_numpys():
    activations, concepts = tied_world()
    activations[:, 3] = 1000.1  # constant: no deviation to measure by
    inside, outside, deviation = moments_with_and_without(activations, concepts)
    found = mean_difference(inside, outside, deviation)
    for concept, shown in enumerate(concepts.T):
        one, other = activations[shown], activations[~shown]
        np.testing.assert_allclose(inside[:, concept], one.mean(0))
        np.testing.assert_allclose(
            found[:3, concept], ((one.mean(0) - other.mean(0)) / other.std(0))[:3]
        )
    assert np.isnan(found[3]).all()
    top = np.array([2.0, 4.0, 0.0, -1.0])
    np.testing.assert_allclose(of_maximum(inside, top)[:2], inside[:2] / top[:2, None])
    assert np.isnan(of_maximum(inside, top)[2:]).all()


def test_correlations_are_numpys_and_nothing_of_what_is_constant():
    rng = np.random.default_rng(3)
    activations, similarities = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    expected = np.corrcoef(activations.T, similarities.T)[:3, 3:]
    np.testing.assert_allclose(correlations(activations, similarities), expected)
    activations[:, 1] = 0.1
    found = correlations(activations, similarities)
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[[0, 2]]).all()


def test_rows_are_found_again_up_to_rounding():
    rng = np.random.default_rng(4)
    there = rng.normal(size=(50, 6))
    asked = np.concatenate([there[[7, 3]] * (1 + 1e-7), rng.normal(size=(4, 6))])
    assert same_rows(asked, there).tolist() == [True, True, False, False, False, False]
