"""Selection of examples against plain loops, with the cases in which other code goes wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis import contrasting, nearest
from semlens_widgets.analysis import mining as select
from semlens_widgets.analysis.contrasting import contrastive_examples
from semlens_widgets.analysis.mining import concept_examples, neuron_statistics


def ranked(column: np.ndarray, k: int) -> list[int]:
    """The k largest by a sort of (value, index) pairs, NaN left out."""
    usable = [i for i in range(len(column)) if not np.isnan(column[i])]
    return sorted(usable, key=lambda i: (-column[i], i))[:k]


def quiet_nearest(
    column: np.ndarray, embeddings: np.ndarray, anchor: np.ndarray, own: int
) -> tuple[int, float]:
    readable = [float(a) for a in column if not np.isnan(a)]
    mean = sum(readable) / len(readable)
    best, similarity = -1, -np.inf
    for i, a in enumerate(column):
        if np.isnan(a) or not float(a) < mean or i == own:
            continue
        cosine = float(np.sum(embeddings[i].astype(np.float64) * anchor.astype(np.float64)))
        if cosine > similarity:
            best, similarity = i, cosine
    return best, similarity


def random_world(seed: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Activations with many ties, some dead, some negative units, and images seen twice."""
    rng = np.random.default_rng(seed)
    samples, neurons, dim = rng.integers(5, 90), rng.integers(1, 12), rng.integers(2, 24)
    values = rng.normal(size=(samples, neurons)).astype(np.float32)
    values[:, rng.random(neurons) < 0.3] = 0  # dead
    relu = rng.random(neurons) < 0.4
    values[:, relu] = values[:, relu].clip(min=0)
    coarse = rng.random(neurons) < 0.4
    values[:, coarse] = values[:, coarse].round()
    values[rng.random(samples) < 0.1] = np.nan
    values[0] = rng.normal(size=neurons)
    embeddings = normalize(torch.from_numpy(rng.normal(size=(samples, dim))).float(), dim=1)
    embeddings[samples // 2 :] = embeddings[: samples - samples // 2].clone()
    return torch.from_numpy(values), embeddings, int(rng.integers(1, 40))


@pytest.mark.parametrize("seed", range(25))
def test_concept_examples_are_those_of_a_full_sort(seed: int, monkeypatch: pytest.MonkeyPatch):
    activations, _, k = random_world(seed)
    monkeypatch.setattr(select, "CHUNK", int(np.random.default_rng(seed).integers(1, 500)))
    indices, values = concept_examples(activations, k)
    readable = int((~activations[:, 0].isnan()).sum())
    assert indices.shape == (activations.shape[1], min(k, readable))
    for neuron, column in enumerate(activations.T.numpy()):
        expected = ranked(column, k)
        assert indices[neuron].tolist() == expected
        np.testing.assert_array_equal(values[neuron].numpy(), column[expected])


def test_ties_at_the_cut_take_the_lowest_indices():
    activations = torch.zeros(5_000, 3)
    activations[:, 1] = 2.5
    activations[[4_000, 17, 2_900], 2] = torch.tensor([1.0, 1.0, 3.0])
    indices, _ = concept_examples(activations, 5)
    assert indices.tolist() == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [2900, 17, 4000, 0, 1]]


def test_negative_zero_ties_with_zero():
    activations = torch.tensor([[-0.0], [0.0], [-0.0], [0.0]])
    assert concept_examples(activations, 3)[0].tolist() == [[0, 1, 2]]


def test_all_negative_units_are_ranked_like_others():
    activations = -torch.arange(1.0, 11.0)[:, None]
    indices, values = concept_examples(activations, 3)
    assert indices.tolist() == [[0, 1, 2]]
    assert values.tolist() == [[-1.0, -2.0, -3.0]]


def test_differences_below_bfloat16_are_seen():
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    column = 1 + order.float() * 2**-20
    assert len(column.bfloat16().unique()) == 1
    expected = column.numpy().argsort()[::-1][:30]
    assert concept_examples(column[:, None], 30)[0][0].tolist() == expected.tolist()


