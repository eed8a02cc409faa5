"""Exact search for the most similar image under a mask of its own for every query."""

from __future__ import annotations

import torch
from torch import Tensor

_LISTED = 64  # nearest images listed per vector
_TERMS = 1 << 22  # float64 products at a time: 32 MiB


def nearest_quiet(
    vectors: Tensor,
    inverse: Tensor,
    *,
    screen: Tensor,
    embeddings: Tensor,
    loud: Tensor,
    row: Tensor,
    own: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return for each pair the image nearest to its vector that is not loud, and the cosine.

    Each vector is compared with all images once, in the precision of ``screen``, and its nearest
    ones are listed. As a rule the answer is in that list for every neuron the vector serves; pairs
    for which the list may be too short are tried again in float32, and then on all images.

    Parameters
    ----------
    vectors, inverse
        ``(u, D)`` and ``(p,)``: pair i looks for images near ``vectors[inverse[i]]``.
    screen, embeddings
        ``(S, D)``, the images; ``screen`` may be rounded.
    loud
        ``(n, S)``, whether an image is loud for a neuron.
    row
        ``(p,)``, the row of ``loud`` that belongs to the pair.
    own
        ``(p, o)``, the images not to be chosen.
    """
    slack = _slack(screen)
    cosine = vectors.to(screen.dtype) @ screen.T  # (u, S)
    listed, image = cosine.topk(min(_LISTED, cosine.shape[1]), dim=1)
    listed, image = listed.float()[inverse], image[inverse]  # (p, listed)
    beyond = listed[:, -1].clone()  # nothing outside the list exceeds this
    listed.masked_fill_(loud[row[:, None], image], -torch.inf)
    for column in own.T:
        listed.masked_fill_(image == column[:, None], -torch.inf)
    best, exact = _decide(listed, image, vectors[inverse], embeddings, slack)
    unsure = torch.nonzero(listed.amax(1) - slack <= beyond)[:, 0]
    if len(unsure) == 0 or listed.shape[1] == len(embeddings):
        return best, exact
    which, row, own = inverse[unsure], row[unsure], own[unsure]
    if screen.dtype != torch.float32:
        used, again = torch.unique(which, return_inverse=True)
        best[unsure], exact[unsure] = nearest_quiet(
            vectors[used],
            again,
            screen=embeddings,
            embeddings=embeddings,
            loud=loud,
            row=row,
            own=own,
        )
    else:
        full = cosine[which].masked_fill_(loud[row], -torch.inf)
        full.scatter_(1, own, -torch.inf)
        best[unsure], exact[unsure] = _decide(full, None, vectors[which], embeddings, slack)
    return best, exact


def to_screen(embeddings: Tensor) -> Tensor:
    """Return the embeddings in the precision to compare them in first.

    Matrix units for bfloat16 multiply several times faster than float32 ones; without them
    bfloat16 is slower. The answer is the same either way.
    """
    # Older versions of torch cannot tell what the processor has: float32 then.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    fast = embeddings.device.type == "cpu" and capabilities.get("amx_bf16", False)
    return embeddings.bfloat16() if fast else embeddings


def _slack(screen: Tensor) -> float:
    """Return a difference of products of unit vectors beyond which their order is certain.

    Twice the error of one product: with u the unit roundoff of the type, u for either factor's
    rounding and u for the result's, and D 2^-24 for the sum in float32 (Higham, "Accuracy and
    Stability of Numerical Algorithms", section 3.1).
    """
    summation = screen.shape[1] * torch.finfo(torch.float32).eps
    if screen.dtype == torch.float32:
        return summation
    return summation + 3.1 * torch.finfo(screen.dtype).eps  # eps is 2 u; .1 for products of errors


def _decide(
    cosine: Tensor, image: Tensor | None, vectors: Tensor, embeddings: Tensor, slack: float
) -> tuple[Tensor, Tensor]:
    """Return the image of largest cosine in each row, lowest index first, and the cosine.

    Where an image stands in a matrix product decides in what order it sums, so the cosines of equal
    images can differ in the last bit. All within ``slack`` of the largest are compared in float64.
    A row of nothing but -inf gives -1 and NaN.
    """
    near = (cosine >= cosine.amax(1, keepdim=True) - slack) & (cosine > -torch.inf)
    pair, place = torch.nonzero(near, as_tuple=True)
    index = place if image is None else image[pair, place]
    step = max(1, _TERMS // embeddings.shape[1])
    exact = torch.cat(
        [
            (vectors[p].double() * embeddings[i].double()).sum(1)
            for p, i in zip(torch.split(pair, step), torch.split(index, step), strict=True)
        ]
    )
    largest = exact.new_full((len(cosine),), -torch.inf).scatter_reduce_(0, pair, exact, "amax")
    wins = exact == largest[pair]
    best = index.new_full((len(cosine),), len(embeddings))
    best = best.scatter_reduce_(0, pair[wins], index[wins], "amin")
    none = largest == -torch.inf
    return best.masked_fill(none, -1), largest.float().masked_fill(none, torch.nan)
