"""A store as a large analysis leaves it, with random contents: nothing in it means anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from semlens_widgets.store.columns import vector_batches
from semlens_widgets.store.store import AnalysisStore, vector_column

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES, DIM, BLOCK = 30, 512, 50_000


def large_store(path: Path, neurons: int, images: int) -> Path:
    """Write all that a score or a search needs of so many neurons and images."""
    rng = np.random.default_rng(0)
    store = AnalysisStore(path)
    shape = neurons * EXAMPLES
    tables = {
        "samples": {
            "uri": [f"{i:07d}.jpg" for i in range(images)],
            "readable": np.ones(images, bool),
            "label": np.full(images, -1, np.int32),
        },
        "neurons": {
            "layer": ["layer4"] * neurons,
            "neuron": np.arange(neurons, dtype=np.int32),
            **{name: rng.random(neurons, np.float32) for name in ("mean", "max", "firing_rate")},
            "dead": np.zeros(neurons, bool),
            "top_samples": vector_column(rng.integers(0, images, (neurons, 100)).astype(np.int32)),
        },
        "examples": {
            "row": np.repeat(np.arange(neurons, dtype=np.int32), EXAMPLES),
            "rank": np.tile(np.arange(EXAMPLES, dtype=np.int16), neurons),
            "sample": rng.integers(0, images, shape).astype(np.int32),
            "activation": rng.random(shape, np.float32),
        },
        "contrasts": {
            "sample": rng.integers(0, images, shape).astype(np.int32),
            "activation": rng.random(shape, np.float32),
            "similarity": rng.random(shape, np.float32),
        },
        "vectors": {"vector": vector_column(rng.normal(size=(neurons, DIM)).astype(np.float16))},
        "measures": {
            name: rng.random(neurons, np.float32)
            for name in ("clarity", "polysemanticity", "redundancy")
        },
        "layout": {name: rng.random(neurons, np.float32) for name in ("x", "y")},
    }
    with store.writing():
        for name, columns in tables.items():
            store.write(name, pa.table(columns))
        sizes = [min(BLOCK, images - start) for start in range(0, images, BLOCK)]
        blocks = (rng.normal(size=(size, DIM)).astype(np.float16) for size in sizes)
        store.write("embeddings", vector_batches("embedding", blocks, DIM, pa.float16()))
        store.finish("collect", layers={"layer4": neurons})
        store.finish("classes", names=[])
        store.finish("embed", dim=DIM, foundation="random", mean=[0.0] * DIM, without=[])
        store.finish("examples", n_examples=EXAMPLES, ranks=EXAMPLES)
        store.finish("vectors")
    settings = {"model": "net", "embedding": "image", "images": images, "examples_by": "activation"}
    store.configure({**settings, "foundation": "random", "foundation_dim": DIM})
    return path
