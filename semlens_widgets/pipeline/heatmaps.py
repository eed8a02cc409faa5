"""Where in its examples a neuron looks: relevance maps and boxes, computed when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from tqdm.auto import tqdm

from semlens_widgets.pipeline.engine import in_process
from semlens_widgets.pipeline.evidence import example_samples, layer_spans
from semlens_widgets.pipeline.localise import (
    localise,
    method_of,
    method_said,
    quantise,
    relevance_boxes,
)
from semlens_widgets.pipeline.view import to_image_box, to_image_grid, visible_box
from semlens_widgets.store import StoredHeatmap, heatmap_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from semlens_widgets.images import ImageDataset
    from semlens_widgets.pipeline.engine import Mapper
    from semlens_widgets.store import AnalysisStore
    from semlens_widgets.target import TargetModel

SIDE = 112  # finer than any layer's map, and a quarter of the bytes of a 224-pixel input

Key = tuple[int, int]  # row of the neuron, sample


def write_heatmaps(
    store: AnalysisStore,
    target: TargetModel,
    images: ImageDataset,
    keys: Sequence[Key],
    *,
    batch_size: int = 32,
    threshold: float = 0.01,
    mapper: Mapper = in_process,
) -> None:
    """Add the heatmaps of (neuron row, sample) pairs to the ``heatmaps`` table.

    Pairs that are stored already are left alone, and each batch is committed, so that an
    interrupted run loses no more than one. A heatmap lies on a grid over the whole image, also
    where the model's transform crops it; `threshold` is that of
    :func:`semlens_widgets.pipeline.localise.relevance_boxes`.
    """
    wanted = sorted(set(keys) - stored_keys(store))
    many = len(wanted) >= 100
    spans, blocks, tasks = layer_spans(store), [], []
    for layer, block in _by_layer(spans, wanted, batch_size):
        first, _ = spans[layer]
        blocks.append(block)
        tasks.append((layer, [(row - first, sample) for row, sample in block]))
    compute = _Heatmaps(target, images, threshold)
    with tqdm(total=len(wanted), desc="heatmaps", unit="map", disable=not many) as bar:
        for block, heatmaps in zip(blocks, mapper(compute, tasks), strict=True):
            store.append("heatmaps", heatmap_table(block, heatmaps))
            bar.update(len(block))
    if many:
        store.compact("heatmaps")


def example_keys(store: AnalysisStore, table: str = "examples") -> list[Key]:
    """Return the (neuron row, sample) pairs of all concept examples, or of ``contrasts``."""
    samples = example_samples(store, table)
    rows, ranks = torch.nonzero(samples >= 0, as_tuple=True)
    return list(zip(rows.tolist(), samples[rows, ranks].tolist(), strict=True))


def stored_keys(store: AnalysisStore) -> set[Key]:
    """Read which (neuron row, sample) pairs have a heatmap."""
    if not store.has("heatmaps"):
        return set()
    rows = store.read("heatmaps", ["row", "sample"])
    return set(zip(rows["row"].to_pylist(), rows["sample"].to_pylist(), strict=True))


def _by_layer(
    spans: dict[str, tuple[int, int]], keys: Sequence[Key], batch_size: int
) -> Iterator[tuple[str, list[Key]]]:
    """Split sorted keys into batches of one layer."""
    for layer, (first, stop) in spans.items():
        inside = [key for key in keys if first <= key[0] < stop]
        for start in range(0, len(inside), batch_size):
            yield layer, inside[start : start + batch_size]


@dataclass(frozen=True)
class _Heatmaps:
    """Heatmaps of (neuron, sample) pairs of one layer."""

    target: TargetModel
    images: ImageDataset
    threshold: float

    @property
    def device(self) -> torch.device:
        return self.target.device

    def __call__(self, task: tuple[str, Sequence[Key]], /) -> list[StoredHeatmap]:
        layer, pairs = task
        pictures = {sample: self.images.load(sample) for _, sample in pairs}
        sizes = {picture.size for picture in pictures.values()}
        views = {size: visible_box(self.target.transform, size) for size in sizes}
        inputs = torch.stack([self.target.transform(pictures[sample]) for _, sample in pairs])
        relevance = localise(self.target, inputs, layer, [neuron for neuron, _ in pairs])
        boxes, found = relevance_boxes(relevance, threshold=self.threshold)
        values = quantise(relevance)
        method = method_of(self.target, layer)
        shape = (inputs.shape[-2], inputs.shape[-1])
        heatmaps = []
        for (_, sample), value, box, hit in zip(
            pairs, values, boxes.tolist(), found.tolist(), strict=True
        ):
            size = pictures[sample].size
            heatmaps.append(
                StoredHeatmap(
                    to_image_grid(value, views[size], size, SIDE),
                    to_image_box(box, shape, views[size]),
                    method_said(method, found=hit),
                )
            )
        return heatmaps
