"""The label scorers against loops written from their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from semlens_widgets.labels import dissect
from semlens_widgets.labels.scorers import (
    METHODS,
    Evidence,
    assign,
    check_candidates,
    check_method,
    csp_vectors,
    gather_evidence,
    score,
    semantic_vectors,
    wpmi_prior,
)

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
    return gather_evidence(embeddings, examples, contrasts, activations, top_samples=top)


PROMPTS = unit(TEMPLATES, T, D, seed=1)
EMPTY = unit(TEMPLATES, 1, D, seed=2)


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
    offset = evidence.mean_embedding.double().numpy() @ t.T if centred else np.zeros(len(t))
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


def expected_wpmi(evidence: Evidence, t: np.ndarray, centred: bool) -> np.ndarray:
    assert evidence.sample_embeddings is not None
    assert evidence.top_samples is not None
    images = evidence.sample_embeddings.double().numpy()
    offset = evidence.mean_embedding.double().numpy() @ t.T if centred else np.zeros(len(t))
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
@pytest.mark.parametrize("method", ["csp", "semanticlens", "difference"])
def test_scores_are_those_of_the_formulas(
    evidence: Evidence, method: str, gamma: float, centred: bool
):
    found = score(evidence, PROMPTS, method=method, gamma=gamma, centred=centred)
    expected = expected_score(evidence, texts(PROMPTS), method, gamma, centred)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-6)
    both = torch.cat([PROMPTS, EMPTY], 1)
    expected = expected_score(evidence, texts(both), method, gamma, centred)
    found = score(evidence, PROMPTS, method=method, gamma=gamma, centred=centred, empty=EMPTY)
    np.testing.assert_allclose(found.numpy(), expected[:, :-1] - expected[:, -1:], atol=2e-6)


@pytest.mark.parametrize("chunk", [1 << 24, 30])
@pytest.mark.parametrize("centred", [False, True])
def test_clip_dissect_is_soft_wpmi(
    evidence: Evidence, centred: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dissect, "_CHUNK", chunk)
    found = score(evidence, PROMPTS, method="clip-dissect", centred=centred)
    expected = expected_wpmi(evidence, texts(PROMPTS), centred)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)
    # The empty text takes part in the softmax.
    expected = expected_wpmi(evidence, texts(torch.cat([PROMPTS, EMPTY], 1)), centred)
    found = score(evidence, PROMPTS, method="clip-dissect", centred=centred, empty=EMPTY)
    np.testing.assert_allclose(found.numpy(), expected[:, :-1] - expected[:, -1:], atol=2e-4)


@pytest.mark.parametrize("empty", [None, EMPTY])
@pytest.mark.parametrize("method", METHODS)
def test_one_neuron_scores_as_among_all(
    evidence: Evidence, method: str, empty: torch.Tensor | None
):
    together = score(evidence, PROMPTS, method=method, empty=empty)
    prior = wpmi_prior(evidence, PROMPTS, empty=empty)
    for k in range(N):
        alone = Evidence(
            positives=evidence.positives[k : k + 1],
            negatives=evidence.negatives[k : k + 1],
            activations=evidence.activations[k : k + 1],
            valid=evidence.valid[k : k + 1],
            contrasted=evidence.contrasted[k : k + 1],
            mean_embedding=evidence.mean_embedding,
            top_samples=evidence.top_samples[k : k + 1],
            sample_embeddings=evidence.sample_embeddings,
        )
        found = score(alone, PROMPTS, method=method, empty=empty, prior=prior)
        torch.testing.assert_close(found, together[k : k + 1], atol=1e-5, rtol=1e-5)


def test_mean_embedding_leaves_out_unreadable_images(evidence: Evidence):
    readable = [i for i in range(S) if i != 7]
    torch.testing.assert_close(
        evidence.mean_embedding, evidence.sample_embeddings[readable].mean(0)
    )


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_csp_weights_of_any_size_are_relative(evidence: Evidence, scale: float):
    weights = torch.rand(N, M, generator=torch.Generator().manual_seed(5)) + 0.1

    def vectors(activations: torch.Tensor) -> torch.Tensor:
        return csp_vectors(
            Evidence(
                positives=evidence.positives,
                negatives=evidence.negatives,
                activations=activations,
                valid=evidence.valid,
                contrasted=evidence.contrasted,
                mean_embedding=evidence.mean_embedding,
            )
        )

    found = vectors(weights * scale)
    torch.testing.assert_close(found, vectors(weights), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(N))


def test_more_response_to_a_concept_never_lowers_its_rank_for_mixed_signs():
    # Weights of mixed sign that nearly cancel must not blow up or turn the ranking round.
    p = torch.eye(3)[None, :2].contiguous()
    mixed = Evidence(
        positives=p,
        negatives=torch.zeros_like(p),
        activations=torch.tensor([[1.0, -0.999]]),
        valid=torch.ones(1, 2, dtype=torch.bool),
        contrasted=torch.zeros(1, 2, dtype=torch.bool),
        mean_embedding=torch.zeros(3),
    )
    found = score(mixed, torch.eye(3)[None], method="csp")
    assert found[0].tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_a_neuron_without_examples_has_no_score(evidence: Evidence):
    nothing = torch.full((1, M), -1)
    bare = gather_evidence(
        evidence.sample_embeddings,
        nothing,
        nothing,
        torch.full((1, M), torch.nan),
        top_samples=torch.full((1, TOP), -1),
    )
    assert semantic_vectors(bare).abs().sum() == 0
    for method in METHODS:
        found = score(bare, PROMPTS, method=method)
        assert found.isnan().all()
        assert assign(found, list("abcdefg")).labels == ("unknown",)


def test_unknown_methods_and_gammas_are_refused(evidence: Evidence):
    with pytest.raises(ValueError, match="did you mean 'semanticlens'"):
        check_method("semantic-lens")
    with pytest.raises(ValueError, match="choose one of csp, semanticlens"):
        score(evidence, PROMPTS, method="zzz")
    for gamma in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="gamma"):
            score(evidence, PROMPTS, gamma=gamma)


def test_shapes_are_checked(evidence: Evidence):
    with pytest.raises(ValueError, match="prompts"):
        score(evidence, PROMPTS[0])
    with pytest.raises(ValueError, match="prompts"):
        score(evidence, PROMPTS[:, :0])
    with pytest.raises(ValueError, match="empty"):
        score(evidence, PROMPTS, empty=EMPTY[:1])
    with pytest.raises(ValueError, match="prior"):
        score(evidence, PROMPTS, method="clip-dissect", prior=torch.zeros(T + 1))
    with pytest.raises(ValueError, match="negatives"):
        Evidence(
            evidence.positives,
            evidence.negatives[:, :2],
            evidence.activations,
            evidence.valid,
            evidence.contrasted,
            evidence.mean_embedding,
        )
    images = evidence.sample_embeddings
    no_top = gather_evidence(images, *[torch.zeros(1, 1).long()] * 2, torch.ones(1, 1))
    with pytest.raises(ValueError, match="top_samples"):
        score(no_top, PROMPTS, method="clip-dissect")


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
    with pytest.raises(ValueError, match="empty_scores"):
        assign(torch.zeros(2, 1), ["a"], torch.zeros(3))
