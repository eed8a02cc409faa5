"""Evidence drawn anew and evidence of nothing, against what numpy says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import semlens_widgets as slw
from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings
from semlens_widgets.labels.resampling import drawn_anew, score_interval, shuffled

IMAGES, NEURONS, RANKS, DIM = 60, 5, 4, 8


@pytest.fixture
def evidence():
    generator = torch.Generator().manual_seed(3)
    images = normalize(torch.randn(IMAGES, DIM, generator=generator), dim=1)
    images[7] = 0  # unreadable
    values = torch.rand(NEURONS, IMAGES, generator=generator)
    values[:, 7] = torch.nan
    examples = values.nan_to_num(-1).topk(RANKS, dim=1).indices
    examples[2, 3] = -1
    return Evidence(
        images=HeldEmbeddings(images),
        examples=examples,
        contrasts=torch.randint(20, (NEURONS, RANKS), generator=generator),
        activations=torch.rand(NEURONS, RANKS, generator=generator),
        distribution=lambda start, stop: values[start:stop],
    )


def rows_of(images):
    return torch.cat(list(images.blocks()))


def test_images_are_drawn_together_with_the_activations_on_them(evidence):
    matrix, values = rows_of(evidence.images), evidence.values
    drawn = list(drawn_anew(slw.Recognition(), evidence, 3, seed=0))
    assert len(drawn) == 3
    for one in drawn:
        assert one.values.shape == (NEURONS, IMAGES - 1)  # the unreadable one is never drawn
        for place, row in enumerate(rows_of(one.images)):
            (image,) = (matrix == row).all(1).nonzero()[:, 0].tolist()
            assert torch.equal(one.values[:, place], values[:, image])
    assert not torch.equal(drawn[0].values, drawn[1].values)
    again = next(iter(drawn_anew(slw.Recognition(), evidence, 1, seed=0)))
    assert torch.equal(again.values, drawn[0].values)


def test_pairs_are_drawn_whole(evidence):
    known = {
        (int(image), int(contrast), float(weight))
        for image, contrast, weight in zip(
            evidence.examples.flatten(),
            evidence.contrasts.flatten(),
            evidence.activations.flatten(),
            strict=True,
        )
    }
    for one in drawn_anew(slw.Csp(), evidence, 4, seed=1):
        pairs = zip(
            one.examples.flatten(),
            one.contrasts.flatten(),
            one.activations.flatten(),
            strict=True,
        )
        assert {(int(a), int(b), float(c)) for a, b, c in pairs} <= known
        assert torch.equal(one.positives, evidence.images.rows(one.examples))
        assert torch.equal(one.negatives, evidence.images.rows(one.contrasts))


def test_a_shuffled_neuron_has_the_same_activations_elsewhere(evidence):
    nothing = shuffled(evidence, seed=5)
    assert nothing.values[:, 7].isnan().all()
    real, dealt = evidence.values.numpy(), nothing.values.numpy()
    np.testing.assert_array_equal(np.sort(real, axis=1), np.sort(dealt, axis=1))
    assert (real != dealt)[:, np.arange(IMAGES) != 7].mean() > 0.9
    for row in range(NEURONS):
        for rank in range(RANKS):
            old, new = int(evidence.examples[row, rank]), int(nothing.examples[row, rank])
            assert (old < 0) == (new < 0)
            if new >= 0:
                assert dealt[row, new] == real[row, old]
                quiet = int(nothing.contrasts[row, rank])
                assert dealt[row, quiet] < np.nanmean(dealt[row])
    assert torch.equal(shuffled(evidence, 5).examples, nothing.examples)


def test_an_interval_is_what_its_formula_says():
    score, optimism = torch.tensor([0.8, 0.6]), torch.tensor([0.03, 0.0])
    drawn = torch.tensor([[0.80, 0.61], [0.84, 0.58], [0.79, 0.64], [0.85, 0.60]])
    low, high = score_interval(score, drawn, optimism, 0.9)
    half = 1.6448536 * np.sqrt(np.var(drawn.numpy(), axis=0, ddof=1) + optimism.numpy() ** 2)
    np.testing.assert_allclose(low, score - optimism - half, atol=1e-6)
    np.testing.assert_allclose(high, score - optimism + half, atol=1e-6)
