"""What a model says of images, one batch after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from tqdm.auto import tqdm

from semlens_widgets.inputs.answers import target_logits
from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.pipeline.loading import load_again, stacked

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
    found = []
    with tqdm(
        total=len(samples), desc="logits", unit="image", disable=len(samples) < 500 or None
    ) as bar:
        for start in range(0, len(samples), batch_size):
            chosen = samples[start : start + batch_size]
            batch = [
                transformed(target.transform, load_again(images, sample), repr(images.uris[sample]))
                for sample in chosen
            ]
            found.append(
                target_logits(target, stacked([images.uris[sample] for sample in chosen], batch))
            )
            bar.update(len(chosen))
    return torch.cat(found)
