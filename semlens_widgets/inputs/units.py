"""Units that are not channels: sparse autoencoders and directions in the space of a layer.

A layer's output at one position is a vector of channels. An encoder turns it into other units, at
each position (or token) by itself, before they are pooled. Anything that does so will serve as an
encoder; here are the usual ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MethodType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from semlens_widgets.inputs.shadow import evaluated

Encoder = Callable[[Tensor], Tensor]


class Directions(nn.Module):
    """Units that are directions: concept vectors, probes, principal components.

    Parameters
    ----------
    matrix
        (units, channels).
    bias
        (units,), added after the projection.

    Raises
    ------
    ValueError
        If the shapes are others.

    Notes
    -----
    Rows are used as they are; normalise them if their lengths mean nothing.
    """

    def __init__(self, matrix: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        if matrix.ndim != 2:
            raise ValueError(f"matrix has shape {tuple(matrix.shape)}; expected (units, channels).")
        if bias is not None and bias.shape != matrix.shape[:1]:
            raise ValueError(f"bias has shape {tuple(bias.shape)}; expected ({len(matrix)},).")
        self.matrix: Tensor
        self.register_buffer("matrix", matrix.detach().clone())
        self.bias: Tensor | None
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, values: Tensor) -> Tensor:
        """Project (..., channels) on the directions, (..., units)."""
        return nn.functional.linear(values, self.matrix, self.bias)


class SparseEncoder(nn.Module):
    """The encoder of a sparse autoencoder, ``relu((x - centre) @ weight.T + bias)``, or TopK.

    Parameters
    ----------
    weight
        (units, channels).
    bias
        (units,); zero by default.
    centre
        (channels,), subtracted from the input (``b_pre`` or ``b_dec``); zero by default.
    top
        Keep only so many units per position, the largest; all positive ones by default.
    decoder
        (units, channels), what each unit adds to the reconstruction (``W_dec``); needed only where
        the relevance of units for the model's outputs is asked for.

    Raises
    ------
    ValueError
        If the shapes are others, or `top` is not between 1 and the number of units.

    Notes
    -----
    Vanilla: Bricken et al., Towards Monosemanticity, 2023. TopK: Gao et al., Scaling and evaluating
    sparse autoencoders, arXiv 2406.04093, equation 3 (with a ReLU after the selection, as in its
    appendix).
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        centre: Tensor | None = None,
        top: int | None = None,
        decoder: Tensor | None = None,
    ) -> None:
        super().__init__()
        if weight.ndim != 2:
            raise ValueError(f"weight has shape {tuple(weight.shape)}; expected (units, channels).")
        units, channels = weight.shape
        for name, value, size in (("bias", bias, units), ("centre", centre, channels)):
            if value is not None and tuple(value.shape) != (size,):
                raise ValueError(f"{name} has shape {tuple(value.shape)}; expected ({size},).")
        if decoder is not None and decoder.shape != weight.shape:
            raise ValueError(
                f"decoder has shape {tuple(decoder.shape)}; expected (units, channels), "
                f"{tuple(weight.shape)}."
            )
        if top is not None and not 1 <= top <= units:
            raise ValueError(f"top={top} must be between 1 and the number of units, {units}.")
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(torch.zeros(units) if bias is None else bias.detach().clone())
        self.centre = nn.Parameter(
            torch.zeros(channels) if centre is None else centre.detach().clone()
        )
        self.decoder = None if decoder is None else nn.Parameter(decoder.detach().clone())

        self.kept: Tensor  # a buffer, so that it is part of what is saved and compared
        self.register_buffer("kept", torch.tensor(top or 0))

    @property
    def top(self) -> int | None:
        """How many units are kept at each position; None for all positive ones."""
        return int(self.kept) or None

    def extra_repr(self) -> str:
        """State sizes and sparsity."""
        units, channels = self.weight.shape
        return f"{channels} channels, {units} units, top={self.top}"

    def forward(self, values: Tensor) -> Tensor:
        """Encode (..., channels) as (..., units), none negative."""
        encoded = nn.functional.linear(values - self.centre, self.weight, self.bias)
        top = self.top
        if top is not None:
            best = encoded.topk(top, dim=-1)
            encoded = torch.zeros_like(encoded).scatter(-1, best.indices, best.values)
        return encoded.relu()


class Decoded(NamedTuple):
    """What units add to a layer: ``(activation - offset) * vectors``, each unit by itself.

    Attributes
    ----------
    vectors
        (units, channels).
    offset
        (units,), or 0.
    """

    vectors: Tensor
    offset: Tensor | float


