"""What generators that make pictures share: offer one after the other until a neuron is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from semlens_widgets.labels.contrasts.generator import Contrasts

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from semlens_widgets.labels.contrasts.generator import Block, Picture


def quietened(
    block: Block,
    levels: Tensor,
    attempts: int,
    offer: Callable[[int, int, int], Picture | None],
) -> Contrasts:
    """Keep for each example the first picture offered on which the neuron is quiet.

    An example on which it is quiet already has nothing to lower, and gets none.

    Parameters
    ----------
    block
        The neurons.
    levels
        ``(neurons,)`` float32; quiet is strictly below, see
        :func:`semlens_widgets.labels.contrasts.below.levels_of`.
    attempts
        How many pictures are tried for an example.
    offer
        Gives the picture to try for (neuron of the block, rank, attempt from 0), or None.
    """
    pictures = {}
    for neuron, samples in enumerate(block.examples.tolist()):
        waiting = [
            rank
            for rank, sample in enumerate(samples)
            if sample >= 0 and bool(block.activations[sample, neuron] >= levels[neuron])
        ]
        for attempt in range(attempts):
            offered = {rank: offer(neuron, rank, attempt) for rank in waiting}
            tried = {rank: picture for rank, picture in offered.items() if picture is not None}
            if not tried:
                continue
            images = [picture.image for picture in tried.values()]
            quiet = block.respond(images, [neuron] * len(images)) < levels[neuron]
            for (rank, picture), accepted in zip(tried.items(), quiet.tolist(), strict=True):
                if accepted:
                    pictures[neuron, rank] = picture
                    waiting.remove(rank)
    return Contrasts(torch.full_like(block.examples, -1), pictures=pictures)
