"""How far an analysis has come: read from its folder, and said where a run stops."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semlens_widgets.errors import RunStopped
from semlens_widgets.pipeline.plan import stages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from semlens_widgets.store.store import AnalysisStore


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes
    ----------
    finished, stages
        How many stages are finished, of how many.
    stage
        The name of the stage to go on with; empty if none is left.
    done, total
        How far that stage is: images, crops or heatmaps; a total of 0 where nothing is counted.
    """

    finished: int
    stages: int
    stage: str = ""
    done: int = 0
    total: int = 0

    @property
    def begun(self) -> bool:
        """Whether there is anything yet."""
        return self.finished > 0 or self.done > 0

    def __str__(self) -> str:
        """Say where a run stands: ``192 of 602 in stage 'embed'``."""
        count = f"{self.done} of {self.total} in " if self.total else ""
        return f"{count}stage {self.stage!r}"


def progress_of(store: AnalysisStore) -> Progress:
    """Read how far a run has come, without changing anything."""
    stages = stages_of(store.settings)
    left = [stage for stage in stages if not stage.is_done(store)]
    if not left:
        return Progress(len(stages), len(stages))
    return Progress(len(stages) - len(left), len(stages), left[0].name, *left[0].count(store))


@contextmanager
def stops_in_a_line(where: Callable[[], str], again: str) -> Iterator[None]:
    """Turn a keyboard interrupt into one that says where work stopped and how it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise RunStopped(f"Stopped at {where()}; {again} goes on from there.") from None
