"""One pass over the images: decode each once, feed every model that wants it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from semlens_widgets.errors import TransformError, UnreadableImage, named
from semlens_widgets.inputs.transforms import transformed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL import Image

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.transforms import Transform

_PAUSES = (0.1, 1.0)  # seconds before an image that was readable is tried again
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
        If an argument is out of range.
    TransformError
        If a transform fails, does not return a tensor, or gives different sizes.
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
            collate_fn=partial(_collate, dataset.uris, len(transforms)),
            pin_memory=pin,
            generator=torch.Generator(),  # leaves the caller's random state alone
        )
    )


def batch_ranges(start: int, total: int, batch_size: int) -> list[range]:
    """Cut the samples from `start` on into batches."""
    return [range(a, min(a + batch_size, total)) for a in range(start, total, batch_size)]


def load_batch(
    dataset: ImageDataset, transform: Transform, samples: Sequence[int], *, pin: bool = False
) -> ImageBatch:
    """Decode one batch, as :func:`batches` does; of any samples."""
    decoded = _Decoded(dataset, (transform,))
    batch = _collate(dataset.uris, 1, [decoded[sample] for sample in samples])
    return batch.pin_memory() if pin else batch


def load_again(dataset: ImageDataset, sample: int) -> Image.Image:
    """Load an image that an earlier pass could read; tried again before it is given up.

    Raises
    ------
    UnreadableImage
        If it cannot be read any more; the message says what to do.
    """
    for pause in _PAUSES:
        try:
            return dataset.load(sample)
        except UnreadableImage:
            time.sleep(pause)
    try:
        return dataset.load(sample)
    except UnreadableImage as error:
        raise no_longer_readable(dataset, [sample], str(error)) from error


def no_longer_readable(
    dataset: ImageDataset, samples: Sequence[int], why: str = ""
) -> UnreadableImage:
    """Return the error for images that an earlier pass could read and this one cannot."""
    names = named([dataset.uris[sample] for sample in samples])
    error = UnreadableImage(
        f"{len(samples)} of {len(dataset)} images could be read earlier and cannot be read now: "
        f"{names}{f' ({why})' if why else ''} Nothing is lost: once they are back, run() goes on "
        'from here. If they are gone for good, SemanticLens(..., on_change="recompute") begins '
        "without them."
    )
    error.samples = tuple(samples)
    return error


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
        name = repr(self._dataset.uris[index])
        return index, tuple(transformed(one, image, name) for one in self._transforms), ""


def _collate(uris: Sequence[str], transforms: int, samples: list[_Sample]) -> ImageBatch:
    whole = [sample for sample in samples if not sample[2]]
    names = [uris[index] for index, _, _ in whole]
    return ImageBatch(
        indices=torch.tensor([index for index, _, _ in samples]),
        readable=torch.tensor([not problem for _, _, problem in samples]),
        images=tuple(stacked(names, [sample[1][t] for sample in whole]) for t in range(transforms)),
        problems={index: problem for index, _, problem in samples if problem},
    )


def stacked(names: Sequence[str], tensors: Sequence[Tensor]) -> Tensor:
    """Make a batch of transformed images, by their names; refuse those of different sizes."""
    if not tensors:
        return torch.empty(0)
    for name, tensor in zip(names, tensors, strict=True):
        if tensor.shape != tensors[0].shape:
            raise TransformError(
                f"The transform gives different sizes ({tuple(tensors[0].shape)} for {names[0]!r} "
                f"and {tuple(tensor.shape)} for {name!r}); let it resize and crop every image to "
                "one size."
            )
    return torch.stack(list(tensors))
