"""Choose images for every neuron: the most activating ones, and what its activations look like.

All functions take activations as ``(samples, neurons)`` arrays, unreadable images being rows of
NaN, and work through them in chunks of neurons: a memory-mapped file of any size will do, and no
answer depends on the size of the chunk. A caller who has the activations in pieces may call the
functions on each piece of neurons and concatenate the results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Activations = Tensor | npt.NDArray[Any]

CHUNK = 1 << 24  # float32 values per working array: 64 MiB


@dataclass(frozen=True)
class NeuronStatistics:
    """What the activations of each neuron look like over the readable images.

    Attributes
    ----------
    mean, max
        ``(N,)`` float32; NaN where a neuron has no readable activation.
    firing_rate
        ``(N,)`` float32, share of the readable images with an activation above 0.
    q50, q90, q99
        ``(N,)`` float32 quantiles, linear between the two nearest activations; NaN as above.
    dead
        ``(N,)`` bool, fewer than ``k`` positive activations.
    """

    mean: Tensor
    max: Tensor
    firing_rate: Tensor
    q50: Tensor
    q90: Tensor
    q99: Tensor
    dead: Tensor


def neuron_statistics(activations: Activations, k: int) -> NeuronStatistics:
    """Return mean, maximum, firing rate, quantiles and deadness of every neuron.

    Parameters
    ----------
    activations
        ``(S, N)``; NaN where an image was unreadable. Such values are left out of everything.
    k
        Number of concept examples: with fewer positive activations a neuron is dead.

    Raises
    ------
    ValueError
        If ``activations`` is not two-dimensional or ``k`` is not positive.
    """
    check_activations(activations, k)
    parts = []
    for _, rows in neuron_chunks(activations):
        missing = rows.isnan()  # (n, S)
        readable = (~missing).sum(1)
        positive = (rows > 0).sum(1)
        top = rows.masked_fill(missing, -torch.inf).amax(1)
        parts.append(
            (
                row_means(rows).float(),
                top.masked_fill(readable == 0, torch.nan),
                positive / readable,  # 0 / 0 is NaN, as it should be
                *(found.float() for found in row_quantiles(rows, (0.5, 0.9, 0.99))),
                positive < k,
            )
        )
    mean, top, rate, q50, q90, q99, dead = map(torch.cat, zip(*parts, strict=True))
    return NeuronStatistics(
        mean=mean, max=top, firing_rate=rate, q50=q50, q90=q90, q99=q99, dead=dead
    )


def concept_examples(activations: Activations, k: int) -> tuple[Tensor, Tensor]:
    """Return the ``k`` most activating images of every neuron, ties going to the lowest index.

    The ranking is exact in float32: in bfloat16 most large activations tie, and the examples then
    differ from the true ones. Negative activations are ranked like any other.

    Parameters
    ----------
    activations
        ``(S, N)``; NaN (an unreadable image) and minus infinity are never chosen.
    k
        Examples per neuron, capped by the number of readable images.

    Returns
    -------
    indices
        ``(N, k)`` int64, most activating first; -1 where a neuron has fewer usable activations
        than others.
    values
        ``(N, k)`` float32, NaN where the index is -1.

    Raises
    ------
    ValueError
        If ``activations`` is not two-dimensional, ``k`` is not positive, or no image is readable.

    Notes
    -----
    The concept examples E_k of SemanticLens (arXiv 2501.05398, Methods, "Concept examples").
    """
    samples = check_activations(activations, k)
    indices, values = [], []
    for _, rows in neuron_chunks(activations):
        # Adding 0 turns -0.0 into 0.0, so that equal values are equal bit for bit.
        chunk_values, chunk_indices = _topk(_fill_nan(rows, -torch.inf) + 0.0, min(k, samples))
        unusable = chunk_values == -torch.inf
        indices.append(chunk_indices.masked_fill(unusable, -1))
        values.append(chunk_values.masked_fill(unusable, torch.nan))
    index, value = torch.cat(indices), torch.cat(values)
    width = int((index >= 0).sum(1).max()) if len(index) else 0
    if len(index) and width == 0:
        raise ValueError("activations: no image is readable, all values are NaN or -inf")
    return index[:, :width].contiguous(), value[:, :width].contiguous()


def _topk(rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest values per row and their indices, equal values by rising index.

    ``torch.topk`` gives the right values but any of the indices that tie. Only where the value
    at rank k occurs once more behind it can the wrong ones have been taken; those rows take the
    lowest indices of that value anew. A stable sort of the k then orders all ties.
    """
    samples = rows.shape[1]
    values, indices = rows.topk(min(k + 1, samples), dim=1)
    if samples > k:
        cut = torch.nonzero(values[:, k - 1] == values[:, k])[:, 0]
        values, indices = values[:, :k], indices[:, :k].clone()
        if len(cut):
            edge = values[cut, -1:]  # (c, 1)
            tied = rows[cut] == edge
            descending = torch.arange(samples, 0, -1, dtype=torch.int32, device=rows.device)
            key = torch.where(tied, descending, 0)
            lowest = samples - key.topk(k, dim=1).values.long()  # (c, k), ties by rising index
            above = (values[cut] > edge).sum(1, keepdim=True)
            rank = torch.arange(k, device=rows.device) - above  # rank among the tied
            indices[cut] = torch.where(rank < 0, indices[cut], lowest.gather(1, rank.clamp(min=0)))
    indices = indices.sort(dim=1).values
    values, order = rows.gather(1, indices).sort(dim=1, descending=True, stable=True)
    return values, indices.gather(1, order)


