"""Contrastive Semantic Projection (arXiv 2604.22477): what the quiet look-alikes share goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import normalize

from semlens_widgets.labels.evidence import embedded
from semlens_widgets.labels.scorer import TINY, Scorer, centring, control, embedding, offset, unseen
from semlens_widgets.labels.weights import example_weights, shares, weighting

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Embedded, Evidence
    from semlens_widgets.labels.weights import Weighting

#: Singular values, relative to the largest, below which contrasts differ by the rounding of stored
#: embeddings alone (half precision): no direction to take out.
_ALIKE = 1e-3
#: What is left of unit vectors, of this length, is rounding in single precision: no direction.
_NOTHING = 1e-5


@dataclass(frozen=True)
class Csp(Scorer):
    """cos(u_k, T(t)) with the contrastive semantic vectors u_k of :meth:`vectors`.

    Parameters
    ----------
    gamma
        How much of the contrastive examples is projected out, in [0, 1].
    centred
        Subtract each text's mean similarity over all images.
    weights
        How much each example counts, see
        :func:`semlens_widgets.labels.weights.example_weights`.
    neighbours
        How many contrastive examples of each example are projected out together. The analysis must
        hold as many: ``SemanticLens(..., contrasts=Nearest(neighbours=3))``.
    embedding
        Whether both sides are compared whole or as crops: ``"analysed"`` (as the analysis has
        them), ``"image"`` or ``"crop"``.

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
    weights: Weighting = weighting("raw")
    neighbours: int = control(
        1, "Neighbours", "How many contrastive examples are taken out of each example", 1, 16, 1
    )
    embedding: Embedded = embedding()

    def check(self, evidence: Evidence) -> None:
        """Refuse to compare crops, or as many contrasts, where there are none."""
        embedded(evidence, self.embedding)
        if self.neighbours > evidence.neighbours:
            raise ValueError(
                f"neighbours={self.neighbours}: the analysis holds {evidence.neighbours} for each "
                "example; make it with SemanticLens(..., contrasts=Nearest(neighbours="
                f"{self.neighbours}))."
            )

    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the score of every text for every neuron, ``(N, T)``.

        NaN also where contrasts take everything out of all examples, such as copies of them.
        """
        scores = self.vectors(evidence) @ texts.T
        return unseen(evidence, scores - offset(evidence, texts, centred=self.centred))

    def parts(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return w_i r_i · T(t) / abs(sum_j w_j r_j), ``(N, m, T)``."""
        weights, positives, quiet, taken, total = self._sum(evidence)
        residuals = positives @ texts.T
        for j in range(quiet.shape[2]):
            residuals -= self.gamma * taken[:, :, j, None] * (quiet[:, :, j] @ texts.T)
        length = total.norm(dim=1, keepdim=True)
        parts = weights[..., None] * residuals / length.clamp(min=TINY)[..., None]
        parts -= shares(weights)[..., None] * offset(evidence, texts, centred=self.centred)
        nothing: Tensor = length <= _NOTHING * weights.sum(1, keepdim=True)
        found: Tensor = parts.masked_fill(nothing[..., None], 0)
        return found

    def vectors(self, evidence: Evidence) -> Tensor:
        """Return the contrastive semantic vectors u_k, ``(N, D)`` of unit length.

        r_i = p_i - gamma B_i B_i^T p_i, where the columns of B_i are an orthonormal basis of the
        span of the contrastive examples of p_i; with a single one, n_i, this is
        p_i - gamma cos(p_i, n_i) n_i. r_i = p_i where the example has no contrast.
        u_k = normalise(sum_i w_i r_i) with the weights w_i of
        :func:`semlens_widgets.labels.weights.example_weights`; NaN where nothing is left.

        Notes
        -----
        Contrastive Semantic Projection (arXiv 2604.22477), with one contrast and raw weights.
        """
        weights, *_, total = self._sum(evidence)
        left = total.norm(dim=1, keepdim=True) > _NOTHING * weights.sum(1, keepdim=True)
        return normalize(total, dim=1).masked_fill(~left, torch.nan)

    def _sum(self, evidence: Evidence) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return weights, p, contrasts, how much of each is taken out, and sum_i w_i r_i.

        ``(N, m)``, ``(N, m, D)``, ``(N, m, k, D)``, ``(N, m, k)`` and ``(N, D)``.
        """
        self.check(evidence)
        evidence = embedded(evidence, self.embedding)
        weights = example_weights(evidence, self.weights)
        positives, quiet = evidence.positives, evidence.quiet[:, :, : self.neighbours]
        taken = projection(positives, quiet)
        # In two products, so that no (N, m, D) array of residuals is made.
        total = torch.einsum("nm,nmd->nd", weights, positives)
        out = torch.einsum("nmk,nmkd->nd", self.gamma * weights[..., None] * taken, quiet)
        return weights, positives, quiet, taken, total - out


def projection(vectors: Tensor, onto: Tensor) -> Tensor:
    """Return coefficients c so that sum_j c_j onto_j is the projection onto the span of `onto`.

    Parameters
    ----------
    vectors
        ``(N, m, D)``.
    onto
        ``(N, m, k, D)`` unit vectors, or zero where there is none. Where some are alike, their
        span has fewer dimensions; what tells them apart is noise if it is less than a thousandth.

    Returns
    -------
    Tensor
        ``(N, m, k)``.
    """
    cosine = torch.einsum("nmd,nmkd->nmk", vectors, onto)
    if onto.shape[2] == 1:
        return cosine
    # B B^T = onto^T (onto onto^T)^+ onto: the k x k pseudo-inverse in place of D x k bases.
    wide = onto.double()
    gram = wide @ wide.transpose(2, 3)
    inverse = torch.linalg.pinv(gram, rtol=_ALIKE**2, hermitian=True)
    found: Tensor = (inverse @ cosine.double()[..., None])[..., 0].float()
    return found
