"""Concept examples: the images that activate a neuron most, or matter most to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from semlens_widgets.analysis.mining import concept_examples, neuron_statistics
from semlens_widgets.store.aligned import activation_chunks, layer_spans
from semlens_widgets.store.columns import vector_column
from semlens_widgets.store.stages import Stage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from semlens_widgets.pipeline.settings import Ranking
    from semlens_widgets.store.store import AnalysisStore

TOP_SAMPLES = 100  # what CLIP-Dissect scores a neuron on


def select_examples(
    store: AnalysisStore, n_examples: int, by: Ranking = "activation"
) -> dict[str, Any]:
    """Write the ``neurons`` table (statistics) and the ``examples`` table (concept examples).

    By relevance, an example is an image on which the neuron mattered most for what the model says
    of it (RelMax); its activation is kept beside it all the same. Returns how many each neuron has.
    """
    spans = layer_spans(store)
    top_samples, sample, activation = [], [], []
    columns: dict[str, list[NDArray[np.generic]]] = {}
    ranked = activation_chunks(store, "relevance", "relevances") if by == "relevance" else None
    for _, chunk in activation_chunks(store, "concept examples"):
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
    return {"n_examples": n_examples, "ranks": ranks}


EXAMPLES = Stage(
    "examples",
    "concept examples",
    settings=("n_examples", "examples_by"),
    after=("collect", "relevance"),
    tables=("neurons", "examples"),
    run=lambda store, plan, _: select_examples(store, plan.n_examples, plan.examples_by),
)
