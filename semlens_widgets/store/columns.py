"""How vectors and heatmaps lie in the columns of a table."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


Box = tuple[float, float, float, float]
"""``(left, top, right, bottom)`` as fractions of an image."""


@dataclass(frozen=True)
class StoredHeatmap:
    """Relevance of one image for one neuron, as it is kept and shown.

    Attributes
    ----------
    values
        ``(height, width)`` uint8: positive relevance, 255 at its maximum. It lies over the whole
        image; where `box` is None over the model's input, whose place in the image is unknown.
    box
        The relevant region, which is what crop embedding embeds; None where the place of the
        model's input in the image is unknown.
    method
        How the relevance was computed, for people, and what in it is not exact or not known.
    arrived
        Share of the starting relevance that arrived at the input; NaN where it is not propagated.
    side
        Side of the box as a share of the short side of what the model sees.
    """

    values: NDArray[np.uint8]
    box: Box | None
    method: str
    arrived: float = math.nan
    side: float = math.nan


def as_matrix(column: pa.ChunkedArray) -> NDArray[Any]:
    """Read a column of vectors as ``(rows, dim)``."""
    parts = [
        np.asarray(chunk.flatten()).reshape(-1, column.type.list_size) for chunk in column.chunks
    ]
    return np.concatenate(parts) if parts else np.empty((0, column.type.list_size))


def vector_column(matrix: NDArray[Any]) -> pa.FixedSizeListArray:
    """Make a column of vectors from ``(rows, dim)``."""
    flat = np.ascontiguousarray(matrix).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), matrix.shape[1])


def vector_batches(
    name: str, blocks: Iterable[NDArray[Any]], dim: int, dtype: pa.DataType
) -> pa.RecordBatchReader:
    """Stream blocks of ``(rows, dim)`` into one vector column, without holding them all."""
    schema = pa.schema([(name, pa.list_(dtype, dim))])
    return pa.RecordBatchReader.from_batches(
        schema, (pa.record_batch([vector_column(block)], schema=schema) for block in blocks)
    )


def heatmap_table(keys: Sequence[tuple[int, int]], heatmaps: Sequence[StoredHeatmap]) -> pa.Table:
    """Lay out heatmaps for the store; a key is (row in the neurons table, sample)."""
    return pa.table(
        {
            "row": pa.array([row for row, _ in keys], pa.int32()),
            "sample": pa.array([sample for _, sample in keys], pa.int32()),
            "height": pa.array([h.values.shape[0] for h in heatmaps], pa.int16()),
            "width": pa.array([h.values.shape[1] for h in heatmaps], pa.int16()),
            "values": pa.array([zlib.compress(h.values.tobytes()) for h in heatmaps], pa.binary()),
            "box": pa.array([h.box for h in heatmaps], pa.list_(pa.float32(), 4)),
            "method": pa.array([h.method for h in heatmaps], pa.string()),
            "arrived": pa.array([h.arrived for h in heatmaps], pa.float32()),
            "side": pa.array([h.side for h in heatmaps], pa.float32()),
        }
    )


def read_heatmaps(table: pa.Table) -> list[StoredHeatmap]:
    """Read back what :func:`heatmap_table` laid out."""
    return [
        StoredHeatmap(
            np.frombuffer(zlib.decompress(row["values"]), np.uint8).reshape(
                row["height"], row["width"]
            ),
            None if row["box"] is None else tuple(row["box"]),
            row["method"],
            row["arrived"],
            row["side"],
        )
        for row in table.to_pylist()
    ]
