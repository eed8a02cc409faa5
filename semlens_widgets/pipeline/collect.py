"""One pass over the images for all layers: what every neuron does, or how relevant it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from semlens_widgets.errors import ModelError, UnreadableImage, named
from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.pipeline.engine.device import HostCopy
from semlens_widgets.pipeline.engine.local import in_process
from semlens_widgets.pipeline.loading import naming, stacked
from semlens_widgets.pipeline.passes import pass_over
from semlens_widgets.store.columns import vector_batches
from semlens_widgets.store.scratch import RowLog, logged_rows
from semlens_widgets.store.stages import IMAGES, TARGET, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.pipeline.loading import Batch
    from semlens_widgets.store.store import AnalysisStore

_BLOCK_VALUES = 8 << 20  # 32 MiB
READABLE = ""  # a column of the log beside the layers, by a name no layer has


def collect(
    store: AnalysisStore,
    target: TargetModel,
    images: ImageDataset,
    *,
    batch_size: int = 64,
    mapper: Mapper = in_process,
) -> dict[str, Any]:
    """Write the pooled activation of every neuron on every image.

    One forward pass per image serves all layers. Values stay float32, because which image ranks
    where, and which lies below the mean, is decided on them. The ``activations`` table holds one
    row per neuron (layers in the target's order) with one value per image, 0 where the image is
    unreadable; the ``samples`` table says which images are
    (:func:`write_classes` adds their labels). An interrupted pass goes on at the first batch that
    is not yet written.

    Parameters
    ----------
    store
        Where the tables are written.
    target, images
        The model and what it is shown.
    batch_size
        Images per forward pass.
    mapper
        Where the batches are computed.

    Returns
    -------
    dict
        ``layers``: how many neurons each has.

    Raises
    ------
    UnreadableImage
        If not one image can be read.
    ModelError
        If a layer's activations are not finite, or the model fails; the images are named.
    """
    consumer = activations_of(store, target, images, batch_size)
    pass_over(images, [consumer], batch_size, mapper)
    log = consumer.log
    write_neurons(store, "collect", "activations", log, target.layers)
    store.write(
        "samples",
        pa.table(
            {
                "uri": pa.array(images.uris, pa.string()),
                "readable": pa.array(log.read(READABLE)[:, 0].astype(bool)),
            }
        ),
    )
    return {"layers": {layer: log.widths[layer] for layer in target.layers}}


def write_classes(store: AnalysisStore, images: ImageDataset) -> dict[str, Any]:
    """Write each image's class label into the ``samples`` table; return the classes' names."""
    samples = store.read("samples", ["uri", "readable"])
    labels = pa.array(images.labels or [-1] * len(images), pa.int32())
    store.write("samples", samples.append_column("label", labels))
    return {"names": list(images.classes)}


def units_of_batch(target: TargetModel, batch: Tensor) -> dict[str, Tensor]:
    """Return what :class:`Values` computes for activations."""
    return target.units(batch)


def activations_of(
    store: AnalysisStore, target: TargetModel, images: ImageDataset, batch_size: int
) -> ValuesLog:
    """Return what collects the activations in a pass over the images."""
    reader = Values(target, images, units_of_batch)
    return ValuesLog(store, "collect", "activations", reader, batch_size)


@dataclass(frozen=True)
class Values:
    """What the model makes of a batch: column to (readable, width), copied to the host."""

    target: TargetModel
    images: ImageDataset
    of: Callable[[TargetModel, Tensor], dict[str, Tensor]]

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.target.device

    def prepare(self, image: Image.Image, name: str) -> Tensor:
        """Return the image as the model takes it."""
        return transformed(self.target.transform, image, name)

    def compute(self, batch: Batch, prepared: Sequence[Tensor]) -> HostCopy:
        """Compute one batch; the values are copied while the next one is computed."""
        names = [self.images.uris[sample] for sample in batch.whole]
        return HostCopy(self._of(names, stacked(names, prepared)) if names else {})

    def _of(self, names: Sequence[str], inputs: Tensor) -> dict[str, Tensor]:
        with naming(names, inputs):
            return self.of(self.target, inputs.pin_memory() if self._cuda else inputs)

    @property
    def _cuda(self) -> bool:
        return self.device.type == "cuda"


class ValuesLog:
    """Logs what the model makes of every batch, column to (batch, width); 0 where unreadable.

    Parameters
    ----------
    store, stage
        The log is in the scratch folder, by the stage's name.
    label
        What is logged, for people.
    reader
        What computes it.
    batch_size
        Images per batch.
    """

    def __init__(
        self, store: AnalysisStore, stage: str, label: str, reader: Values, batch_size: int
    ) -> None:
        self.label = label
        self.reader = reader
        total = len(reader.images)
        self.log = RowLog(store.scratch(), stage, np.float32, step=batch_size, total=total)
        self._unread: list[str] = []  # leading images, before the columns' widths are known

    @property
    def rows(self) -> int:
        """How many images are logged."""
        return self.log.rows

    def keep(self, batch: Batch, result: HostCopy) -> None:
        """Log the values of a batch."""
        if not (self.log.widths or batch.readable.any()):
            self._unread += batch.problems.values()
            return
        found = finite(self.reader.images, batch, result.read())
        leading = np.zeros(len(self._unread), bool)
        self._unread = []
        self.log.append(
            laid_out(self.log, np.concatenate([leading, batch.readable.numpy()]), found)
        )

    def end(self) -> None:
        """Refuse images of which not one can be read."""
        if not self.log.widths:
            raise UnreadableImage(
                f"None of the images could be read. The first: {self._unread[0]} "
                "images.uris lists what was tried."
            )


def laid_out(
    log: RowLog, present: NDArray[np.bool_], found: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Lay values of the readable images, column to (readable, width), among the others."""
    widths = {name: values.shape[1] for name, values in found.items()}
    block = {}
    for name, width in (widths or _without_readable(log.widths)).items():
        block[name] = np.zeros((len(present), width), np.float32)
        if found:
            block[name][present] = found[name]
    return {**block, READABLE: present[:, None].astype(np.float32)}


def _without_readable(widths: dict[str, int]) -> dict[str, int]:
    return {name: width for name, width in widths.items() if name != READABLE}


def write_neurons(
    store: AnalysisStore, stage: str, table: str, log: RowLog, layers: tuple[str, ...]
) -> None:
    """Write the log of a pass as a table of one row per neuron, with a value for each image."""
    blocks = _neuron_blocks(log, layers, store.scratch() / f"{stage}-turned.rows")
    store.write(table, vector_batches(table, blocks, log.rows, pa.float32()))


def finite(
    images: ImageDataset, batch: Batch, found: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Return what was found for a batch.

    Raises
    ------
    ModelError
        If it is not finite; layer and images are named.
    """
    for layer, values in found.items():
        wrong = ~np.isfinite(values).all(axis=1)
        if wrong.any():
            samples = torch.tensor(batch.whole)[torch.from_numpy(wrong)].tolist()
            raise ModelError(
                f"Layer {layer!r} gives values that are infinite or not numbers for "
                f"{named([images.uris[sample] for sample in samples])}. Nothing of this batch was "
                "kept. Check that the transform is the one the model was trained with, and the "
                "model's precision."
            )
    return found


def _neuron_blocks(
    log: RowLog, layers: tuple[str, ...], turned: Path
) -> Iterator[NDArray[np.float32]]:
    """Yield (neurons, images), reading the log once however large it is.

    A block of images is turned in memory and written out, each neuron's part to its place in a file
    of neurons; blocks of that are then read in order.
    """
    images = log.rows
    for layer in layers:
        width = log.widths[layer]
        tall = max(1, _BLOCK_VALUES // width)
        with turned.open("w+b", buffering=0) as file:
            for start, block in log.blocks(layer, tall):
                for neuron, values in enumerate(np.ascontiguousarray(block.T)):
                    file.seek(4 * (neuron * images + start))
                    file.write(values.data)
            file.seek(0)
            wide = max(1, _BLOCK_VALUES // images)
            for start in range(0, width, wide):
                count = min(wide, width - start) * images
                yield np.fromfile(file, np.float32, count).reshape(-1, images)
    turned.unlink(missing_ok=True)


COLLECT = Stage(
    "collect",
    "activations",
    settings=(*IMAGES, *TARGET, "autocast"),
    tables=("activations", "samples"),
    run=lambda store, plan, mapper: collect(
        store, plan.target, plan.images, batch_size=plan.batch_size, mapper=mapper
    ),
    count=lambda store: (
        logged_rows(store.path / "scratch", "collect", np.float32),
        store.settings["images"],
    ),
    reads=lambda store, plan: activations_of(store, plan.target, plan.images, plan.batch_size),
)

CLASSES = Stage(
    "classes",
    "class labels",
    settings=("classes",),
    after=("collect",),
    run=lambda store, plan, _: write_classes(store, plan.images),
)
