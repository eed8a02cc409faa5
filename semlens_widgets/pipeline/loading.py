"""Images as the models take them: decoded once for all that want something of them."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from semlens_widgets.errors import (
    ModelError,
    SemlensError,
    TransformError,
    UnreadableImage,
    named,
)
from semlens_widgets.inputs.decode import is_of_the_machine
from semlens_widgets.inputs.transforms import transformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from PIL import Image

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.pipeline.pictures import Readable

_PAUSES = (0.1, 1.0)  # seconds before an image that was readable is tried again


@dataclass(frozen=True)
class Loaded:
    """What was made of one image.

    Attributes
    ----------
    sample
        Its number.
    prepared
        What each function that was given made of it; empty if it is unreadable.
    problem
        Why it is unreadable; empty if it is not.
    """

    sample: int
    prepared: tuple[Any, ...]
    problem: str = ""


@dataclass(frozen=True)
class Batch:
    """Which samples a batch is of.

    Attributes
    ----------
    indices : Tensor
        (batch,) int64, ascending: unreadable ones included.
    readable : Tensor
        (batch,) bool.
    problems : dict
        Index to message of the unreadable samples.
    """

    indices: Tensor
    readable: Tensor
    problems: dict[int, str]

    @property
    def whole(self) -> list[int]:
        """The readable samples."""
        samples: list[int] = self.indices[self.readable].tolist()
        return samples


def load(
    dataset: Readable, prepare: Sequence[Callable[[Image.Image, str], Any]], sample: int
) -> Loaded:
    """Decode one image, once, for every function of it and its name."""
    try:
        image = dataset.load(sample)
    except UnreadableImage as error:
        return Loaded(sample, (), str(error))
    name = repr(dataset.uris[sample])
    return Loaded(sample, tuple(one(image, name) for one in prepare))


def batch_of(loaded: Sequence[Loaded]) -> Batch:
    """Tell which samples were loaded, and which of them are readable."""
    return Batch(
        indices=torch.tensor([one.sample for one in loaded]),
        readable=torch.tensor([not one.problem for one in loaded]),
        problems={one.sample: one.problem for one in loaded if one.problem},
    )


def batch_ranges(start: int, total: int, batch_size: int) -> list[range]:
    """Cut the samples from `start` on into batches."""
    return [range(a, min(a + batch_size, total)) for a in range(start, total, batch_size)]


def load_again(dataset: Readable, sample: int) -> Image.Image:
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


def no_longer_readable(dataset: Readable, samples: Sequence[int], why: str = "") -> UnreadableImage:
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


@contextmanager
def naming(names: Sequence[str], inputs: Tensor) -> Iterator[None]:
    """Let a model's failure say on which images, given as what ``(batch, ...)``.

    Raises
    ------
    ModelError
        If the model fails by no fault of the machine, and with no words of ours.
    """
    try:
        yield
    except Exception as error:
        if is_of_the_machine(error) or isinstance(error, (SemlensError, ValueError)):
            raise
        what = str(error) or type(error).__name__
        raise ModelError(
            f"The model fails on {named(names)}, given as {tuple(inputs.shape)} by the transform: "
            f"{what}"
        ) from error


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


def input_batches(
    target: TargetModel | FoundationModel,
    images: ImageDataset,
    samples: Sequence[int],
    batch_size: int,
    *,
    doing: str,
    quick: int,
) -> Iterator[tuple[Sequence[int], Tensor]]:
    """Go through chosen images as the model's inputs, with progress.

    Parameters
    ----------
    doing
        What the progress bar says.
    quick
        Fewer images than this need no progress bar.

    Yields
    ------
    samples, inputs
        Some of the images, and ``(samples, 3, height, width)``, transformed.

    Raises
    ------
    UnreadableImage
        If one of them cannot be read; the message names it.
    """
    with tqdm(
        total=len(samples), desc=doing, unit="image", disable=len(samples) < quick or None
    ) as bar:
        for start in range(0, len(samples), batch_size):
            chosen = samples[start : start + batch_size]
            batch = [
                transformed(target.transform, load_again(images, sample), repr(images.uris[sample]))
                for sample in chosen
            ]
            yield chosen, stacked([images.uris[sample] for sample in chosen], batch)
            bar.update(len(chosen))


class KeptInputs:
    """The inputs of the images that were last gone through, so that to do so again decodes nothing.

    Kept are no more than `MOST` bytes: of more images, none.
    """

    MOST = 640 << 20

    def __init__(self) -> None:
        self._of: tuple[object, list[int]] | None = None
        self._kept: list[tuple[Sequence[int], Tensor]] = []

    def batches(
        self,
        target: TargetModel,
        images: ImageDataset,
        samples: Sequence[int],
        batch_size: int,
        *,
        doing: str,
    ) -> Iterator[tuple[Sequence[int], Tensor]]:
        """Go through chosen images as :func:`input_batches` does."""
        wanted = list(samples)
        if self._of is not None and self._of[0] is images and self._of[1] == wanted:
            yield from self._kept
            return
        self._of, self._kept = None, []
        kept, size = [], 0
        for batch in input_batches(target, images, wanted, batch_size, doing=doing, quick=500):
            size += batch[1].nbytes
            if size <= self.MOST:
                kept.append(batch)
            yield batch
        if size <= self.MOST:
            self._of, self._kept = (images, wanted), kept
