"""A model with corrections built in, to save and to use like the one that it was made of."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.inputs.corrections import Correction


class Changed(nn.Module):
    """A layer whose output is corrected; what else is asked of it, the layer answers.

    Parameters
    ----------
    layer
        The layer as it was.
    correction
        What is done to its output.
    axis
        Of the output's channels.
    """

    def __init__(self, layer: nn.Module, correction: Correction, axis: int) -> None:
        super().__init__()
        self.layer = layer
        self.correction = correction
        self.axis = axis

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Run the layer and correct what it returns."""
        output: Tensor = self.layer(*args, **kwargs)
        corrected: Tensor = self.correction(output, self.axis if output.ndim > 2 else 1)
        return corrected

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)


def corrected(
    model: nn.Module, corrections: Mapping[str, Correction], axes: Mapping[str, int]
) -> nn.Module:
    """Copy a model and build corrections into the copy.

    Layers keep their names, and parameters of corrected layers move to ``<layer>.layer``; a
    correction is ``<layer>.correction``, in buffers, so that it is saved with the weights.

    Parameters
    ----------
    model
        Left as it is.
    corrections
        By layer.
    axes
        By layer, where its output has its channels.
    """
    made = copy.deepcopy(model)
    # Inner layers first: a layer that is wrapped later still finds them by their names.
    for layer in sorted(corrections, key=lambda name: -name.count(".")):
        parent, _, name = layer.rpartition(".")
        changed = Changed(made.get_submodule(layer), copy.deepcopy(corrections[layer]), axes[layer])
        holder = made.get_submodule(parent)
        first = next(iter(made.parameters()), None)
        holder._modules[name] = changed if first is None else changed.to(first.device)  # noqa: SLF001
    return made
