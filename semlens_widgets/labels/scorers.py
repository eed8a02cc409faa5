"""Score candidate labels for neurons: four published scorers behind one interface.

``p_i`` is the embedding of a neuron's i-th concept example, ``n_i`` that of its contrastive
example, ``a_i`` its activation, T(t) the text embedding of candidate t averaged over templates
and normalised again. Every scorer can be centred: the mean similarity of each text to the whole
data set is subtracted from its cosines. That takes away the advantage of texts close to all
images ("hubs"), which without it win most labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch.nn.functional import normalize

from semlens_widgets.labels.dissect import log_mean_exp, wpmi
from semlens_widgets.labels.evidence import Evidence, gather_evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = [
    "METHODS",
    "UNKNOWN",
    "Assignment",
    "Evidence",
    "Method",
    "assign",
    "chance_level",
    "check_candidates",
    "check_gamma",
    "check_method",
    "csp_vectors",
    "csp_weights",
    "gather_evidence",
    "score",
    "semantic_vectors",
    "text_directions",
    "wpmi_prior",
]

Method = Literal["csp", "semanticlens", "difference", "clip-dissect"]
METHODS: tuple[str, ...] = get_args(Method)
UNKNOWN = "unknown"
_SORTED_AT_ONCE = 1 << 14  # neurons


def check_method(method: str) -> Method:
    """Return ``method`` if it names a scorer.

    Raises
    ------
    ValueError
        If it does not; the message suggests the nearest name.
    """
    if method in METHODS:
        return method  # type: ignore[return-value]
    close = get_close_matches(str(method).lower(), METHODS, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"method: unknown {method!r}; {hint}choose one of {', '.join(METHODS)}")


def check_gamma(gamma: float) -> None:
    """Raise ValueError unless ``gamma`` lies in [0, 1]."""
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma: expected a number from 0 (no contrast) to 1 (full), got {gamma}")


def check_candidates(candidates: Sequence[str]) -> tuple[str, ...]:
    """Return the candidate labels stripped of outer blanks, later duplicates dropped.

    Raises
    ------
    TypeError
        If ``candidates`` is one string, or holds something else than strings.
    ValueError
        If there are none, or one is empty, blank or no valid text.
    """
    if isinstance(candidates, str):
        raise TypeError(f"candidates: expected a sequence of labels, got the string {candidates!r}")
    stripped = []
    entries: Sequence[object] = candidates  # what its type rules out, a person may give
    for position, candidate in enumerate(entries):
        if not isinstance(candidate, str):
            kind = type(candidate).__name__
            raise TypeError(f"candidates: entry {position} is {kind}, expected a string")
        if not any(sign.isprintable() and not sign.isspace() for sign in candidate):
            raise ValueError(f"candidates: entry {position} is empty or invisible; remove it")
        try:
            candidate.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"candidates: entry {position}, {candidate!r}, holds half a character"
            ) from None
        stripped.append(candidate.strip())
    if not stripped:
        raise ValueError("candidates: the list is empty; give at least one label")
    return tuple(dict.fromkeys(stripped))


def score(
    evidence: Evidence,
    prompts: Tensor,
    *,
    method: str = "csp",
    gamma: float = 1.0,
    centred: bool = False,
    empty: Tensor | None = None,
    prior: Tensor | None = None,
    beside: Tensor | None = None,
) -> Tensor:
    """Return the score of every candidate label for every neuron, ``(N, T)``.

    Parameters
    ----------
    evidence
        The neurons' evidence.
    prompts
        ``(templates, T, D)`` unit text embeddings of every candidate in every template.
    method
        ``"csp"``: cos(u_k, T(t)) with u_k from :func:`csp_vectors`.
        ``"semanticlens"``: cos(v_k, T(t)) with v_k the mean of the p_i.
        ``"difference"``: mean_i cos(p_i, T(t)) - mean_i cos(n_i, T(t)). Centring changes it only
        for a neuron without contrast, whose second term is missing.
        ``"clip-dissect"``: softWPMI, see :func:`semlens_widgets.labels.dissect.wpmi`. Alone of
        the four it depends on the other candidates and on the other neurons, is mostly negative,
        and cannot be compared between sets of candidates.
    gamma
        Strength of the projection in CSP, in [0, 1]; the other methods ignore it.
    centred
        Whether each text's mean similarity over the data set is subtracted from its cosines.
    empty
        ``(templates, 1, D)``: if given, the empty text is scored beside the candidates and its
        score subtracted from theirs.
    prior
        ``(T,)`` from :func:`wpmi_prior` for ``clip-dissect``, with the same ``prompts``,
        ``centred`` and ``empty``. None computes it from the neurons in ``evidence``, which then
        should be all of them.
    beside
        ``(templates, E, D)``: if given, these texts are scored instead of the candidates, ``(N,
        E)``, each as if it alone stood beside them, and so is the prior. Without `empty`.

    Returns
    -------
    Tensor
        ``(N, T)`` float32; NaN for a neuron without examples.

    Raises
    ------
    ValueError
        If ``method`` is unknown, ``gamma`` lies outside [0, 1], shapes do not fit, or
        ``clip-dissect`` is asked for without ``top_samples``.

    Notes
    -----
    CSP: arXiv 2604.22477. SemanticLens: arXiv 2501.05398. CLIP-Dissect: arXiv 2204.10965.
    """
    method = check_method(method)
    texts = text_directions(evidence, prompts, empty)
    others = None if beside is None else text_directions(evidence, beside)
    if method == "clip-dissect":
        joint = wpmi(evidence, texts, centred=centred, beside=others)
        if prior is None:
            prior = log_mean_exp(joint)
        elif prior.shape != joint.shape[1:]:
            raise ValueError(
                f"prior: expected shape ({joint.shape[1]},) to fit the prompts and the empty text, "
                f"got {tuple(prior.shape)}"
            )
        scores = joint - prior
    else:
        texts = texts if others is None else others
        scores = _linear_scores(evidence, texts, method, gamma, centred)
    # A neuron without examples has no score; 0 would outrank neurons that have one.
    unseen = ~evidence.valid.any(1, keepdim=True)
    if empty is not None:
        scores = scores[:, :-1] - scores[:, -1:]
    return scores.masked_fill(unseen, torch.nan)


def semantic_vectors(evidence: Evidence) -> Tensor:
    """Return v_k, the mean embedding of each neuron's examples, ``(N, D)``; zero without any."""
    return _masked_mean(evidence.positives, evidence.valid)


