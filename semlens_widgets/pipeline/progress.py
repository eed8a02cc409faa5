"""How far an analysis has come: read from its folder, and said where a run stops."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.errors import RunStopped
from semlens_widgets.pipeline.heatmaps import example_keys, stored_keys
from semlens_widgets.store.scratch import logged_rows
from semlens_widgets.store.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from semlens_widgets.store.stages import Stage
    from semlens_widgets.store.store import AnalysisStore

_CROPS = {"heatmaps", "crops", "contrast_crops"}
_ON_DEMAND = {"output_relevance", "labels"}


def stages_of(settings: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Return the stages of a run, in order; what is computed on demand is none of them."""
    left_out = set(_ON_DEMAND)
    if settings["embedding"] != "crop":
        left_out |= _CROPS
    if settings["examples_by"] != "relevance":
        left_out.add("relevance")
    return tuple(stage for stage in STAGES if stage.name not in left_out)


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
    left = [stage.name for stage in stages if not is_done(store, stage.name)]
    done, total = _count(store, left[0]) if left else (0, 0)
    if left[:1] == ["heatmaps"] and done == total:  # no record says that they are finished
        left = left[1:]
        done, total = _count(store, left[0])
    return Progress(len(stages) - len(left), len(stages), left[0] if left else "", done, total)


def is_done(store: AnalysisStore, stage: str) -> bool:
    """Whether a stage has nothing left to do in a run."""
    # Heatmaps are added on demand and never finished; those of a run are there once the crops are.
    return store.is_finished("crops" if stage == "heatmaps" else stage)


def _count(store: AnalysisStore, stage: str) -> tuple[int, int]:
    folder = store.path / "scratch"
    if stage in {"collect", "relevance"}:
        return logged_rows(folder, stage, np.float32), store.settings["images"]
    if stage == "embed":
        return logged_rows(folder, stage, np.float16), store.settings["images"]
    if stage == "heatmaps":
        wanted = set(example_keys(store))
        return len(wanted & stored_keys(store)), len(wanted)
    if stage in _CROPS:
        examples = store.read("examples", ["row"]).num_rows
        return logged_rows(folder, stage, np.float16), examples
    return 0, 0


@contextmanager
def stops_in_a_line(where: Callable[[], str], again: str) -> Iterator[None]:
    """Turn a keyboard interrupt into one that says where work stopped and how it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        raise RunStopped(f"Stopped at {where()}; {again} goes on from there.") from None
