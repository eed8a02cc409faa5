"""What the units of an encoder carry of the relevance that arrives at their layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from semlens_widgets.inputs.units import encode

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.inputs.units import Decoded, Encoder


def unit_relevance(
    encoder: Encoder, known: Decoded, output: Tensor, relevance: Tensor, axis: int
) -> tuple[Tensor, Tensor]:
    r"""Split the relevance of a layer's channels into that of units and a rest.

    Channel :math:`c` with value :math:`h_c` and relevance :math:`R_c` has the gradient-like
    :math:`g_c = R_c / h_c` (0 where :math:`h_c` is). A unit with activation :math:`u` and decoder
    vector :math:`d` adds :math:`u d` to the channels, so it carries
    :math:`u \sum_c d_c g_c`, summed over positions. What the units together do not add, an
    autoencoder's error and its centre, carries the rest.

    Parameters
    ----------
    encoder, known
        What reads the units, and what they add, see :func:`semlens_widgets.inputs.units.decoded`.
    output, relevance
        (batch, ...), the layer's output and what arrives at it, with channels on `axis`.
    axis
        Of the channels.

    Returns
    -------
    units : Tensor
        (batch, units) float32, signed.
    rest : Tensor
        (batch,) float32; with the units it adds up to the layer's relevance.

    Raises
    ------
    ValueError
        If the decoder is not of the layer's and the encoder's size.
    """
    channels, count = output.shape[axis], len(output)
    values = output.float().movedim(axis, -1).reshape(count, -1, channels)
    arrived = relevance.float().movedim(axis, -1).reshape(count, -1, channels)
    units = encode(encoder, output, axis).movedim(axis, -1)
    added = units.reshape(count, -1, units.shape[-1]) - known.offset
    if known.vectors.shape != (added.shape[-1], channels):
        raise ValueError(
            f"The decoder has shape {tuple(known.vectors.shape)}; expected (units, channels), "
            f"{(added.shape[-1], channels)}."
        )
    gradient = torch.where(values == 0, 0, arrived / values)
    carried = (added * (gradient @ known.vectors.float().T)).sum(dim=1)
    return carried, arrived.sum(dim=(1, 2)) - carried.sum(dim=1)