def row_quantiles(rows: Tensor, shares: Sequence[float]) -> list[Tensor]:
    """Return for each share the float64 quantile of every row without NaN, as numpy has it."""
    readable = (~rows.isnan()).sum(1)
    # NaN goes last either way; on CPU numpy takes a twentieth of torch's time.
    on_cpu = rows.device.type == "cpu"
    ordered = torch.from_numpy(np.sort(rows.numpy())) if on_cpu else rows.sort(1).values
    last = (readable - 1).clamp(min=0)  # all of a row without readable values is NaN
    found = []
    for share in shares:
        place = last.double() * share
        low = place.floor().long()
        a, b = (
            ordered.gather(1, index[:, None])[:, 0].double()
            for index in (low, torch.minimum(low + 1, last))
        )
        between = place - low
        found.append(torch.where(between > 0, a + (b - a) * between, a))
    return found


def row_means(rows: Tensor) -> Tensor:
    """Return each row's float64 mean without NaN: exact for a constant row, so none is quiet."""
    return _fill_nan(rows, 0.0).sum(1, dtype=torch.float64) / (~rows.isnan()).sum(1)


def _fill_nan(rows: Tensor, value: float) -> Tensor:
    """Return ``rows`` with ``value`` for NaN and, unlike ``nan_to_num`` alone, infinities kept."""
    return rows.nan_to_num(nan=value, posinf=torch.inf, neginf=-torch.inf)


def neuron_chunks(activations: Activations) -> Iterator[tuple[int, Tensor]]:
    """Yield the first neuron of a chunk and the chunk as contiguous float32 ``(n, S)``."""
    samples, neurons = activations.shape
    size = max(1, CHUNK // samples)
    for start in range(0, neurons, size):
        part = activations[:, start : start + size]
        if isinstance(part, np.ndarray):
            part = torch.from_numpy(np.array(part.T, dtype=np.float32, order="C"))
            yield start, part
        else:
            yield start, part.T.contiguous().float()


def check_activations(activations: Activations, k: int) -> int:
    """Refuse what is no table of activations; return its number of samples."""
    if activations.ndim != 2:
        raise ValueError(
            f"activations: expected shape (samples, neurons), got {tuple(activations.shape)}"
        )
    if activations.shape[0] == 0:
        raise ValueError("activations: there are no samples; collect at least one image first")
    if k < 1:
        raise ValueError(f"k: expected at least 1 example, got {k}")
    return int(activations.shape[0])
