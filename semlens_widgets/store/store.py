"""The analysis on disk: one LanceDB database per analysis, and a manifest that says what is done.

The store knows tables, not models. Each pipeline stage reads the tables of the stage before and
writes its own; the manifest records a stage only after its table is committed, so a process that
dies at any moment leaves every finished stage intact.
"""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import StoreError
from semlens_widgets.inputs.paths import local_path, shown
from semlens_widgets.store.changes import known, refusal
from semlens_widgets.store.columns import (
    StoredHeatmap,
    heatmap_table,
    read_heatmaps,
    vector_batches,
    vector_column,
)
from semlens_widgets.store.drives import drives_in_words
from semlens_widgets.store.interrupts import interrupts_wait
from semlens_widgets.store.locks import locked
from semlens_widgets.store.manifest import SCHEMA_VERSION, Manifest, write_atomically
from semlens_widgets.store.stages import stale_after
from semlens_widgets.store.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from lancedb.table import Table

    from semlens_widgets.store.stages import Stage

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

_MOST_FILES = 128  # of a table before its commits are joined: each opening reads their list
_GRACE = timedelta(minutes=1)  # a reader that has opened an old version finishes with it


class AnalysisStore(Tables):
    """Tables and manifest of one analysis.

    Parameters
    ----------
    path
        Folder of the analysis, on this machine; what is relative or in ``~`` is resolved now.
    stages
        The stages that write here, in the order in which they run: what depends on what.
    read_only
        Refuse to write; the folder must hold an analysis already.

    Raises
    ------
    StoreError
        If a read-only folder holds no analysis, the folder was written by another version, its
        manifest is damaged, or `path` is an address.
    """

    def __init__(
        self, path: str | Path, stages: Sequence[Stage] = (), *, read_only: bool = False
    ) -> None:
        super().__init__(local_path(path, "path", StoreError))
        if shown(str(self.path)) != str(self.path):
            raise StoreError(
                f"path: {shown(str(self.path))!r} holds characters that are no UTF-8 or break a "
                "line, and tables cannot lie there. Rename it, or give another path."
            )
        self.read_only = read_only
        self._all_stages = tuple(stages)
        if read_only and not (self.path / "analysis.json").exists():
            raise StoreError(
                f"No analysis in {str(path)!r}: there is no analysis.json. "
                "Give the folder that SemanticLens(path=...) wrote."
            )
        if not read_only:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"The folder {str(path)!r} cannot be made: {error.strerror or error}."
                ) from error
        self._manifest = Manifest(self.path)
        self._files: dict[str, int] = {}  # by table, those of its current version at most

    def __repr__(self) -> str:
        return f"AnalysisStore({self.path.name!r}, stages={list(self.stages)})"

    def __reduce__(self) -> Any:
        raise StoreError(
            "A store cannot be pickled or copied: it holds an open folder. Hand on its path, "
            f"{str(self.path)!r}, and open it there with semlens_widgets.open(path)."
        )

    # -- manifest ------------------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, Any]:
        """What the analysis is made with, as recorded by :meth:`configure`."""
        return dict(self._manifest.settings)

    @property
    def stages(self) -> dict[str, Any]:
        """Finished stages, each with the facts that it recorded."""
        return dict(self._manifest.stages)

    @property
    def doubts(self) -> dict[str, list[int]]:
        """Settings that made a stage fail, each with the images it failed on, if it was some."""
        return dict(self._manifest.doubts)

    def doubt(self, setting: str, samples: Sequence[int] = ()) -> None:
        """Remember that a stage failed by a setting, so that `configure` can lead out of it."""
        self._check_writable()
        known = self._manifest.doubts.get(setting, [])
        self._manifest.doubts[setting] = sorted({*known, *map(int, samples)})
        self._manifest.save()

    def configure(
        self,
        settings: dict[str, Any],
        *,
        recompute: bool = False,
        doubted: Sequence[str] = (),
        formerly: Mapping[str, Any] | None = None,
    ) -> None:
        """Record what the analysis is made with, or check it against what is recorded.

        Parameters
        ----------
        settings
            JSON; the stages say what depends on each. None within a list is something unknown, and
            neither differs nor is forgotten.
        recompute
            If settings have changed, give up the results that depend on them, and no others.
        doubted
            With `recompute`, settings that count as changed though they look the same.
        formerly
            What holds for settings that an earlier release did not record and had no choice of.

        Raises
        ------
        StoreError
            If results are there that were made with other settings, or with unknown ones, unless
            `recompute`. Nothing is changed then.
        """
        given = json.loads(json.dumps(settings))
        settings = {key: known(value, self._manifest.settings, key) for key, value in given.items()}
        doubted = doubted if recompute else ()
        if self._manifest.settings == settings and not doubted:
            return
        with self.writing(check=False):
            recorded = (told := self._manifest.settings) and {**(formerly or {}), **told}
            # What an older release did not record cannot be compared, and counts as the same;
            # tables of which nothing at all is recorded have lost their manifest.
            changed = [
                key
                for key in settings
                if not recorded
                or known(recorded.get(key, settings[key]), settings, key) != settings[key]
            ]
            stale = stale_after(self._all_stages, {*changed, *doubted}, self._has_begun)
            if stale.stages and not recompute:
                raise StoreError(refusal(self.path, settings, recorded, changed, stale.stages))
            for stage in stale.stages:
                self._manifest.stages.pop(stage.name, None)
            for setting in doubted:
                self._manifest.doubts.pop(setting, None)
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
            If its settings are no longer those of this object: rows would be those of others. Or if
            the analysis is gone.
        """
        found = Manifest(self.path)
        if self._manifest.settings and not found.settings:
            raise StoreError(
                f"The analysis in {str(self.path)!r} is gone: its folder, or its analysis.json, "
                "was deleted. Put it back, or make the lens anew."
            )
        if found.settings != self._manifest.settings and found.settings:
            raise StoreError(
                f"Another process has changed what the analysis in {str(self.path)!r} is made "
                "with. Make the lens anew."
            )
        return found

    def _table(self, table: str) -> Table:
        self.current()
        return super()._table(table)

    def has(self, table: str) -> bool:
        """Whether a table exists and still holds."""
        return table not in self._manifest.doomed and super().has(table)

    def _way_out(self, table: str) -> str:
        if all(stage.run for stage in self._all_stages if table in stage.tables):
            return super()._way_out(table)
        return f"put back a copy of the folder {table}.lance: no run makes what is in it."

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
            If another process is writing or has changed the settings, the analysis is open for
            reading only, or its drive is full, read-only or does not answer.
        """
        self._check_writable()
        with drives_in_words(self.path), locked(self.path) as outermost:
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
        self._reopen()

    def _reopen(self) -> None:
        """Count a stage whose tables are gone as not done, and so what was made of them."""
        found: set[str] = set()
        for stage in self._all_stages:
            gone = not all(self.has(table) for table in stage.tables)
            if self.is_finished(stage.name) and (gone or found & set(stage.after)):
                found.add(stage.name)
        for name in found:
            del self._manifest.stages[name]
        if found:
            self._manifest.save()

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

    def delete(self, table: str, where: str) -> None:
        """Remove rows of a table, if there is one, in one commit."""
        self._check_writable()
        if self.has(table):
            with interrupts_wait():
                self._table(table).delete(where)

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
