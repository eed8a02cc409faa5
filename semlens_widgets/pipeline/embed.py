"""Stage 2: where every image lies in the space of the foundation model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from torch.nn.functional import normalize

from semlens_widgets.errors import EmbeddingError, SemlensError, named
from semlens_widgets.inputs.decode import is_of_the_machine
from semlens_widgets.inputs.embeddings import checked_embeddings
from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.pipeline.engine.local import in_process
from semlens_widgets.pipeline.loading import batch_of, load, no_longer_readable, stacked
from semlens_widgets.pipeline.passes import pass_over
from semlens_widgets.store.aligned import mean_embedding
from semlens_widgets.store.columns import vector_batches
from semlens_widgets.store.scratch import RowLog, logged_rows
from semlens_widgets.store.stages import FOUNDATION, IMAGES, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.pipeline.loading import Batch, Loaded
    from semlens_widgets.pipeline.pictures import Readable
    from semlens_widgets.store.store import AnalysisStore

_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Embedder:
    """Embeds batches of images, and says of which ones the foundation model fails."""

    foundation: FoundationModel
    images: Readable

    @property
    def device(self) -> torch.device:
        """Where the foundation model computes."""
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


class Images(Embedder):
    """Unit embeddings of a batch, ``(batch, dim)`` float16; zero where unreadable."""

    def prepare(self, image: Image.Image, name: str) -> Tensor:
        """Return the image as the foundation model takes it."""
        return transformed(self.foundation.transform, image, name)

    def compute(self, batch: Batch, prepared: Sequence[Tensor]) -> NDArray[np.float16]:
        """Embed one batch."""
        rows = np.zeros((len(batch.indices), self.foundation.dim), np.float16)
        if prepared:
            names = [self.images.uris[sample] for sample in batch.whole]
            inputs = stacked(names, prepared)
            if self.device.type == "cuda":
                inputs = inputs.pin_memory()
            rows[batch.readable.numpy()] = self.embedded(inputs, batch.whole)
        return rows


class _Again(Images):
    """The same for chosen images, as tasks of their own."""

    def items(self, samples: Sequence[int], /) -> Sequence[int]:
        return samples

    def load(self, sample: int, /) -> Loaded:
        return load(self.images, [self.prepare], sample)

    def __call__(self, _samples: Sequence[int], loaded: Sequence[Loaded], /) -> NDArray[np.float16]:
        whole = [one.prepared[0] for one in loaded if not one.problem]
        return self.compute(batch_of(loaded), whole)


class EmbeddingsLog:
    """Logs the embeddings of every batch.

    Parameters
    ----------
    store
        The log is in its scratch folder.
    foundation, images
        The model and what it is shown.
    batch_size
        Images per batch.
    """

    label = "embeddings"

    def __init__(
        self,
        store: AnalysisStore,
        foundation: FoundationModel,
        images: ImageDataset,
        batch_size: int,
    ) -> None:
        self.reader = Images(foundation, images)
        self.log = RowLog(store.scratch(), "embed", np.float16, step=batch_size, total=len(images))
        if store.is_finished("embed"):  # activations were collected anew
            self._take(store, len(images))

    def _take(self, store: AnalysisStore, total: int) -> None:
        if self.log.rows < total:
            for _, block in store.row_chunks("embeddings", "embedding", self.log.rows, total):
                self.log.append({"embedding": block})

    @property
    def rows(self) -> int:
        """How many images are logged."""
        return self.log.rows

    def keep(self, batch: Batch, result: NDArray[np.float16]) -> None:  # noqa: ARG002 - all are
        """Log the embeddings of a batch."""
        self.log.append({"embedding": result})

    def end(self) -> None:
        """Leave it to the stage to see what is missing."""


def embed(
    store: AnalysisStore,
    foundation: FoundationModel,
    images: ImageDataset,
    *,
    batch_size: int = 64,
    mapper: Mapper = in_process,
) -> dict[str, Any]:
    """Write the unit embedding of every image to the ``embeddings`` table, as float16.

    Unreadable images get a zero vector. An interrupted pass goes on where it stopped. An image
    that could be read when activations were collected, and not here, is tried again in the end.

    Parameters
    ----------
    store
        Where the table is written.
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
    consumer = EmbeddingsLog(store, foundation, images, batch_size)
    pass_over(images, [consumer], batch_size, mapper)
    log, compute = consumer.log, _Again(foundation, images)
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
    store.write("embeddings", embedding_rows(log))
    units = (
        normalize(torch.from_numpy(block.astype(np.float32)), dim=1)
        for _, block in log.blocks("embedding", _ROWS_AT_ONCE)
    )
    return {
        "foundation": foundation.name,
        "dim": foundation.dim,
        "without": missing.tolist(),
        "mean": mean_embedding(units).tolist(),
    }


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


def embedding_rows(log: RowLog) -> pa.RecordBatchReader:
    """Return the logged embeddings as rows of a table."""
    blocks = (block for _, block in log.blocks("embedding", _ROWS_AT_ONCE))
    return vector_batches("embedding", blocks, log.widths["embedding"], pa.float16())


def _all_embedded(store: AnalysisStore) -> bool:
    """Whether no image lacks an embedding that could be read when activations were collected."""
    if not store.is_finished("embed"):
        return False
    known, without = _readable(store), store.stages["embed"].get("without", [])
    return known is None or not known[without].any()


EMBED = Stage(
    "embed",
    "image embeddings",
    settings=(*IMAGES, *FOUNDATION),
    tables=("embeddings",),
    run=lambda store, plan, mapper: embed(
        store, plan.foundation, plan.images, batch_size=plan.batch_size, mapper=mapper
    ),
    done=_all_embedded,
    count=lambda store: (
        logged_rows(store.path / "scratch", "embed", np.float16),
        store.settings["images"],
    ),
    reads=lambda store, plan: EmbeddingsLog(store, plan.foundation, plan.images, plan.batch_size),
)

#: Judged once after a run, by the lens; see :mod:`semlens_widgets.lens.domain`.
DOMAIN = Stage("domain", "whether the foundation model fits the images", after=("classes", "embed"))
