"""How clear, ambiguous and redundant neurons are (SemanticLens, arXiv 2501.05398)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

_CHUNK = 1 << 20  # seeds x examples per working array: small enough to stay in the cache
_SEED_EXAMPLES = 32  # pairs among this many examples seed the clustering: at most 496
_LLOYD = 16  # seed splits that are refined by Lloyd's rounds
_HARTIGAN = 4  # of them, splits that are refined by moving single vectors
_ROUNDS = 100  # far above what refinement was seen to need


def clarity(examples: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return the mean pairwise cosine among each neuron's example embeddings, ``(N,)``.

    (m |mean of the normalised examples|^2 - 1) / (m - 1); 1 for identical examples, about 0 for
    unrelated ones, -1 / (m - 1) at least.

    Parameters
    ----------
    examples
        ``(N, m, D)`` embeddings of any length.
    valid
        ``(N, m)`` bool, which of them exist; None for all. What is not valid may be anything.

    Returns
    -------
    Tensor
        ``(N,)`` float32; NaN for a neuron with fewer than two examples.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Notes
    -----
    SemanticLens (arXiv 2501.05398, Methods, "Clarity").
    """
    mask = _check(examples, valid)
    unit = _unit(examples, mask)
    count = mask.sum(1)
    squared = unit.sum(1).square().sum(1)  # (N,) = m^2 |mean|^2
    return ((squared - count) / (count * (count - 1))).masked_fill(count < 2, torch.nan)


