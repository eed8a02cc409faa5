"""Conditional relevance on chosen images, one batch after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.attribution.trace import conditional_relevance
from semlens_widgets.errors import ModelError
from semlens_widgets.pipeline.loading import input_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from semlens_widgets.attribution.trace import Goal
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel

_QUICK = 200  # passes back to a layer that need no progress bar


def mean_conditional_relevance(
    target: TargetModel,
    images: ImageDataset,
    samples: Sequence[int],
    goal: Goal,
    lower: str,
    upper: str,
    neurons: Sequence[int],
    batch_size: int,
    seen: Callable[[int], None],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average over images what of a goal's relevance reaches a layer, with progress.

    Parameters
    ----------
    target, goal, lower, upper, neurons
        As in :func:`semlens_widgets.attribution.trace.conditional_relevance`.
    images, samples, batch_size
        The images, which of them, and how many at a time.
    seen
        Hears of how many images each batch was.

    Returns
    -------
    relevance
        ``(neurons of lower,)``.
    conditional
        ``(neurons, neurons of lower)``.

    Raises
    ------
    ModelError
        If relevance is not finite.
    UnreadableImage
        If one of the images cannot be read; the message names it.
    """
    quick = max(1, _QUICK // (1 + len(neurons)))
    batches = input_batches(
        target, images, samples, batch_size, doing=f"trace to {lower}", quick=quick
    )
    total, through = np.zeros(()), np.zeros(())
    for some, inputs in batches:
        relevance, conditional = conditional_relevance(target, inputs, goal, lower, upper, neurons)
        total = total + relevance.cpu().double().sum(0).numpy()
        through = through + conditional.cpu().double().sum(1).numpy()
        if not (np.isfinite(total).all() and np.isfinite(through).all()):
            raise ModelError(f"The relevance of layer {lower!r} is not finite on some images.")
        seen(len(some))
    return total / len(samples), through / len(samples)