def csp_vectors(evidence: Evidence, gamma: float = 1.0) -> Tensor:
    """Return the contrastive semantic vectors u_k, ``(N, D)`` of unit length.

    r_i = p_i - gamma cos(p_i, n_i) n_i, and r_i = p_i where the example has no contrast;
    u_k = normalise(sum_i a_i r_i / sum_i a_i) with max(a_i, 0) for a_i, and equal weights where
    no a_i is positive: a negative weight would reward what the neuron does not respond to.

    Raises
    ------
    ValueError
        If ``gamma`` lies outside [0, 1].

    Notes
    -----
    Contrastive Semantic Projection (arXiv 2604.22477).
    """
    check_gamma(gamma)
    weights = csp_weights(evidence)
    positives, negatives = evidence.positives.float(), evidence.negatives.float()
    cosine = (positives * negatives).sum(2) * evidence.contrasted  # (N, m)
    # sum_i a_i r_i in two products, so that no (N, m, D) array of residuals is made.
    total = torch.einsum("nm,nmd->nd", weights, positives)
    total = total - torch.einsum("nm,nmd->nd", gamma * weights * cosine, negatives)
    return normalize(total / weights.sum(1, keepdim=True).clamp(min=1.0), dim=1)


def csp_weights(evidence: Evidence) -> Tensor:
    """Return the weight a_i of every pair in :func:`csp_vectors`, ``(N, m)``, at most 1."""
    weights = evidence.activations.float().nan_to_num(nan=0.0).clamp(min=0) * evidence.valid
    weights = torch.where(weights.any(1, keepdim=True), weights, evidence.valid.float())
    # Dividing by the largest first: the weights of a neuron may be as small or large as floats get.
    return weights / weights.amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)


def wpmi_prior(
    evidence: Evidence,
    prompts: Tensor,
    *,
    centred: bool = False,
    empty: Tensor | None = None,
    beside: Tensor | None = None,
) -> Tensor:
    """Return log p(t) of softWPMI, the log-mean-exp of log p(top images | t) over all neurons.

    Computed once from the evidence of all neurons, it lets :func:`score` rate a single neuron with
    the same candidates at no further cost.

    Returns
    -------
    Tensor
        ``(T,)``, ``(T + 1,)`` with ``empty``, or ``(E,)`` with ``beside``, as :func:`score`
        expects it.

    Raises
    ------
    ValueError
        As :func:`score`.
    """
    others = None if beside is None else text_directions(evidence, beside)
    texts = text_directions(evidence, prompts, empty)
    return log_mean_exp(wpmi(evidence, texts, centred=centred, beside=others))


