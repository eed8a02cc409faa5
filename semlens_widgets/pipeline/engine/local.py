"""Where the batches of a pass are computed: in this process, or by the workers of a Ray cluster.

A pass is a list of tasks (which images, which pairs of neuron and image) and what does one of them,
in two steps: its items are loaded, each by itself, and then the models compute. The results come
back in the order of the tasks and are written by this process alone, so that what is stored does
not depend on where it was computed.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from semlens_widgets.pipeline.engine.device import one_behind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    import torch

Engine = Literal["local", "ray"]

Task = TypeVar("Task")
Result = TypeVar("Result")
_Task_contra = TypeVar("_Task_contra", contravariant=True)
_Result_co = TypeVar("_Result_co", covariant=True)
_AHEAD = 2  # tasks that are loaded while another one is computed


class Compute(Protocol[_Task_contra, _Result_co]):
    """What does one task; holds all it needs, and can be sent to another process."""

    @property
    def device(self) -> torch.device:
        """Where its model runs."""
        ...

    def items(self, task: _Task_contra, /) -> Sequence[Any]:
        """Return what is to be loaded for a task."""
        ...

    def load(self, item: Any, /) -> Any:
        """Load one item; may be called by several threads at once."""
        ...

    def __call__(self, task: _Task_contra, loaded: Sequence[Any], /) -> _Result_co:
        """Do one task with what was loaded of its items."""
        ...


class Mapper(Protocol):
    """Does tasks one by one and yields the results in order, each as soon as it is there."""

    def __call__(
        self, compute: Compute[Task, Result], tasks: Sequence[Task], /
    ) -> Iterator[Result]:
        """Do the tasks with `compute`."""
        ...


def do(compute: Compute[Task, Result], task: Task) -> Result:
    """Do one task from the beginning to the end."""
    return compute(task, [compute.load(item) for item in compute.items(task)])


def in_process(compute: Compute[Task, Result], tasks: Sequence[Task], /) -> Iterator[Result]:
    """Do the tasks here, each when its result is asked for; on CUDA, one ahead of that."""
    results = (do(compute, task) for task in tasks)
    return one_behind(results) if compute.device.type == "cuda" else results


class ThreadMapper:
    """Does the tasks here, while threads load the items of those that come next.

    Decoding and most transforms leave Python's lock to others while they work, so threads do as
    well as processes, and nothing has to be pickled. An error of an item is raised in its turn,
    once all tasks before have been handed on.

    Parameters
    ----------
    workers
        How many threads; by default as many as there are CPUs for this process.

    Raises
    ------
    ValueError
        If `workers` is not positive.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers={workers} must be at least 1.")
        self._pool = ThreadPoolExecutor(workers or _cpus(), thread_name_prefix="semlens-load")

    def __enter__(self) -> ThreadMapper:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __call__(
        self, compute: Compute[Task, Result], tasks: Sequence[Task], /
    ) -> Iterator[Result]:
        """Do the tasks and yield their results in order."""
        results = self._results(compute, tasks)
        return one_behind(results) if compute.device.type == "cuda" else results

    def _results(self, compute: Compute[Task, Result], tasks: Sequence[Task]) -> Iterator[Result]:
        ahead: deque[tuple[Task, list[Future[Any]]]] = deque()
        try:
            for task in tasks:
                items = compute.items(task)
                ahead.append((task, [self._pool.submit(compute.load, item) for item in items]))
                if len(ahead) > _AHEAD:
                    yield _done(compute, *ahead.popleft())
            while ahead:
                yield _done(compute, *ahead.popleft())
        finally:
            for _, futures in ahead:
                for future in futures:
                    future.cancel()


def _done(compute: Compute[Task, Result], task: Task, items: list[Future[Any]]) -> Result:
    try:
        return compute(task, [item.result() for item in items])
    finally:
        for item in items:
            item.cancel()


def _cpus() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


@contextmanager
def open_engine(engine: Engine, workers: int | None = None) -> Iterator[Mapper]:
    """Choose where to compute, and give back what was taken for it.

    Parameters
    ----------
    engine
        ``"local"``, in this process, or ``"ray"``.
    workers
        See :class:`ThreadMapper` and :class:`semlens_widgets.pipeline.engine.ray.RayMapper`.

    Raises
    ------
    ValueError
        If `engine` is unknown, or `workers` makes no sense.
    ImportError
        If Ray is asked for and not installed.
    """
    if engine not in {"local", "ray"}:
        raise ValueError(f'engine={engine!r} is unknown: use "local" or "ray".')
    if engine == "local":
        with ThreadMapper(workers) as mapper:
            yield mapper
        return
    from semlens_widgets.pipeline.engine.ray import RayMapper

    with RayMapper(workers) as mapper:
        yield mapper