def polysemanticity(examples: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return how far each neuron's examples fall into two different meanings, ``(N,)``.

    The normalised examples are split in two by k-means; the value is 1 - cos(c_1, c_2) of the two
    centres, that is 1 - clarity of the centres: 0 for one meaning, about 1 for two unrelated ones,
    2 at most.

    Where one of the clusters has fewer than two members, a single odd image is no second meaning.
    The value is then the mean over all the neuron's examples i of 1 - cos(c, p_i), where c is the
    mean of its normalised examples. So it is with fewer than four examples in most cases, and
    with fewer than three always.

    Parameters
    ----------
    examples
        ``(N, m, D)`` embeddings of any length.
    valid
        ``(N, m)`` bool, which of them exist; None for all. What is not valid may be anything.

    Returns
    -------
    Tensor
        ``(N,)`` float32; 0 for identical examples, NaN for a neuron without examples.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Notes
    -----
    SemanticLens (arXiv 2501.05398, Methods, "Polysemanticity"), on normalised examples and, for
    small clusters, all examples instead of the first ten.
    """
    mask = _check(examples, valid)
    if examples.shape[1] == 0:
        return torch.full((len(examples),), torch.nan, device=examples.device)
    values = []
    for start, stop in _chunks(examples):
        part = mask[start:stop]
        unit = _unit(examples[start:stop], part)  # (n, m, D)
        first = two_means(unit, part)
        second = part & ~first
        count = part.sum(1)
        centres = torch.stack([first, second], 1).float() @ unit  # (n, 2, D), up to scale
        centres = normalize(centres, dim=2)
        split = 1 - (centres[:, 0] * centres[:, 1]).sum(1)
        # mean over i of 1 - cos(c, p_i) = 1 - c^ . sum_i p_i / m = 1 - |sum_i p_i| / m
        single = 1 - unit.sum(1).norm(dim=1) / count
        small = torch.minimum(first.sum(1), second.sum(1)) < 2
        values.append(torch.where(small, single, split).clamp(min=0))  # below 0 by rounding only
    return torch.cat(values) if values else examples.new_empty(0, dtype=torch.float32)


def two_means(vectors: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return which of each neuron's vectors form the first of two k-means clusters, ``(N, m)``.

    Every pair of vectors (of the first 32 that are valid) seeds a split; the best 16 different
    ones are refined by Lloyd's rounds, the best 4 of these by moving single vectors while that
    lowers the inertia (Hartigan's rule), and the one of lowest inertia is taken. All of it needs
    inner products only.

    Parameters
    ----------
    vectors
        ``(N, m, D)``, clustered as they are.
    valid
        ``(N, m)`` bool, which of them exist; None for all.

    Returns
    -------
    Tensor
        ``(N, m)`` bool, false where not valid. With one vector or identical vectors a cluster may
        be empty.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    mask = _check(vectors, valid)
    parts = [_split(vectors[a:b].float(), mask[a:b]) for a, b in _chunks(vectors)]
    return torch.cat(parts) if parts else mask


def redundancy(vectors: Tensor) -> Tensor:
    """Return each neuron's highest cosine to another neuron of its layer, ``(N,)``.

    Parameters
    ----------
    vectors
        ``(N, D)`` semantic vectors of one layer, of any length.

    Returns
    -------
    Tensor
        ``(N,)`` float32; NaN if the neuron is the only one.

    Raises
    ------
    ValueError
        If ``vectors`` is not two-dimensional.

    Notes
    -----
    SemanticLens (arXiv 2501.05398, Methods, "Redundancy").
    """
    unit = _unit_rows(vectors, "vectors")
    if len(unit) < 2:
        return torch.full((len(unit),), torch.nan, device=unit.device)
    step = max(1, 16 * _CHUNK // len(unit))
    parts = []
    for start in range(0, len(unit), step):
        cosine = unit[start : start + step] @ unit.T  # (step, N)
        own = torch.arange(start, start + len(cosine), device=unit.device)
        parts.append(cosine.scatter_(1, own[:, None], -torch.inf).amax(1))
    return torch.cat(parts)


def similarity(vectors: Tensor, others: Tensor) -> float:
    """Return S(A -> B), how well a set of neurons B covers what the neurons A stand for.

    The mean over A's neurons of the highest cosine to one of B's. It is not symmetric: B may know
    more than A.

    Parameters
    ----------
    vectors, others
        ``(N, D)`` and ``(M, D)`` semantic vectors of A and B, of any length.

    Raises
    ------
    ValueError
        If the shapes do not fit together or one of them is empty.

    Notes
    -----
    SemanticLens (arXiv 2501.05398, Methods, "Comparing models").
    """
    a, b = _unit_rows(vectors, "vectors"), _unit_rows(others, "others")
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"others: dimension {b.shape[1]} does not fit vectors of dimension {a.shape[1]}; "
            "both models must be embedded by the same foundation model"
        )
    if not len(a) or not len(b):
        raise ValueError("vectors, others: both need at least one neuron")
    best = [(part @ b.T).amax(1) for part in torch.split(a, max(1, 16 * _CHUNK // len(b)))]
    return float(torch.cat(best).mean())


def _split(vectors: Tensor, valid: Tensor) -> Tensor:
    """Return the best 2-means split of each neuron's vectors, ``(n, m)`` bool.

    Vectors are moved to their mean first, so that the sums of the two clusters are S and -S. With
    q = |S|^2 and h_x = x . S, the inertia is constant minus q (1/n_1 + 1/n_2), and a vector is
    nearer to the first centre S/n_1 than to the second -S/n_2 just if h_x > q/2 (1/n_1 - 1/n_2).
    """
    count = valid.sum(1)  # (n,)
    vectors = _zero(vectors, valid)
    mean = vectors.sum(1, keepdim=True) / count.clamp(min=1)[:, None, None]
    centred = _zero(vectors - mean, valid)
    gram = centred @ centred.transpose(1, 2)  # (n, m, m)
    member = _best(_seed_splits(gram, valid), gram, count, _LLOYD)  # (n, 16, m) float
    member = _best(_lloyd(member, gram, valid), gram, count, _HARTIGAN)
    return _best(_hartigan(member, gram, valid), gram, count, 1)[:, 0] > 0


def _best(member: Tensor, gram: Tensor, count: Tensor, number: int) -> Tensor:
    """Return the ``number`` different splits of each neuron that save most inertia.

    Many seeds give one and the same split, known by its gain: kept once, it leaves room for
    different ones.
    """
    gain, order = _gain(member, gram, count)[0].sort(dim=1, descending=True, stable=True)
    repeated = gain[:, 1:] >= gain[:, :-1] * (1 - 1e-6)
    gain[:, 1:] = gain[:, 1:].masked_fill(repeated, -1.0)
    best = gain.topk(min(number, gain.shape[1]), dim=1).indices
    best = order.gather(1, best)[..., None]
    return member.gather(1, best.expand(-1, -1, member.shape[2]))


def _seed_splits(gram: Tensor, valid: Tensor) -> Tensor:
    """Return for every pair of vectors which vectors are nearer to the first of the pair."""
    # Valid vectors first: a stable sort keeps their order, most activating ones leading.
    place = (~valid).to(torch.uint8).sort(dim=1, stable=True).indices[:, :_SEED_EXAMPLES]  # (n, s)
    pairs = torch.triu_indices(place.shape[1], place.shape[1], 1, device=gram.device)
    if pairs.shape[1] == 0:
        return valid[:, None].float()
    # |x - x_i|^2 < |x - x_j|^2 just if x . x_i - |x_i|^2 / 2 > x . x_j - |x_j|^2 / 2
    nearness = gram - gram.diagonal(dim1=1, dim2=2)[..., None] / 2  # (n, seed, m)
    nearness = nearness.gather(1, place[..., None].expand(-1, -1, gram.shape[2]))
    return ((nearness[:, pairs[0]] > nearness[:, pairs[1]]) & valid[:, None]).float()


def _gain(member: Tensor, gram: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the inertia saved by each split over one cluster, then h, q and n_1."""
    h = member @ gram  # (n, seeds, m)
    q = (member * h).sum(2)
    first = member.sum(2)
    sizes = first * (count[:, None] - first)
    return torch.where(sizes > 0, q * count[:, None] / sizes.clamp(min=1), 0.0), h, q, first


def _lloyd(member: Tensor, gram: Tensor, valid: Tensor) -> Tensor:
    """Return the splits after moving every vector to its nearest centre until none moves."""
    count = valid.sum(1)
    for _ in range(_ROUNDS):
        _, h, q, first = _gain(member, gram, count)
        second = count[:, None] - first
        bar = q / 2 * (1 / first.clamp(min=1) - 1 / second.clamp(min=1))
        moved = ((h > bar[..., None]) & valid[:, None]).float()
        # An emptied cluster has no centre: such a split stays as it is.
        moved = torch.where(((first > 0) & (second > 0))[..., None], moved, member)
        if torch.equal(moved, member):
            break
        member = moved
    return member


def _hartigan(member: Tensor, gram: Tensor, valid: Tensor) -> Tensor:
    """Return the splits after moving the one vector that saves most inertia until none saves any.

    Lloyd's rounds stop where every vector is nearest to its own centre, although the centres
    would follow a vector that moved: some of these splits are no minimum for single moves.
    """
    count = valid.sum(1)
    diagonal = gram.diagonal(dim1=1, dim2=2)[:, None]  # (n, 1, m)
    total = count[:, None, None]
    for _ in range(_ROUNDS):
        gain, h, q, first = _gain(member, gram, count)
        side = 1 - 2 * member  # +1: joins the first cluster, -1: leaves it
        moved_q = q[..., None] + 2 * side * h + diagonal
        moved_first = first[..., None] + side
        sizes = moved_first * (total - moved_first)
        moved_gain = torch.where(
            (sizes > 0) & valid[:, None], moved_q * total / sizes.clamp(min=1), 0.0
        )
        best, place = moved_gain.max(2)
        # Only what exceeds rounding counts, or two equal splits would alternate.
        better = best > gain * (1 + 1e-5)
        if not better.any():
            break
        flip = torch.zeros_like(member).scatter_(2, place[..., None], 1.0) * better[..., None]
        member = (member - flip).abs()
    return member


def _chunks(examples: Tensor) -> list[tuple[int, int]]:
    """Return bounds of chunks of neurons whose seed splits fit the working size."""
    neurons, count = examples.shape[:2]
    seeds = max(1, min(count, _SEED_EXAMPLES) * (min(count, _SEED_EXAMPLES) - 1) // 2)
    step = max(1, _CHUNK // (seeds * max(1, count)))
    return [(start, min(start + step, neurons)) for start in range(0, neurons, step)]


def _unit(examples: Tensor, valid: Tensor) -> Tensor:
    """Return the examples normalised, zero where not valid."""
    return normalize(_zero(examples.float(), valid), dim=2)


def _zero(vectors: Tensor, valid: Tensor) -> Tensor:
    """Return the vectors with zeros where not valid, copied only if there are such."""
    return vectors if bool(valid.all()) else vectors.masked_fill(~valid[..., None], 0.0)


def _unit_rows(vectors: Tensor, name: str) -> Tensor:
    if vectors.ndim != 2:
        raise ValueError(f"{name}: expected shape (neurons, dim), got {tuple(vectors.shape)}")
    return normalize(vectors.float(), dim=1)


def _check(examples: Tensor, valid: Tensor | None) -> Tensor:
    """Return the mask of the examples that exist."""
    if examples.ndim != 3:
        raise ValueError(
            f"examples: expected shape (neurons, examples, dim), got {tuple(examples.shape)}"
        )
    if valid is None:
        return torch.ones(examples.shape[:2], dtype=torch.bool, device=examples.device)
    if valid.shape != examples.shape[:2]:
        raise ValueError(
            f"valid: expected shape {tuple(examples.shape[:2])}, got {tuple(valid.shape)}"
        )
    return valid.bool()
