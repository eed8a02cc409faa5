r"""The two poles of a neuron that takes both signs, each a unit of its own.

Behind a rectifier a neuron says something by being active and nothing by being silent. Without one,
as in the blocks of a transformer or in front of a ReLU, what makes it strongly negative may mean as
much as what makes it positive, and another thing. So the activation :math:`a` at each position is
taken as two units, before pooling: ``17`` is :math:`\max(a, 0)`, its negative pole, written
``17-``, is :math:`\max(-a, 0)`. SemanticLens (arXiv 2501.05398) collects the examples of both for
transformers.

Split like this, and not as :math:`a` and :math:`-a`, both poles are what every other neuron here
is: never negative, silent where they have no say, with a heatmap of the places where they are
active. And nothing is lost or counted twice, for :math:`a` is their difference: what a layer has of
relevance is theirs (where :math:`a > 0` it is the positive pole's, where :math:`a < 0` the negative
one's), and one of them can be changed in the model while the other is left as it is.

In a layer of n channels the poles are neurons 0 to n - 1 and n to 2n - 1: n + 17 is ``17-``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from semlens_widgets.attribution.operations import OPERATIONS, called

#: See :class:`semlens_widgets.TargetModel`.
Poles = Literal["auto", "both", "positive"]

_SOFT = frozenset(
    ["celu", "elu", "gelu", "hardswish", "leaky_relu", "mish", "prelu", "rrelu", "selu", "silu"]
)


class BothPoles(nn.Module):
    """From channels to their poles, the positive ones first."""

    def forward(self, values: Tensor) -> Tensor:
        """Split (..., channels) into (..., 2 channels), none negative."""
        return torch.cat([values.relu(), (-values).relu()], dim=-1)


def united(poles: Tensor) -> Tensor:
    """Return the channels that poles (..., 2 channels) are of, their difference."""
    positive, negative = poles.chunk(2, dim=-1)
    return positive - negative


def shared_by_sign(relevance: Tensor, values: Tensor) -> Tensor:
    """Give the relevance of channels to the poles that are active, (..., 2 channels).

    Parameters
    ----------
    relevance, values
        (..., channels), and what the channels are. Where they are 0 the positive pole has it.
    """
    negative = values < 0
    return torch.cat([relevance * ~negative, relevance * negative], dim=-1)


def neuron_name(neuron: int, channels: int | None) -> str:
    """Return what a neuron is called: ``"17"``, or ``"17-"`` for a negative pole.

    Parameters
    ----------
    neuron
        Its number in its layer.
    channels
        How many channels a layer with both poles has; None for any other.
    """
    return str(neuron) if channels is None or neuron < channels else f"{neuron - channels}-"


def neuron_number(name: str, channels: int | None) -> int | None:
    """Return the number of the neuron that is called so, None if none can be.

    Parameters
    ----------
    name, channels
        See `neuron_name`.
    """
    found = re.fullmatch(r"([0-9]{1,9})(-?)", name)
    if found is None or (found[2] and channels is None):
        return None
    if found[2] and channels is not None:
        return channels + int(found[1]) if int(found[1]) < channels else None
    return int(found[1])


def checked_poles(
    poles: Poles | Mapping[str, Poles],
    layers: Sequence[str],
    encoded: Mapping[str, Any],
    *,
    pooled_by_function: bool,
) -> dict[str, Poles]:
    """Return by layer which poles are asked for; what is not to be chosen is ``"positive"``."""
    given = poles if isinstance(poles, Mapping) else dict.fromkeys(layers, poles)
    for layer, choice in given.items():
        if layer not in layers:
            raise ValueError(f"poles names {layer!r}, which is not one of layers {tuple(layers)}.")
        if choice not in get_args(Poles):
            raise ValueError(f'poles={choice!r} is unknown: use "auto", "both" or "positive".')
        if choice == "both" and isinstance(poles, Mapping) and layer in encoded:
            raise ValueError(
                f"poles names {layer!r}, whose neurons are units of an encoder, not channels. Give "
                "it units of both signs, such as torch.cat([matrix, -matrix])."
            )
    wanted: dict[str, Poles] = {}
    for layer in layers:
        choice = given.get(layer, "auto")
        settled = layer in encoded or (choice == "auto" and pooled_by_function)
        wanted[layer] = "positive" if settled else choice
    return wanted


class FollowRectifiers(TorchFunctionMode):
    """Tells which tensors come from a soft rectifier, while it is active.

    GELU, SiLU and their like let a little through below zero. That is no pole: it has a bound, and
    says no more than silence does. Hard rectifiers are told by their values. Tensors are kept alive
    meanwhile, so one forward pass is what it is for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rectified: dict[int, Tensor] = {}  # by id, which the tensor kept here reserves

    def both_signs(self, tensor: Tensor) -> bool:
        """Tell whether a tensor takes both signs, other than what rectifiers let through."""
        return id(tensor) not in self._rectified and bool((tensor < 0).any())

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name, in_place = called(func)
        inputs = [value for value in args if isinstance(value, Tensor)]
        source = inputs[0] if inputs else None
        kept = _keeps_sign(name) and source is not None and id(source) in self._rectified
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        if in_place and source is not None:
            outputs = (*outputs, source)
        for output in outputs:
            if isinstance(output, Tensor):
                if name in _SOFT or kept:
                    self._rectified[id(output)] = output
                elif name in OPERATIONS:
                    self._rectified.pop(id(output), None)
        return result


def _keeps_sign(name: str) -> bool:
    """Tell whether values are only moved, chosen or averaged."""
    operation = OPERATIONS.get(name)
    return operation is not None and (
        operation.crp == "gradient" or name == "mean" or "avg_pool" in name
    )
