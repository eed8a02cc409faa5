"""Where the batches of a pass are computed: in this process, or by the workers of a Ray cluster.

A pass is a list of tasks (which images, which pairs of neuron and image) and a function that does
one of them. The results come back in the order of the tasks and are written by this process alone,
so that what is stored does not depend on where it was computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from semlens_widgets.pipeline.device import one_behind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

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
