"""How relevant every neuron is: for what the model says of each image, or for a chosen output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.pipeline.collect import (
    READABLE,
    Values,
    ValuesLog,
    finite,
    laid_out,
    write_neurons,
)
from semlens_widgets.pipeline.engine.local import in_process
from semlens_widgets.pipeline.loading import (
    batch_of,
    input_batches,
    load,
    no_longer_readable,
)
from semlens_widgets.pipeline.passes import pass_over
from semlens_widgets.store.scratch import logged_rows
from semlens_widgets.store.stages import IMAGES, TARGET, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.pipeline.engine.device import HostCopy
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.pipeline.loading import Batch, Loaded
    from semlens_widgets.store.scratch import RowLog
    from semlens_widgets.store.store import AnalysisStore

_OUTPUT = " "  # a column of the log beside the layers, by a name no layer has


def collect_relevance(
    store: AnalysisStore,
    target: TargetModel,
    images: ImageDataset,
    *,
    batch_size: int = 64,
    mapper: Mapper = in_process,
) -> dict[str, Any]:
    """Write the relevance of every neuron on every image for what the model says of it.

    The ``relevances`` table is laid out as ``activations`` is; the ``predictions`` table holds the
    output explained for each image, the model's largest (-1 where the image is unreadable). Concept
    examples by relevance (RelMax) rest on it.

    Parameters
    ----------
    store, target, images, batch_size, mapper
        As in :func:`semlens_widgets.pipeline.collect.collect`.

    Raises
    ------
    ValueError
        See :func:`semlens_widgets.attribution.output.output_relevance`.
    UnreadableImage
        If images whose activations are known cannot be read any more.

    Notes
    -----
    Relevance maximisation: Achtibat et al. 2023 (Concept Relevance Propagation).
    """
    consumer = relevance_of(store, target, images, batch_size)
    pass_over(images, [consumer], batch_size, mapper)
    log = consumer.log
    if store.is_finished("collect"):
        _try_again(store, log, _Again(target, images, _relevance), batch_size, mapper)
    write_neurons(store, "relevance", "relevances", log, target.layers)
    outputs = np.where(log.read(READABLE).astype(bool), log.read(_OUTPUT), -1)[:, 0]
    store.write("predictions", pa.table({"output": pa.array(outputs.astype(np.int32))}))
    return {}


def relevance_of(
    store: AnalysisStore, target: TargetModel, images: ImageDataset, batch_size: int
) -> ValuesLog:
    """Return what collects the relevance in a pass over the images."""
    reader = Values(target, images, _relevance)
    return ValuesLog(store, "relevance", "relevance", reader, batch_size)


class _Again(Values):
    """The same for chosen images, as tasks of their own."""

    def items(self, samples: Sequence[int], /) -> Sequence[int]:
        return samples

    def load(self, sample: int, /) -> Loaded:
        return load(self.images, [self.prepare], sample)

    def __call__(
        self, _samples: Sequence[int], loaded: Sequence[Loaded], /
    ) -> tuple[Batch, HostCopy]:
        batch = batch_of(loaded)
        return batch, self.compute(batch, [one.prepared[0] for one in loaded if not one.problem])


def _relevance(target: TargetModel, batch: Tensor) -> dict[str, Tensor]:
    found = output_relevance(target, batch)
    return {_OUTPUT: found.outputs[:, None].float(), **found.relevance}


def _try_again(
    store: AnalysisStore, log: RowLog, compute: _Again, batch_size: int, mapper: Mapper
) -> None:
    """Complete a pass by the images that it could not read and an earlier one could.

    Raises
    ------
    UnreadableImage
        If some still cannot be read.
    """
    known = store.frame("samples", ["readable"])["readable"].to_numpy()
    again = np.flatnonzero(known & (log.read(READABLE)[:, 0] == 0)).tolist()
    chunks = [again[i : i + batch_size] for i in range(0, len(again), batch_size)]
    lost: dict[int, str] = {}
    for batch, copy in mapper(compute, chunks):
        lost |= batch.problems
        found = finite(compute.images, batch, copy.read())
        whole = batch.whole
        log.replace(whole, laid_out(log, np.ones(len(whole), bool), found) if whole else {})
    if lost:
        raise no_longer_readable(compute.images, list(lost), next(iter(lost.values())))


def images_relevance(
    target: TargetModel,
    images: ImageDataset,
    samples: Sequence[int],
    output: int,
    batch_size: int,
) -> Iterator[tuple[Sequence[int], Tensor, Tensor]]:
    """Compute the relevance of all neurons for one output on chosen images, with progress.

    Yields
    ------
    samples, relevance, rest
        Some of the images; ``(samples, neurons)`` float32 on the CPU, the layers side by side; and
        ``(samples, encoded layers)``, what is no unit's where neurons are units of an encoder.
    """
    batches = input_batches(target, images, samples, batch_size, doing="relevance", quick=100)
    for chosen, inputs in batches:
        found = output_relevance(target, inputs, torch.full((len(inputs),), output))
        values = torch.cat([found.relevance[layer].cpu() for layer in target.layers], dim=1)
        rests = [found.rest[layer].cpu() for layer in target.layers if layer in found.rest]
        yield chosen, values, torch.stack(rests, dim=1) if rests else values[:, :0]


RELEVANCE = Stage(
    "relevance",
    "relevance of neurons",
    settings=(*IMAGES, *TARGET, "logits"),
    tables=("relevances", "predictions"),
    run=lambda store, plan, mapper: collect_relevance(
        store, plan.target, plan.images, batch_size=plan.batch_size, mapper=mapper
    ),
    wanted=lambda settings: settings["examples_by"] == "relevance",
    count=lambda store: (
        logged_rows(store.path / "scratch", "relevance", np.float32),
        store.settings["images"],
    ),
    reads=lambda store, plan: relevance_of(store, plan.target, plan.images, plan.batch_size),
)

OUTPUT_RELEVANCE = Stage(
    "output_relevance",
    "relevance for outputs",
    settings=(*IMAGES, *TARGET, "logits"),
    tables=("image_relevance",),
    keyed=True,
)
