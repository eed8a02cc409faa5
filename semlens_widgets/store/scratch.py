"""A log of rows on disk, so that a pass over a data set goes on where it was interrupted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.store.manifest import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray


class RowLog:
    """Append-only rows of several named columns, each column a plain file of fixed-width rows.

    How far a pass came is what the files hold: after a crash, rows that did not reach every column
    whole are cut off. There is no progress file that could disagree with the data. A pass goes on
    where a batch began, because a model's last bits may depend on what else is in the batch.

    Parameters
    ----------
    folder, name
        The files are ``folder/name-*``.
    dtype
        Type of all values.
    step
        Rows per batch: unless all rows are there, those of a batch begun are cut off as well.
    total
        How many rows there will be.
    anew
        Begin again, whatever is there.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        dtype: DTypeLike,
        *,
        step: int = 1,
        total: int = -1,
        anew: bool = False,
    ) -> None:
        self._folder = folder
        self._name = name
        self._dtype = np.dtype(dtype)
        self._widths_path = folder / f"{name}-widths.json"
        self.widths = {} if anew else self._recorded_widths()
        self.rows = min((self._whole_rows(column) for column in self.widths), default=0)
        if self.rows != total:
            self.rows -= self.rows % step
        for column in self.widths:
            self._cut(column)

    def _recorded_widths(self) -> dict[str, int]:
        """Read the columns' widths; of a damaged record, or none, the pass begins anew."""
        try:
            widths = json.loads(self._widths_path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        whole = isinstance(widths, dict) and all(
            isinstance(width, int) and width > 0 for width in widths.values()
        )
        return widths if whole else {}

    def _path(self, column: str) -> Path:
        return self._folder / f"{self._name}-{list(self.widths).index(column)}.rows"

    def _row_bytes(self, column: str) -> int:
        return self.widths[column] * self._dtype.itemsize

    def _whole_rows(self, column: str) -> int:
        path = self._path(column)
        return path.stat().st_size // self._row_bytes(column) if path.exists() else 0

    def _cut(self, column: str) -> None:
        with self._path(column).open("ab") as file:
            file.truncate(self.rows * self._row_bytes(column))

    def append(self, block: Mapping[str, NDArray[np.generic]]) -> None:
        """Add rows: column name to ``(rows, width)``; the first call fixes the columns.

        Raises
        ------
        ValueError
            If columns or widths differ from those of the first call.
        """
        widths = {column: values.shape[1] for column, values in block.items()}
        if not self.widths:
            self.widths = widths
            for remains in self._folder.glob(f"{self._name}-*.rows"):  # their record was damaged
                remains.unlink()
            write_atomically(self._widths_path, json.dumps(widths).encode())
        if widths != self.widths:
            raise ValueError(f"rows have widths {widths}; earlier ones had {self.widths}")
        for column, values in block.items():
            with self._path(column).open("ab") as file:
                file.write(np.ascontiguousarray(values, dtype=self._dtype).tobytes())
        self.rows += len(next(iter(block.values())))

    def replace(self, rows: Sequence[int], block: Mapping[str, NDArray[np.generic]]) -> None:
        """Write some rows anew, column by column in the order of `block`."""
        for column, values in block.items():
            with self._path(column).open("r+b") as file:
                for row, value in zip(rows, np.asarray(values, self._dtype), strict=True):
                    file.seek(row * self._row_bytes(column))
                    file.write(np.ascontiguousarray(value).tobytes())

    def blocks(self, column: str, rows: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Read a column in blocks: the first row, and ``(rows, width)``.

        A map of the file would count as memory used, page by page, until all of it does.
        """
        width = self.widths[column]
        with self._path(column).open("rb") as file:
            for start in range(0, self.rows, rows):
                count = min(rows, self.rows - start) * width
                yield start, np.fromfile(file, self._dtype, count).reshape(-1, width)

    def read(self, column: str) -> NDArray[np.generic]:
        """Map a column, ``(rows, width)``, without loading it."""
        shape = (self.rows, self.widths[column])
        return np.memmap(self._path(column), dtype=self._dtype, mode="r", shape=shape)


class BlobLog:
    """Append-only bytes of any length, one for each row, as a :class:`RowLog` keeps rows.

    Parameters
    ----------
    folder, name, step, total
        As for :class:`RowLog`; the bytes are in ``folder/name-bytes``.
    """

    def __init__(self, folder: Path, name: str, *, step: int = 1, total: int = -1) -> None:
        self._ends = RowLog(folder, name, np.int64, step=step, total=total)
        self._path = folder / f"{name}-bytes"
        if self._ends.rows and not (self._path.exists() and self._path.stat().st_size >= self._end):
            self._ends = RowLog(folder, name, np.int64, step=step, total=total, anew=True)
        with self._path.open("ab") as file:
            file.truncate(self._end)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._ends.rows

    @property
    def _end(self) -> int:
        return int(self._ends.read("end")[-1, 0]) if self._ends.rows else 0

    def append(self, blobs: Sequence[bytes]) -> None:
        """Add rows: the bytes first, and then where they end."""
        ends = self._end + np.cumsum([len(blob) for blob in blobs], dtype=np.int64)
        with self._path.open("ab") as file:
            file.write(b"".join(blobs))
        self._ends.append({"end": ends[:, None]})

    def read(self, rows: Sequence[int]) -> list[bytes]:
        """Read some rows."""
        if not rows:
            return []
        ends = self._ends.read("end")[:, 0]
        blobs = []
        with self._path.open("rb") as file:
            for row in rows:
                start = int(ends[row - 1]) if row else 0
                file.seek(start)
                blobs.append(file.read(int(ends[row]) - start))
        return blobs


def logged_rows(folder: Path, name: str, dtype: DTypeLike) -> int:
    """Count the rows that a :class:`RowLog` holds, and leave it alone: a pass may be going on."""
    widths = folder / f"{name}-widths.json"
    if not widths.exists():
        return 0
    sizes = enumerate(json.loads(widths.read_text("utf-8")).values())
    files = [
        (folder / f"{name}-{at}.rows", width * np.dtype(dtype).itemsize) for at, width in sizes
    ]
    return min((f.stat().st_size // size for f, size in files if f.exists()), default=0)
