"""What a model says of images, one batch after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from semlens_widgets.inputs.answers import target_logits
from semlens_widgets.pipeline.loading import input_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel


def images_logits(
    target: TargetModel, images: ImageDataset, samples: Sequence[int], batch_size: int
) -> Tensor:
    """Compute the logits of chosen images, with progress, ``(samples, outputs)`` float32.

    Raises
    ------
    UnreadableImage
        If one of them cannot be read; the message names it.
    """
    batches = input_batches(target, images, samples, batch_size, doing="logits", quick=500)
    return torch.cat([target_logits(target, inputs) for _, inputs in batches])
