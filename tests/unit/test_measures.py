"""Measures against pairwise loops, and the clustering against every possible split."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis import measures
from semlens_widgets.analysis.measures import (
    clarity,
    polysemanticity,
    redundancy,
    similarity,
    two_means,
)


def cos(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def inertia(points: np.ndarray, first: np.ndarray) -> float:
    total = 0.0
    for side in (points[first], points[~first]):
        if len(side):
            total += float(((side - side.mean(0)) ** 2).sum())
    return total


def best_inertia(points: np.ndarray) -> float:
    """The lowest inertia of all splits in two."""
    count = len(points)
    splits = (np.array([bits >> i & 1 for i in range(count)]) > 0 for bits in range(2**count // 2))
    return min(inertia(points, split) for split in splits)


def expected_polysemanticity(points: np.ndarray, first: np.ndarray) -> float:
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    if min(first.sum(), (~first).sum()) < 2:
        return float(np.mean([1 - cos(unit.mean(0), p) for p in unit]))
    return 1 - cos(unit[first].mean(0), unit[~first].mean(0))


@pytest.mark.parametrize("seed", range(5))
def test_clarity_is_the_mean_pairwise_cosine(seed: int):
    rng = np.random.default_rng(seed)
    examples = rng.normal(size=(6, 8, 5)) * rng.random((6, 8, 1))
    valid = rng.random((6, 8)) < 0.7
    valid[0, 1:], valid[1] = False, False
    found = clarity(torch.from_numpy(examples), torch.from_numpy(valid))
    for k in range(6):
        own = examples[k][valid[k]]
        if len(own) < 2:
            assert found[k].isnan()
        else:
            pairs = [cos(a, b) for a, b in combinations(own, 2)]
            assert found[k] == pytest.approx(np.mean(pairs), abs=1e-6)


def test_clarity_of_identical_and_orthogonal_examples():
    same = torch.randn(1, 1, 16).expand(1, 30, 16)
    assert clarity(same) == pytest.approx(1.0, abs=1e-6)
    assert clarity(torch.eye(5)[None]) == pytest.approx(0.0, abs=1e-6)
    assert clarity(torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])) == pytest.approx(-1.0)


@pytest.mark.parametrize("seed", range(6))
def test_two_means_finds_the_best_of_all_splits(seed: int):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(20, 9, 4)) + 3 * rng.normal(size=(20, 1, 4))
    valid = rng.random((20, 9)) < 0.9
    first = two_means(torch.from_numpy(points), torch.from_numpy(valid))
    assert not (first & ~torch.from_numpy(valid)).any()
    for k in range(20):
        own, split = points[k][valid[k]], first[k].numpy()[valid[k]]
        assert inertia(own, split) <= best_inertia(own) * (1 + 1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_polysemanticity_is_that_of_the_split(seed: int, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(measures, "_CHUNK", int(rng.integers(1, 5_000)))
    examples = rng.normal(size=(30, 7, 5))
    valid = rng.random((30, 7)) < 0.8
    valid[:, 0] = True
    examples[~valid] = np.nan
    given = torch.from_numpy(examples), torch.from_numpy(valid)
    found = polysemanticity(*given)
    first = two_means(normalize(given[0].float(), dim=2), given[1]).numpy()
    for k in range(30):
        expected = expected_polysemanticity(examples[k][valid[k]], first[k][valid[k]])
        assert found[k] == pytest.approx(expected, abs=2e-6)


def test_two_meanings_are_found():
    noise = 0.01 * torch.randn(1, 30, 64, generator=torch.Generator().manual_seed(0))
    examples = noise + torch.eye(64)[torch.arange(30) % 2]
    assert polysemanticity(examples) == pytest.approx(1.0, abs=0.02)
    first = two_means(examples)[0]
    assert first[::2].all() != first[1::2].all()
    assert first.sum() == 15


def test_identical_examples_have_one_meaning():
    examples = torch.randn(4, 1, 512).expand(4, 30, 512)
    assert polysemanticity(examples).tolist() == pytest.approx([0.0] * 4, abs=1e-6)


def test_scale_of_the_examples_does_not_matter():
    examples = normalize(torch.randn(5, 12, 8), dim=2)
    scaled = examples * (torch.rand(5, 12, 1) + 0.5)
    torch.testing.assert_close(polysemanticity(examples), polysemanticity(scaled))


def test_a_single_odd_image_is_no_second_meaning():
    examples = torch.zeros(1, 30, 3)
    examples[..., 0] = 1
    examples[0, 4] = torch.tensor([0.0, 1.0, 0.0])
    points = examples[0].double().numpy()
    mean = points.mean(0)
    expected = np.mean([1 - cos(mean, p) for p in points])
    assert polysemanticity(examples) == pytest.approx(expected, abs=1e-6)
    assert expected < 0.1


def test_few_examples():
    generator = torch.Generator().manual_seed(0)
    examples = torch.randn(4, 3, 6, generator=generator)
    valid = torch.tensor([[False] * 3, [True, False, False], [True, True, False], [True] * 3])
    found = polysemanticity(examples, valid)
    assert found[0].isnan()
    assert found[1] == pytest.approx(0.0, abs=1e-6)
    for k in (2, 3):
        points = examples[k][valid[k]].double().numpy()
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        expected = np.mean([1 - cos(points.mean(0), p) for p in points])
        assert found[k] == pytest.approx(expected, abs=1e-6)
    assert polysemanticity(torch.zeros(2, 0, 4)).isnan().all()
    assert polysemanticity(torch.zeros(0, 3, 4)).shape == (0,)


def test_redundancy_is_the_highest_cosine_to_another_neuron():
    vectors = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    vectors[7] = vectors[2] * 3
    found = redundancy(vectors)
    for k in range(9):
        others = [cos(vectors[k].numpy(), vectors[j].numpy()) for j in range(9) if j != k]
        assert found[k] == pytest.approx(max(others), abs=1e-6)
    assert redundancy(vectors[:1]).isnan().all()


def test_redundancy_does_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch):
    vectors = torch.randn(23, 5)
    whole, cross = redundancy(vectors), similarity(vectors, vectors[:9])
    monkeypatch.setattr(measures, "_CHUNK", 4)
    torch.testing.assert_close(redundancy(vectors), whole)
    assert similarity(vectors, vectors[:9]) == pytest.approx(cross)


def test_similarity_of_models_is_not_symmetric():
    a, b = torch.eye(4)[:2], torch.eye(4)
    assert similarity(a, b) == pytest.approx(1.0)
    assert similarity(b, a) == pytest.approx(0.5)


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="examples"):
        clarity(torch.zeros(3, 4))
    with pytest.raises(ValueError, match="valid"):
        polysemanticity(torch.zeros(3, 4, 5), torch.ones(3, 5))
    with pytest.raises(ValueError, match="vectors"):
        redundancy(torch.zeros(3))
    with pytest.raises(ValueError, match="same foundation model"):
        similarity(torch.zeros(3, 4), torch.zeros(3, 5))
    with pytest.raises(ValueError, match="at least one neuron"):
        similarity(torch.zeros(0, 4), torch.zeros(3, 4))
