"""The tables of a folder, one LanceDB database, read as frames and matrices."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.errors import StoreError
from semlens_widgets.store.columns import as_matrix
from semlens_widgets.store.drives import fault_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa
    from lancedb.table import Table
    from numpy.typing import NDArray

# Of an error of the tables' library: its own names, and where in its sources it arose.
_LIBRARYS = re.compile(
    r"^lance error: |LanceError\(\w+\): |, /\S+\.rs:\d+:\d+|\.?\s*\n.*", re.DOTALL
)
_CHUNK_BYTES = 64 << 20
_ROWS_AT_ONCE = 1 << 16  # each batch costs a round trip to another thread


class Tables:
    """Read access to the tables of a folder.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _db(self) -> Any:
        os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of every table that is new
        import lancedb

        return lancedb.connect(self.path)

    def _table(self, table: str) -> Table:
        with self._sound(table):
            if not self.has(table):
                raise StoreError(
                    f"The analysis in {str(self.path)!r} has no table {table!r} yet: call run() "
                    "first."
                )
            opened: Table = self._db.open_table(table)
        return opened

    @contextmanager
    def _sound(self, table: str) -> Iterator[None]:
        """Say which table is damaged or cannot be reached, and the way out."""
        try:
            yield
        except (OSError, RuntimeError, ValueError) as error:
            if isinstance(error, StoreError):
                raise
            what = f"The table {table!r} of the analysis in {str(self.path)!r} cannot be read: "
            if fault := fault_of(error, self.path):
                raise StoreError(f"{what}{fault[0]}. Nothing is lost. {fault[1]}") from error
            said = _LIBRARYS.sub("", str(error)) or type(error).__name__
            raise StoreError(
                f"{what}{said}. If its files are damaged, {self._way_out(table)}"
            ) from error

    def _way_out(self, table: str) -> str:
        """Say what to do about a damaged table."""
        return f"delete the folder {table}.lance in there; run() makes it anew."

    def has(self, table: str) -> bool:
        """Whether a table exists."""
        versions = self.path / f"{table}.lance" / "_versions"
        return any(versions.glob("*.manifest"))

    def moment(self, table: str) -> frozenset[tuple[str, int]]:
        """Tell one state of a table from the next without reading it, whoever wrote it.

        Not by which file is the latest: clocks jump.
        """
        versions = (self.path / f"{table}.lance" / "_versions").glob("*.manifest")
        return frozenset((file.name, file.stat().st_mtime_ns) for file in versions)

    def columns(self, table: str) -> list[str]:
        """Names of a table's columns, in order."""
        return list(self._table(table).schema.names)

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read whole columns of a table."""
        with self._sound(table):
            source = self._table(table)
            query = source.search().select(list(columns or source.schema.names))
            return query.to_batches(_ROWS_AT_ONCE).read_all()

    def matching(
        self, table: str, keys: Mapping[str, Collection[int]], columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Read the rows whose columns hold one of the given numbers each, without the others.

        Parameters
        ----------
        keys
            Column to the numbers looked for.
        columns
            What is read; all by default.
        """
        with self._sound(table):
            source = self._table(table)
            terms = [
                f"{name} IN ({', '.join(map(str, sorted(map(int, numbers))))})"
                for name, numbers in keys.items()
            ]
            query = source.search().where(" AND ".join(terms))
            return query.select(list(columns or source.schema.names)).to_arrow()

    def rows(self, table: str, offsets: Sequence[int] | NDArray[np.integer[Any]]) -> pa.Table:
        """Read single rows by position, in the order given."""
        wanted = np.asarray(offsets, dtype=np.int64)
        with self._sound(table):
            if not len(wanted):
                return self._table(table).schema.empty_table()
            unique, back = np.unique(wanted, return_inverse=True)
            found = self._table(table).take_offsets(unique.tolist()).to_arrow()
            return found.take(back)

    def frame(self, table: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read a table of plain columns as pandas."""
        frame: pd.DataFrame = self.read(table, columns).to_pandas()
        return frame

    def matrix(self, table: str, column: str) -> NDArray[Any]:
        """Read a column of vectors as one matrix, ``(rows, dim)``."""
        return as_matrix(self.read(table, [column]).column(column))

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
            with self._sound(table):
                found = source.search().select([column]).offset(offset).limit(size).to_arrow()
            yield offset, as_matrix(found.column(column))
