"""Where in its examples a neuron looks: relevance maps and boxes, computed when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from tqdm.auto import tqdm

from semlens_widgets.attribution.framing import find_frame
from semlens_widgets.attribution.neuron import (
    localise_shares,
    method_of,
    method_said,
    quantise,
    relevance_boxes,
)
from semlens_widgets.attribution.placing import holds
from semlens_widgets.attribution.view import to_image_box, to_image_grid, to_input_grid
from semlens_widgets.errors import TransformError, UnreadableImage
from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.pipeline.engine.local import in_process
from semlens_widgets.pipeline.loading import load_again, stacked
from semlens_widgets.pipeline.pictures import Pictures
from semlens_widgets.store.aligned import example_samples, layer_spans
from semlens_widgets.store.columns import StoredHeatmap, heatmap_table, read_heatmaps
from semlens_widgets.store.stages import IMAGES, TARGET, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL import Image
    from torch import Tensor

    from semlens_widgets.attribution.view import Frame
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.pipeline.pictures import Readable
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.store.store import AnalysisStore

UNPLACED = "place in the image unknown: drawn over what the model sees"
_TRIES = 4
_FEW = 1000  # pairs
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
    where the model's transform crops it. Where the place of the model's input in the image is not
    found it lies over that input, has no box, and its method says so. `threshold` is that of
    :func:`semlens_widgets.attribution.neuron.relevance_boxes`.
    """
    wanted = sorted(set(keys) - stored_keys(store, keys))
    many = len(wanted) >= 100
    spans, blocks, tasks = layer_spans(store), [], []
    for layer, block in _by_layer(spans, wanted, batch_size):
        first, _ = spans[layer]
        blocks.append(block)
        tasks.append((layer, [(row - first, sample) for row, sample in block]))
    compute = _Heatmaps(target, Pictures(images, store.path), threshold)
    with tqdm(total=len(wanted), desc="heatmaps", unit="map", disable=not many) as bar:
        for block, heatmaps in zip(blocks, mapper(compute, tasks), strict=True):
            store.append("heatmaps", heatmap_table(block, heatmaps))
            bar.update(len(block))
    if many:
        store.compact("heatmaps")


def localise_some(
    store: AnalysisStore, plan: Plan, keys: Sequence[Key], mapper: Mapper = in_process
) -> None:
    """Compute the heatmaps of (neuron row, sample) pairs that are not stored yet."""
    write_heatmaps(
        store,
        plan.target,
        plan.images,
        keys,
        batch_size=plan.batch_size,
        threshold=plan.crop_threshold,
        mapper=mapper,
    )


def localise_all(store: AnalysisStore, plan: Plan, mapper: Mapper = in_process) -> None:
    """Compute the heatmaps of all concept and contrastive examples that are not stored yet."""
    localise_some(store, plan, _all_keys(store), mapper)


def localised(store: AnalysisStore) -> str:
    """Say how many of the heatmaps of :func:`localise_all` are stored."""
    keys = set(_all_keys(store))
    return f"{len(keys & stored_keys(store))} of {len(keys)} heatmaps"


def _all_keys(store: AnalysisStore) -> list[Key]:
    return example_keys(store, "examples") + example_keys(store, "contrasts")


def example_keys(store: AnalysisStore, table: str = "examples") -> list[Key]:
    """Return the (neuron row, sample) pairs of all concept examples, or of ``contrasts``."""
    samples = example_samples(store, table)
    rows, ranks = torch.nonzero(samples >= 0, as_tuple=True)
    return list(zip(rows.tolist(), samples[rows, ranks].tolist(), strict=True))


def stored_keys(store: AnalysisStore, among: Sequence[Key] | None = None) -> set[Key]:
    """Read which (neuron row, sample) pairs have a heatmap.

    Parameters
    ----------
    among
        Pairs that are asked about; if they are few, the others are not read.
    """
    if not store.has("heatmaps"):
        return set()
    if among is None or len(among) > _FEW:
        rows = store.read("heatmaps", ["row", "sample"])
    elif not among:
        return set()
    else:
        asked = {"row": {row for row, _ in among}, "sample": {sample for _, sample in among}}
        rows = store.matching("heatmaps", asked, ["row", "sample"])
    return set(zip(rows["row"].to_pylist(), rows["sample"].to_pylist(), strict=True))


