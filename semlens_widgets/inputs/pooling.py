"""How a layer's output becomes one number per image and neuron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

#: See :class:`semlens_widgets.TargetModel`.
Pooling = Literal["mean", "max", "cls"] | Callable[[Tensor], Tensor]

_NAMED = get_args(get_args(Pooling)[0])


def check_pooling(pooling: Pooling) -> None:
    """Refuse what is no pooling."""
    if not callable(pooling) and pooling not in _NAMED:
        raise ValueError(
            f"pooling={pooling!r} is unknown: use {', '.join(map(repr, _NAMED))} or a "
            "function from the layer's output to (batch, neurons)."
        )


def pool(output: Tensor, pooling: Pooling, axis: int | None = None) -> Tensor:
    """Turn a layer's output into one number per image and neuron.

    Parameters
    ----------
    output
        (batch, channels, height, width), (batch, tokens, channels) or (batch, channels).
    pooling
        See `TargetModel`.
    axis
        Of the channels, where it differs from these shapes.

    Returns
    -------
    Tensor
        (batch, neurons) float32, sharing no memory with `output`.

    Raises
    ------
    ValueError
        If the shape does not suit the pooling.
    """
    shape = tuple(output.shape)
    output = output.detach()
    if callable(pooling):
        pooled = pooling(output)
        if not isinstance(pooled, Tensor) or pooled.ndim != 2 or len(pooled) != len(output):
            got = tuple(pooled.shape) if isinstance(pooled, Tensor) else type(pooled).__name__
            raise ValueError(
                f"the pooling function must return (batch, neurons) = ({len(output)}, ...), "
                f"not {got}."
            )
        return pooled.detach().to(torch.float32, copy=True)
    if output.ndim not in {2, 3, 4}:
        raise ValueError(
            f"its output has shape {shape}; expected (batch, channels, height, width), (batch, "
            "tokens, channels) or (batch, channels). Pass a function as pooling for other shapes."
        )
    output = output.float()  # half-precision activations tie and round; pool in full precision
    if output.ndim == 2:
        return output.clone()
    if pooling == "cls":
        if output.ndim == 4:
            raise ValueError(
                f'pooling="cls" needs tokens (batch, tokens, channels), not a map {shape}; '
                'use "mean" or "max".'
            )
        return output.movedim(axis or 2, 2)[:, 0].clone()
    axis = axis or (1 if output.ndim == 4 else 2)
    positions = tuple(i for i in range(1, output.ndim) if i != axis)
    return output.amax(positions) if pooling == "max" else output.mean(positions)
