"""The label scorers against loops written from their formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from semlens_widgets.labels import dissect
from semlens_widgets.labels.assign import assign, check_candidates
from semlens_widgets.labels.csp import Csp
from semlens_widgets.labels.dissect import Dissect
from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings, in_parts, some_neurons
from semlens_widgets.labels.scorer import Competing, text_directions
from semlens_widgets.labels.scorers import SCORERS, scorer_of

S, N, M, D, T, TOP, TEMPLATES = 40, 6, 5, 9, 7, 12, 3


def unit(*shape: int, seed: int) -> torch.Tensor:
    return normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.fixture
def evidence() -> Evidence:
    rng = np.random.default_rng(0)
    embeddings = unit(S, D, seed=0)
    embeddings[7] = 0  # unreadable
    readable = [i for i in range(S) if i != 7]
    examples = torch.from_numpy(rng.choice(readable, (N, M)))
    contrasts = torch.from_numpy(rng.choice(readable, (N, M)))
    activations = torch.from_numpy(rng.normal(size=(N, M)).astype(np.float32))
    top = torch.from_numpy(np.stack([rng.choice(readable, TOP, replace=False) for _ in range(N)]))
    contrasts[0, 2] = -1  # one contrast missing
    contrasts[1] = -1  # all missing
    examples[2, 3:] = -1  # fewer examples
    contrasts[2, 3:] = -1
    activations[2, 3:] = torch.nan
    activations[3] = -activations[3].abs()  # nothing positive
    top[4, 9:] = -1
    values = torch.from_numpy(rng.normal(size=(N, S)).astype(np.float32).round(1))  # with ties
    values[:, 7] = torch.nan
    return Evidence(
        HeldEmbeddings(embeddings),
        examples,
        contrasts,
        activations,
        top,
        distribution=lambda start, stop: values[start:stop],
    )


PROMPTS = unit(TEMPLATES, T, D, seed=1)
TEXTS = text_directions(PROMPTS)
BESIDE = unit(3, D, seed=2)


def texts(prompts: torch.Tensor) -> np.ndarray:
    mean = prompts.double().numpy().mean(0)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def cos(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def expected_score(
    evidence: Evidence, t: np.ndarray, method: str, gamma: float, centred: bool
) -> np.ndarray:
    """The formulas one by one, in float64."""
    p, n = evidence.positives.double().numpy(), evidence.negatives.double().numpy()
    a = evidence.activations.double().numpy()
    valid, contrasted = evidence.valid.numpy(), evidence.contrasted.numpy()
    offset = evidence.images.mean.double().numpy() @ t.T if centred else np.zeros(len(t))
    result = np.zeros((len(p), len(t)))
    for k in range(len(p)):
        own = [i for i in range(p.shape[1]) if valid[k, i]]
        with_contrast = [i for i in own if contrasted[k, i]]
        for j in range(len(t)):
            if method == "semanticlens":
                v = sum(p[k, i] for i in own) / len(own)
                result[k, j] = cos(v, t[j]) - offset[j]
            elif method == "difference":
                result[k, j] = np.mean([p[k, i] @ t[j] - offset[j] for i in own])
                if with_contrast:
                    result[k, j] -= np.mean([n[k, i] @ t[j] - offset[j] for i in with_contrast])
            else:
                weights = [max(a[k, i], 0) for i in own]
                if not any(weights):
                    weights = [1.0] * len(own)
                u = np.zeros(p.shape[2])
                for w, i in zip(weights, own, strict=True):
                    r = p[k, i]
                    if contrasted[k, i]:
                        r = r - gamma * cos(p[k, i], n[k, i]) * n[k, i]
                    u = u + w * r / sum(weights)
                result[k, j] = cos(u, t[j]) - offset[j]
    return result


def expected_wpmi(
    evidence: Evidence, t: np.ndarray, centred: bool, beside: np.ndarray | None = None
) -> np.ndarray:
    """Scores among the candidates t, or of texts each of which is one candidate more."""
    if beside is not None:
        return np.stack(
            [expected_wpmi(evidence, np.vstack([t, one]), centred)[:, -1] for one in beside], 1
        )
    images = np.concatenate([block.double().numpy() for block in evidence.images.blocks()])
    offset = evidence.images.mean.double().numpy() @ t.T if centred else np.zeros(len(t))
    joint = np.zeros((N, len(t)))
    for k in range(N):
        for r, sample in enumerate(evidence.top_samples[k].tolist()):
            if sample < 0:
                continue
            e = np.exp(10 * (images[sample] @ t.T - offset))
            probability = e / e.sum()
            p_r = 0.998 - r / TOP * (0.998 - 0.97)
            joint[k] += np.log(1 + p_r * (probability - 1) + 1e-7)
    return joint - np.log(np.exp(joint).mean(0))


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["csp", "semanticlens", "difference"])
def test_scores_are_those_of_the_formulas(
    evidence: Evidence, name: str, gamma: float, centred: bool
):
    scorer = scorer_of(name, {"gamma": gamma, "centred": centred})
    expected = expected_score(evidence, texts(PROMPTS), name, gamma, centred)
    np.testing.assert_allclose(scorer.score(evidence, TEXTS).numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("chunk", [1 << 24, 30])
@pytest.mark.parametrize("centred", [False, True])
def test_clip_dissect_is_soft_wpmi(
    evidence: Evidence, centred: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dissect, "_CHUNK", chunk)
    scorer = Dissect(centred=centred)
    expected = expected_wpmi(evidence, texts(PROMPTS), centred)
    np.testing.assert_allclose(scorer.score(evidence, TEXTS).numpy(), expected, atol=2e-4)
    # A text beside the candidates takes part in the softmax, each alone.
    prior = scorer.prior([evidence], BESIDE, TEXTS)
    found = scorer.score_among(evidence, BESIDE, TEXTS, prior)
    expected = expected_wpmi(evidence, texts(PROMPTS), centred, BESIDE.double().numpy())
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)


@pytest.mark.parametrize("name", SCORERS)
def test_a_part_of_the_neurons_scores_as_among_all(evidence: Evidence, name: str):
    scorer = scorer_of(name)
    together = scorer.score(evidence, TEXTS)
    for k in range(N):
        alone = some_neurons(evidence, k, k + 1)
        if isinstance(scorer, Competing):
            prior = scorer.prior(in_parts(evidence), TEXTS)
            found = scorer.score_among(alone, TEXTS, None, prior)
        else:
            found = scorer.score(alone, TEXTS)
        torch.testing.assert_close(found, together[k : k + 1], atol=1e-5, rtol=1e-5, equal_nan=True)


def test_parts_hold_all_neurons_in_order(evidence: Evidence, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("semlens_widgets.labels.evidence._AT_ONCE", 2 * 2 * M * D)
    parts = list(in_parts(evidence))
    assert [len(part) for part in parts] == [2, 2, 2]
    torch.testing.assert_close(torch.cat([part.positives for part in parts]), evidence.positives)
    values = torch.cat([part.values for part in in_parts(evidence, whole=True)])
    torch.testing.assert_close(values, evidence.values, equal_nan=True)


def test_mean_embedding_leaves_out_unreadable_images(evidence: Evidence):
    images = torch.cat(list(evidence.images.blocks()))
    readable = [i for i in range(S) if i != 7]
    torch.testing.assert_close(evidence.images.mean, images[readable].mean(0))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_csp_weights_of_any_size_are_relative(evidence: Evidence, scale: float):
    weights = torch.rand(N, M, generator=torch.Generator().manual_seed(5)) + 0.1

    def vectors(activations: torch.Tensor) -> torch.Tensor:
        return Csp().vectors(replace(evidence, activations=activations))

    found = vectors(weights * scale)
    torch.testing.assert_close(found, vectors(weights), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(N))


def test_more_response_to_a_concept_never_lowers_its_rank_for_mixed_signs():
    # Weights of mixed sign that nearly cancel must not blow up or turn the ranking round.
    images = HeldEmbeddings(torch.eye(3))
    none, both = torch.tensor([[-1, -1]]), torch.tensor([[0, 1]])
    mixed = Evidence(images, both, none, torch.tensor([[1.0, -0.999]]))
    found = Csp(centred=False).score(mixed, torch.eye(3))
    assert found[0].tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_a_neuron_without_examples_has_no_score(evidence: Evidence):
    nothing = torch.full((1, M), -1)
    top = torch.full((1, TOP), -1)
    bare = Evidence(evidence.images, nothing, nothing, torch.full((1, M), torch.nan), top)
    for name in ("csp", "semanticlens", "difference", "clip-dissect"):
        found = scorer_of(name).score(bare, TEXTS)
        assert found.isnan().all()
        assert assign(found, list("abcdefg")).labels == ("unknown",)


def test_unknown_scorers_and_settings_are_refused():
    with pytest.raises(ValueError, match="did you mean 'semanticlens'"):
        scorer_of("semantic-lens")
    with pytest.raises(ValueError, match="choose one of recognition, correlation"):
        scorer_of("zzz")
    with pytest.raises(TypeError, match=r"give Csp\(\)"):
        scorer_of(Csp)
    with pytest.raises(TypeError, match="got int"):
        scorer_of(3)
    for gamma in (-0.1, 1.1, float("nan"), "1"):
        with pytest.raises(ValueError, match="gamma"):
            Csp(gamma=gamma)
    with pytest.raises(TypeError, match="centred"):
        Csp(centred=1)


def test_shapes_are_checked(evidence: Evidence):
    with pytest.raises(ValueError, match="prior"):
        Dissect().score_among(evidence, TEXTS, None, torch.zeros(T + 1))
    with pytest.raises(ValueError, match="contrasts"):
        replace(evidence, contrasts=evidence.contrasts[:, :2])
    with pytest.raises(ValueError, match="examples"):
        replace(evidence, examples=evidence.examples[0])
    with pytest.raises(ValueError, match="top_samples"):
        Dissect().score(replace(evidence, top_samples=None), TEXTS)


def test_candidates_are_cleaned_or_refused():
    assert check_candidates([" dog", "cat", "dog "]) == ("dog", "cat")
    with pytest.raises(ValueError, match="the list is empty"):
        check_candidates([])
    with pytest.raises(ValueError, match="entry 1 is empty"):
        check_candidates(["dog", "  "])
    with pytest.raises(TypeError, match="the string 'dog'"):
        check_candidates("dog")
    with pytest.raises(TypeError, match="entry 0 is int"):
        check_candidates([3])


def test_labels_must_pass_the_empty_text_or_the_threshold():
    scores = torch.tensor([[0.1, 0.3, 0.3], [0.2, 0.1, 0.0], [0.0, 0.0, 0.0]])
    free = assign(scores, ["a", "b", "c"])
    assert free.labels == ("b", "a", "a")  # ties to the first
    assert free.margin.isnan().all()
    against = assign(scores, ["a", "b", "c"], torch.tensor([0.25, 0.25, 0.0]))
    assert against.labels == ("b", "unknown", "unknown")
    assert against.indices.tolist() == [1, -1, -1]
    assert against.margin.tolist() == pytest.approx([0.05, -0.05, 0.0])
    assert against.score.tolist() == pytest.approx([0.3, 0.2, 0.0])
    fixed = assign(scores, ["a", "b", "c"], torch.tensor([9.0, 9.0, 9.0]), threshold=0.0)
    assert fixed.labels == ("b", "a", "a")


def test_assign_checks_its_arguments():
    with pytest.raises(ValueError, match="candidates"):
        assign(torch.zeros(2, 0), [])
    with pytest.raises(ValueError, match="scores"):
        assign(torch.zeros(2, 3), ["a"])
    with pytest.raises(ValueError, match="bars"):
        assign(torch.zeros(2, 1), ["a"], torch.zeros(3))
