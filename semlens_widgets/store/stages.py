"""What a stage of an analysis is: what depends on what, its tables, and what it does.

What is computed anew after a change follows from the stages' own words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence


@dataclass(frozen=True)
class Stage:
    """One step of an analysis.

    Attributes
    ----------
    name
        As recorded in the manifest; unfinished work lies in ``scratch/<name>-*``.
    result
        What it makes, for people.
    settings
        Settings that its own work depends on.
    after
        Stages whose results it reads.
    tables
        The tables that it alone writes.
    keyed
        Whether each row stands for itself, so that rows stay true while `settings` are the same,
        whatever becomes of the stages before.
    run
        Does the work of a run: ``run(store, plan, mapper)``, see
        :mod:`semlens_widgets.pipeline.plan`. It goes on where an interrupted one stopped. It
        returns facts to record (JSON) once it is finished, or None if it is never finished because
        rows are added on demand. Without it the stage is no part of a run.
    wanted
        Whether a run with these settings needs it; by default all do.
    done
        Whether a run has nothing left to do here; by default once it is recorded as finished.
    notice
        Said beside the progress bar, for work in which nothing can be counted.
    count
        How far unfinished work is, and of how many; by default nothing is counted.
    reads
        For a stage that goes over all images: its part of a pass that it shares with others,
        ``reads(store, plan)``, a :class:`semlens_widgets.pipeline.passes.Consumer` or None if it
        has no use for one now. What it kept, `run` finds.
    """

    name: str
    result: str
    settings: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    keyed: bool = False
    run: Callable[..., Mapping[str, Any] | None] | None = None
    wanted: Callable[[Mapping[str, Any]], bool] = lambda _settings: True
    done: Callable[[Any], bool] | None = None
    notice: str = ""
    count: Callable[[Any], tuple[int, int]] = lambda _store: (0, 0)
    reads: Callable[[Any, Any], Any] | None = None

    def is_done(self, store: Any) -> bool:
        """Whether a run has nothing left to do here."""
        return store.is_finished(self.name) if self.done is None else self.done(store)


IMAGES = ("images", "uris", "pictures")
NEURONS = ("weights", "architecture", "layers", "channels", "units", "poles", "pooling")
TARGET = (*NEURONS, "transform")
FOUNDATION = ("foundation", "foundation_dim", "foundation_autocast", "foundation_transform")


@dataclass(frozen=True)
class Stale:
    """What no longer holds after a change of settings.

    Attributes
    ----------
    stages
        To be done again.
    tables
        Their tables, less those whose rows are still true.
    """

    stages: tuple[Stage, ...]
    tables: tuple[str, ...]


def stale_after(
    stages: Sequence[Stage], changed: Collection[str], begun: Callable[[Stage], bool]
) -> Stale:
    """Find what depends on settings that changed, directly or through another stage.

    Parameters
    ----------
    stages
        All of them, in the order in which they run.
    changed
        Names of settings.
    begun
        Whether a stage has results; nothing can have been made of those of another one.
    """
    found: list[Stage] = []
    for stage in filter(begun, stages):
        names = {earlier.name for earlier in found}
        if names & set(stage.after) or set(changed) & set(stage.settings):
            found.append(stage)
    tables = [
        table
        for stage in found
        if not stage.keyed or set(changed) & set(stage.settings)
        for table in stage.tables
    ]
    return Stale(tuple(found), tuple(tables))
