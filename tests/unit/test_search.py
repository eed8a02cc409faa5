"""Search scores against loops over templates, queries and neurons."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis.search import combine_scores, query_directions, rank, unit_scores


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    a64, b64 = a.double().numpy(), b.double().numpy()
    return float(a64 @ b64 / np.linalg.norm(a64) / np.linalg.norm(b64))


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(shape, generator=generator), dim=-1)


# Also as many neurons as dimensions, queries as neurons, templates as queries.
@pytest.mark.parametrize("neurons", [1, 4, 7])
@pytest.mark.parametrize("queries", [1, 4, 7])
@pytest.mark.parametrize("templates", [1, 3, 4, 7])
@pytest.mark.parametrize("dim", [4, 7])
def test_scores_of_texts_are_those_of_a_loop(neurons: int, queries: int, templates: int, dim: int):
    vectors = unit(neurons, dim, seed=1)
    prompts, empty = unit(templates, queries, dim, seed=2), unit(templates, 1, dim, seed=3)
    images = unit(11, dim, seed=4)
    plain = unit_scores(vectors, query_directions(prompts))
    differences = unit_scores(vectors, query_directions(prompts, empty))
    centred = unit_scores(vectors, query_directions(prompts, empty), images.mean(0))
    assert plain.shape == differences.shape == centred.shape == (neurons, queries)
    for k in range(neurons):
        for q in range(queries):
            raw = [cosine(vectors[k], prompts[t, q]) for t in range(templates)]
            base = [cosine(vectors[k], empty[t, 0]) for t in range(templates)]
            assert plain[k, q] == pytest.approx(np.mean(raw), abs=1e-6)
            difference = np.mean(np.subtract(raw, base))
            assert differences[k, q] == pytest.approx(difference, abs=1e-6)
            over_data = [
                cosine(x, prompts[t, q]) - cosine(x, empty[t, 0])
                for x in images
                for t in range(templates)
            ]
            assert centred[k, q] == pytest.approx(difference - np.mean(over_data), abs=1e-6)


def test_a_neuron_finds_itself():
    vectors = unit(20, 8)
    scores = unit_scores(vectors, vectors[[3, 11]])
    assert scores.argmax(0).tolist() == [3, 11]
    assert scores.max(0).values.tolist() == pytest.approx([1.0, 1.0])


def test_centred_scores_of_images_subtract_the_mean_similarity():
    vectors, queries, images = unit(5, 8), unit(2, 8, seed=1), unit(9, 8, seed=2)
    found = unit_scores(vectors, queries, images.mean(0))
    for k in range(5):
        for q in range(2):
            expected = cosine(vectors[k], queries[q]) - np.mean(
                [cosine(x, queries[q]) for x in images]
            )
            assert found[k, q] == pytest.approx(expected, abs=1e-6)


def test_zero_vectors_score_zero():
    vectors = unit(3, 6)
    vectors[1] = 0
    assert unit_scores(vectors, unit(4, 6))[1].tolist() == [0.0] * 4


def test_several_queries_are_averaged():
    assert combine_scores(torch.tensor([[1.0, 3.0], [0.0, 1.0]])).tolist() == [2.0, 0.5]


def test_rank_is_stable_and_puts_nan_last():
    scores = torch.tensor([0.5, torch.nan, 0.9, 0.5, 0.9, -1.0])
    assert rank(scores).tolist() == [2, 4, 0, 3, 5, 1]
    assert rank(scores, top=2).tolist() == [2, 4]
    assert rank(torch.zeros(5_000), top=4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rank_is_numpys_stable_order(dtype):
    """Against a lexicographic sort, with every special value and many ties."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(-40, 40, (2_000,), generator=generator).to(dtype) / 7
    special = torch.tensor([torch.inf, -torch.inf, 0.0, -0.0, torch.nan, 1e-42, -1e-42])
    scores[torch.randperm(2_000, generator=generator)[:700]] = special.to(dtype).repeat(100)
    scores[5] = -scores[4].new_tensor(torch.nan)  # with the sign bit set
    values = scores.numpy()
    order = np.lexsort([np.arange(2_000), -np.nan_to_num(values, nan=-np.inf), np.isnan(values)])
    assert rank(scores).tolist() == order.tolist()
    assert rank(scores, top=900).tolist() == order[:900].tolist()


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="prompts"):
        query_directions(unit(2, 6))
    with pytest.raises(ValueError, match="empty"):
        query_directions(unit(2, 3, 6), unit(1, 1, 6))
    with pytest.raises(ValueError, match="vectors"):
        unit_scores(unit(4, 5), unit(3, 6))
    with pytest.raises(ValueError, match="mean_embedding"):
        unit_scores(unit(4, 6), unit(3, 6), unit(5))
    with pytest.raises(ValueError, match="at least one query"):
        combine_scores(torch.zeros(3, 0))
    with pytest.raises(ValueError, match="scores"):
        rank(torch.zeros(3, 1))
    with pytest.raises(ValueError, match="top"):
        rank(torch.zeros(3), top=-1)
