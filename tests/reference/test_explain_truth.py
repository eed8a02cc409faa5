"""Do several concepts explain real neurons better than one, on images that did not choose them?"""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference.test_scenes_truth import MEANING

pytestmark = pytest.mark.slow


def test_neurons_of_the_last_stage_are_several_things(scenes):
    # Whether likeness counts from nought or above four fifths of the images was chosen on the other
    # network, on every eighth neuron of its last stages.
    lens = scenes(planted=False)
    concepts = list(MEANING)
    first, together, several = [], [], 0
    for neuron in range(128):
        found = lens.explain("layer4", neuron, concepts)
        assert (found["weight"] > 0).all()
        assert found["concept"].is_unique
        if len(found):
            first.append(found["together"].iloc[0])
            together.append(found["together"].iloc[-1])
            several += found["together"].iloc[-1] > found["together"].iloc[0] + 0.05
    print(
        f"{len(first)} neurons: one concept {np.mean(first):.3f}, several {np.mean(together):.3f}, "
        f"better by .05 for {several}"
    )
    assert len(first) >= 120
    assert np.mean(together) >= np.mean(first) + 0.05


def test_the_same_seed_explains_the_same(scenes):
    lens = scenes(planted=False)
    found = lens.explain("layer4", 5)
    assert found.equals(lens.explain("layer4", 5))
    assert list(found.columns) == ["concept", "weight", "together"]
