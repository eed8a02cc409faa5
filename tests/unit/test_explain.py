"""Neurons that are made of several concepts, and what explains them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

import semlens_widgets as slw
from semlens_widgets.labels.explain import explain
from tests.colour_world import colour_images

IMAGES = 600


def shown(rng, texts):
    """Each text is shown by a tenth of the images, whose likeness stands out from the noise."""
    there = rng.random((IMAGES, texts)) < 0.1
    return there * rng.uniform(1, 2, (IMAGES, texts)) + rng.normal(0, 0.05, (IMAGES, texts))


@pytest.mark.parametrize("seed", range(5))
def test_planted_concepts_are_found_with_their_weights(seed):
    rng = np.random.default_rng(seed)
    likeness = shown(rng, 20)
    values = 3 * likeness[:, 4] + 2 * likeness[:, 11] + 1 * likeness[:, 7]
    values += rng.normal(0, 0.1, IMAGES)
    found = explain(values, likeness, 3, seed)
    assert found.texts == (4, 11, 7)
    assert found.weights[0] > found.weights[1] > found.weights[2] > 0
    assert list(found.correlations) == sorted(found.correlations)
    assert found.correlations[-1] > 0.98
    assert found.correlations[0] < 0.9


def test_weights_and_correlations_are_those_of_a_plain_fit():
    rng = np.random.default_rng(8)
    likeness = shown(rng, 6)
    values = likeness[:, 1] + 0.7 * likeness[:, 2] + rng.normal(0, 0.3, IMAGES)
    found = explain(values, likeness, 2, seed=3)
    order = np.random.default_rng(3).permutation(IMAGES)
    here, there = order[:300], order[300:]
    above = np.maximum(likeness - np.quantile(likeness[here], 0.8, axis=0), 0)
    features = (above - above[here].mean(0)) / above[here].std(0)
    target = (values - values[here].mean()) / values[here].std()
    weights, _ = nnls(features[here][:, found.texts], target[here])
    np.testing.assert_allclose(found.weights, weights, atol=1e-9)
    together = np.corrcoef(features[there][:, found.texts] @ weights, target[there])[0, 1]
    assert found.correlations[-1] == pytest.approx(together)


def test_one_concept_is_explained_by_one():
    rng = np.random.default_rng(1)
    likeness = shown(rng, 30)
    assert explain(2 * likeness[:, 9], likeness, 5, 0).texts[:1] == (9,)
    assert explain(2 * likeness[:, 9], likeness, 5, 0).correlations[0] > 0.95


def test_what_goes_against_a_concept_is_not_explained_by_it():
    rng = np.random.default_rng(2)
    likeness = shown(rng, 1)
    found = explain(-likeness[:, 0], likeness, 3, 0)
    assert (found.texts, found.weights, found.correlations) == ((), (), ())


def test_a_dead_neuron_has_no_explanation():
    likeness = shown(np.random.default_rng(4), 5)
    assert explain(np.zeros(IMAGES), likeness, 5, 0).texts == ()


def test_a_concept_that_no_image_shows_is_never_chosen():
    likeness = shown(np.random.default_rng(5), 3)
    likeness[:, 1] = 0.2
    found = explain(likeness[:, 0] + likeness[:, 2], likeness, 3, 0)
    assert set(found.texts) == {0, 2}


def test_a_lens_says_what_it_needs(colour_lens):
    lens = colour_lens(images=slw.ImageDataset.from_list(colour_images()[:30])).run()
    with pytest.raises(ValueError, match=r"30 images can be read; it takes at least 40"):
        lens.explain("mixed", 1, ["red", "green"])
    with pytest.raises(ValueError, match="most=0: expected a whole number"):
        lens.explain("mixed", 1, most=0)
