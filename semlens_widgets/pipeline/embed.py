"""Stage 2: where every image lies in the space of the foundation model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import torch
from tqdm.auto import tqdm

from semlens_widgets.pipeline.loading import batches
from semlens_widgets.pipeline.rows import RowLog
from semlens_widgets.store import vector_batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from semlens_widgets.foundation import FoundationModel
    from semlens_widgets.images import ImageDataset
    from semlens_widgets.store import AnalysisStore

STAGE = "embed"
_ROWS_AT_ONCE = 1 << 14


def embed(
    store: AnalysisStore,
    foundation: FoundationModel,
    images: ImageDataset,
    *,
    batch_size: int = 64,
) -> None:
    """Write the unit embedding of every image to the ``embeddings`` table, as float16.

    Unreadable images get a zero vector. An interrupted pass goes on where it stopped.

    Parameters
    ----------
    store
        Where the table is written; the stage is skipped if it is finished there.
    foundation, images
        The model and what it is shown.
    batch_size
        Images per forward pass.
    """
    if store.is_finished(STAGE):
        return
    log = RowLog(store.scratch(), STAGE, np.float16, step=batch_size, total=len(images))
    with tqdm(total=len(images), initial=log.rows, desc="embeddings", unit="image") as bar:
        for batch in batches(images, [foundation.transform], batch_size=batch_size, start=log.rows):
            rows = np.zeros((len(batch.indices), foundation.dim), np.float16)
            if batch.readable.any():
                embedded = foundation.encode_images(batch.images[0])
                rows[batch.readable.numpy()] = embedded.cpu().numpy()
            log.append({"embedding": rows})
            bar.update(len(batch.indices))
    store.write("embeddings", _embeddings(log))
    store.finish(STAGE, foundation=foundation.name, dim=foundation.dim)


def _embeddings(log: RowLog) -> pa.RecordBatchReader:
    blocks = (block for _, block in log.blocks("embedding", _ROWS_AT_ONCE))
    return vector_batches("embedding", blocks, log.widths["embedding"], pa.float16())


def embed_crops(
    store: AnalysisStore,
    foundation: FoundationModel,
    images: ImageDataset,
    table: Literal["crops", "contrast_crops"],
    *,
    batch_size: int = 64,
) -> None:
    """Write the unit embeddings of cropped examples to ``table``, aligned with ``examples``.

    An example is cropped to the box of its heatmap, and its contrastive example at the same place,
    so that both sides are embedded alike. Where there is no example or contrast the row is zero.
    """
    if store.is_finished(table):
        return
    examples = store.read("examples", ["row", "sample"]).to_pandas()
    shown = store.frame("examples" if table == "crops" else "contrasts", ["sample"])["sample"]
    places = list(zip(examples["row"], examples["sample"], strict=True))  # keys of the heatmaps
    boxes = {(row, sample): box for row, sample, box in _boxes(store)}
    log = RowLog(store.scratch(), table, np.float16, step=batch_size, total=len(examples))
    with tqdm(total=len(examples), initial=log.rows, desc="crops", unit="crop") as bar:
        for start in range(log.rows, len(examples), batch_size):
            block = range(start, min(start + batch_size, len(examples)))
            rows = np.zeros((len(block), foundation.dim), np.float16)
            present = [i for i in block if shown[i] >= 0]
            if present:
                crops = [
                    foundation.transform(_crop(images.load(int(shown[i])), boxes[places[i]]))
                    for i in present
                ]
                embedded = foundation.encode_images(torch.stack(crops))
                rows[[i - start for i in present]] = embedded.cpu().numpy()
            log.append({"embedding": rows})
            bar.update(len(block))
    store.write(table, _embeddings(log))
    store.finish(table)


def _boxes(store: AnalysisStore) -> Iterator[tuple[int, int, tuple[float, ...]]]:
    for key in store.read("heatmaps", ["row", "sample", "box"]).to_pylist():
        yield key["row"], key["sample"], tuple(key["box"])


def _crop(image: Image.Image, box: tuple[float, ...]) -> Image.Image:
    width, height = image.size
    left, top = int(box[0] * width), int(box[1] * height)
    right, bottom = round(box[2] * width), round(box[3] * height)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
