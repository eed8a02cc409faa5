"""Which examples speak for a label: a neuron's score, taken apart into its pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from semlens_widgets.labels.scorers import (
    check_gamma,
    check_method,
    csp_weights,
    semantic_vectors,
    text_directions,
)

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence

_TINY = 1e-12  # as torch.nn.functional.normalize


def contributions(
    evidence: Evidence,
    prompts: Tensor,
    *,
    method: str = "csp",
    gamma: float = 1.0,
    centred: bool = False,
) -> Tensor:
    """Return what each pair adds to each label's score, ``(N, m, T)``.

    Parameters are those of :func:`semlens_widgets.labels.scorers.score`. The numbers of a neuron
    sum over its pairs to its score; what centring subtracts is shared out by the pairs' weights.

    - ``"csp"``: a_i r_i · T(t) / |sum_j a_j r_j|
    - ``"semanticlens"``: p_i · T(t) / |sum_j p_j|
    - ``"difference"``: p_i · T(t) / (number of examples) - n_i · T(t) / (number of contrasts)

    Returns
    -------
    Tensor
        ``(N, m, T)`` float32; zero for pairs that do not exist.

    Raises
    ------
    ValueError
        As :func:`semlens_widgets.labels.scorers.score`, and if ``method`` is
        ``"clip-dissect"``, whose score rests on more images and on all other neurons.
    """
    method = check_method(method)
    if method == "clip-dissect":
        raise ValueError(
            "method: a score of clip-dissect cannot be shared out among the pairs; it rests on "
            "the 100 most activating images and on all other neurons."
        )
    texts = text_directions(evidence, prompts)
    positive = evidence.positives.float() @ texts.T  # (N, m, T)
    valid = evidence.valid.float()[..., None]
    share = valid / valid.sum(1, keepdim=True).clamp(min=1)
    if method == "difference":
        contrasted = evidence.contrasted.float()[..., None]
        count = contrasted.sum(1, keepdim=True)
        negative = evidence.negatives.float() @ texts.T * contrasted
        parts = positive * share - negative / count.clamp(min=1)
        return parts - share * (count == 0) * _offset(evidence, texts, centred)
    if method == "semanticlens":
        parts = positive * share
        length = semantic_vectors(evidence).norm(dim=1)
    else:
        check_gamma(gamma)
        weights = csp_weights(evidence)
        positives, negatives = evidence.positives.float(), evidence.negatives.float()
        cosine = (positives * negatives).sum(2) * evidence.contrasted
        residuals = positive - gamma * cosine[..., None] * (negatives @ texts.T)
        parts = weights[..., None] * residuals
        length = torch.einsum("nm,nmd->nd", weights, positives)
        length = length - torch.einsum("nm,nmd->nd", gamma * weights * cosine, negatives)
        length = length.norm(dim=1)
        share = (weights / weights.sum(1, keepdim=True).clamp(min=_TINY))[..., None]
    contributions: Tensor = parts / length.clamp(min=_TINY)[:, None, None]
    return contributions - torch.as_tensor(share * _offset(evidence, texts, centred))


def _offset(evidence: Evidence, texts: Tensor, centred: bool) -> Tensor | float:
    if not centred:
        return 0.0
    offset: Tensor = evidence.mean_embedding.float() @ texts.T
    return offset
