"""The rows of an analysis, read as tensors.

All tables here are aligned by row: row ``r`` of ``neurons``, ``vectors`` and ``activations`` is the
same neuron, and ``examples`` and ``contrasts`` hold ``m`` rows for it, from ``r * m`` on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from semlens_widgets.store.store import AnalysisStore

Embedding = Literal["image", "crop"]


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
    stored = torch.from_numpy(store.matrix("embeddings", "embedding").astype(np.float32))
    return torch.nn.functional.normalize(stored, dim=1)


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


def example_samples(store: AnalysisStore, table: str = "examples") -> Tensor:
    """Image ids of concept examples (or of ``contrasts``), ``(neurons, m)`` int64."""
    samples = store.read(table, ["sample"]).column("sample").to_numpy().astype(np.int64)
    return torch.from_numpy(samples).reshape(-1, store.stages["examples"]["ranks"])


def stored_crops(store: AnalysisStore, table: str) -> Tensor:
    """Read the unit embeddings of crops, ``(neurons, m, dim)`` float32."""
    crops = torch.from_numpy(store.matrix(table, "embedding").astype(np.float32))
    crops = torch.nn.functional.normalize(crops, dim=1)
    return crops.reshape(-1, store.stages["examples"]["ranks"], crops.shape[1])


def example_embeddings(
    store: AnalysisStore, embedding: Embedding, images: Tensor
) -> tuple[Tensor, Tensor]:
    """Embeddings of concept and contrastive examples, both ``(neurons, m, dim)``.

    A missing example or contrast is a zero vector.
    """
    if embedding == "crop":
        return stored_crops(store, "crops"), stored_crops(store, "contrast_crops")
    sides = []
    for table in ("examples", "contrasts"):
        samples = example_samples(store, table)
        sides.append(images[samples.clamp(min=0)] * (samples >= 0)[..., None])
    return sides[0], sides[1]
