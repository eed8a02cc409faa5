"""Stage 1: what every neuron of every chosen layer does on every image, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from tqdm.auto import tqdm

from semlens_widgets.pipeline.loading import batches
from semlens_widgets.pipeline.rows import RowLog
from semlens_widgets.store import vector_batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from semlens_widgets.images import ImageDataset
    from semlens_widgets.store import AnalysisStore
    from semlens_widgets.target import TargetModel

STAGE = "collect"
_BLOCK_VALUES = 8 << 20  # 32 MiB
_READABLE = ""  # a column of the log beside the layers; no layer has an empty name


def collect(
    store: AnalysisStore, target: TargetModel, images: ImageDataset, *, batch_size: int = 64
) -> None:
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
        Where the table is written; the stage is skipped if it is finished there.
    target, images
        The model and what it is shown.
    batch_size
        Images per forward pass.

    Raises
    ------
    ValueError
        If not one image can be read, or a layer's activations are not finite.
    """
    if store.is_finished(STAGE):
        return
    log = RowLog(store.scratch(), STAGE, np.float32, step=batch_size, total=len(images))
    unread = 0  # leading images that could not be read, before the layers' widths are known
    with tqdm(total=len(images), initial=log.rows, desc="activations", unit="image") as bar:
        for batch in batches(images, [target.transform], batch_size=batch_size, start=log.rows):
            bar.update(len(batch.indices))
            readable = batch.readable.numpy()
            if not (log.widths or readable.any()):
                unread += len(readable)
                continue
            readable = np.concatenate([np.zeros(unread, bool), readable])
            unread = 0
            units = target.units(batch.images[0]) if readable.any() else {}
            block = {_READABLE: readable[:, None].astype(np.float32)}
            for layer in target.layers:
                width = units[layer].shape[1] if units else log.widths[layer]
                block[layer] = np.zeros((len(readable), width), np.float32)
                if units:
                    block[layer][readable] = _finite(layer, units[layer].cpu().numpy())
            log.append(block)
    if not log.widths:
        raise ValueError("None of the images could be read; images.uris lists what was tried.")
    dim = log.rows
    store.write(
        "activations",
        vector_batches(
            "activations", _neuron_blocks(log, target.layers, store.scratch()), dim, pa.float32()
        ),
    )
    store.write(
        "samples",
        pa.table(
            {
                "uri": pa.array(images.uris, pa.string()),
                "readable": pa.array(log.read(_READABLE)[:, 0].astype(bool)),
            }
        ),
    )
    layers = {layer: log.widths[layer] for layer in target.layers}
    store.finish(STAGE, layers=layers)


def write_classes(store: AnalysisStore, images: ImageDataset) -> None:
    """Write each image's class label into the ``samples`` table."""
    if store.is_finished("classes"):
        return
    samples = store.read("samples", ["uri", "readable"])
    labels = pa.array(images.labels or [-1] * len(images), pa.int32())
    store.write("samples", samples.append_column("label", labels))
    store.finish("classes", names=list(images.classes))


def _finite(layer: str, units: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(units).all():
        raise ValueError(
            f"Layer {layer!r} gives activations that are infinite or not numbers. Check that the "
            "transform is the one the model was trained with, and the model's precision."
        )
    return units


def _neuron_blocks(
    log: RowLog, layers: tuple[str, ...], scratch: Path
) -> Iterator[NDArray[np.float32]]:
    """Yield (neurons, images), reading the log once however large it is.

    A block of images is turned in memory and written out, each neuron's part to its place in a file
    of neurons; blocks of that are then read in order.
    """
    images = log.rows
    turned = scratch / f"{STAGE}-turned.rows"
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
