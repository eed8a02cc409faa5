"""The label score of SemanticLens (arXiv 2501.05398): how near a label is to the mean example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn.functional import normalize

from semlens_widgets.labels.evidence import embedded
from semlens_widgets.labels.scorer import TINY, Scorer, centring, embedding, offset, unseen
from semlens_widgets.labels.weights import example_weights, shares, weighted_mean, weighting

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Embedded, Evidence
    from semlens_widgets.labels.weights import Weighting


@dataclass(frozen=True)
class Semantic(Scorer):
    """cos(v_k, T(t)), v_k being the mean of the p_i.

    Parameters
    ----------
    centred
        Subtract each text's mean similarity over all images.
    weights
        How much each example counts in the mean, see
        :func:`semlens_widgets.labels.weights.example_weights`.
    embedding
        Whether examples are compared whole or as crops: ``"analysed"`` (as the analysis has them),
        ``"image"`` or ``"crop"``.

    Notes
    -----
    SemanticLens (arXiv 2501.05398, Methods, "Labelling"), where it is not centred.
    """

    name = "semanticlens"
    title = "SemanticLens"
    about = "Cosine of the mean example and the text"
    unit = "cosine"
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
        mean = normalize(weighted_mean(evidence.positives, weights), dim=1)
        return unseen(evidence, mean @ texts.T - offset(evidence, texts, centred=self.centred))

    def parts(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return w_i p_i · T(t) / abs(sum_j w_j p_j), ``(N, m, T)``."""
        evidence = embedded(evidence, self.embedding)
        weights = example_weights(evidence, self.weights)
        share = shares(weights)[..., None]
        length = weighted_mean(evidence.positives, weights).norm(dim=1).clamp(min=TINY)
        parts: Tensor = (evidence.positives @ texts.T) * share / length[:, None, None]
        return parts - share * offset(evidence, texts, centred=self.centred)
