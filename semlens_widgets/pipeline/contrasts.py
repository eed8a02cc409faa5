"""Contrastive examples: for each concept example, a similar image on which the neuron is quiet."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache, partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from semlens_widgets.inputs.embeddings import checked_embeddings
from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.labels.contrasts.generator import Block
from semlens_widgets.labels.contrasts.nearest import Nearest
from semlens_widgets.pipeline.heatmaps import kept_heatmaps
from semlens_widgets.pipeline.loading import load_again, stacked
from semlens_widgets.pipeline.pictures import PICTURES
from semlens_widgets.store.aligned import (
    activation_chunks,
    example_samples,
    image_embeddings,
    layer_activations,
    layer_spans,
    stored_crops,
)
from semlens_widgets.store.columns import vector_column
from semlens_widgets.store.stages import FOUNDATION, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.labels.contrasts.generator import ContrastGenerator, Picture
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.store.aligned import Embedding
    from semlens_widgets.store.store import AnalysisStore


def select_contrasts(
    store: AnalysisStore,
    embedding: Embedding,
    generator: ContrastGenerator | None = None,
    plan: Plan | None = None,
) -> dict[str, Any]:
    """Write the ``contrasts`` table: a contrastive example for each concept example.

    Where the generator finds more of each, the column ``further`` lists them, the nearest first.

    Rows are committed neuron block by block; an interrupted stage goes on with the next. Pictures
    that the generator makes are written to the table ``pictures`` first, with their embeddings.
    They are numbered behind the images of the data set, each by its place in ``examples``. Examples
    that activate their neuron and have no contrast are counted, and told of in a warning unless
    the generator is the default.

    Parameters
    ----------
    generator
        What finds them; by default :class:`semlens_widgets.labels.contrasts.nearest.Nearest`.
    plan
        The models and the images, for a generator that looks at pictures.

    Returns
    -------
    dict
        ``without``, the number of those without a contrast.
    """
    generator = generator or Nearest()
    images = image_embeddings(store)
    examples = example_samples(store)
    crops = stored_crops(store, "crops") if embedding == "crop" else None
    ranks = examples.shape[1]
    done = len(example_samples(store, "contrasts")) if store.has("contrasts") else 0
    if not done:  # what was made of pictures that are gone, whose numbers are given anew
        for table in ("thumbnails", "heatmaps"):
            store.delete(table, f"sample >= {len(images)}")
    for row, chunk in _blocks(store, generator.together):
        rows = slice(row, row + chunk.shape[1])
        if rows.stop <= done:
            continue
        layer, first = _layer_at(store, row)
        block = Block(
            layer=layer,
            neurons=range(row - first, rows.stop - first),
            activations=chunk,
            images=images,
            examples=examples[rows],
            anchors=None if crops is None else crops[rows],
            picture=_pictures(plan, ranks),
            respond=partial(_respond, plan, layer, row - first),
            relevance=partial(_relevance, store, row),
            layer_activations=partial(layer_activations, store, layer),
        )
        found = generator.contrasts(block)
        samples = found.samples.clone()
        missing = samples < 0
        activations = chunk.T.gather(1, samples.clamp(min=0)).masked_fill(missing, torch.nan)
        anchors = images[block.examples.clamp(min=0)] if block.anchors is None else block.anchors
        similarity = found.similarity
        if similarity is None:
            similarity = (anchors * images[samples.clamp(min=0)]).sum(2)
            similarity = similarity.masked_fill(missing, torch.nan)
        if found.pictures and plan is not None:
            keys = sorted(found.pictures)
            made = _measured(plan, block, keys, [found.pictures[key] for key in keys])
            at = tuple(torch.tensor(keys).T)
            samples[at] = len(images) + (row + at[0]) * ranks + at[1]
            activations[at] = made.activations
            similarity = similarity.clone()
            similarity[at] = (anchors[at] * made.embeddings).sum(1)
            _write_pictures(store, samples[at], block.examples[at], made)
        store.append("contrasts", _table(samples, activations, similarity, found.further))
    store.compact("contrasts")
    without, active = _without(store)
    # Under the mean there is always a quiet image, but for a neuron that is the same on all.
    if without and generator != Nearest():
        warnings.warn(
            f"{without} of {active} concept examples that activate their neuron have no "
            "contrastive example: nothing was found or made on which the neuron is quiet. "
            "lens.examples() shows them with contrast_sample -1, and scorers take them without "
            "a contrast.",
            stacklevel=2,
        )
    return {"without": without}


def _blocks(store: AnalysisStore, together: int | None) -> Iterator[tuple[int, Tensor]]:
    """Yield (first row, ``(images, neurons)`` activations) of at most so many neurons."""
    for row, chunk in activation_chunks(store, "contrastive examples"):
        start = 0
        for part in torch.split(chunk, together or chunk.shape[1], dim=1):
            yield row + start, part
            start += part.shape[1]


def _without(store: AnalysisStore) -> tuple[int, int]:
    """Count the examples that activate their neuron: those without a contrast, and all."""
    activation = store.read("examples", ["activation"])["activation"].to_numpy()
    active = np.nan_to_num(activation) > 0
    without = active & (example_samples(store, "contrasts").numpy().ravel() < 0)
    return int(without.sum()), int(active.sum())


def _layer_at(store: AnalysisStore, row: int) -> tuple[str, int]:
    spans = layer_spans(store).items()
    return next((layer, start) for layer, (start, stop) in spans if start <= row < stop)


def _table(
    samples: Tensor, activations: Tensor, similarity: Tensor, further: Tensor | None
) -> pa.Table:
    columns = {
        "sample": pa.array(samples.numpy().ravel(), pa.int32()),
        "activation": pa.array(activations.numpy().ravel(), pa.float32()),
        "similarity": pa.array(similarity.numpy().ravel(), pa.float32()),
    }
    if further is not None:
        flat = pa.array(further.numpy().ravel(), pa.int32())
        columns["further"] = pa.FixedSizeListArray.from_arrays(flat, further.shape[2])
    return pa.table(columns)


@dataclass(frozen=True)
class _Measured:
    """Pictures, ``(p,)`` activations of their neurons and ``(p, D)`` unit embeddings."""

    pictures: Sequence[Picture]
    activations: Tensor
    embeddings: Tensor


def _measured(
    plan: Plan, block: Block, keys: Sequence[tuple[int, int]], pictures: Sequence[Picture]
) -> _Measured:
    """Compute of each picture what is known of an image of the data set."""
    images = [picture.image for picture in pictures]
    responses = block.respond(images, [neuron for neuron, _ in keys])
    parts = [
        _embedded(plan.foundation, images[at : at + plan.batch_size])
        for at in range(0, len(images), plan.batch_size)
    ]
    return _Measured(pictures, responses, torch.cat(parts))


def _write_pictures(store: AnalysisStore, samples: Tensor, of: Tensor, made: _Measured) -> None:
    ids: list[int] = samples.tolist()
    there = set()
    if store.has(PICTURES):  # of a block that was interrupted
        rows = store.matching(PICTURES, {"sample": set(ids)}, ["sample"])
        there = set(rows["sample"].to_pylist())
    new = [at for at, sample in enumerate(ids) if sample not in there]
    if new:
        columns = {
            "sample": pa.array([ids[at] for at in new], pa.int32()),
            "of": pa.array([int(of[at]) for at in new], pa.int32()),
            "origin": [made.pictures[at].origin for at in new],
            "changed": pa.array([made.pictures[at].changed for at in new], pa.float32()),
            "picture": [_png(made.pictures[at].image) for at in new],
            "embedding": vector_column(made.embeddings[new].numpy().astype(np.float16)),
        }
        store.append(PICTURES, pa.table(columns))


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def _pictures(plan: Plan | None, kept: int) -> Callable[[int], Image.Image]:
    """Return what gives images of the data set; the last few are decoded once."""

    @lru_cache(maxsize=kept)
    def load(sample: int) -> Image.Image:
        return load_again(_needed(plan).images, sample)

    return lambda sample: load(sample).copy()


def _respond(
    plan: Plan | None, layer: str, first: int, images: Sequence[Image.Image], neurons: Sequence[int]
) -> Tensor:
    """Return the activation of neurons, counted from the block's first, on pictures."""
    given = _needed(plan)
    parts = []
    for at in range(0, len(images), given.batch_size):
        some = _as_input(given.target, images[at : at + given.batch_size])
        values = given.target.units(some)[layer].cpu()
        which = torch.tensor(neurons[at : at + given.batch_size]) + first
        parts.append(values[torch.arange(len(values)), which])
    return torch.cat(parts) if parts else torch.empty(0)