def test_fewer_images_than_examples_cap_the_examples():
    activations = torch.rand(4, 2)
    activations[1] = torch.nan
    indices, values = concept_examples(activations, 30)
    assert indices.shape == values.shape == (2, 3)
    assert 1 not in indices


def test_a_neuron_short_of_values_is_padded():
    activations = torch.tensor([[1.0, torch.nan], [2.0, 5.0], [3.0, -torch.inf]])
    indices, values = concept_examples(activations, 3)
    assert indices.tolist() == [[2, 1, 0], [1, -1, -1]]
    assert values[1].isnan().tolist() == [False, True, True]


def test_memory_mapped_arrays_of_half_precision_work(tmp_path):
    stored = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.float16, (50, 7))
    stored[:] = np.random.default_rng(0).normal(size=(50, 7))
    stored.flush()
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    expected = concept_examples(torch.from_numpy(stored.astype(np.float32)), 5)
    for got, wanted in zip(concept_examples(mapped, 5), expected, strict=True):
        assert torch.equal(got, wanted)


@pytest.mark.parametrize("seed", range(10))
def test_statistics_are_those_of_numpy(seed: int, monkeypatch: pytest.MonkeyPatch):
    activations, _, k = random_world(seed)
    monkeypatch.setattr(select, "CHUNK", 200)
    found = neuron_statistics(activations, k)
    for neuron, column in enumerate(activations.T.numpy()):
        readable = column[~np.isnan(column)].astype(np.float64)
        assert found.mean[neuron] == pytest.approx(readable.mean(), rel=1e-6, abs=1e-7)
        assert found.max[neuron] == readable.max()
        assert found.firing_rate[neuron] == pytest.approx((readable > 0).mean())
        assert found.dead[neuron] == ((readable > 0).sum() < k)
        quantiles = [found.q50[neuron], found.q90[neuron], found.q99[neuron]]
        expected = np.nanquantile(column.astype(np.float64), [0.5, 0.9, 0.99])
        assert quantiles == pytest.approx(expected, rel=1e-6)


def test_quantiles_ignore_unreadable_images_and_keep_infinities():
    column = torch.tensor([torch.nan, 4.0, -torch.inf, 2.0, torch.nan, torch.inf, 3.0])
    found = neuron_statistics(column[:, None], 1)
    assert found.q50.dtype == torch.float32
    assert found.q50.item() == 3
    assert found.q90.item() == torch.inf
    single = neuron_statistics(torch.tensor([[torch.nan], [-2.5]]), 1)
    assert [single.q50.item(), single.q90.item(), single.q99.item()] == [-2.5] * 3


def test_statistics_of_a_neuron_without_values_are_nan():
    found = neuron_statistics(torch.tensor([[torch.nan, 1.0], [torch.nan, torch.inf]]), 1)
    assert found.mean.isnan()[0]
    assert found.max.isnan()[0]
    assert found.firing_rate.isnan()[0]
    assert found.q50.isnan()[0]
    assert found.dead.tolist() == [True, False]
    assert found.max[1] == torch.inf


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_contrasts_are_those_of_a_loop(seed: int, rounded: bool, monkeypatch: pytest.MonkeyPatch):
    activations, embeddings, k = random_world(seed)
    chunk = int(np.random.default_rng(seed).integers(1, 2_000))
    monkeypatch.setattr(select, "CHUNK", chunk)
    monkeypatch.setattr(contrasting, "CHUNK", chunk)
    monkeypatch.setattr(nearest, "_LISTED", 1 + seed % 7)
    screen = torch.Tensor.bfloat16 if rounded else torch.Tensor.float
    monkeypatch.setattr(contrasting, "to_screen", screen)
    examples, _ = concept_examples(activations, k)
    indices, similarity = contrastive_examples(activations, embeddings, examples)
    for neuron, column in enumerate(activations.T.numpy()):
        for place, own in enumerate(examples[neuron].tolist()):
            anchor = embeddings[own].numpy()
            best, cosine = quiet_nearest(column, embeddings.numpy(), anchor, own)
            assert indices[neuron, place] == best
            if best >= 0:
                assert similarity[neuron, place] == pytest.approx(cosine, abs=1e-6)
            else:
                assert similarity[neuron, place].isnan()


