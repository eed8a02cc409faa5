"""The semantic vectors: one direction in the foundation model's space for each neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from semlens_widgets.store.aligned import example_embeddings, example_samples, image_embeddings
from semlens_widgets.store.columns import vector_column
from semlens_widgets.store.stages import Stage

if TYPE_CHECKING:
    from semlens_widgets.store.aligned import Embedding
    from semlens_widgets.store.store import AnalysisStore


def write_vectors(store: AnalysisStore, embedding: Embedding) -> dict[str, Any]:
    """Write the ``vectors`` table: the mean of each neuron's example embeddings, as float16."""
    positives, _ = example_embeddings(store, embedding, image_embeddings(store))
    present = (example_samples(store) >= 0).sum(dim=1, keepdim=True)
    vectors = positives.sum(dim=1) / present.clamp(min=1)  # (neurons, dim)
    column = vector_column(vectors.numpy().astype(np.float16))
    store.write("vectors", pa.table({"vector": column}))
    return {}


VECTORS = Stage(
    "vectors",
    "semantic vectors",
    after=("contrasts", "contrast_crops"),
    tables=("vectors",),
    run=lambda store, plan, _: write_vectors(store, plan.embedding),
)
