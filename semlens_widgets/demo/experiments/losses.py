"""What else a training may minimise: small activations, moved pictures, disturbed ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from semlens_widgets.demo.models import DEVIATION, MEAN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from semlens_widgets.demo.train_classifier import Loss

_STRENGTH = 4 / 255 / DEVIATION  # the most that a disturbance changes a pixel, as models take it
_ASCENTS = 3
_DARKEST, _BRIGHTEST = -MEAN / DEVIATION, (1 - MEAN) / DEVIATION
_TURN, _SHIFT, _SCALE = math.radians(15), 0.15, 0.15  # at most; shift as a share of half the side


def sparse(loss: Loss, layers: Sequence[str], weight: float) -> Loss:
    """Add the mean absolute activation of every layer (L1), times a weight."""

    def value(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        sizes: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            sizes.append(output.float().abs().mean())

        hooks = [model.get_submodule(layer).register_forward_hook(keep) for layer in layers]
        try:
            plain = loss(model, images, labels)
        finally:
            for hook in hooks:
                hook.remove()
        return plain + weight * torch.stack(sizes).sum()

    return value


def augmented(loss: Loss) -> Loss:
    """Show every picture turned, scaled, shifted and perhaps mirrored, each its own way."""

    def value(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return loss(model, moved(images), labels)

    return value


def moved(images: Tensor) -> Tensor:
    """Turn, scale, shift and perhaps mirror images ``(batch, 3, side, side)`` at random."""
    turn, scale, across, down = torch.rand(4, len(images), device=images.device) * 2 - 1
    mirror = torch.randint(2, (len(images),), device=images.device) * 2 - 1
    size = 1 + _SCALE * scale
    cosine, sine = size * torch.cos(_TURN * turn), size * torch.sin(_TURN * turn)
    rows = torch.stack(
        [cosine * mirror, -sine, _SHIFT * across, sine * mirror, cosine, _SHIFT * down], 1
    )
    grid = functional.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def adversarial(loss: Loss) -> Loss:
    """Disturb every picture so that the loss rises, within 4 of 255 grey levels at each pixel.

    Notes
    -----
    Projected gradient ascent (PGD, arXiv 1706.06083): three steps of half the strength, from a
    random beginning, the network in evaluation mode meanwhile.
    """

    def value(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        model.eval()
        change = (torch.rand_like(images) * 2 - 1) * _STRENGTH
        for _ in range(_ASCENTS):
            change.requires_grad_()
            (upwards,) = torch.autograd.grad(loss(model, images + change, labels), change)
            change = (change.detach() + _STRENGTH / 2 * upwards.sign()).clamp(-_STRENGTH, _STRENGTH)
            change = (images + change).clamp(_DARKEST, _BRIGHTEST) - images
        model.train()
        return loss(model, images + change, labels)

    return value
