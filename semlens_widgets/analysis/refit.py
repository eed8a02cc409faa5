"""Fit a last layer anew: multinomial logistic regression that stays near where it was."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS = 100
_TOLERANCE = 1e-7
_CONSTANT = 1e-6  # of a feature's size: what varies less, varies by rounding alone


def refitted(
    features: Tensor, truth: Tensor, weight: Tensor, bias: Tensor | None, *, strength: float
) -> tuple[Tensor, Tensor | None]:
    """Minimise the cross-entropy of a linear layer, starting from what it is.

    Parameters
    ----------
    features
        ``(images, features)``, what goes into the layer.
    truth
        ``(images,)`` int64, the right output of each.
    weight, bias
        ``(outputs, features)`` and ``(outputs,)`` or None, of the layer as it is.
    strength
        How strongly it is held there: the loss is the mean cross-entropy plus ``strength / 2``
        times the squared distance to `weight` and `bias`, on features of unit variance. Classes
        without images stay nearly as they are, and so does what a feature weighs that is the same
        on all images.

    Returns
    -------
    weight, bias
        Of the layer fitted anew; no bias where it had none.

    Notes
    -----
    Retraining the last layer alone removes much of what a model owes to shortcuts (Kirichenko et
    al., Last layer re-training is sufficient for robustness to spurious correlations, ICLR 2023).
    """
    inputs, start = features.double(), weight.double()
    scale = inputs.std(dim=0)
    constant = scale <= _CONSTANT * inputs.abs().amax(dim=0)
    scale = torch.where(constant, 1, scale)
    inputs, start = inputs / scale, start * scale
    varied = torch.where(constant, 0, inputs)
    change = torch.zeros_like(start).requires_grad_()
    offset = torch.zeros(len(weight), dtype=torch.float64).requires_grad_()
    first = torch.zeros(len(weight), dtype=torch.float64) if bias is None else bias.double()
    before = inputs @ start.T + first
    free = [change] if bias is None else [change, offset]
    solver = torch.optim.LBFGS(
        free,
        max_iter=_ROUNDS,
        tolerance_grad=_TOLERANCE,
        tolerance_change=1e-10,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        solver.zero_grad()
        logits = before + varied @ change.T + offset
        held = sum(part.square().sum() for part in free)
        value = torch.nn.functional.cross_entropy(logits, truth) + strength / 2 * held
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        solver.step(loss)  # type: ignore[no-untyped-call]
    fitted = ((start + change) / scale).detach().to(weight.dtype)
    return fitted, None if bias is None else (first + offset).detach().to(bias.dtype)
