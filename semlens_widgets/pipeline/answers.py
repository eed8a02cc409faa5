"""What a model says of images, one batch after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from semlens_widgets.inputs.answers import target_logits, variant_logits, variant_units
from semlens_widgets.pipeline.loading import KeptInputs, input_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Compute the logits of chosen images in variants of a model, with progress.

    Parameters
    ----------
    inputs
        Where the inputs are kept for a next time.
    progress
        Called with how many images of how many are done.

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
    found, done = [], 0
    for chosen, batch in kept.batches(target, images, samples, batch_size, doing="effects"):
        found.append(variant_logits(target, batch, variants, head))
        done += len(chosen)
        if progress is not None:
            progress(done, len(samples))
    return torch.cat(found, dim=1)


def images_variant_units(
    target: TargetModel,
    images: ImageDataset,
    samples: Sequence[int],
    variants: Sequence[Mapping[str, Correction]],
    batch_size: int,
    layer: str,
) -> Tensor:
    """Compute a layer's neurons on chosen images in variants of a model, with progress.

    Returns
    -------
    Tensor
        ``(variants, samples, neurons)`` float32, pooled.

    Raises
    ------
    UnreadableImage
        If one of the images cannot be read; the message names it.
    """
    batches = input_batches(target, images, samples, batch_size, doing="effects", quick=500)
    return torch.cat(
        [variant_units(target, inputs, variants, layer) for _, inputs in batches], dim=1
    )


def images_units(
    target: TargetModel, images: ImageDataset, samples: Sequence[int], batch_size: int
) -> Tensor:
    """Compute every neuron on chosen images, with progress.

    Returns
    -------
    Tensor
        ``(samples, neurons)`` float32, pooled, the layers side by side.

    Raises
    ------
    UnreadableImage
        If one of the images cannot be read; the message names it.
    """
    batches = input_batches(target, images, samples, batch_size, doing="activations", quick=500)
    found = []
    for _, inputs in batches:
        with torch.no_grad():
            units = target.units(inputs)
        found.append(torch.cat([units[layer].cpu() for layer in target.layers], dim=1))
    return torch.cat(found)
