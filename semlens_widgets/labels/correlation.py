"""Correlation: how far a neuron rises and falls with an image's similarity to a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from semlens_widgets.labels.scorer import Scorer

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence
    from semlens_widgets.labels.likeness import Likeness


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
    unit = "correlation"
    pairs = False
    whole = True
    chance = 0.0

    def score(self, evidence: Evidence, texts: Tensor) -> Tensor:
        """Return the correlation of every neuron with every text, ``(N, T)``.

        NaN for a neuron that is as active on one image as on any other.
        """
        return correlations(activation_directions(evidence), texts, evidence.likeness)


def activation_directions(evidence: Evidence) -> Tensor:
    """Project each neuron's standardised activations onto the images' embeddings, ``(N, D)``.

    Similarities are linear in the embeddings: whatever the text, its covariance with a neuron is
    the product of its embedding and this. NaN for a neuron that is as active on one image as on any
    other.
    """
    values = _standardised(evidence.values)
    towards = torch.zeros(len(values), evidence.images.shape[1])
    start = 0
    for block in evidence.images.blocks():
        towards += values[:, start : start + len(block)] @ block
        start += len(block)
    return towards - values.sum(1, keepdim=True) * evidence.images.mean  # 0, but for rounding


def correlations(directions: Tensor, texts: Tensor, likeness: Likeness) -> Tensor:
    """Return the correlations of neurons, given by their directions, with texts, ``(N, T)``."""
    scores: Tensor = (directions @ texts.T) / likeness.spread(texts)
    return scores


def _standardised(values: Tensor) -> Tensor:
    """Take its mean from each row of ``(N, S)`` and bring it to unit length.

    0 where an image was unreadable; NaN all along a row that is constant.
    """
    readable = ~values.isnan().all(0)
    whole = bool(readable.all())
    rows = values if whole else values[:, readable]
    low, high = rows.aminmax(dim=1, keepdim=True)
    rest = rows - rows.mean(1, keepdim=True)
    rest = rest.div_(rest.norm(dim=1, keepdim=True)).masked_fill_(low == high, torch.nan)
    if whole:
        return rest
    found = torch.zeros_like(values)
    found[:, readable] = rest
    return found
