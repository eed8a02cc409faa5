"""The measures of every neuron, from its examples' embeddings and its layer's vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from semlens_widgets.analysis.measures import clarity, polysemanticity, redundancy
from semlens_widgets.store.aligned import example_embedding_blocks, layer_spans
from semlens_widgets.store.stages import Stage

if TYPE_CHECKING:
    from semlens_widgets.store.aligned import Embedding
    from semlens_widgets.store.store import AnalysisStore


def measure(store: AnalysisStore, embedding: Embedding) -> dict[str, Any]:
    """Write the ``measures`` table: clarity, polysemanticity and redundancy of every neuron."""
    clear, several = [], []
    for positives, valid in example_embedding_blocks(store, embedding):
        clear.append(clarity(positives, valid))
        several.append(polysemanticity(positives, valid))
    vectors = torch.from_numpy(store.matrix("vectors", "vector").astype(np.float32))
    redundancies = [redundancy(vectors[a:b]) for a, b in layer_spans(store).values()]
    store.write(
        "measures",
        pa.table(
            {
                "clarity": pa.array(torch.cat(clear).numpy()),
                "polysemanticity": pa.array(torch.cat(several).numpy()),
                "redundancy": pa.array(torch.cat(redundancies).numpy()),
            }
        ),
    )
    return {}


MEASURES = Stage(
    "measures",
    "measures",
    after=("vectors",),
    tables=("measures",),
    run=lambda store, plan, _: measure(store, plan.embedding),
)
