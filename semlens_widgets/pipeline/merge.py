"""Join the concept examples of parts of a data set."""

from __future__ import annotations

import torch
from torch import Tensor


def merge_topk(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor], k: int) -> tuple[Tensor, Tensor]:
    """Return the `k` best of two sets of concept examples, ties going to the lowest index.

    Associative and commutative: the parts of a data set may be joined in any grouping and order,
    and the result is what :func:`semlens_widgets.analysis.mining.concept_examples` finds on all of
    it.

    Parameters
    ----------
    a, b
        Indices in the whole data set ``(N, at most k)`` int64, -1 where there is none, and values
        of the same shape, as `concept_examples` returns them. No index may be in both.
    k
        Examples per neuron.

    Returns
    -------
    indices, values
        ``(N, at most k)``, most activating first, -1 and NaN where there is none.

    Raises
    ------
    ValueError
        If `k` is not positive, or the two are not of the same neurons.

    Notes
    -----
    An analysis does not need it, with Ray or without: the store keeps every activation, because the
    contrastive examples, the mean that they lie below, CLIP-Dissect's 100 images and correlations
    are all decided on them. So the activations come to one place anyway, and the examples are
    ranked there. It is for data sets whose activations nobody keeps: each worker ranks its images
    and sends ``N * k`` pairs, however many images it saw.
    """
    if k < 1:
        raise ValueError(f"k: expected at least 1 example, got {k}")
    if len(a[0]) != len(b[0]):
        raise ValueError(f"a and b are of {len(a[0])} and {len(b[0])} neurons")
    indices, values = torch.cat([a[0], b[0]], dim=1), torch.cat([a[1], b[1]], dim=1)
    missing = indices < 0
    order = indices.masked_fill(missing, torch.iinfo(indices.dtype).max).argsort(dim=1)
    ranked = values.masked_fill(missing, -torch.inf).gather(1, order)
    order = order.gather(1, ranked.argsort(dim=1, descending=True, stable=True))[:, :k]
    return indices.gather(1, order), values.gather(1, order)
