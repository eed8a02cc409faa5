"""The rows of an analysis, read as tensors.

All tables here are aligned by row: row ``r`` of ``neurons``, ``vectors`` and ``activations`` is the
same neuron, and ``examples`` and ``contrasts`` hold ``m`` rows for it, from ``r * m`` on.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from tqdm.auto import tqdm

from semlens_widgets.store.columns import as_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.store.store import AnalysisStore

Embedding = Literal["image", "crop"]
_AT_ONCE = 1 << 25  # values that are gathered for some neurons: 128 MiB
_HELD = 1 << 26  # values of embeddings that are kept in memory: 256 MiB


def layer_spans(store: AnalysisStore) -> dict[str, tuple[int, int]]:
    """Rows ``[start, stop)`` of each layer in the tables that hold one row per neuron."""
    spans = {}
    start = 0
    for layer, width in store.stages["collect"]["layers"].items():
        spans[layer] = (start, start + width)
        start += width
    return spans


def image_embeddings(store: AnalysisStore) -> Tensor:
    """Read the unit embeddings of all images, ``(images, dim)`` float32; zero where unreadable."""
    return _unit(store.matrix("embeddings", "embedding"))


class StoredEmbeddings:
    """The unit embeddings of all images: held if they are few, else read as they are needed.

    Parameters
    ----------
    store
        An analysis whose ``embed`` stage is finished.
    """

    def __init__(self, store: AnalysisStore) -> None:
        self._store = store
        self.shape = (int(store.settings["images"]), int(store.stages["embed"]["dim"]))

    @cached_property
    def mean(self) -> Tensor:
        """``(D,)`` mean of the unit embeddings of the readable images."""
        recorded = self._store.stages["embed"].get("mean")
        if recorded is not None:
            return torch.tensor(recorded)
        return mean_embedding(self.blocks())

    @cached_property
    def _held(self) -> Tensor | None:
        images, dim = self.shape
        return image_embeddings(self._store) if images * dim <= _HELD else None

    def rows(self, samples: Tensor) -> Tensor:
        """Return ``(..., D)`` float32 for ``(...)`` samples; zero where a sample is -1."""
        present = (samples >= 0)[..., None]
        if (behind := samples >= self.shape[0]).any():  # pictures that were made
            found = self.rows(samples.masked_fill(behind, -1))
            found[behind] = _unit(self._made(samples[behind].numpy()))
            return found
        if self._held is not None:
            return self._held[samples.clamp(min=0)] * present
        wanted, places = torch.unique(samples.clamp(min=0), return_inverse=True)
        found = self._store.rows("embeddings", wanted.numpy()).column("embedding")
        return _unit(as_matrix(found))[places] * present

    def stored(self, samples: NDArray[np.int64]) -> NDArray[np.float16]:
        """Return ``(n, D)`` as it is stored, for ``(n,)`` samples that there are: nearly unit."""
        found = np.empty((len(samples), self.shape[1]), np.float16)
        made = samples >= self.shape[0]
        wanted, places = np.unique(samples[~made], return_inverse=True)
        found[~made] = as_matrix(self._store.rows("embeddings", wanted).column("embedding"))[places]
        if made.any():
            found[made] = self._made(samples[made])
        return found

    def _made(self, samples: NDArray[np.int64]) -> NDArray[np.float16]:
        ids = self._made_ids
        order = np.argsort(ids, kind="stable")
        places = order[np.searchsorted(ids, samples, sorter=order)]
        return as_matrix(self._store.rows("pictures", places).column("embedding"))

    @cached_property
    def _made_ids(self) -> NDArray[np.int64]:
        ids: NDArray[np.int64] = self._store.read("pictures", ["sample"])["sample"].to_numpy()
        return ids

    def blocks(self) -> Iterator[Tensor]:
        """Go through all images in order, ``(some, D)`` float32; zero where unreadable."""
        if self._held is not None:
            yield self._held
            return
        for _, block in self._store.row_chunks("embeddings", "embedding", 0, self.shape[0]):
            yield _unit(block)


def mean_embedding(blocks: Iterable[Tensor]) -> Tensor:
    """Return the mean of ``(some, D)`` embeddings, leaving out zeros, ``(D,)`` float32."""
    sums, counts = [], []
    for block in blocks:
        sums.append(block.double().sum(0))
        counts.append(block.any(1).sum())
    return (torch.stack(sums).sum(0) / torch.stack(counts).sum()).float()


def _unit(matrix: NDArray[Any]) -> Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(matrix.astype(np.float32)), dim=1)


def activation_chunks(
    store: AnalysisStore, label: str, table: Literal["activations", "relevances"] = "activations"
) -> Iterator[tuple[int, Tensor]]:
    """Yield (first row, (images, neurons) float32 with NaN where unreadable), layer by layer."""
    spans = layer_spans(store)
    unreadable = torch.from_numpy(~store.frame("samples", ["readable"])["readable"].to_numpy())
    with tqdm(total=max(stop for _, stop in spans.values()), desc=label, unit="neuron") as bar:
        for start, stop in spans.values():
            for row, chunk in store.row_chunks(table, table, start, stop):
                values = torch.from_numpy(np.array(chunk)).T
                values[unreadable] = torch.nan
                yield row, values
                bar.update(len(chunk))


def layer_activations(store: AnalysisStore, layer: str) -> Tensor:
    """Read a layer's activations, ``(images, units)`` float32 with NaN where unreadable."""
    chunks = store.row_chunks("activations", "activations", *layer_spans(store)[layer])
    values = torch.cat([torch.from_numpy(np.array(chunk)) for _, chunk in chunks]).T
    values[torch.from_numpy(~store.frame("samples", ["readable"])["readable"].to_numpy())] = (
        torch.nan
    )
    return values


