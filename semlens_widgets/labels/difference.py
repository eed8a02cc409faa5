"""The simple contrastive score: nearer to the examples than to their quiet look-alikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from semlens_widgets.labels.scorer import Scorer, centring, masked_mean, offset, unseen

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence


@dataclass(frozen=True)
class Difference(Scorer):
    """mean_i cos(p_i, T(t)) - mean_i cos(n_i, T(t)).

    Parameters
    ----------
    centred
        Subtract each text's mean similarity over all images. It changes the score only of a neuron
        without contrast, whose second term is missing.

    Notes
    -----
    The baseline of Contrastive Semantic Projection (arXiv 2604.22477).
    """

    name = "difference"
    title = "Difference"
    about = "Similarity to the examples minus similarity to their contrasts"
    unit = "difference of cosines"
    centred: bool = centring()

    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the score of every text for every neuron, ``(N, T)``."""
        mean = masked_mean(evidence.positives, evidence.valid)
        mean = mean - masked_mean(evidence.negatives, evidence.contrasted)
        alone = ~evidence.contrasted.any(1, keepdim=True)
        shift = alone * offset(evidence, texts, centred=self.centred)
        return unseen(evidence, mean @ texts.T - shift)

    def parts(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return p_i · T(t) / examples - n_i · T(t) / contrasts, ``(N, m, T)``."""
        valid, contrasted = evidence.valid.float(), evidence.contrasted.float()
        share = (valid / valid.sum(1, keepdim=True).clamp(min=1))[..., None]
        count = contrasted.sum(1, keepdim=True)
        negative = evidence.negatives @ texts.T * (contrasted / count.clamp(min=1))[..., None]
        alone = (count == 0)[..., None] * offset(evidence, texts, centred=self.centred)
        parts: Tensor = (evidence.positives @ texts.T - alone) * share - negative
        return parts
