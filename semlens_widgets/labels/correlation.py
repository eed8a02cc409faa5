"""Correlation: how far a neuron rises and falls with an image's similarity to a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from semlens_widgets.labels.recognition import similarities
from semlens_widgets.labels.scorer import Scorer

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence

_AT_ONCE = 1 << 24  # similarities of texts to images: 64 MiB


@dataclass(frozen=True)
class Correlation(Scorer):
    """Pearson correlation of the activation with the text's similarity, over all images.

    0 is chance, whatever the text. It uses all of a neuron's activations instead of its examples,
    and needs no contrast. Centring would change nothing: it shifts a text's similarity to all
    images alike.
    """

    name = "correlation"
    title = "Correlation"
    about = "How far the neuron rises and falls with each image's likeness to the text"
    pairs = False
    whole = True
    chance = 0.0

    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the correlation of every neuron with every text, ``(N, T)``.

        NaN for a neuron that is as active on one image as on any other.
        """
        readable = ~evidence.values.isnan().all(0)
        values = _standardised(evidence.values[:, readable])
        step = max(1, _AT_ONCE // evidence.images.shape[0])
        found = [
            values @ _standardised(similarities(evidence.images, some)[:, readable]).T
            for some in torch.split(texts, step)
        ]
        scores: Tensor = torch.cat(found, dim=1)
        return scores


def _standardised(rows: Tensor) -> Tensor:
    """Take its mean from each row of ``(N, S)`` and bring it to unit length; NaN if constant."""
    constant = rows.amax(1, keepdim=True) == rows.amin(1, keepdim=True)
    rest = rows - rows.mean(1, keepdim=True)
    length: Tensor = rest.norm(dim=1, keepdim=True)
    return (rest / length).masked_fill(constant, torch.nan)
