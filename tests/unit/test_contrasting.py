"""Contrastive examples under every level, space and way to serve, against plain loops in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis import contrasting
from semlens_widgets.analysis.contrasting import (
    contrastive_by_others,
    contrastive_examples,
    mean_levels,
    quantile_levels,
    share_levels,
)
from semlens_widgets.analysis.mining import concept_examples


def tied_world(seed):
    """Rectified activations in steps and embeddings that repeat, one image unreadable."""
    rng = np.random.default_rng(seed)
    activations = (rng.normal(size=(60, 5)).clip(0) * 4).round().astype(np.float32) / 4
    activations[7] = np.nan
    few = rng.normal(size=(9, 6)).astype(np.float32)
    embeddings = few[rng.integers(9, size=60)]
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return torch.from_numpy(activations), torch.from_numpy(embeddings)


def loop(quiet, vectors, examples, *, reuse):
    """The contrastive examples of one neuron: the first of the largest exact cosines."""
    found, taken = [], set()
    for own in examples:
        cosine = (vectors.astype(np.float64) * vectors[own].astype(np.float64)).sum(1)
        left = [i for i in np.flatnonzero(quiet) if i != own and (reuse or i not in taken)]
        best = min(left, key=lambda i: (-cosine[i], i), default=-1)
        taken.add(best)
        found.append(int(best))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_levels_are_what_numpy_says_is_quiet(seed):
    activations, _ = tied_world(seed)
    values = activations.numpy().astype(np.float64)
    with np.errstate(invalid="ignore"):
        cases = [
            (mean_levels(activations), values < np.nanmean(values, 0)),
            (quantile_levels(activations, 0.1), values <= np.nanquantile(values, 0.1, axis=0)),
            (quantile_levels(activations, 0.7), values <= np.nanquantile(values, 0.7, axis=0)),
            (share_levels(activations, 0.25), values < 0.25 * np.nanmax(values, 0)),
        ]
    for levels, quiet in cases:
        assert levels.dtype == torch.float32
        assert np.array_equal((activations < levels).numpy(), quiet)


def test_a_neuron_that_is_mostly_zero_is_quiet_where_it_is_zero():
    column = torch.tensor([[0.0], [0], [0], [0], [2]])
    assert (column < quantile_levels(column, 0.1))[:, 0].tolist() == [True] * 4 + [False]


def test_nothing_is_a_share_of_a_maximum_that_is_not_positive():
    column = torch.tensor([[-3.0, 0.0], [-1.0, 0.0]])
    assert not (column < share_levels(column, 0.5)).any()


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("levels", [mean_levels, lambda a: quantile_levels(a, 0.2)])
@pytest.mark.parametrize("seed", range(6))
def test_served_in_order_of_rank_as_in_a_loop(seed, levels, reuse, monkeypatch):
    monkeypatch.setattr(contrasting, "CHUNK", 60 * (1 + seed))
    activations, embeddings = tied_world(seed)
    examples, _ = concept_examples(activations, 30)
    level = levels(activations)
    found, _ = contrastive_examples(activations, embeddings, examples, levels=level, reuse=reuse)
    for neuron in range(5):
        quiet = (activations[:, neuron] < level[neuron]).numpy()
        own = examples[neuron].tolist()
        assert found[neuron].tolist() == loop(quiet, embeddings.numpy(), own, reuse=reuse)
    if not reuse:
        served = [row[row >= 0].tolist() for row in found]
        assert all(len(set(row)) == len(row) for row in served)


def test_without_reuse_the_images_may_run_out():
    activations = torch.tensor([[5.0], [4.0], [3.0], [0.0], [0.0]])
    embeddings = normalize(torch.ones(5, 2), dim=1)
    found, _ = contrastive_examples(activations, embeddings, torch.tensor([[0, 1, 2]]), reuse=False)
    assert found.tolist() == [[3, 4, -1]]


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_similar_in_the_targets_space_leaves_the_neuron_itself_out(seed, reuse):
    responses, _ = tied_world(seed)
    examples, _ = concept_examples(responses[:, 1:4], 10)
    others_too = contrastive_by_others(
        responses[:, 1:4], responses, range(1, 4), examples, reuse=reuse
    )
    found = others_too[..., 0]
    level = mean_levels(responses)
    for at, neuron in enumerate(range(1, 4)):
        others = np.delete(np.nan_to_num(responses.numpy()), neuron, axis=1)
        unit = normalize(torch.from_numpy(others), dim=1).numpy()
        quiet = (responses[:, neuron] < level[neuron]).numpy()
        assert found[at].tolist() == loop(quiet, unit, examples[at].tolist(), reuse=reuse)


def test_a_layer_of_one_neuron_has_no_space():
    only = torch.rand(4, 1)
    with pytest.raises(ValueError, match="a single neuron"):
        contrastive_by_others(only, only, [0], torch.zeros(1, 1, dtype=torch.int64))