def decoded(encoder: Encoder) -> Decoded | None:
    """Return what the units of an encoder add to its layer, None where that is not known.

    Of directions it is the part of the channels that lies along each. Of an autoencoder it is its
    decoder: ``decoder`` or ``W_dec``, a matrix (units, channels) or a ``torch.nn.Linear``, of the
    encoder or, where that is a method, of the module that it belongs to.
    """
    owner = encoder.__self__ if isinstance(encoder, MethodType) else encoder
    if isinstance(owner, Directions):
        length = owner.matrix.square().sum(dim=1, keepdim=True)
        vectors = owner.matrix / length.clamp(min=torch.finfo(length.dtype).tiny)
        return Decoded(vectors, 0.0 if owner.bias is None else owner.bias)
    for name in ("decoder", "W_dec"):
        found = getattr(owner, name, None)
        if isinstance(found, nn.Linear):
            return Decoded(found.weight.T, 0.0)
        if isinstance(found, Tensor) and found.ndim == 2:
            return Decoded(found, 0.0)
    return None


def checked_encoders(
    units: Mapping[str, Encoder | Tensor] | None, layers: Sequence[str], device: torch.device
) -> tuple[dict[str, Encoder], dict[str, nn.Module]]:
    """Return what encodes each layer that has units, and the modules of theirs that a person owns.

    A matrix becomes `Directions`; a module, or the module of a method, is copied as the model is.
    """
    encoders: dict[str, Encoder] = {}
    owned: dict[str, nn.Module] = {}
    for layer, encoder in (units or {}).items():
        if layer not in layers:
            raise ValueError(f"units names {layer!r}, which is not one of layers {layers}.")
        made = Directions(encoder) if isinstance(encoder, Tensor) else encoder
        owner = made.__self__ if isinstance(made, MethodType) else made
        if isinstance(owner, nn.Module):
            owned[layer] = owner
            copy = evaluated(owner, device)
            made = MethodType(made.__func__, copy) if isinstance(made, MethodType) else copy
        elif not callable(made):
            raise TypeError(
                f"units[{layer!r}] must be a module, a function or a matrix (units, channels), not "
                f"{type(made).__name__}."
            )
        encoders[layer] = made
    return encoders, owned


def encode(encoder: Encoder, output: Tensor, axis: int) -> Tensor:
    """Replace the channels of a layer's output by units, at each position by itself.

    Parameters
    ----------
    encoder
        From (batch, positions, channels) to (batch, positions, units).
    output
        (batch, ...), with channels on `axis`.
    axis
        Of the channels.

    Returns
    -------
    Tensor
        As `output`, float32, with units on `axis`.

    Raises
    ------
    ValueError
        If the encoder changes any axis but the last.
    """
    vectors = output.float().movedim(axis, -1)
    flat = vectors.reshape(len(vectors), -1, vectors.shape[-1])
    try:
        encoded: object = encoder(flat)
    except RuntimeError as error:
        raise ValueError(
            f"its units cannot be computed from {flat.shape[-1]} channels: {error}"
        ) from error
    if not isinstance(encoded, Tensor) or encoded.shape[:-1] != flat.shape[:-1]:
        got = tuple(encoded.shape) if isinstance(encoded, Tensor) else type(encoded).__name__
        raise ValueError(
            f"its units must keep (batch, positions) = {tuple(flat.shape[:2])} and replace the "
            f"channels, (batch, positions, channels) to (batch, positions, units); they are {got}."
        )
    return encoded.float().reshape(*vectors.shape[:-1], encoded.shape[-1]).movedim(-1, axis)


def unit_gradient(encoder: Encoder, output: Tensor, neurons: Tensor, axis: int) -> Tensor:
    r"""Differentiate one unit's values per image by the channels of the layer.

    Relevance of a unit starts as its own value :math:`u` at every position, and channel :math:`c`
    gets :math:`h_c\,\partial u / \partial h_c`. For units that are piecewise linear (directions,
    ReLU, TopK) this is LRP-0: the channel's summand in the unit's value, biases left out.

    Parameters
    ----------
    encoder, output, axis
        See `encode`.
    neurons
        (batch,), the unit for each image.

    Returns
    -------
    Tensor
        The gradient, of the shape of `output`.
    """
    with torch.enable_grad():
        leaf = output.detach().requires_grad_()
        encoded = encode(encoder, leaf, axis).movedim(axis, 1)
        chosen = encoded[torch.arange(len(output), device=output.device), neurons]
        (gradient,) = torch.autograd.grad(chosen.sum(), leaf)
    return gradient