def _relevance(
    store: AnalysisStore, row: int, pairs: Sequence[tuple[int, int]]
) -> list[NDArray[np.uint8]]:
    """Read the heatmaps of (neuron from the block's first, sample); 0 where unplaced."""
    keys = [(row + neuron, sample) for neuron, sample in pairs]
    found = kept_heatmaps(store, keys)
    return [found[key].values * np.uint8(found[key].box is not None) for key in keys]


def _embedded(foundation: FoundationModel, images: Sequence[Image.Image]) -> Tensor:
    """Return unit embeddings as they are stored, in half precision."""
    names = [f"picture {at}" for at in range(len(images))]
    vectors = checked_embeddings(
        foundation, foundation.encode_images(_as_input(foundation, images)), names
    )
    return torch.nn.functional.normalize(vectors.cpu().half().float(), dim=1)


def _as_input(model: TargetModel | FoundationModel, images: Sequence[Image.Image]) -> Tensor:
    names = [f"picture {at}" for at in range(len(images))]
    pairs = zip(names, images, strict=True)
    return stacked(
        names,
        [transformed(model.transform, image.convert("RGB"), repr(name)) for name, image in pairs],
    )


def _needed(plan: Plan | None) -> Plan:
    if plan is None:
        raise ValueError("plan: this generator looks at pictures; give the models and the images.")
    return plan


CONTRASTS = Stage(
    "contrasts",
    "contrastive examples",
    settings=("embedding", "contrasts"),
    after=("embed", "examples", "crops"),
    tables=("contrasts",),
    run=lambda store, plan, _: select_contrasts(store, plan.embedding, plan.contrasts, plan),
)

# Of its own, because most analyses have none.
MADE = Stage(
    "pictures",
    "pictures made as contrastive examples",
    settings=("embedding", "contrasts", *FOUNDATION),
    after=("embed", "examples", "crops"),
    tables=(PICTURES,),
)
