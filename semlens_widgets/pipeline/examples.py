"""Stages 3 to 5: concept examples, their contrasts, and the semantic vectors.

All tables here are aligned by row: row ``r`` of ``neurons``, ``vectors`` and ``activations`` is the
same neuron, and ``examples`` and ``contrasts`` hold ``m`` rows for it, from ``r * m`` on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import torch
from tqdm.auto import tqdm

from semlens_widgets.analysis.mining import (
    concept_examples,
    contrastive_examples,
    neuron_statistics,
)
from semlens_widgets.store.store import vector_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.store.store import AnalysisStore

TOP_SAMPLES = 100  # what CLIP-Dissect scores a neuron on
Embedding = Literal["image", "crop"]
Ranking = Literal["activation", "relevance"]


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


def _chunks(
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


def select_examples(store: AnalysisStore, n_examples: int, by: Ranking = "activation") -> None:
    """Write the ``neurons`` table (statistics) and the ``examples`` table (concept examples).

    By relevance, an example is an image on which the neuron mattered most for what the model says
    of it (RelMax); its activation is kept beside it all the same.
    """
    if store.is_finished("examples"):
        return
    spans = layer_spans(store)
    top_samples, sample, activation = [], [], []
    columns: dict[str, list[NDArray[np.generic]]] = {}
    ranked = _chunks(store, "relevance", "relevances") if by == "relevance" else None
    for _, chunk in _chunks(store, "concept examples"):
        for name, values in vars(neuron_statistics(chunk, n_examples)).items():
            columns.setdefault(name, []).append(values.numpy())
        values_to_rank = chunk if ranked is None else next(ranked)[1]
        indices, _ = concept_examples(values_to_rank, max(n_examples, TOP_SAMPLES))
        values = chunk.T.gather(1, indices.clamp(min=0)).masked_fill(indices < 0, torch.nan)
        top_samples.append(indices[:, :TOP_SAMPLES].numpy())
        sample.append(indices[:, :n_examples].numpy())
        activation.append(values[:, :n_examples].numpy())
    ranks = sample[0].shape[1]
    examples = np.concatenate(sample)
    store.write(
        "neurons",
        pa.table(
            {
                "layer": pa.array([name for name, (a, b) in spans.items() for _ in range(a, b)]),
                "neuron": pa.array(
                    np.concatenate([np.arange(b - a) for a, b in spans.values()]), pa.int32()
                ),
                **{name: pa.array(np.concatenate(parts)) for name, parts in columns.items()},
                "top_samples": vector_column(np.concatenate(top_samples).astype(np.int32)),
            }
        ),
    )
    store.write(
        "examples",
        pa.table(
            {
                "row": pa.array(np.repeat(np.arange(len(examples)), ranks), pa.int32()),
                "rank": pa.array(np.tile(np.arange(ranks), len(examples)), pa.int16()),
                "sample": pa.array(examples.ravel(), pa.int32()),
                "activation": pa.array(np.concatenate(activation).ravel(), pa.float32()),
            }
        ),
    )
    store.finish("examples", n_examples=n_examples, ranks=ranks)


def example_samples(store: AnalysisStore, table: str = "examples") -> Tensor:
    """Image ids of concept examples (or of ``contrasts``), ``(neurons, m)`` int64."""
    samples = store.read(table, ["sample"]).column("sample").to_numpy().astype(np.int64)
    return torch.from_numpy(samples).reshape(-1, store.stages["examples"]["ranks"])


def select_contrasts(store: AnalysisStore, embedding: Embedding) -> None:
    """Write the ``contrasts`` table: for each example, the most similar image on which it is quiet.

    With crops, similarity is between the example's crop and whole images, so that the contrast is
    like the part that the neuron looks at (both sides are then cropped alike).
    """
    if store.is_finished("contrasts"):
        return
    images = image_embeddings(store)
    examples = example_samples(store)
    crops = stored_crops(store, "crops") if embedding == "crop" else None
    found, similarities, activations = [], [], []
    for row, chunk in _chunks(store, "contrastive examples"):
        anchors = examples[row : row + chunk.shape[1]]
        indices, similarity = contrastive_examples(
            chunk,
            images,
            anchors,
            None if crops is None else crops[row : row + chunk.shape[1]],
        )
        missing = indices < 0
        values = chunk.T.gather(1, indices.clamp(min=0))
        values[missing] = torch.nan
        found.append(indices.numpy())
        similarities.append(similarity.numpy())
        activations.append(values.numpy())
    store.write(
        "contrasts",
        pa.table(
            {
                "sample": pa.array(np.concatenate(found).ravel(), pa.int32()),
                "activation": pa.array(np.concatenate(activations).ravel(), pa.float32()),
                "similarity": pa.array(np.concatenate(similarities).ravel(), pa.float32()),
            }
        ),
    )
    store.finish("contrasts")


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


def write_vectors(store: AnalysisStore, embedding: Embedding) -> None:
    """Write the ``vectors`` table: the mean of each neuron's example embeddings, as float16."""
    if store.is_finished("vectors"):
        return
    positives, _ = example_embeddings(store, embedding, image_embeddings(store))
    present = (example_samples(store) >= 0).sum(dim=1, keepdim=True)
    vectors = positives.sum(dim=1) / present.clamp(min=1)  # (neurons, dim)
    column = vector_column(vectors.numpy().astype(np.float16))
    store.write("vectors", pa.table({"vector": column}))
    store.finish("vectors")
