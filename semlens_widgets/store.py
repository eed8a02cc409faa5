"""The analysis on disk: one LanceDB database per analysis, and a manifest that says what is done.

The store knows tables, not models. Each pipeline stage reads the tables of the stage before and
writes its own; the manifest records a stage only after its table is committed, so a process that
dies at any moment leaves every finished stage intact.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd
    from lancedb.table import Table
    from numpy.typing import NDArray

SCHEMA_VERSION = 1
_CHUNK_BYTES = 64 << 20


class StoreError(RuntimeError):
    """The analysis folder cannot serve what was asked of it; the message says what to do."""


@dataclass(frozen=True)
class StoredHeatmap:
    """Relevance of one image for one neuron, as it is kept and shown.

    Attributes
    ----------
    values
        ``(height, width)`` uint8: positive relevance, 255 at its maximum.
    box
        ``(left, top, right, bottom)`` of the relevant region as fractions of the image.
    method
        How the relevance was computed, for people.
    """

    values: NDArray[np.uint8]
    box: tuple[float, float, float, float]
    method: str


class AnalysisStore:
    """Tables and manifest of one analysis.

    Parameters
    ----------
    path
        Folder of the analysis.
    read_only
        Refuse to write; the folder must hold an analysis already.

    Raises
    ------
    StoreError
        If a read-only folder holds no analysis, or if the folder was written by a newer version.
    """

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        self.read_only = read_only
        if read_only and not self._manifest_path.exists():
            raise StoreError(
                f"No analysis in {str(path)!r}: there is no {self._manifest_path.name}. "
                "Give the folder that SemanticLens(path=...) wrote."
            )
        if not read_only:
            self.path.mkdir(parents=True, exist_ok=True)
        self._manifest = self._read_manifest()
        version = self._manifest["schema_version"]
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"The analysis in {str(path)!r} has schema version {version}; this release "
                f"reads version {SCHEMA_VERSION}. Open it with the release that wrote it, or use a "
                "new folder."
            )

    def __repr__(self) -> str:
        return f"AnalysisStore({self.path.name!r}, stages={list(self.stages)})"

    # -- manifest ------------------------------------------------------------------------------

    @property
    def _manifest_path(self) -> Path:
        return self.path / "analysis.json"

    def _read_manifest(self) -> dict[str, Any]:
        if not self._manifest_path.exists():
            return {"schema_version": SCHEMA_VERSION, "settings": {}, "stages": {}}
        manifest: dict[str, Any] = json.loads(self._manifest_path.read_text("utf-8"))
        return manifest

    def _write_manifest(self) -> None:
        self._check_writable()
        write_atomically(self._manifest_path, json.dumps(self._manifest, indent=1).encode())

    @property
    def settings(self) -> dict[str, Any]:
        """What the analysis was made with, as recorded by :meth:`configure`."""
        return dict(self._manifest["settings"])

    @property
    def stages(self) -> dict[str, Any]:
        """Finished stages, each with the facts that it recorded."""
        return dict(self._manifest["stages"])

    def configure(self, settings: dict[str, Any]) -> None:
        """Record what the analysis is made with, or check it against what is recorded.

        Raises
        ------
        StoreError
            If the folder holds finished stages that were made with other settings. Nothing is
            changed then.
        """
        settings = json.loads(json.dumps(settings))
        recorded = self._manifest["settings"]
        if recorded == settings:
            return
        if self._manifest["stages"] or self.scratch_exists():
            changed = [
                f"{key}: recorded {recorded.get(key)!r}, given {settings.get(key)!r}"
                for key in sorted(recorded.keys() | settings.keys())
                if recorded.get(key) != settings.get(key)
            ]
            raise StoreError(
                f"The analysis in {str(self.path)!r} was made with other inputs:\n  "
                + "\n  ".join(changed)
                + "\nNothing was changed. Use the recorded inputs, or another path."
            )
        self._manifest["settings"] = settings
        self._write_manifest()

    def is_finished(self, stage: str) -> bool:
        """Whether a stage has written all of its tables."""
        return stage in self._manifest["stages"]

    def finish(self, stage: str, **facts: Any) -> None:
        """Record a stage as finished, with facts worth keeping (JSON)."""
        self._manifest["stages"][stage] = facts
        self._write_manifest()

    # -- writing -------------------------------------------------------------------------------

    def _check_writable(self) -> None:
        if self.read_only:
            raise StoreError("This analysis is open for reading only.")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder's lock, so that two processes never write one analysis.

        Raises
        ------
        StoreError
            If another process is writing, or the analysis is open for reading only.
        """
        from filelock import FileLock, Timeout

        self._check_writable()
        try:
            with FileLock(self.path / ".lock", timeout=5, is_singleton=True):
                yield
        except Timeout:
            raise StoreError(
                f"Another process is writing the analysis in {str(self.path)!r}. "
                "Wait for it, or open the folder with semlens_widgets.open() to read."
            ) from None

    def scratch(self) -> Path:
        """Folder for half-finished stages; removed by :meth:`clear_scratch`."""
        self._check_writable()
        folder = self._scratch_path
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def _scratch_path(self) -> Path:
        return self.path / "scratch"

    def scratch_exists(self) -> bool:
        """Whether an unfinished stage left work behind."""
        return self._scratch_path.exists() and any(self._scratch_path.iterdir())

    def clear_scratch(self, prefix: str) -> None:
        """Remove the scratch files of one stage."""
        for file in self._scratch_path.glob(f"{prefix}*"):
            file.unlink()

    def write(self, table: str, data: pa.Table | pa.RecordBatchReader) -> None:
        """Replace a table in one commit; readers see the old or the new one, never a mixture."""
        self._check_writable()
        self._db().create_table(table, data, mode="overwrite")

    def append(self, table: str, data: pa.Table) -> None:
        """Add rows to a table, which is created if need be."""
        self._check_writable()
        if self.has(table):
            self._table(table).add(data)
        else:
            self._db().create_table(table, data)

    # -- reading -------------------------------------------------------------------------------

    def _db(self) -> Any:
        os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of every table that is new
        import lancedb

        return lancedb.connect(self.path)

    def _table(self, table: str) -> Table:
        if not self.has(table):
            raise StoreError(
                f"The analysis in {str(self.path)!r} has no table {table!r} yet: call run() first."
            )
        opened: Table = self._db().open_table(table)
        return opened

    def has(self, table: str) -> bool:
        """Whether a table exists."""
        return (self.path / f"{table}.lance" / "_versions").exists()

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read whole columns of a table."""
        source = self._table(table)
        return source.search().select(list(columns or source.schema.names)).to_arrow()

    def rows(self, table: str, offsets: Sequence[int]) -> pa.Table:
        """Read single rows by position, in the order given."""
        wanted = np.asarray(offsets, dtype=np.int64)
        unique, back = np.unique(wanted, return_inverse=True)
        found = self._table(table).take_offsets(unique.tolist()).to_arrow()
        return found.take(pa.array(back))

    def frame(self, table: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read a table of plain columns as pandas."""
        frame: pd.DataFrame = self.read(table, columns).to_pandas()
        return frame

    def matrix(self, table: str, column: str) -> NDArray[Any]:
        """Read a column of vectors as one matrix, ``(rows, dim)``."""
        return _matrix(self.read(table, [column]).column(column))

    def row_chunks(
        self, table: str, column: str, start: int, stop: int
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Read consecutive rows of a vector column in chunks bounded in memory.

        Yields
        ------
        offset, matrix
            Position of the first row, and ``(rows, dim)``.
        """
        source = self._table(table)
        field = source.schema.field(column).type
        step = max(1, _CHUNK_BYTES // (field.list_size * field.value_type.bit_width // 8))
        for offset in range(start, stop, step):
            size = min(step, stop - offset)
            found = source.search().select([column]).offset(offset).limit(size).to_arrow()
            yield offset, _matrix(found.column(column))


def _matrix(column: pa.ChunkedArray) -> NDArray[Any]:
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


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all."""
    temporary = path.with_suffix(path.suffix + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def remove_analysis(path: str | Path) -> None:
    """Delete an analysis folder, after checking that it is one.

    Raises
    ------
    StoreError
        If the folder exists and is not an analysis.
    """
    folder = Path(path)
    if not folder.exists():
        return
    if not (folder / "analysis.json").exists():
        raise StoreError(
            f"{str(path)!r} is not an analysis (no analysis.json); it was not deleted."
        )
    shutil.rmtree(folder)


# -- heatmaps --------------------------------------------------------------------------------


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
        }
    )


def read_heatmaps(table: pa.Table) -> list[StoredHeatmap]:
    """Read back what :func:`heatmap_table` laid out."""
    return [
        StoredHeatmap(
            np.frombuffer(zlib.decompress(row["values"]), np.uint8).reshape(
                row["height"], row["width"]
            ),
            tuple(row["box"]),
            row["method"],
        )
        for row in table.to_pylist()
    ]
