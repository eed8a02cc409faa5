"""What a model says of images, one batch after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from semlens_widgets.inputs.answers import target_logits, variant_logits
from semlens_widgets.pipeline.loading import KeptInputs, input_batches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from semlens_widgets.inputs.corrections import Correction
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


def images_variants(
    target: TargetModel,
    images: ImageDataset,
    samples: Sequence[int],
    variants: Sequence[Mapping[str, Correction]],
    batch_size: int,
    head: str | None = None,
    inputs: KeptInputs | None = None,
) -> Tensor:
    """Compute the logits of chosen images in variants of a model, with progress.

    Parameters
    ----------
    inputs
        Where the inputs are kept for a next time.

    Returns
    -------
    Tensor
        ``(variants, samples, outputs)`` float32; with `head`, what goes into that last layer.

    Raises
    ------
    UnreadableImage
        If one of the images cannot be read; the message names it.
    """
    kept = inputs or KeptInputs()
    batches = kept.batches(target, images, samples, batch_size, doing="effects")
    return torch.cat([variant_logits(target, batch, variants, head) for _, batch in batches], dim=1)
