"""One pass over the images: decode each once, feed every model that wants it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from semlens_widgets.errors import UnreadableImage

if TYPE_CHECKING:
    from PIL import Image

    from semlens_widgets.images import ImageDataset

Transform = Callable[["Image.Image"], Tensor]
_Sample = tuple[int, tuple[Tensor, ...], str]


@dataclass(frozen=True)
class ImageBatch:
    """Consecutive samples, transformed.

    Attributes
    ----------
    indices : Tensor
        (batch,) int64, ascending: the samples of this batch, unreadable ones included.
    readable : Tensor
        (batch,) bool.
    images : tuple of Tensor
        One tensor (readable, 3, height, width) per transform, of the readable samples alone;
        their indices are ``indices[readable]``. Of length 0 if none is readable.
    problems : dict
        Index to message of the unreadable samples.
    """

    indices: Tensor
    readable: Tensor
    images: tuple[Tensor, ...]
    problems: dict[int, str]

    def pin_memory(self) -> ImageBatch:
        """Return the batch with its images in pinned memory; torch's loader calls this."""
        return replace(self, images=tuple(image.pin_memory() for image in self.images))


def batches(
    dataset: ImageDataset,
    transforms: Sequence[Transform],
    *,
    batch_size: int = 64,
    start: int = 0,
    workers: int = 0,
    pin: bool = False,
) -> Iterator[ImageBatch]:
    """Go through the images in order, each decoded once for all transforms.

    Parameters
    ----------
    dataset
        The images.
    transforms
        One function per model, from an RGB image to (3, height, width) of one size.
    batch_size
        Samples per batch; the last one may be smaller.
    start
        The first sample, to go on where a run was interrupted.
    workers
        Processes that decode; 0 decodes in this one.
    pin
        Put images into pinned memory, from where CUDA copies them while the host goes on.

    Returns
    -------
    iterator of ImageBatch
        Samples ``start``, ``start + 1``, ... up to the last.

    Raises
    ------
    ValueError
        If an argument is out of range or a transform gives different sizes.
    TypeError
        If a transform does not return a tensor.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} must be at least 1.")
    if workers < 0:
        raise ValueError(f"workers={workers} must be 0 or more.")
    if not 0 <= start <= len(dataset):
        raise ValueError(f"start={start} is outside the {len(dataset)} images.")
    if callable(transforms):
        raise TypeError("transforms must be a list of functions: [transform].")
    return iter(
        DataLoader(
            _Decoded(dataset, tuple(transforms)),
            batch_size=batch_size,
            sampler=range(start, len(dataset)),
            num_workers=workers,
            collate_fn=partial(_collate, len(transforms)),
            pin_memory=pin,
            generator=torch.Generator(),  # leaves the caller's random state alone
        )
    )


def batch_ranges(start: int, total: int, batch_size: int) -> list[range]:
    """Cut the samples from `start` on into batches."""
    return [range(a, min(a + batch_size, total)) for a in range(start, total, batch_size)]


def load_batch(
    dataset: ImageDataset, transform: Transform, samples: range, *, pin: bool = False
) -> ImageBatch:
    """Decode one batch, as :func:`batches` does."""
    start = samples.start
    return next(batches(dataset, [transform], batch_size=len(samples), start=start, pin=pin))


class _Decoded(Dataset[_Sample]):
    def __init__(self, dataset: ImageDataset, transforms: tuple[Transform, ...]) -> None:
        self._dataset = dataset
        self._transforms = transforms

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> _Sample:
        try:
            image = self._dataset.load(index)
        except UnreadableImage as error:
            return index, (), str(error)
        tensors = tuple(transform(image) for transform in self._transforms)
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"A transform returns {type(tensor).__name__}, not a tensor; end it with "
                    "torchvision.transforms.v2.ToImage and ToDtype(torch.float32, scale=True)."
                )
        return index, tensors, ""


def _collate(transforms: int, samples: list[_Sample]) -> ImageBatch:
    whole = [sample for sample in samples if not sample[2]]
    return ImageBatch(
        indices=torch.tensor([index for index, _, _ in samples]),
        readable=torch.tensor([not problem for _, _, problem in samples]),
        images=tuple(_stacked([sample[1][t] for sample in whole]) for t in range(transforms)),
        problems={index: problem for index, _, problem in samples if problem},
    )


def _stacked(tensors: list[Tensor]) -> Tensor:
    if not tensors:
        return torch.empty(0)
    shapes = sorted({tuple(tensor.shape) for tensor in tensors})
    if len(shapes) > 1:
        raise ValueError(
            f"A transform gives different sizes ({shapes[0]} and {shapes[1]}); let it resize and "
            "crop every image to one."
        )
    return torch.stack(tensors)
