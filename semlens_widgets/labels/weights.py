"""How much each concept example counts in scores that rest on examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch

from semlens_widgets.labels.scorer import choice

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence

Weighting = Literal["none", "raw", "log", "rank"]


def weighting(default: Weighting) -> Any:
    """Make the setting that the scorers by examples have: *weights*."""
    return choice(
        default,
        "Weights",
        "How much more an example counts that activates the neuron more",
        ("none", "raw", "log", "rank"),
    )


def example_weights(evidence: Evidence, how: Weighting) -> Tensor:
    """Return the weight of every example, ``(N, m)``; the largest of a neuron is 1.

    With b_i = max(a_i, 0) / max_j max(a_j, 0), the activations of a neuron's examples relative to
    the largest of them, the weight is

    - ``"none"``: 1,
    - ``"raw"``: b_i, as in CSP (arXiv 2604.22477),
    - ``"log"``: log(1 + b_i) / log 2,
    - ``"rank"``: the place of a_i among the positive activations from below, the lowest having 1,
      over the highest place; equal activations share the mean of their places.

    No unit of activation matters. But for ``"none"``, an example that does not activate the neuron
    weighs nothing, since a negative weight would reward what the neuron does not respond to; all
    weigh the same where none does. 0 where there is no example.
    """
    there = evidence.valid.float()
    if how == "none":
        return there
    activations = evidence.activations.float().nan_to_num(nan=0.0).clamp(min=0) * evidence.valid
    if how == "rank":
        activations = _places(activations)
    weights = torch.where(activations.any(1, keepdim=True), activations, there)
    # The weights of a neuron may be as small or large as floats get.
    weights = weights / weights.amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    return torch.log2(1 + weights) if how == "log" else weights


def _places(activations: Tensor) -> Tensor:
    """Return the place of each positive value of ``(N, m)`` among those of its row; 0 for 0."""
    one, other = activations[:, :, None], activations[:, None, :]
    positive = other > 0
    below = ((other < one) & positive).sum(2)
    alike = ((other == one) & positive).sum(2)
    return (below + (alike + 1) / 2) * (activations > 0)


def weighted_mean(vectors: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of ``(N, m, D)`` by ``(N, m)`` weights, zero where all are 0."""
    return torch.einsum("nm,nmd->nd", shares(weights), vectors.float())


def shares(weights: Tensor) -> Tensor:
    """Return ``(N, m)`` weights over their sum; 0 where all are 0."""
    total = weights.sum(1, keepdim=True)
    return weights / torch.where(total > 0, total, 1.0)
