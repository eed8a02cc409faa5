"""One pass over the images for all that want something of them: each is decoded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tqdm.auto import tqdm

from semlens_widgets.pipeline.loading import batch_of, batch_ranges, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from PIL import Image

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.pipeline.loading import Batch, Loaded


class Reader(Protocol):
    """What is made of every image; can be sent to another process."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    def prepare(self, image: Image.Image, name: str) -> Any:
        """Return what it needs of one image; may be called by several threads at once."""
        ...

    def compute(self, batch: Batch, prepared: Sequence[Any]) -> Any:
        """Return what it makes of a batch, given what was prepared of its readable images."""
        ...


class Consumer(Protocol):
    """A stage's part of a pass: how far it is, what it wants, and where that is kept."""

    @property
    def label(self) -> str:
        """What it makes, for people."""
        ...

    @property
    def reader(self) -> Reader:
        """What it wants of each image."""
        ...

    @property
    def rows(self) -> int:
        """How many images it has done; the pass goes on for it from there."""
        ...

    def keep(self, batch: Batch, result: Any) -> None:
        """Keep what the reader made of a batch."""
        ...

    def end(self) -> None:
        """Hear that all images were done; may raise if nothing came of them."""
        ...


@dataclass(frozen=True)
class _Readers:
    """Several readers of the same images, each from the sample on where it begins."""

    images: ImageDataset
    readers: tuple[Reader, ...]
    starts: tuple[int, ...]

    @property
    def device(self) -> torch.device:
        """The first that is no CPU, if there is one."""
        devices = [reader.device for reader in self.readers]
        return next((device for device in devices if device.type != "cpu"), devices[0])

    def items(self, samples: range) -> range:
        return samples

    def load(self, sample: int, /) -> Loaded:
        return load(self.images, [reader.prepare for reader in self._at(sample)], sample)

    def __call__(self, samples: range, loaded: Sequence[Loaded], /) -> tuple[Batch, list[Any]]:
        batch = batch_of(loaded)
        whole = [one.prepared for one in loaded if not one.problem]
        results = [
            reader.compute(batch, [prepared[at] for prepared in whole])
            for at, reader in enumerate(self._at(samples.start))
        ]
        return batch, results

    def _at(self, sample: int) -> list[Reader]:
        begun = zip(self.readers, self.starts, strict=True)
        return [reader for reader, start in begun if sample >= start]


def pass_over(
    images: ImageDataset, consumers: Sequence[Consumer], batch_size: int, mapper: Mapper
) -> None:
    """Go through the images in order, once, for all consumers that have not done them all.

    Every model is given the same batches as in a pass of its own, so that what is kept is the same
    to the last bit. An interrupted pass goes on, for each consumer, at the first batch that it has
    not kept.
    """
    total = len(images)
    waiting = [consumer for consumer in consumers if consumer.rows < total]
    if not waiting:
        return
    starts = tuple(consumer.rows for consumer in waiting)
    compute = _Readers(images, tuple(consumer.reader for consumer in waiting), starts)
    tasks = batch_ranges(min(starts), total, batch_size)
    label = ", ".join(consumer.label for consumer in waiting)
    with tqdm(total=total, initial=min(starts), desc=label, unit="image") as bar:
        for samples, (batch, results) in zip(tasks, mapper(compute, tasks), strict=True):
            begun = [
                one for one, start in zip(waiting, starts, strict=True) if samples.start >= start
            ]
            for consumer, result in zip(begun, results, strict=True):
                consumer.keep(batch, result)
            bar.update(len(samples))
    for consumer in waiting:
        consumer.end()
