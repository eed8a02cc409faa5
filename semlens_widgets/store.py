"""The analysis on disk: one LanceDB database per analysis, and a manifest that says what is done.

The store knows tables, not models. Each pipeline stage reads the tables of the stage before and
writes its own; the manifest records a stage only after its table is committed, so a process that
dies at any moment leaves every finished stage intact.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.columns import (
    StoredHeatmap,
    as_matrix,
    heatmap_table,
    read_heatmaps,
    vector_batches,
    vector_column,
)
from semlens_widgets.errors import StoreError
from semlens_widgets.interrupts import interrupts_wait
from semlens_widgets.locks import locked
from semlens_widgets.manifest import SCHEMA_VERSION, Manifest, write_atomically
from semlens_widgets.stages import stale_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    import pyarrow as pa
    from lancedb.table import Table
    from numpy.typing import NDArray

    from semlens_widgets.stages import Stage

__all__ = [
    "SCHEMA_VERSION",
    "AnalysisStore",
    "StoredHeatmap",
    "heatmap_table",
    "read_heatmaps",
    "vector_batches",
    "vector_column",
    "write_atomically",
]

_CHUNK_BYTES = 64 << 20
_MOST_FILES = 128  # of a table before its commits are joined: each opening reads their list
_ROWS_AT_ONCE = 1 << 16  # each batch costs a round trip to another thread
_GRACE = timedelta(minutes=1)  # a reader that has opened an old version finishes with it


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
        if read_only and not (self.path / "analysis.json").exists():
            raise StoreError(
                f"No analysis in {str(path)!r}: there is no analysis.json. "
                "Give the folder that SemanticLens(path=...) wrote."
            )
        if not read_only:
            self.path.mkdir(parents=True, exist_ok=True)
        self._manifest = Manifest(self.path)
        self._files: dict[str, int] = {}  # by table, those of its current version at most

    def __repr__(self) -> str:
        return f"AnalysisStore({self.path.name!r}, stages={list(self.stages)})"

    # -- manifest ------------------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, Any]:
        """What the analysis is made with, as recorded by :meth:`configure`."""
        return dict(self._manifest.settings)

    @property
    def stages(self) -> dict[str, Any]:
        """Finished stages, each with the facts that it recorded."""
        return dict(self._manifest.stages)

    def configure(self, settings: dict[str, Any], *, recompute: bool = False) -> None:
        """Record what the analysis is made with, or check it against what is recorded.

        Parameters
        ----------
        settings
            JSON; :data:`semlens_widgets.stages.STAGES` says what depends on each.
        recompute
            If settings have changed, give up the results that depend on them, and no others.

        Raises
        ------
        StoreError
            If results are there that were made with other settings, unless `recompute`. Nothing is
            changed then.
        """
        settings = json.loads(json.dumps(settings))
        if self._manifest.settings == settings:
            return
        with self.writing(check=False):
            recorded = self._manifest.settings
            # What an older release did not record cannot be compared, and counts as the same.
            changed = [key for key in settings if recorded.get(key, settings[key]) != settings[key]]
            stale = stale_after(changed, self._has_begun)
            if stale.stages and not recompute:
                raise StoreError(self._refusal(settings, changed, stale.stages))
            for stage in stale.stages:
                self._manifest.stages.pop(stage.name, None)
            scratch = [f"scratch/{stage.name}-" for stage in stale.stages]
            self._manifest.doomed += [*stale.tables, *scratch]
            self._manifest.settings = settings
            self._manifest.save()
            self._bury()

    def _has_begun(self, stage: Stage) -> bool:
        return (
            self.is_finished(stage.name)
            or any(self.has(table) for table in stage.tables)
            or any(self._scratch_path.glob(f"{stage.name}-*"))
        )

    def _refusal(self, settings: dict[str, Any], changed: list[str], lost: Sequence[Stage]) -> str:
        recorded = self._manifest.settings
        lines = [f"  {key}: recorded {recorded[key]!r}, given {settings[key]!r}" for key in changed]
        return "\n".join(
            [
                f"The analysis in {str(self.path)!r} was made with other inputs:",
                *lines,
                f"What depends on them: {', '.join(stage.result for stage in lost)}.",
                "Nothing was changed. Use the recorded inputs or another path, or have these",
                'results replaced by new ones: SemanticLens(..., on_change="recompute").',
            ]
        )

    def is_finished(self, stage: str) -> bool:
        """Whether a stage has written all of its tables."""
        return stage in self._manifest.stages

    def finish(self, stage: str, **facts: Any) -> None:
        """Record a stage as finished, with facts worth keeping (JSON), and clear its scratch."""
        self._check_writable()
        self._manifest.stages[stage] = facts
        self._manifest.save()
        self._clear_scratch(f"{stage}-")

    def current(self) -> Manifest:
        """Read the manifest as it is on disk now.

        Raises
        ------
        StoreError
            If its settings are no longer those of this object: rows would be those of others.
        """
        found = Manifest(self.path)
        if found.settings != self._manifest.settings and found.settings:
            raise StoreError(
                f"Another process has changed what the analysis in {str(self.path)!r} is made "
                "with. Make the lens anew."
            )
        return found

    # -- writing -------------------------------------------------------------------------------

    def _check_writable(self) -> None:
        if self.read_only:
            raise StoreError("This analysis is open for reading only.")

    @contextmanager
    def writing(self, *, check: bool = True) -> Iterator[None]:
        """Hold the folder's lock, so that one process and one thread at a time write an analysis.

        Other threads of this process wait. What others have finished meanwhile is taken over, and
        what a killed process left behind is cleaned up.

        Parameters
        ----------
        check
            Refuse if the settings on disk are no longer those of this object.

        Raises
        ------
        StoreError
            If another process is writing or has changed the settings, or the analysis is open for
            reading only.
        """
        self._check_writable()
        with locked(self.path) as outermost:
            if not outermost:
                yield
                return
            self._take_over(check)
            mark = self.path / ".writing"
            if mark.exists():
                self._clean_up()
            mark.touch()
            yield
            mark.unlink()

    def _take_over(self, check: bool) -> None:
        self._manifest = self.current() if check else Manifest(self.path)

    def _clean_up(self) -> None:
        """Remove what a killed process has left: half-written files, and scratch of no more use."""
        self._bury()
        for stage in self._manifest.stages:
            self._clear_scratch(f"{stage}-")
        for file in self.path.glob("*.lance/*/.tmp*"):  # compacting does not see hidden files
            file.unlink()
        for folder in self.path.glob("*.lance"):
            if not self.has(folder.stem):
                shutil.rmtree(folder)
            else:
                self.compact(folder.stem)

    def _bury(self) -> None:
        """Delete what the manifest says no longer holds."""
        for name in self._manifest.doomed:
            if name.startswith("scratch/"):
                self._clear_scratch(name.removeprefix("scratch/"))
            elif (self.path / f"{name}.lance").exists():
                shutil.rmtree(self.path / f"{name}.lance")
        if self._manifest.doomed:
            self._manifest.doomed = []
            self._manifest.save()

    def scratch(self) -> Path:
        """Folder for half-finished stages, ``<stage>-*``; cleared by :meth:`finish`."""
        self._check_writable()
        folder = self._scratch_path
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def _scratch_path(self) -> Path:
        return self.path / "scratch"

    def _clear_scratch(self, prefix: str) -> None:
        for file in self._scratch_path.glob(f"{prefix}*"):
            file.unlink()

    def write(self, table: str, data: pa.Table | pa.RecordBatchReader) -> None:
        """Replace a table in one commit; readers see the old or the new one, never a mixture."""
        self._check_writable()
        with interrupts_wait():
            self._db.create_table(table, data, mode="overwrite")
        self._join_commits(table)

    def append(self, table: str, data: pa.Table) -> None:
        """Add rows to a table, which is created if need be, in one commit."""
        self._check_writable()
        with interrupts_wait():
            if self.has(table):
                self._table(table).add(data)
            else:
                self._db.create_table(table, data)
        self._join_commits(table)

    def _join_commits(self, table: str) -> None:
        if table not in self._files:
            self._files[table] = len(list((self.path / f"{table}.lance" / "data").glob("*")))
        else:
            self._files[table] += 1
        if self._files[table] > _MOST_FILES:
            self.compact(table)

    def tidy(self) -> None:
        """Compact every table that has more than one version."""
        for folder in self.path.glob("*.lance"):
            if len(list((folder / "_versions").glob("*.manifest"))) > 1:
                self.compact(folder.stem)

    def compact(self, table: str) -> None:
        """Join the commits of a table, and remove old versions and files of killed writes."""
        self._check_writable()
        if self.has(table):
            with interrupts_wait():
                # The lock makes it safe to delete files that no version knows.
                self._table(table).optimize(cleanup_older_than=_GRACE, delete_unverified=True)
            self._files[table] = 1

    # -- reading -------------------------------------------------------------------------------

    @cached_property
    def _db(self) -> Any:
        os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of every table that is new
        import lancedb

        return lancedb.connect(self.path)

    def _table(self, table: str) -> Table:
        if not self.has(table):
            raise StoreError(
                f"The analysis in {str(self.path)!r} has no table {table!r} yet: call run() first."
            )
        opened: Table = self._db.open_table(table)
        return opened

    def has(self, table: str) -> bool:
        """Whether a table exists."""
        versions = self.path / f"{table}.lance" / "_versions"
        return table not in self._manifest.doomed and any(versions.glob("*.manifest"))

    def columns(self, table: str) -> list[str]:
        """Names of a table's columns, in order."""
        return list(self._table(table).schema.names)

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read whole columns of a table."""
        source = self._table(table)
        query = source.search().select(list(columns or source.schema.names))
        return query.to_batches(_ROWS_AT_ONCE).read_all()

    def rows(self, table: str, offsets: Sequence[int] | NDArray[np.integer[Any]]) -> pa.Table:
        """Read single rows by position, in the order given."""
        wanted = np.asarray(offsets, dtype=np.int64)
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
            found = source.search().select([column]).offset(offset).limit(size).to_arrow()
            yield offset, as_matrix(found.column(column))
