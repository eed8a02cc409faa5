"""Contrastive examples: for each concept example, a similar image on which the neuron is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from semlens_widgets.analysis.mining import contrastive_examples
from semlens_widgets.store.aligned import (
    activation_chunks,
    example_samples,
    image_embeddings,
    stored_crops,
)
from semlens_widgets.store.stages import Stage

if TYPE_CHECKING:
    from semlens_widgets.store.aligned import Embedding
    from semlens_widgets.store.store import AnalysisStore


def select_contrasts(store: AnalysisStore, embedding: Embedding) -> dict[str, Any]:
    """Write the ``contrasts`` table: for each example, the most similar image on which it is quiet.

    With crops, similarity is between the example's crop and whole images, so that the contrast is
    like the part that the neuron looks at (both sides are then cropped alike).
    """
    images = image_embeddings(store)
    examples = example_samples(store)
    crops = stored_crops(store, "crops") if embedding == "crop" else None
    found, similarities, activations = [], [], []
    for row, chunk in activation_chunks(store, "contrastive examples"):
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
    return {}


CONTRASTS = Stage(
    "contrasts",
    "contrastive examples",
    settings=("embedding",),
    after=("embed", "examples", "crops"),
    tables=("contrasts",),
    run=lambda store, plan, _: select_contrasts(store, plan.embedding),
)