def chance_level(scores: Tensor) -> Tensor:
    """Return median and 95th percentile of the scores of random words, ``(N, 2)`` float32.

    Parameters
    ----------
    scores
        ``(N, W)`` scores of `W` words that were not chosen for these neurons, such as
        :data:`semlens_widgets.labels.words.RANDOM_WORDS`.
    """
    levels = []
    places = [share * (scores.shape[1] - 1) for share in (0.5, 0.95)]
    for part in torch.split(scores.float(), _SORTED_AT_ONCE):
        ordered = part.sort(dim=1).values
        level = [
            torch.lerp(ordered[:, math.floor(at)], ordered[:, math.ceil(at)], at % 1)
            for at in places
        ]
        unknown = part.isnan().any(1, keepdim=True)
        levels.append(torch.stack(level, dim=1).masked_fill(unknown, torch.nan))
    return torch.cat(levels)


@dataclass(frozen=True)
class Assignment:
    """The best candidate of every neuron.

    Attributes
    ----------
    indices
        ``(N,)`` int64, the best candidate; -1 where unknown.
    labels
        The best candidates' names; "unknown" where the bar was not reached.
    score
        ``(N,)`` float32, the best candidate's score, also where unknown.
    margin
        ``(N,)`` float32, how far it lies above the bar; NaN where there is no bar.
    """

    indices: Tensor
    labels: tuple[str, ...]
    score: Tensor
    margin: Tensor


def assign(
    scores: Tensor,
    candidates: Sequence[str],
    empty_scores: Tensor | None = None,
    threshold: float | None = None,
) -> Assignment:
    """Return the best candidate of every neuron, or "unknown"; ties go to the first candidate.

    Parameters
    ----------
    scores
        ``(N, T)`` from :func:`score`.
    candidates
        The T labels, in the order of the scores' columns.
    empty_scores
        ``(N,)`` scores of the empty text: a label must score strictly more. Zeros, if the empty
        text's score is already subtracted.
    threshold
        A score to reach instead; takes the place of the empty text as the bar.

    Raises
    ------
    ValueError
        If shapes do not fit together or there is no candidate.
    """
    names = tuple(candidates)
    if not names:
        raise ValueError("candidates: the list is empty; give at least one label")
    if scores.ndim != 2 or scores.shape[1] != len(names):
        raise ValueError(
            f"scores: expected shape (neurons, {len(names)}), one column per candidate, "
            f"got {tuple(scores.shape)}"
        )
    if empty_scores is not None and empty_scores.shape != scores.shape[:1]:
        raise ValueError(
            f"empty_scores: expected shape ({len(scores)},), got {tuple(empty_scores.shape)}"
        )
    best, index = scores.max(1)  # NaN is propagated; the first of equal maxima is taken
    if threshold is not None:
        margin = best - threshold
        known = margin >= 0
    elif empty_scores is not None:
        margin = best - empty_scores
        known = margin > 0
    else:
        margin = torch.full_like(best, torch.nan)
        known = ~best.isnan()
    index = index.masked_fill(~known, -1)
    labels = tuple(names[i] if i >= 0 else UNKNOWN for i in index.tolist())
    return Assignment(indices=index, labels=labels, score=best, margin=margin)


def _linear_scores(
    evidence: Evidence, texts: Tensor, method: Method, gamma: float, centred: bool
) -> Tensor:
    """Return the scores of the methods that are a product with one vector per neuron."""
    offset: Tensor | float = evidence.mean_embedding.float() @ texts.T if centred else 0.0
    if method == "csp":
        return csp_vectors(evidence, gamma) @ texts.T - offset
    mean = semantic_vectors(evidence)
    if method == "semanticlens":
        return normalize(mean, dim=1) @ texts.T - offset
    contrasted = evidence.contrasted.any(1, keepdim=True)
    scores = (mean - _masked_mean(evidence.negatives, evidence.contrasted)) @ texts.T
    return scores - ~contrasted * offset


def text_directions(evidence: Evidence, prompts: Tensor, empty: Tensor | None = None) -> Tensor:
    """Return T(t) averaged over templates, ``(T, D)`` of unit length, the empty text last.

    Raises
    ------
    ValueError
        If the shapes do not fit the evidence.
    """
    dim = evidence.positives.shape[2]
    if prompts.ndim != 3 or not len(prompts) or prompts.shape[1] == 0 or prompts.shape[2] != dim:
        raise ValueError(
            f"prompts: expected shape (templates, candidates, {dim}), got {tuple(prompts.shape)}"
        )
    if empty is not None:
        if tuple(empty.shape) != (len(prompts), 1, dim):
            raise ValueError(
                f"empty: expected shape ({len(prompts)}, 1, {dim}), the empty text in every "
                f"template of the prompts, got {tuple(empty.shape)}"
            )
        prompts = torch.cat([prompts, empty], dim=1)
    return normalize(prompts.float().mean(0), dim=1)


def _masked_mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of ``(N, m, D)`` over the m that the mask holds, zero without any."""
    weights = mask / mask.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("nm,nmd->nd", weights, vectors.float())
