"""Where every neuron lies on the map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from semlens_widgets.analysis.layout import umap_layout
from semlens_widgets.store.stages import Stage

if TYPE_CHECKING:
    from semlens_widgets.store.store import AnalysisStore


def lay_out(store: AnalysisStore) -> dict[str, Any]:
    """Write the ``layout`` table: where every neuron lies on the map."""
    vectors = torch.from_numpy(store.matrix("vectors", "vector").astype(np.float32))
    x, y = umap_layout(vectors).T
    store.write("layout", pa.table({"x": pa.array(x), "y": pa.array(y)}))
    return {}


LAYOUT = Stage(
    "layout",
    "the map's layout",
    after=("vectors",),
    tables=("layout",),
    notice="some seconds, the first time more",  # nothing counts while it is compiled
    run=lambda store, _plan, _mapper: lay_out(store),
)
