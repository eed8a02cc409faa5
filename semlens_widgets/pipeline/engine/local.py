"""Where the batches of a pass are computed: in this process, or by the workers of a Ray cluster.

A pass is a list of tasks (which images, which pairs of neuron and image) and a function that does
one of them. The results come back in the order of the tasks and are written by this process alone,
so that what is stored does not depend on where it was computed.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from semlens_widgets.pipeline.engine.device import one_behind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

Engine = Literal["local", "ray"]

Task = TypeVar("Task")
Result = TypeVar("Result")
_Task_contra = TypeVar("_Task_contra", contravariant=True)
_Result_co = TypeVar("_Result_co", covariant=True)


class Compute(Protocol[_Task_contra, _Result_co]):
    """A function of one task that holds all it needs, and can be sent to another process."""

    @property
    def device(self) -> torch.device:
        """Where its model runs."""
        ...

    def __call__(self, task: _Task_contra, /) -> _Result_co:
        """Do one task."""
        ...


class Mapper(Protocol):
    """Does tasks one by one and yields the results in order, each as soon as it is there."""

    def __call__(
        self, compute: Compute[Task, Result], tasks: Sequence[Task], /
    ) -> Iterator[Result]:
        """Do the tasks with `compute`."""
        ...


def in_process(compute: Compute[Task, Result], tasks: Sequence[Task], /) -> Iterator[Result]:
    """Do the tasks here, each when its result is asked for; on CUDA, one ahead of that."""
    results = map(compute, tasks)
    return one_behind(results) if compute.device.type == "cuda" else results


@contextmanager
def open_engine(engine: Engine, workers: int | None = None) -> Iterator[Mapper]:
    """Choose where to compute, and give back what was taken for it.

    Parameters
    ----------
    engine
        ``"local"``, in this process, or ``"ray"``.
    workers
        See :class:`semlens_widgets.pipeline.engine.ray.RayMapper`.

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
        if workers is not None:
            raise ValueError(f'workers={workers} is for engine="ray" alone.')
        yield in_process
        return
    from semlens_widgets.pipeline.engine.ray import RayMapper

    with RayMapper(workers) as mapper:
        yield mapper