def example_samples(store: AnalysisStore, table: str = "examples") -> Tensor:
    """Image ids of concept examples (or of ``contrasts``), ``(neurons, m)`` int64."""
    samples = store.read(table, ["sample"]).column("sample").to_numpy().astype(np.int64)
    return torch.from_numpy(samples).reshape(-1, store.stages["examples"]["ranks"])


def contrast_samples(store: AnalysisStore) -> Tensor:
    """Image ids of all contrastive examples of each example, ``(neurons, m, k)`` int64."""
    nearest = example_samples(store, "contrasts")[..., None]
    if "further" not in store.columns("contrasts"):
        return nearest
    further = torch.from_numpy(store.matrix("contrasts", "further").astype(np.int64))
    return torch.cat([nearest, further.reshape(*nearest.shape[:2], -1)], dim=2)


def stored_crops(store: AnalysisStore, table: str) -> Tensor:
    """Read the unit embeddings of crops, ``(neurons, m, dim)`` float32."""
    crops = _unit(store.matrix(table, "embedding"))
    return crops.reshape(-1, store.stages["examples"]["ranks"], crops.shape[1])


def example_embedding_blocks(
    store: AnalysisStore, embedding: Embedding
) -> Iterator[tuple[Tensor, Tensor]]:
    """Read the embeddings of the concept examples, some neurons after the other.

    Yields
    ------
    positives, valid
        ``(some, m, dim)`` float32, zero where there is no example, and ``(some, m)`` bool.
    """
    samples, images = example_samples(store), StoredEmbeddings(store)
    neurons, ranks = samples.shape
    step = max(1, _AT_ONCE // (ranks * images.shape[1]))
    for start in range(0, neurons, step):
        some = samples[start : start + step]
        if embedding == "crop":
            stop = (start + len(some)) * ranks
            chunks = store.row_chunks("crops", "embedding", start * ranks, stop)
            rows = torch.cat([_unit(chunk) for _, chunk in chunks])
            yield rows.reshape(*some.shape, -1), some >= 0
        else:
            yield images.rows(some), some >= 0
