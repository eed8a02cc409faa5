"""Last layers fitted anew: of a changed model, and of its random controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from semlens_widgets.analysis.refit import refitted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Refit:
    """The last layers of the model as it is, changed and fitted anew, and of the controls.

    Attributes
    ----------
    layer
        Name of the last layer.
    heads
        Weight and bias of each variant.
    """

    layer: str
    heads: tuple[tuple[Tensor, Tensor | None], ...]

    def logits(self, features: Tensor) -> Tensor:
        """Return what the first variants say, from what goes into their last layers.

        Parameters
        ----------
        features
            ``(variants, images, features)``, for as many variants as are wanted.
        """
        return torch.stack(
            [
                nn.functional.linear(some, *head)
                for some, head in zip(features, self.heads[: len(features)], strict=True)
            ]
        )

    def put_into(self, model: nn.Module) -> None:
        """Give a copy of the model the last layer that was fitted behind the changed neurons."""
        layer = model.get_submodule(self.layer)
        weight, bias = self.heads[1]
        with torch.no_grad():
            for name, value in (("weight", weight), ("bias", bias)):
                if value is not None:
                    getattr(layer, name).copy_(value)


def fitted_heads(
    layer: str, linear: nn.Linear, features: Tensor, truth: NDArray[np.int64], strength: float
) -> Refit:
    """Fit a last layer behind each variant, beside the layer as it is.

    Parameters
    ----------
    features
        ``(variants, images, features)``: changed, and controls.
    """
    weight = linear.weight.detach().float().cpu()
    bias = None if linear.bias is None else linear.bias.detach().float().cpu()
    right = torch.from_numpy(truth)
    fitted = (refitted(some, right, weight, bias, strength=strength) for some in features)
    return Refit(layer, ((weight, bias), *fitted))