@pytest.mark.parametrize("seed", range(8))
def test_contrasts_to_given_anchors_are_those_of_a_loop(seed: int):
    activations, embeddings, k = random_world(seed)
    examples, _ = concept_examples(activations, k)
    generator = torch.Generator().manual_seed(seed)
    shape = (*examples.shape, embeddings.shape[1])
    anchors = normalize(torch.randn(shape, generator=generator), dim=-1)
    indices, _ = contrastive_examples(activations, embeddings, examples, anchors)
    for neuron, column in enumerate(activations.T.numpy()):
        for place, own in enumerate(examples[neuron].tolist()):
            anchor = anchors[neuron, place].numpy()
            expected, _ = quiet_nearest(column, embeddings.numpy(), anchor, own)
            assert indices[neuron, place] == expected


def test_equal_images_tie_to_the_lowest_index_wherever_they_stand():
    # Products of different places in a matrix may differ in the last bit.
    generator = torch.Generator().manual_seed(0)
    embeddings = normalize(torch.randn(1_003, 67, generator=generator), dim=1)
    copies = [5, 130, 131, 517, 999, 1_001, 1_002]
    embeddings[copies] = embeddings[3].clone()
    activations = torch.zeros(1_003, 1)
    activations[3] = 1
    activations[5] = 1
    for listed in (1, 3, 64):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nearest, "_LISTED", listed)
            indices, similarity = contrastive_examples(
                activations, embeddings, torch.tensor([[3, 5]])
            )
        assert indices.tolist() == [[130, 130]]
        assert similarity[0, 0] == similarity[0, 1]


def test_a_constant_neuron_has_no_contrast():
    # The mean of equal values must not come out above them.
    activations = torch.full((77, 1), 0.1)
    indices, similarity = contrastive_examples(
        activations, normalize(torch.randn(77, 4), dim=1), torch.tensor([[0, 5]])
    )
    assert indices.tolist() == [[-1, -1]]
    assert similarity.isnan().all()


def test_missing_examples_have_no_contrast():
    embeddings = normalize(torch.randn(9, 4), dim=1)
    activations = torch.arange(9.0)[:, None]
    indices, _ = contrastive_examples(activations, embeddings, torch.tensor([[8, -1]]))
    assert indices[0, 0] in range(4)
    assert indices[0, 1] == -1


def test_results_do_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch):
    activations = torch.randn(300, 20).relu()
    embeddings = normalize(torch.randn(300, 16), dim=1)
    examples, _ = concept_examples(activations, 10)
    whole = contrastive_examples(activations, embeddings, examples)
    monkeypatch.setattr(select, "CHUNK", 700)
    monkeypatch.setattr(contrasting, "CHUNK", 700)
    parts = [
        contrastive_examples(activations[:, a : a + 7], embeddings, examples[a : a + 7])
        for a in range(0, 20, 7)
    ]
    assert torch.equal(whole[0], torch.cat([p[0] for p in parts]))
    assert torch.equal(whole[1], torch.cat([p[1] for p in parts]))


def test_errors_name_the_argument():
    good, embeddings = torch.rand(6, 2), torch.rand(6, 3)
    with pytest.raises(ValueError, match=r"activations: expected shape \(samples, neurons\)"):
        concept_examples(torch.rand(3), 1)
    with pytest.raises(ValueError, match="no samples"):
        concept_examples(torch.rand(0, 3), 1)
    with pytest.raises(ValueError, match="k: expected at least 1"):
        neuron_statistics(good, 0)
    with pytest.raises(ValueError, match="no image is readable"):
        concept_examples(torch.full((3, 2), torch.nan), 1)
    with pytest.raises(ValueError, match="image_embeddings"):
        contrastive_examples(good, embeddings[:5], torch.zeros(2, 1, dtype=torch.int64))
    with pytest.raises(ValueError, match="examples: expected integers"):
        contrastive_examples(good, embeddings, torch.zeros(2, 1))
    with pytest.raises(ValueError, match="examples: expected indices"):
        contrastive_examples(good, embeddings, torch.full((2, 1), 6))
    with pytest.raises(ValueError, match="anchors"):
        contrastive_examples(good, embeddings, torch.ones(2, 1).long(), torch.rand(2, 1, 4))
