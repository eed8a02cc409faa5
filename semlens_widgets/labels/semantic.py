"""The label score of SemanticLens (arXiv 2501.05398): how near a label is to the mean example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn.functional import normalize

from semlens_widgets.labels.scorer import TINY, Scorer, centring, masked_mean, offset, unseen

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence


@dataclass(frozen=True)
class Semantic(Scorer):
    """cos(v_k, T(t)), v_k being the mean of the p_i.

    Parameters
    ----------
    centred
        Subtract each text's mean similarity over all images.

    Notes
    -----
    SemanticLens (arXiv 2501.05398, Methods, "Labelling"), where it is not centred.
    """

    name = "semanticlens"
    title = "SemanticLens"
    about = "Cosine of the mean example and the text"
    unit = "cosine"
    centred: bool = centring()

    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the score of every text for every neuron, ``(N, T)``."""
        mean = normalize(masked_mean(evidence.positives, evidence.valid), dim=1)
        return unseen(evidence, mean @ texts.T - offset(evidence, texts, centred=self.centred))

    def parts(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return p_i · T(t) / abs(sum_j p_j), ``(N, m, T)``."""
        valid = evidence.valid.float()[..., None]
        share = valid / valid.sum(1, keepdim=True).clamp(min=1)
        length = masked_mean(evidence.positives, evidence.valid).norm(dim=1).clamp(min=TINY)
        parts: Tensor = (evidence.positives @ texts.T) * share / length[:, None, None]
        return parts - share * offset(evidence, texts, centred=self.centred)
