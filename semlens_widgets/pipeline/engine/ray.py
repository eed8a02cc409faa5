"""Compute the batches of a pass with the workers of a Ray cluster, by Ray Data.

One row of the data set is one task, that is one batch of the pass, cut exactly as in one process;
an actor holds the model and does one task after the other. Results come back in order, and the
process that asked for them writes them: what is stored, and where an interrupted run goes on, is
the same as without Ray.
"""

from __future__ import annotations

import logging
import math
import os
import traceback
import warnings
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from semlens_widgets.pipeline.engine.local import do

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    import torch

    from semlens_widgets.pipeline.engine.local import Compute, Result, Task

_STORE_BYTES = 200 << 20  # of a local cluster: what is in flight, and the model once
_CPUS = 0.5  # of an actor: were it a whole one, actors alone could fill a cluster and starve others


class RayMapper:
    """Maps over tasks by a Ray cluster; a context manager, which ends the cluster it started.

    A cluster that this process is connected to, or that ``RAY_ADDRESS`` names, is used as it is.
    Else a local one is started when there is something to compute, without dashboard, progress
    bars of its own and usage reports.

    Parameters
    ----------
    workers
        How many actors hold the model at a time. By default as many as the cluster has GPUs if the
        model is on one, else one less than it has CPUs. More actors than GPUs share them.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ValueError
        If `workers` is not positive, or a model is on a GPU that the workers do not have.
    TypeError
        If model or images cannot be sent to another process.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers={workers} must be at least 1.")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise ImportError(
                'engine="ray" needs Ray Data: pip install "semlens-widgets[ray]"'
            ) from error
        self._ray: Any = ray
        self._workers = workers
        self._own = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self._own = False
            self._ray.shutdown()

    def __call__(
        self, compute: Compute[Task, Result], tasks: Sequence[Task], /
    ) -> Iterator[Result]:
        """Do the tasks and yield their results in order; an error of one is raised in its turn."""
        if not tasks:
            return
        pickled = _sendable(self._ray, compute)
        self._connect()
        sent = self._ray.put(pickled)  # the name keeps it in the object store
        items = [
            {"index": i, "task": self._ray.cloudpickle.dumps(task)} for i, task in enumerate(tasks)
        ]
        # A block per task, so that each result is handed on as soon as it is there. Items need no
        # read tasks, which could wait forever for the CPUs that actors hold.
        dataset = self._ray.data.from_items(items, override_num_blocks=len(items))
        options = dataset.context
        options.execution_options.preserve_order = True
        options.enable_progress_bars = options.print_on_execution_start = False
        done = dataset.map_batches(
            _Worker,
            batch_size=1,
            fn_constructor_args=([sent],),
            **self._resources(compute.device, len(tasks)),
        )
        with _quiet(), closing(_rows(done)) as rows:
            for index, row in zip(range(len(tasks)), rows, strict=True):
                if row["index"] != index:
                    raise RuntimeError(f"Ray returned batch {row['index']} in place of {index}.")
                outcome = self._ray.cloudpickle.loads(row["outcome"])
                if isinstance(outcome, _Failure):
                    raise outcome.error
                yield outcome

    def _connect(self) -> None:
        if self._ray.is_initialized():
            return
        self._own = True
        if "RAY_ADDRESS" in os.environ:
            self._ray.init(log_to_driver=False, logging_level=logging.ERROR)
            return
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        with warnings.catch_warnings():
            # Ray's processes are forks for a moment, before they become other programs.
            warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
            self._ray.init(
                address="local",
                num_cpus=self._workers and self._workers + 1,
                object_store_memory=_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )

    def _resources(self, device: torch.device, tasks: int) -> dict[str, Any]:
        cluster = self._ray.cluster_resources()
        if device.type == "cpu":
            workers = self._workers or max(1, int(cluster.get("CPU", 1)) - 1)
            gpus = None
        elif device.type == "cuda" and not device.index:
            held = int(cluster.get("GPU", 0))
            if not held:
                raise ValueError(f'The model is on "{device}" and the Ray cluster has no GPU.')
            workers = self._workers or held
            gpus = 1 / math.ceil(workers / held)
        else:
            raise ValueError(
                f'The model is on "{device}"; a Ray worker has "cpu" or, as its only GPU, "cuda".'
            )
        pool = self._ray.data.ActorPoolStrategy(size=min(workers, tasks))
        return {"compute": pool, "num_cpus": _CPUS, "num_gpus": gpus}


@dataclass(frozen=True)
class _Failure:
    error: Exception


class _Worker:
    """An actor's work. It takes and returns bytes: results are arrays, dictionaries and objects."""

    def __init__(self, sent: list[Any]) -> None:
        self._sent = sent

    @cached_property
    def _compute(self) -> Any:
        import ray

        return ray.cloudpickle.loads(ray.get(self._sent[0]))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        from ray import cloudpickle

        try:
            outcome = do(self._compute, cloudpickle.loads(batch["task"][0]))
        except Exception as error:  # noqa: BLE001 - it is raised where the result is asked for
            outcome = _Failure(_portable(error))
        outcomes = np.array([cloudpickle.dumps(outcome)], dtype=object)
        return {"index": batch["index"], "outcome": outcomes}


def _portable(error: Exception) -> Exception:
    """Return an error that survives being sent, with the worker's traceback as a note."""
    from ray import cloudpickle

    where = f"In a Ray worker:\n{traceback.format_exc()}"
    try:
        error = cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever its class does when it is sent
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(where)
    return error


def _sendable(ray: Any, compute: object) -> bytes:
    try:
        pickled: bytes = ray.cloudpickle.dumps(compute)
    except Exception as error:
        raise TypeError(
            f"Ray sends model and images to other processes, and they cannot be pickled: {error}"
        ) from error
    return pickled


def _rows(dataset: Any) -> Generator[dict[str, Any]]:
    yield from dataset.iter_rows()


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave the notices of Ray Data out, and its warnings in."""
    from ray.util.debug import log_once

    log_once("ray_data_progress_manager_disabled")  # it would warn that this was asked for
    logger = logging.getLogger("ray.data")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
