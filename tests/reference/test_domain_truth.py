"""Pairs of a foundation model and images, judged; and stability against independent images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import semlens_widgets as slw
from semlens_widgets.analysis.domain import CHANCE, GOOD, LEAST_AREA
from semlens_widgets.analysis.mining import concept_examples
from semlens_widgets.analysis.stability import cosines_to_limit
from tests.reference.domain_pairs import CHOSEN, embedded_pairs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def judged():
    """What is said of every pair: (fits, check) by name."""
    given = os.environ.get("SEMLENS_REAL_DATA")
    pairs = embedded_pairs(Path(given) if given else None)
    return {name: (fits, slw.domain_check(model, images)) for name, fits, model, images in pairs}


def test_the_pairs_that_the_bound_was_chosen_by_lie_on_both_sides(judged):
    areas = {name: judged[name][1]["class_auroc"] for name in CHOSEN if name in judged}
    fitting = min(area for name, area in areas.items() if judged[name][0])
    others = max(area for name, area in areas.items() if judged[name][0] is False)
    assert others < LEAST_AREA < fitting
    assert pytest.approx((others + fitting) / 2, abs=0.05) == LEAST_AREA


def test_other_pairs_are_judged_as_expected(judged):
    others = {name: pair for name, pair in judged.items() if name not in CHOSEN}
    for name, (_, check) in others.items():
        print(f"| {name} | {check['class_auroc']:.2f} | {check['zero_shot']:.2f} | {check.ok} |")
    assert len(others) >= 10
    wrong = [name for name, (fits, check) in others.items() if fits not in {None, check.ok}]
    assert not wrong
    for name, (fits, check) in others.items():
        verdict = check.table.set_index("measure")["verdict"]["class_auroc"]
        if "untrained" in name or "shuffled" in name:
            assert verdict == CHANCE or check["class_auroc"] < 0.6, name
        if fits:
            assert verdict == GOOD, name


def test_the_limit_is_where_many_other_images_bring_the_vector(scenes):
    """A thousand images estimate it; the vector of four times as many others is near to it."""
    lens = scenes()
    layers = ("layer3", "layer4")
    values = torch.cat([torch.from_numpy(lens.activations(layer)) for layer in layers], dim=1)
    images = lens._read.embeddings.rows(torch.arange(5000))
    order = torch.from_numpy(np.random.default_rng(0).permutation(5000))
    few, many = order[:1000].sort().values, order[1000:].sort().values
    ranks, activations = concept_examples(values[few], 50)
    examples = images[few][ranks]
    ms = [5, 10, 30, 50]
    estimated = cosines_to_limit(examples, activations > 0, ms)
    far, _ = concept_examples(values[many], 200)  # as large a share of four times as many
    limits = normalize(images[many][far].mean(1), dim=1)
    known = np.isfinite(estimated).all(1)
    assert known.mean() > 0.9
    for at, m in enumerate(ms):
        vectors = normalize(examples[:, :m].mean(1), dim=1)
        found = (vectors * limits).sum(1).double().numpy()[known]
        off = np.abs(estimated[known, at] - found)
        assert estimated[known, at].mean() == pytest.approx(found.mean(), abs=0.015)
        assert off.mean() < 0.03
