"""Mining and measures on whatever numbers there are, against plain loops in double precision."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semlens_widgets.analysis.contrasting import contrastive_examples, contrastive_neighbours
from semlens_widgets.analysis.measures import clarity, polysemanticity, redundancy, similarity
from semlens_widgets.analysis.mining import concept_examples, neuron_statistics

FEW = settings(max_examples=60, deadline=None)
# Halves, so that sums are exact; few, so that they tie; images that cannot be read.
VALUE = st.integers(-3, 5).map(lambda number: number / 2)


@st.composite
def tables(draw):
    """Activations ``(images, neurons)`` with rows of NaN, of which one at least is none."""
    images, neurons = draw(st.integers(2, 9)), draw(st.integers(1, 4))
    row = st.lists(VALUE, min_size=neurons, max_size=neurons)
    rows = draw(st.lists(row, min_size=images, max_size=images))
    gone = draw(st.sets(st.integers(1, images - 1)))
    table = np.array(rows, np.float32)
    table[list(gone)] = np.nan
    return table


@FEW
@given(tables(), st.integers(1, 11))
def test_examples_are_the_largest_and_ties_go_by_index(table, k):
    found, values = concept_examples(torch.from_numpy(table), k)
    readable = np.flatnonzero(~np.isnan(table).any(1)).tolist()
    assert found.shape == values.shape == (table.shape[1], min(k, len(readable)))
    for neuron, row in enumerate(found.tolist()):
        wanted = sorted(readable, key=lambda i: (-table[i, neuron], i))
        assert row == wanted[:k]
        assert values[neuron].tolist() == [table[i, neuron] for i in row]


@FEW
@given(tables(), st.permutations(range(4)))
def test_neurons_are_mined_alone(table, order):
    order = [at for at in order if at < table.shape[1]]
    found, _ = concept_examples(torch.from_numpy(table), 3)
    permuted, _ = concept_examples(torch.from_numpy(table[:, order]), 3)
    assert torch.equal(permuted, found[order])


@FEW
@given(tables(), st.sampled_from([0.25, 2.0, 1024.0]))
def test_a_scale_of_activations_changes_no_choice(table, scale):
    for k in (1, 4):
        found, values = concept_examples(torch.from_numpy(table), k)
        scaled, larger = concept_examples(torch.from_numpy(table * np.float32(scale)), k)
        assert torch.equal(found, scaled)
        assert torch.equal(values * scale, larger)


@FEW
@given(tables())
def test_statistics_are_what_numpy_says(table):
    found = neuron_statistics(torch.from_numpy(table), 2)
    whole = table[~np.isnan(table).any(1)].astype(np.float64)
    np.testing.assert_allclose(found.mean, whole.mean(0), atol=1e-6)
    np.testing.assert_array_equal(found.max, whole.max(0))
    np.testing.assert_allclose(found.firing_rate, (whole > 0).mean(0), atol=1e-6)
    np.testing.assert_array_equal(found.dead, (whole > 0).sum(0) < 2)
    for name, share in (("q50", 0.5), ("q90", 0.9), ("q99", 0.99)):
        np.testing.assert_allclose(
            getattr(found, name), np.quantile(whole, share, axis=0), atol=1e-5
        )


@FEW
@given(tables(), st.data())
def test_contrasts_are_the_most_alike_strictly_below_the_mean(table, data):
    # Along the axes, so that every cosine is exact and many tie.
    axes = data.draw(
        st.lists(st.integers(0, 2), min_size=len(table), max_size=len(table)), label="axes"
    )
    vectors = np.eye(3, dtype=np.float32)[axes]
    activations = torch.from_numpy(table)
    examples, _ = concept_examples(activations, 3)
    found, cosines = contrastive_examples(activations, torch.from_numpy(vectors), examples)
    readable = np.flatnonzero(~np.isnan(table).any(1)).tolist()
    for neuron, row in enumerate(examples.tolist()):
        exact = {i: Fraction(float(table[i, neuron])) for i in readable}
        mean = sum(exact.values()) / len(exact)
        for rank, own in enumerate(row):
            quiet = [i for i in readable if exact[i] < mean and i != own]
            wanted = min(quiet, key=lambda i: (-float(vectors[i] @ vectors[own]), i), default=-1)
            assert found[neuron, rank] == wanted
            if wanted >= 0:
                assert cosines[neuron, rank] == float(vectors[wanted] @ vectors[own])
            else:
                assert cosines[neuron, rank].isnan()


@FEW
@given(tables(), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_further_contrasts_are_quiet_different_and_fall_off(table, seed, number):
    drawn = np.random.default_rng(seed).normal(size=(len(table), 4)).astype(np.float32)
    vectors = torch.nn.functional.normalize(torch.from_numpy(drawn), dim=1)
    activations = torch.from_numpy(table)
    examples, _ = concept_examples(activations, 2)
    found, cosines = contrastive_neighbours(activations, vectors, examples, neighbours=number)
    first, _ = contrastive_examples(activations, vectors, examples)
    assert torch.equal(found[..., 0], first)
    mean = np.nanmean(table.astype(np.float64), 0)
    for neuron, rank in np.ndindex(*examples.shape):
        here = [one for one in found[neuron, rank].tolist() if one >= 0]
        assert len(set(here)) == len(here)
        assert int(examples[neuron, rank]) not in here
        assert all(table[one, neuron] < mean[neuron] for one in here)
        falling = cosines[neuron, rank][: len(here)]
        assert (falling.diff() <= 1e-6).all()


@st.composite
def embedded(draw):
    """Embeddings of examples ``(neurons, m, dim)`` and which of them there are."""
    neurons, count, dim = draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = rng.normal(size=(neurons, count, dim)).astype(np.float32)
    return torch.from_numpy(vectors), torch.from_numpy(rng.random((neurons, count)) < 0.8)


@FEW
@given(embedded())
def test_clarity_is_the_mean_cosine_of_pairs(world):
    vectors, valid = world
    found = clarity(vectors, valid)
    for neuron, there in enumerate(valid):
        own = torch.nn.functional.normalize(vectors[neuron][there].double(), dim=1)
        pairs = [float(a @ b) for a, b in combinations(own, 2)]
        if pairs:
            assert float(found[neuron]) == pytest.approx(np.mean(pairs), abs=1e-5)
            assert -1 / (len(own) - 1) - 1e-5 <= float(found[neuron]) <= 1 + 1e-5
        else:
            assert found[neuron].isnan()


@FEW
@given(embedded(), st.sampled_from([0.5, 4.0, 64.0]), st.integers(0, 2**32 - 1))
def test_measures_know_neither_length_nor_order_nor_what_is_not_there(world, scale, seed):
    vectors, valid = world
    rng = np.random.default_rng(seed)
    order = torch.from_numpy(rng.permutation(vectors.shape[1]))
    other = vectors * scale
    other[~valid] = torch.nan
    neurons = torch.from_numpy(rng.permutation(len(vectors)))
    for measure in (clarity, polysemanticity):
        found = measure(vectors, valid)
        again = measure(other[neurons][:, order], valid[neurons][:, order])
        torch.testing.assert_close(again, found[neurons], atol=2e-5, rtol=0, equal_nan=True)
    split = polysemanticity(vectors, valid)
    assert ((split >= 0) & (split <= 2 + 1e-5) | split.isnan()).all()
    assert torch.equal(split.isnan(), ~valid.any(1))


@FEW
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 5))
def test_redundancy_and_similarity_are_the_highest_cosines(seed, neurons, others):
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(count, 3)) for count in (neurons, others))
    unit_a, unit_b = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (a, b))
    found = redundancy(torch.from_numpy(a * 8)).numpy()
    for row in range(neurons):
        rest = [float(unit_a[row] @ unit_a[i]) for i in range(neurons) if i != row]
        assert found[row] == pytest.approx(max(rest, default=np.nan), abs=1e-5, nan_ok=True)
    wanted = float((unit_a @ unit_b.T).max(1).mean())
    assert similarity(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(wanted, abs=1e-5)
