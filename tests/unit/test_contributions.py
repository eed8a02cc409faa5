"""What each pair adds to a score, against the formulas written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings, some_neurons, without_pairs
from semlens_widgets.labels.scorer import Explaining, text_directions
from semlens_widgets.labels.scorers import SCORERS, scorer_of

METHODS = ("csp", "semanticlens", "difference")


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture
def world():
    """Evidence on five neurons: one lacks examples, one lacks contrasts, one is never positive."""
    rng = np.random.default_rng(0)
    images = unit(rng.normal(size=(60, 16)) + 0.5).astype(np.float32)
    examples, contrasts = (
        rng.choice(60, (5, 8)),
        rng.choice(60, (5, 8)),
    )
    examples[1, 5:] = contrasts[1, 5:] = -1
    contrasts[2] = -1
    contrasts[0, 3] = -1
    activations = rng.normal(1, 1, (5, 8)).astype(np.float32)
    activations[3] = -1
    top = torch.from_numpy(rng.choice(60, (5, 20)))
    held = HeldEmbeddings(torch.from_numpy(images))
    evidence = Evidence(held, *map(torch.from_numpy, (examples, contrasts, activations)), top)
    prompts = torch.from_numpy(unit(rng.normal(size=(6, 4, 16))).astype(np.float32))
    return images, examples, contrasts, activations, evidence, prompts


def by_hand(images, examples, contrasts, activations, prompts, method, gamma, centred, left_out=()):
    """Contributions ``(neurons, pairs, texts)`` and scores, pair by pair as the papers write it."""
    texts = unit(prompts.mean(0).astype(np.float64))
    images = images.astype(np.float64)
    neurons, pairs = examples.shape
    found = np.zeros((neurons, pairs, len(texts)))
    offset = images.mean(0) @ texts.T * centred
    for k in range(neurons):
        there = [i for i in range(pairs) if examples[k, i] >= 0 and i not in left_out]
        with_contrast = [i for i in there if contrasts[k, i] >= 0]
        p = {i: images[examples[k, i]] for i in there}
        n = {i: images[contrasts[k, i]] for i in with_contrast}
        if method == "difference":
            for i in there:
                found[k, i] += p[i] @ texts.T / len(there)
                if i in n:
                    found[k, i] -= n[i] @ texts.T / len(with_contrast)
                elif not n:
                    found[k, i] -= offset / len(there)
            continue
        weights = dict.fromkeys(there, 1.0)
        vectors = p
        if method == "csp":
            weights = {i: max(float(activations[k, i]), 0.0) for i in there}
            if not any(weights.values()):
                weights = dict.fromkeys(there, 1.0)
            vectors = {i: p[i] - gamma * (p[i] @ n[i]) * n[i] if i in n else p[i] for i in there}
        length = np.linalg.norm(sum(weights[i] * vectors[i] for i in there))
        for i in there:
            share = weights[i] / sum(weights.values())
            found[k, i] = weights[i] * vectors[i] @ texts.T / length - share * offset
    return found


@pytest.mark.parametrize("left_out", [(), (0, 4)])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_contributions_are_the_formulas_and_sum_to_the_score(world, method, centred, left_out):
    images, examples, contrasts, activations, evidence, prompts = world
    evidence = without_pairs(evidence, left_out)
    scorer, texts = (
        scorer_of(method, {"gamma": 0.7, "centred": centred}),
        text_directions(prompts),
    )
    found = scorer.parts(evidence, texts)
    expected = by_hand(
        images, examples, contrasts, activations, prompts.numpy(), method, 0.7, centred, left_out
    )
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(found.sum(1), scorer.score(evidence, texts), atol=2e-6)
    assert (found[:, list(left_out)] == 0).all()


def test_leaving_out_is_as_if_the_pairs_had_never_been(world):
    *_, evidence, prompts = world
    less = without_pairs(evidence, [1, 6])
    kept = [0, 2, 3, 4, 5, 7]
    top = evidence.top_samples.clone()
    top[:, [1, 6]] = -1
    for method in METHODS:
        alone = without_pairs(some_neurons(evidence, 0, 1), [1, 6])
        scorer, texts = scorer_of(method), text_directions(prompts)
        torch.testing.assert_close(scorer.score(alone, texts), scorer.score(less, texts)[:1])
    assert less.valid[:, kept].equal(evidence.valid[:, kept])
    assert less.top_samples.equal(top)
    assert without_pairs(evidence, []) is evidence


def test_who_can_explain_and_which_ranks_there_are(world):
    *_, evidence, _ = world
    explaining = {name for name, kind in SCORERS.items() if issubclass(kind, Explaining)}
    assert explaining == set(METHODS)
    with pytest.raises(ValueError, match=r"rank 8 is outside 0\.\.7"):
        without_pairs(evidence, [8])


def test_with_every_pair_left_out_there_is_no_score(world):
    *_, evidence, prompts = world
    nothing = without_pairs(evidence, range(8))
    for method in METHODS:
        scorer, texts = scorer_of(method), text_directions(prompts)
        assert scorer.score(nothing, texts).isnan().all()
        assert (scorer.parts(nothing, texts) == 0).all()