def kept_heatmaps(store: AnalysisStore, keys: Sequence[Key]) -> dict[Key, StoredHeatmap]:
    """Read the heatmaps of (neuron row, sample) pairs that are stored."""
    if not keys:
        return {}
    asked = {"row": {row for row, _ in keys}, "sample": {sample for _, sample in keys}}
    rows = store.matching("heatmaps", asked)
    found = zip(rows["row"].to_pylist(), rows["sample"].to_pylist(), strict=True)
    wanted = set(keys)
    return {
        key: heatmap
        for key, heatmap in zip(found, read_heatmaps(rows), strict=True)
        if key in wanted
    }


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
    images: Readable
    threshold: float

    @property
    def device(self) -> torch.device:
        return self.target.device

    def items(self, task: tuple[str, Sequence[Key]], /) -> list[int]:
        return sorted({sample for _, sample in task[1]})

    def load(self, sample: int, /) -> tuple[Image.Image, Tensor]:
        picture = load_again(self.images, sample)
        name = repr(self.images.uris[sample])
        return picture, transformed(self.target.transform, picture, name)

    def __call__(
        self, task: tuple[str, Sequence[Key]], loaded: Sequence[tuple[Image.Image, Tensor]], /
    ) -> list[StoredHeatmap]:
        layer, pairs = task
        samples = self.items(task)
        pictures = {sample: one for sample, (one, _) in zip(samples, loaded, strict=True)}
        seen = {sample: one for sample, (_, one) in zip(samples, loaded, strict=True)}
        frames = {
            sample: place_of(self.target, picture, seen[sample])
            for sample, picture in pictures.items()
        }
        names = [self.images.uris[sample] for _, sample in pairs]
        inputs = stacked(names, [seen[sample] for _, sample in pairs])
        neurons = [neuron for neuron, _ in pairs]
        relevance, arrived = localise_shares(self.target, inputs, layer, neurons)
        boxes, found = relevance_boxes(relevance, threshold=self.threshold)
        method = method_of(self.target, layer)
        shape = (inputs.shape[-2], inputs.shape[-1])
        heatmaps = []
        for (_, sample), value, box, hit, share in zip(
            pairs,
            quantise(relevance),
            boxes.tolist(),
            found.tolist(),
            arrived.tolist(),
            strict=True,
        ):
            size, frame = pictures[sample].size, frames[sample]
            said = method_said(method, found=hit, arrived=share)
            side = max(box[2] - box[0], box[3] - box[1]) / min(shape) if hit else 1.0
            if frame is None:
                grid, place, said = to_input_grid(value, SIDE), None, f"{said}; {UNPLACED}"
            else:
                grid = to_image_grid(value, frame, size, SIDE)
                place = to_image_box(box, shape, frame)
            heatmaps.append(StoredHeatmap(grid, place, said, share, side))
        return heatmaps


_KNOWN: WeakKeyDictionary[TargetModel, dict[tuple[int, ...], Frame | None]] = WeakKeyDictionary()


def place_of(target: TargetModel, picture: Image.Image, seen: Tensor) -> Frame | None:
    """Find where `seen`, which the target's transform made of a picture, lies in it.

    None where that is not found. The transform is tried once for each size of pictures; where it
    was found for none of the first few sizes, it counts as unknown for all.
    """
    frames = _KNOWN.setdefault(target, {})
    shape = (seen.shape[-2], seen.shape[-1])
    key = (*picture.size, *shape)
    if key not in frames:
        hopeless = len(frames) >= _TRIES and not any(frames.values())
        frames[key] = None if hopeless else find_frame(target.transform, picture.size, shape)
    frame = frames[key]
    if frame is None or not holds(frame, target.transform, picture, seen):
        return None
    return frame


def check_places(target: TargetModel, images: ImageDataset, wanted: str, instead: str) -> None:
    """Refuse a transform for which the places of the first few images are not found.

    Parameters
    ----------
    target, images
        The model and what it is shown.
    wanted, instead
        What needs the places, and what does not: arguments of a lens.

    Raises
    ------
    TransformError
        If that holds for all of them, so that no crop could be embedded.
    """
    tried = 0
    for sample in range(min(len(images), 4 * _TRIES)):
        try:
            picture = images.load(sample)
        except UnreadableImage:
            continue
        if place_of(target, picture, target.transform(picture)) is not None:
            return
        tried += 1
        if tried == _TRIES:
            break
    if tried:
        raise TransformError(
            f"{wanted} needs to know where what the model sees lies in the image, and for "
            f"none of the first {tried} images is it found: the target's transform does more than "
            "resize, crop, pad, flip and change colours, or is random. Use such a transform, or "
            f"{instead}."
        )


def _count(store: AnalysisStore) -> tuple[int, int]:
    wanted = set(example_keys(store))
    return len(wanted & stored_keys(store)), len(wanted)


def _those_of_a_run(store: AnalysisStore) -> bool:
    """Whether every concept example has a heatmap; they are added on demand, and never finished."""
    if store.is_finished("crops") or not store.is_finished("examples"):
        return store.is_finished("crops")
    done, total = _count(store)
    return done == total


HEATMAPS = Stage(
    "heatmaps",
    "heatmaps",
    settings=(*IMAGES, *TARGET, "composite", "attention", "crop_threshold"),
    tables=("heatmaps",),
    keyed=True,
    run=lambda store, plan, mapper: localise_some(store, plan, example_keys(store), mapper),
    wanted=lambda settings: (
        settings["embedding"] == "crop" or "heatmaps" in settings.get("contrasts", {})
    ),
    done=_those_of_a_run,
    count=_count,
)
