"""Search neurons by text, by image or by another neuron (SemanticLens, arXiv 2501.05398)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def query_directions(prompts: Tensor, empty: Tensor | None = None) -> Tensor:
    """Return the direction each text query scores along, ``(Q, D)``.

    Parameters
    ----------
    prompts
        ``(templates, Q, D)`` unit text embeddings of every query in every template.
    empty
        ``(templates, 1, D)``, the empty text in every template; None subtracts nothing.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Notes
    -----
    The mean over templates of T(template(q)) - T(template("")). It is not normalised again: with
    one template the score along it is then exactly the difference of two cosines.
    """
    _check_prompts(prompts, empty)
    directions = prompts.float().mean(0)  # (Q, D)
    return directions if empty is None else directions - empty.float().mean(0)


def combine_scores(scores: Tensor) -> Tensor:
    """Return one score per neuron from several queries' ``(N, Q)``: their mean, ``(N,)``.

    Raises
    ------
    ValueError
        If ``scores`` is not two-dimensional or has no query.
    """
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise ValueError(
            f"scores: expected shape (neurons, queries) with at least one query, "
            f"got {tuple(scores.shape)}"
        )
    return scores.mean(1)


def rank(scores: Tensor, top: int | None = None) -> Tensor:
    """Return indices by descending score, ties by lowest index and NaN last, ``(top,)`` int64.

    Raises
    ------
    ValueError
        If ``scores`` is not one-dimensional or ``top`` is negative.
    """
    if scores.ndim != 1:
        raise ValueError(f"scores: expected shape (neurons,), got {tuple(scores.shape)}")
    if top is not None and top < 0:
        raise ValueError(f"top: expected None or a number of results, got {top}")
    if top is None or not 0 < top < len(scores):
        return _descending(scores)[:top]
    edge = scores.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf).topk(top).values
    best = torch.nonzero(~(scores < edge[-1]))[:, 0]  # all that tie at the edge, and NaN
    return best[_descending(scores[best])[:top]]


def _descending(scores: Tensor) -> Tensor:
    """Order by descending score, stable, NaN last.

    The bits of a float32 in the upper and its index in the lower half of one integer, so that
    numpy's vectorised sort decides both at once: ten times as fast as a stable sort of the floats.
    """
    if scores.dtype != torch.float32:
        return torch.sort(-scores, stable=True).indices
    rising = torch.where(scores.isnan(), torch.nan, 0.0 - scores).cpu().numpy()
    bits = rising.view(np.int32)
    bits = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # as signed integers in the order of the floats
    keys = (bits.astype(np.int64) << 32) | np.arange(len(bits))
    keys.sort()
    return torch.from_numpy(keys & 0xFFFFFFFF).to(scores.device)


def unit_scores(
    vectors: Tensor, directions: Tensor, mean_embedding: Tensor | None = None
) -> Tensor:
    """Return the score of every neuron for every query, ``(N, Q)``.

    s(q, k) = cos(v_k, T(q)) - cos(v_k, T("")) where the directions hold the difference.

    Parameters
    ----------
    vectors
        ``(N, D)`` semantic vectors of the neurons, at unit length already, because bringing 100,000
        of them there takes several times as long as the product; a zero vector scores 0.
    directions
        ``(Q, D)`` from :func:`query_directions`, or unit embeddings of images or neurons.
    mean_embedding
        ``(D,)`` mean of the unit image embeddings of the data set. If given, scores are centred:
        each query's mean similarity over the whole data set is subtracted, which takes away the
        advantage of texts that lie close to all images.

    Notes
    -----
    Semantic search of SemanticLens (arXiv 2501.05398, Methods, "Search").

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    if vectors.ndim != 2 or vectors.shape[1] != directions.shape[1]:
        raise ValueError(
            f"vectors: expected shape (neurons, {directions.shape[1]}) to fit the queries, "
            f"got {tuple(vectors.shape)}"
        )
    scores = vectors @ directions.T  # (N, Q)
    if mean_embedding is None:
        return scores
    if mean_embedding.shape != directions.shape[1:]:
        raise ValueError(
            f"mean_embedding: expected shape ({directions.shape[1]},) to fit the queries, "
            f"got {tuple(mean_embedding.shape)}"
        )
    return scores - mean_embedding.float() @ directions.T


def _check_prompts(prompts: Tensor, empty: Tensor | None) -> None:
    if prompts.ndim != 3 or len(prompts) == 0:
        raise ValueError(
            f"prompts: expected shape (templates, queries, dim), got {tuple(prompts.shape)}"
        )
    expected = (len(prompts), 1, prompts.shape[2])
    if empty is not None and tuple(empty.shape) != expected:
        raise ValueError(
            f"empty: expected shape {expected}, the empty text in every template of the prompts, "
            f"got {tuple(empty.shape)}"
        )
