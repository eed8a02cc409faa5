"""Stage 2: where every image lies in the space of the foundation model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import torch
from tqdm.auto import tqdm

from semlens_widgets.errors import EmbeddingError, SemlensError, named
from semlens_widgets.inputs.decode import is_of_the_machine
from semlens_widgets.inputs.embeddings import checked_embeddings
from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.pipeline.engine.local import in_process
from semlens_widgets.pipeline.loading import (
    batch_ranges,
    load_again,
    load_batch,
    no_longer_readable,
    stacked,
)
from semlens_widgets.store.scratch import RowLog
from semlens_widgets.store.store import vector_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.store.store import AnalysisStore

STAGE = "embed"
_ROWS_AT_ONCE = 1 << 14
_NEARLY_ALL = 0.95  # of the short side of what the model sees

Box = tuple[float, ...]  # left, top, right, bottom as shares of the image


@dataclass(frozen=True)
class _Embedder:
    foundation: FoundationModel
    images: ImageDataset

    @property
    def device(self) -> torch.device:
        return torch.device(getattr(self.foundation, "device", "cpu"))

    def embedded(self, inputs: torch.Tensor, samples: Sequence[int]) -> NDArray[np.float16]:
        """Embed transformed images, of `samples`."""
        names = [self.images.uris[sample] for sample in samples]
        try:
            double = inputs.dtype == torch.float64
            found = self.foundation.encode_images(inputs.float() if double else inputs)
        except Exception as error:
            if is_of_the_machine(error) or isinstance(error, (SemlensError, ValueError)):
                raise
            raise EmbeddingError(
                f"The foundation model {self.foundation.name!r} fails on {named(names)}, given as "
                f"{tuple(inputs.shape)}: {type(error).__name__}: {error}"
            ) from error
        vectors = checked_embeddings(self.foundation, found, names)
        return vectors.cpu().numpy().astype(np.float16)


class _Images(_Embedder):
    """Unit embeddings of a batch, ``(batch, dim)`` float16; zero where unreadable."""

    def __call__(self, samples: Sequence[int], /) -> NDArray[np.float16]:
        pin = self.device.type == "cuda"
        batch = load_batch(self.images, self.foundation.transform, samples, pin=pin)
        rows = np.zeros((len(samples), self.foundation.dim), np.float16)
        if batch.readable.any():
            whole = batch.indices[batch.readable].tolist()
            rows[batch.readable.numpy()] = self.embedded(batch.images[0], whole)
        return rows


class _Crops(_Embedder):
    """Unit embeddings of (image, box) pairs, ``(pairs, dim)`` float16; zero where there is none.

    Without a box the image is embedded whole.
    """

    def __call__(self, pairs: Sequence[tuple[int, Box | None] | None], /) -> NDArray[np.float16]:
        rows = np.zeros((len(pairs), self.foundation.dim), np.float16)
        present = {i: pair for i, pair in enumerate(pairs) if pair is not None}
        if present:
            samples = [sample for sample, _ in present.values()]
            crops = [
                transformed(
                    self.foundation.transform,
                    _crop(load_again(self.images, sample), box),
                    f"a crop of {self.images.uris[sample]!r}",
                )
                for sample, box in present.values()
            ]
            names = [f"a crop of {self.images.uris[sample]}" for sample in samples]
            rows[list(present)] = self.embedded(stacked(names, crops), samples)
        return rows


def embed(
    store: AnalysisStore,
    foundation: FoundationModel,
    images: ImageDataset,
    *,
    batch_size: int = 64,
    mapper: Mapper = in_process,
) -> None:
    """Write the unit embedding of every image to the ``embeddings`` table, as float16.

    Unreadable images get a zero vector. An interrupted pass goes on where it stopped. An image
    that could be read when activations were collected, and not here, is tried again in the end.

    Parameters
    ----------
    store
        Where the table is written; the stage is skipped if it is finished there.
    foundation, images
        The model and what it is shown.
    batch_size
        Images per forward pass.
    mapper
        Where the batches are computed.

    Raises
    ------
    EmbeddingError
        If the model returns something else than finite vectors; the images are named.
    UnreadableImage
        If images whose activations are known cannot be read any more.
    """
    known = _readable(store)
    if store.is_finished(STAGE):
        without = store.stages[STAGE].get("without", [])
        if known is None or not known[without].any():
            return
    log = RowLog(store.scratch(), STAGE, np.float16, step=batch_size, total=len(images))
    if store.is_finished(STAGE) and log.rows < len(images):  # activations were collected anew
        for _, block in store.row_chunks("embeddings", "embedding", log.rows, len(images)):
            log.append({"embedding": block})
    compute = _Images(foundation, images)
    tasks = batch_ranges(log.rows, len(images), batch_size)
    with tqdm(total=len(images), initial=log.rows, desc="embeddings", unit="image") as bar:
        for rows in mapper(compute, tasks):
            log.append({"embedding": rows})
            bar.update(len(rows))
    missing = np.flatnonzero(_zero(log))
    if known is not None and known[missing].any():
        again = missing[known[missing]].tolist()
        chunks = [again[i : i + batch_size] for i in range(0, len(again), batch_size)]
        for samples, rows in zip(chunks, mapper(compute, chunks), strict=True):
            log.replace(samples, {"embedding": rows})
        missing = np.flatnonzero(_zero(log))
        lost = missing[known[missing]].tolist()
        if lost:
            raise no_longer_readable(images, lost)
    store.write("embeddings", _embeddings(log))
    store.finish(STAGE, foundation=foundation.name, dim=foundation.dim, without=missing.tolist())


def _readable(store: AnalysisStore) -> NDArray[np.bool_] | None:
    """Which images have activations; None if they are not collected yet."""
    if not store.is_finished("collect"):
        return None
    readable: NDArray[np.bool_] = store.frame("samples", ["readable"])["readable"].to_numpy()
    return readable


def _zero(log: RowLog) -> NDArray[np.bool_]:
    """Which images have no embedding."""
    blocks = [~block.any(axis=1) for _, block in log.blocks("embedding", _ROWS_AT_ONCE)]
    return np.concatenate(blocks)


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
    mapper: Mapper = in_process,
) -> None:
    """Write the unit embeddings of cropped examples to ``table``, aligned with ``examples``.

    An example is cropped to the box of its heatmap, and its contrastive example at the same place,
    so that both sides are embedded alike. Where there is no example or contrast the row is zero;
    where the place of a heatmap is unknown both are embedded whole. The stage records the share of
    examples that are embedded (nearly) whole as ``whole`` and those without a place as
    ``unplaced``.

    Warns
    -----
    UserWarning
        If most of the crops are all that the model sees, or some examples have no place.
    """
    if store.is_finished(table):
        return
    examples = store.read("examples", ["row", "sample"]).to_pandas()
    shown = store.frame("examples" if table == "crops" else "contrasts", ["sample"])["sample"]
    places = list(zip(examples["row"], examples["sample"], strict=True))  # keys of the heatmaps
    boxes = _boxes(store)
    wanted = [
        None if sample < 0 else (int(sample), boxes[place][0])
        for sample, place in zip(shown, places, strict=True)
    ]
    facts: dict[str, Any] = {}
    if table == "crops":
        facts = _crop_facts([boxes[place] for place in places if place[1] >= 0])
    log = RowLog(store.scratch(), table, np.float16, step=batch_size, total=len(wanted))
    tasks = [wanted[i : i + batch_size] for i in range(log.rows, len(wanted), batch_size)]
    with tqdm(total=len(wanted), initial=log.rows, desc="crops", unit="crop") as bar:
        for rows in mapper(_Crops(foundation, images), tasks):
            log.append({"embedding": rows})
            bar.update(len(rows))
    store.write(table, _embeddings(log))
    store.finish(table, **facts)


def _boxes(store: AnalysisStore) -> dict[tuple[int, int], tuple[Box | None, float]]:
    """Read the box of each heatmap and its side as a share of what the model sees."""
    rows = store.read("heatmaps", ["row", "sample", "box", "side"]).to_pylist()
    return {
        (row["row"], row["sample"]): (row["box"] and tuple(row["box"]), row["side"]) for row in rows
    }


def _crop_facts(boxes: Sequence[tuple[Box | None, float]]) -> dict[str, Any]:
    """Count how many crops are no crops, and say so if that makes embedding them pointless."""
    unplaced = sum(box is None for box, _ in boxes)
    nearly = sum(box is not None and side >= _NEARLY_ALL for box, side in boxes)
    if 2 * nearly > len(boxes):
        warnings.warn(
            f"{nearly} of {len(boxes)} crops are all that the model sees, or nearly (side at least "
            f"{_NEARLY_ALL:.0%}): crop embedding takes two more embeddings for each example and "
            "changes little here. Give a higher crop_threshold (such as 0.5), or "
            'embedding="image".',
            stacklevel=2,
        )
    if unplaced:
        warnings.warn(
            f"{unplaced} of {len(boxes)} examples are embedded whole: where what the model sees of "
            "them lies in the image was not found, so that they cannot be cropped.",
            stacklevel=2,
        )
    return {"whole": (nearly + unplaced) / max(len(boxes), 1), "unplaced": unplaced}


def _crop(image: Image.Image, box: Box | None) -> Image.Image:
    if box is None:
        return image
    width, height = image.size
    # Edges are stored as float32 fractions: rounded alike, a square stays one.
    left, top = round(box[0] * width), round(box[1] * height)
    right, bottom = round(box[2] * width), round(box[3] * height)
    left, top = min(left, width - 1), min(top, height - 1)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
