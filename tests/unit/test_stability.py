"""How many examples a semantic vector needs: against vectors whose limit was planted."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from semlens_widgets.analysis.measures import clarity
from semlens_widgets.analysis.stability import cosines_to_limit, recommended


def planted(neurons=400, most=60, dim=32, spread=0.5, seed=0):
    """Unit vectors around a direction for each neuron, and the directions, the limits."""
    generator = torch.Generator().manual_seed(seed)
    limits = normalize(torch.randn(neurons, 1, dim, generator=generator), dim=2)
    noise = spread * torch.randn(neurons, most, dim, generator=generator)
    return normalize(limits + noise, dim=2), limits[:, 0]


def test_the_estimate_is_the_cosine_to_the_planted_limit():
    examples, limits = planted()
    ms = (1, 2, 5, 20, 60)
    found = cosines_to_limit(examples, torch.ones(400, 60, dtype=torch.bool), ms)
    for column, m in enumerate(ms):
        vectors = normalize(examples[:, :m].mean(1), dim=1)
        true = (vectors * limits).sum(1).double().numpy()
        naive = (vectors * normalize(examples.mean(1), dim=1)).sum(1).mean()
        assert found[:, column].mean() == pytest.approx(true.mean(), abs=0.01)
        # The mean of all examples is not the limit: nearer to it than that is no merit.
        assert naive > true.mean() - 0.01
        if m == 60:
            assert naive == pytest.approx(1)
            assert true.mean() < 0.95


def test_with_all_examples_it_follows_from_the_clarity():
    examples, _ = planted(neurons=5, most=12)
    found = cosines_to_limit(examples, torch.ones(5, 12, dtype=torch.bool), [12])[:, 0]
    clear = clarity(examples).double().numpy()
    assert found == pytest.approx(np.sqrt(12 * clear / (1 + 11 * clear)), abs=1e-5)


def test_neurons_without_enough_examples_are_not_judged():
    examples, _ = planted(neurons=2, most=4)
    valid = torch.tensor([[True] * 4, [True] * 3 + [False]])
    found = cosines_to_limit(examples, valid, [1, 4])
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    opposite = torch.tensor([[[1.0, 0], [-1.0, 0]]])
    assert cosines_to_limit(opposite, valid[:1, :2], [1]).tolist() == [[0.0]]
    with pytest.raises(ValueError, match="ms must lie between 1 and the 4"):
        cosines_to_limit(examples, valid, [5])


def test_the_recommendation_is_the_first_from_which_on_enough_are_near():
    cosines = np.array([[0.99, 0.97, 0.99, 0.99]] * 8 + [[0.5, 0.5, 0.99, 0.99]] * 2)
    assert recommended(cosines, [1, 2, 5, 10], near=0.02, share=0.8) == 5
    assert recommended(cosines[:, :2], [1, 2], near=0.02, share=0.8) is None
    assert recommended(np.full((2, 2), np.nan), [1, 2], near=0.02, share=0.9) is None


def test_a_lens_says_how_many_examples_are_enough(colour_lens):
    lens = colour_lens(n_examples=6).run()
    found = lens.stability()
    assert found.ms == (1, 2, 5, 6)
    assert found.limit_of == 6
    assert list(found.by_layer) == list(lens.layers)
    assert found.neurons[["layer", "neuron"]].equals(lens.neurons[["layer", "neuron"]])
    alive = found.neurons.dropna()
    clear = lens.neurons.loc[alive.index, "clarity"].to_numpy()
    expected = np.sqrt(6 * clear / (1 + 5 * clear))
    assert alive[6].to_numpy(float) == pytest.approx(expected, abs=1e-3)
    assert found.figure().to_dict()["data"]
    only = lens.stability("seen", [1, 60])
    assert only.limit_of == 60
    assert set(only.neurons["layer"]) == {"seen"}
    with pytest.raises(KeyError, match="Did you mean 'seen'"):
        lens.stability("sen")
    with pytest.raises(ValueError, match="whole numbers"):
        lens.stability(ms=[0])


def test_what_is_not_reached_is_said(colour_lens):
    found = colour_lens(n_examples=6).run().stability(ms=[1])
    assert found.m is None or found.summary.iloc[-1]["near"] >= 0.9
    assert ("not reached" in repr(found)) == (found.m is None)
