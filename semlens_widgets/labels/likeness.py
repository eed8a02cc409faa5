"""How like texts the images of a data set are, worked out once and kept for every neuron."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from semlens_widgets.labels.evidence import Embeddings

_AT_ONCE = 1 << 23  # similarities of texts to images: 64 MiB
_KEPT = 1 << 25  # images that are remembered for texts: 128 MiB
#: Similarities that spread by less differ by rounding alone.
_CONSTANT = 1e-6


class Likeness:
    """The similarities of texts to a data set's images.

    A label that is typed beside a thousand others looks at the images for itself alone; another
    neuron looks at none.

    Parameters
    ----------
    images
        The unit embeddings of the data set; zero where an image was unreadable.
    """

    def __init__(self, images: Embeddings) -> None:
        self._images = images
        self._known: OrderedDict[tuple[int, bytes], Tensor] = OrderedDict()  # oldest first
        self._kept = 0

    def most_similar(self, texts: Tensor, count: int) -> Tensor:
        """Find the images most like each text, ``(T, count)`` int32, the most similar first.

        Parameters
        ----------
        texts
            ``(T, D)`` directions.
        count
            How many; at most as many as are readable. Of equal ones the lowest index comes first.
        """
        keys = [(count, row.tobytes()) for row in texts.numpy()]
        found = {key: self._known[key] for key in keys if key in self._known}
        new = [at for at, key in enumerate(keys) if key not in found]
        step = max(1, _AT_ONCE // self._images.shape[0])
        for some in (new[start : start + step] for start in range(0, len(new), step)):
            members = most_similar(self._similarities(texts[some]), count).int()
            for at, one in zip(some, members.unbind(), strict=True):
                found[keys[at]] = self._keep(keys[at], one.clone())
        return torch.stack([found[key] for key in keys])

    def _similarities(self, texts: Tensor) -> Tensor:
        """Return the similarity of every text to every image, ``(T, S)``; unreadable: -inf.

        With twice the digits: which image is the last one in must not depend on how many texts
        are asked about at once.
        """
        found = []
        for block in self._images.blocks():
            similar = texts.double() @ block.double().T
            if (unreadable := ~block.any(1)).any():
                similar.masked_fill_(unreadable, -torch.inf)
            found.append(similar)
        return torch.cat(found, dim=1) if len(found) > 1 else found[0]

    def _keep(self, key: tuple[int, bytes], found: Tensor) -> Tensor:
        self._known[key] = found
        self._kept += len(found)
        while self._kept > _KEPT and len(self._known) > 1:
            self._kept -= len(self._known.popitem(last=False)[1])
        return found

    def spread(self, texts: Tensor) -> Tensor:
        """Return the length of each text's similarities less their mean, ``(T,)``.

        NaN where all images are as like it.
        """
        images, scatter = self._scatter
        squares = ((texts @ scatter) * texts).sum(1).clamp(min=0)
        return squares.sqrt().masked_fill(squares <= images * _CONSTANT**2, torch.nan)

    @cached_property
    def _scatter(self) -> tuple[int, Tensor]:
        """How many images are readable, and the ``(D, D)`` scatter of their embeddings."""
        images, dim = 0, self._images.shape[1]
        total = torch.zeros(dim, dim, dtype=torch.float64)
        for block in self._images.blocks():
            rest = block[block.any(1)] - self._images.mean
            images += len(rest)
            total += (rest.T @ rest).double()
        return images, total.float()


def most_similar(scores: Tensor, count: int) -> Tensor:
    """Return the indices of the `count` highest of each row of ``(T, S)``, the highest first.

    Of equal ones the lowest index comes first.
    """
    values, found = scores.topk(min(count + 1, scores.shape[1]), dim=1)
    found = found[:, :count]
    tied = (values[:, 1:] == values[:, :-1]).any(1)
    if tied.any():
        found[tied] = _lowest_first(scores[tied], values[tied, count - 1 : count], count)
    return found


def _lowest_first(scores: Tensor, edge: Tensor, count: int) -> Tensor:
    """Do the same where some are equal; `edge` ``(T, 1)`` is the last value that is in."""
    above = scores > edge
    level = scores == edge
    room = count - above.sum(1, keepdim=True)
    chosen = above | (level & (level.cumsum(1) <= room))
    found = chosen.nonzero()[:, 1].reshape(len(scores), count)
    order = scores.gather(1, found).sort(dim=1, descending=True, stable=True).indices
    return found.gather(1, order)
