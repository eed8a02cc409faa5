"""What is done to the neurons of a layer: set, scaled, bounded, or projected out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from semlens_widgets.inputs.poles import BothPoles, united

if TYPE_CHECKING:
    from collections.abc import Sequence


class Correction(nn.Module):
    """A change of a layer's output, the same at every position.

    Channel c becomes ``min(scale_c * h_c + shift_c, ceiling_c)``; then, where there is a direction
    v, the vector of channels h becomes ``h + (level - h·v) / (v·v) * v``. Of a layer with both
    poles this is done to the poles, and the channels are their difference.

    Parameters
    ----------
    neurons
        How many the layer has. A new correction changes nothing.
    poles
        Whether the neurons are both poles of the layer's channels, see
        `semlens_widgets.inputs.poles`.

    Notes
    -----
    The projection is P-ClArC (Anders et al., Finding and removing Clever Hans, Information Fusion
    2022): what a picture has along v becomes what clean pictures have on average.
    """

    scale: Tensor
    shift: Tensor
    ceiling: Tensor
    direction: Tensor
    level: Tensor

    def __init__(self, neurons: int, *, poles: bool = False) -> None:
        super().__init__()
        self.poles = poles
        self.register_buffer("scale", torch.ones(neurons))
        self.register_buffer("shift", torch.zeros(neurons))
        self.register_buffer("ceiling", torch.full((neurons,), torch.inf))
        self.register_buffer("direction", torch.zeros(neurons))
        self.register_buffer("level", torch.zeros(()))

    def forward(self, output: Tensor, axis: int = 1) -> Tensor:
        """Change a layer's output, which has its channels on `axis`."""
        values = output.movedim(axis, -1)
        values = BothPoles()(values) if self.poles else values
        bounded = torch.minimum(values * self.scale + self.shift, self.ceiling)
        length = self.direction.square().sum()
        if length > 0:
            missing = (self.level - bounded @ self.direction) / length
            bounded = bounded + missing[..., None] * self.direction
        bounded = united(bounded) if self.poles else bounded
        return bounded.movedim(-1, axis).to(output.dtype)

    def setting(self, neurons: Sequence[int], value: float | Tensor) -> Self:
        """Set neurons to a value: 0, or to each its own ``(neurons,)``."""
        self.scale[list(neurons)] = 0
        self.shift[list(neurons)] = torch.as_tensor(value, dtype=self.shift.dtype)
        return self

    def scaling(self, neurons: Sequence[int], factor: float) -> Self:
        """Multiply neurons."""
        self.scale[list(neurons)] = factor
        return self

    def bounding(self, neurons: Sequence[int], ceiling: Tensor) -> Self:
        """Keep neurons below a bound each, ``(neurons,)``."""
        self.ceiling[list(neurons)] = ceiling.to(self.ceiling)
        return self

    def projecting(self, direction: Tensor, level: float) -> Self:
        """Give the output this level along a direction ``(neurons,)``, whatever it had."""
        self.direction.copy_(direction)
        self.level.fill_(level)
        return self
