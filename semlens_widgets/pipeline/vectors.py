"""The semantic vectors: one direction in the foundation model's space for each neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from semlens_widgets.store.aligned import example_embedding_blocks
from semlens_widgets.store.columns import vector_column
from semlens_widgets.store.stages import Stage

if TYPE_CHECKING:
    from semlens_widgets.store.aligned import Embedding
    from semlens_widgets.store.store import AnalysisStore


def write_vectors(store: AnalysisStore, embedding: Embedding) -> dict[str, Any]:
    """Write the ``vectors`` table: the mean of each neuron's example embeddings, as float16."""
    means = [
        positives.sum(dim=1) / valid.sum(dim=1, keepdim=True).clamp(min=1)
        for positives, valid in example_embedding_blocks(store, embedding)
    ]
    column = vector_column(torch.cat(means).numpy().astype(np.float16))
    store.write("vectors", pa.table({"vector": column}))
    return {}


VECTORS = Stage(
    "vectors",
    "semantic vectors",
    after=("contrasts", "contrast_crops"),
    tables=("vectors",),
    run=lambda store, plan, _: write_vectors(store, plan.embedding),
)
