"""Contrastive Semantic Projection (arXiv 2604.22477): what the quiet look-alikes share goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import normalize

from semlens_widgets.labels.scorer import TINY, Scorer, centring, control, offset, unseen

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence


@dataclass(frozen=True)
class Csp(Scorer):
    """cos(u_k, T(t)) with the contrastive semantic vectors u_k of :func:`csp_vectors`.

    Parameters
    ----------
    gamma
        How much of the contrastive example is projected out, in [0, 1].
    centred
        Subtract each text's mean similarity over all images.

    Notes
    -----
    Contrastive Semantic Projection (arXiv 2604.22477) with ``centred=False``.
    """

    name = "csp"
    title = "CSP"
    about = "Contrastive semantic projection: what contrastive examples share is taken out"
    unit = "cosine"
    gamma: float = control(
        1.0, "γ", "How much of the contrastive example is taken out of each example"
    )
    centred: bool = centring()

    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the score of every text for every neuron, ``(N, T)``."""
        vectors = csp_vectors(evidence, self.gamma)
        return unseen(evidence, vectors @ texts.T - offset(evidence, texts, centred=self.centred))

    def parts(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return a_i r_i · T(t) / abs(sum_j a_j r_j), ``(N, m, T)``."""
        weights, cosine, total = _sum(evidence, self.gamma)
        residuals = evidence.positives @ texts.T
        residuals -= self.gamma * cosine[..., None] * (evidence.negatives @ texts.T)
        parts = weights[..., None] * residuals / total.norm(dim=1).clamp(min=TINY)[:, None, None]
        share = (weights / weights.sum(1, keepdim=True).clamp(min=TINY))[..., None]
        found: Tensor = parts - share * offset(evidence, texts, centred=self.centred)
        return found


def csp_vectors(evidence: Evidence, gamma: float = 1.0) -> Tensor:
    """Return the contrastive semantic vectors u_k, ``(N, D)`` of unit length.

    r_i = p_i - gamma cos(p_i, n_i) n_i, and r_i = p_i where the example has no contrast;
    u_k = normalise(sum_i a_i r_i / sum_i a_i) with max(a_i, 0) for a_i, and equal weights where
    no a_i is positive: a negative weight would reward what the neuron does not respond to.

    Notes
    -----
    Contrastive Semantic Projection (arXiv 2604.22477).
    """
    weights, _, total = _sum(evidence, gamma)
    return normalize(total / weights.sum(1, keepdim=True).clamp(min=1.0), dim=1)


def _sum(evidence: Evidence, gamma: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the weights a_i and cos(p_i, n_i), ``(N, m)``, and sum_i a_i r_i, ``(N, D)``."""
    weights = csp_weights(evidence)
    positives, negatives = evidence.positives, evidence.negatives
    cosine = (positives * negatives).sum(2) * evidence.contrasted
    # In two products, so that no (N, m, D) array of residuals is made.
    total = torch.einsum("nm,nmd->nd", weights, positives)
    return weights, cosine, total - torch.einsum("nm,nmd->nd", gamma * weights * cosine, negatives)


def csp_weights(evidence: Evidence) -> Tensor:
    """Return the weight a_i of every pair in :func:`csp_vectors`, ``(N, m)``, at most 1."""
    weights = evidence.activations.float().nan_to_num(nan=0.0).clamp(min=0) * evidence.valid
    weights = torch.where(weights.any(1, keepdim=True), weights, evidence.valid.float())
    # Dividing by the largest first: the weights of a neuron may be as small or large as floats get.
    return weights / weights.amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
