"""The simple contrastive score: nearer to the examples than to their quiet look-alikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from semlens_widgets.labels.evidence import embedded
from semlens_widgets.labels.scorer import Scorer, centring, embedding, offset, unseen
from semlens_widgets.labels.weights import example_weights, shares, weighted_mean, weighting

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Embedded, Evidence
    from semlens_widgets.labels.weights import Weighting


@dataclass(frozen=True)
class Difference(Scorer):
    """mean_i cos(p_i, T(t)) - mean_i cos(n_i, T(t)).

    Parameters
    ----------
    centred
        Subtract each text's mean similarity over all images. It changes the score only of a neuron
        without contrast, whose second term is missing.
    weights
        How much each pair counts in both means, see
        :func:`semlens_widgets.labels.weights.example_weights`.
    embedding
        Whether both sides are compared whole or as crops: ``"analysed"`` (as the analysis has
        them), ``"image"`` or ``"crop"``.

    Notes
    -----
    The baseline of Contrastive Semantic Projection (arXiv 2604.22477), where pairs weigh the same.
    """

    name = "difference"
    title = "Difference"
    about = "Similarity to the examples minus similarity to their contrasts"
    unit = "difference of cosines"
    centred: bool = centring()
    weights: Weighting = weighting("none")
    embedding: Embedded = embedding()

    def check(self, evidence: Evidence) -> None:
        """Refuse to compare crops where there are none."""
        embedded(evidence, self.embedding)

    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the score of every text for every neuron, ``(N, T)``."""
        evidence = embedded(evidence, self.embedding)
        weights = example_weights(evidence, self.weights)
        contrasts = weights * evidence.contrasted
        mean = weighted_mean(evidence.positives, weights)
        mean = mean - weighted_mean(evidence.negatives, contrasts)
        alone = ~contrasts.any(1, keepdim=True)
        shift = alone * offset(evidence, texts, centred=self.centred)
        return unseen(evidence, mean @ texts.T - shift)

    def parts(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return p_i · T(t) by the weights' shares less n_i · T(t) by theirs, ``(N, m, T)``."""
        evidence = embedded(evidence, self.embedding)
        weights = example_weights(evidence, self.weights)
        contrasts = weights * evidence.contrasted
        negative = evidence.negatives @ texts.T * shares(contrasts)[..., None]
        alone = ~contrasts.any(1)[:, None, None] * offset(evidence, texts, centred=self.centred)
        found: Tensor = (evidence.positives @ texts.T - alone) * shares(weights)[..., None]
        return found - negative
