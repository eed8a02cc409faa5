"""Where the cropped examples lie in the space of the foundation model."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from tqdm.auto import tqdm

from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.pipeline.embed import Embedder, embedding_rows
from semlens_widgets.pipeline.engine.local import in_process
from semlens_widgets.pipeline.loading import load_again, stacked
from semlens_widgets.pipeline.pictures import Pictures
from semlens_widgets.store.aligned import contrast_samples, example_samples
from semlens_widgets.store.scratch import RowLog, logged_rows
from semlens_widgets.store.stages import FOUNDATION, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.store.store import AnalysisStore

_NEARLY_ALL = 0.95  # of the short side of what the model sees

Box = tuple[float, ...]  # left, top, right, bottom as shares of the image
Pair = tuple[int, Box | None]


class _Crops(Embedder):
    """Unit embeddings of (image, box) pairs, ``(pairs, dim)`` float16; zero where there is none.

    Without a box the image is embedded whole.
    """

    def items(self, pairs: Sequence[Pair | None], /) -> list[Pair]:
        return [pair for pair in pairs if pair is not None]

    def load(self, pair: Pair, /) -> Tensor:
        sample, box = pair
        return transformed(
            self.foundation.transform,
            _crop(load_again(self.images, sample), box),
            f"a crop of {self.images.uris[sample]!r}",
        )

    def __call__(
        self, pairs: Sequence[Pair | None], crops: Sequence[Tensor], /
    ) -> NDArray[np.float16]:
        rows = np.zeros((len(pairs), self.foundation.dim), np.float16)
        if crops:
            samples = [sample for sample, _ in self.items(pairs)]
            names = [f"a crop of {self.images.uris[sample]}" for sample in samples]
            there = [pair is not None for pair in pairs]
            rows[there] = self.embedded(stacked(names, crops), samples)
        return rows


def embed_crops(
    store: AnalysisStore,
    foundation: FoundationModel,
    images: ImageDataset,
    table: Literal["crops", "contrast_crops"],
    *,
    batch_size: int = 64,
    mapper: Mapper = in_process,
) -> dict[str, Any]:
    """Write the unit embeddings of cropped examples to ``table``, aligned with ``examples``.

    An example is cropped to the box of its heatmap, and its contrastive examples at the same place,
    so that both sides are embedded alike; those of one example follow each other. Where there is
    no example or contrast the row is zero; where the place of a heatmap is unknown both are
    embedded whole. The stage records the share of examples that are embedded (nearly) whole as
    ``whole`` and those without a place as ``unplaced``.

    Warns
    -----
    UserWarning
        If most of the crops are all that the model sees, or some examples have no place.
    """
    examples = store.read("examples", ["row", "sample"]).to_pandas()
    shown = _shown(store, table).flatten(0, 1).tolist()  # k of each example
    places = list(zip(examples["row"], examples["sample"], strict=True))  # keys of the heatmaps
    boxes = _boxes(store)
    wanted = [
        None if sample < 0 else (sample, boxes[place][0])
        for samples, place in zip(shown, places, strict=True)
        for sample in samples
    ]
    facts: dict[str, Any] = {}
    if table == "crops":
        facts = _crop_facts([boxes[place] for place in places if place[1] >= 0])
    log = RowLog(store.scratch(), table, np.float16, step=batch_size, total=len(wanted))
    tasks = [wanted[i : i + batch_size] for i in range(log.rows, len(wanted), batch_size)]
    with tqdm(total=len(wanted), initial=log.rows, desc="crops", unit="crop") as bar:
        for rows in mapper(_Crops(foundation, Pictures(images, store.path)), tasks):
            log.append({"embedding": rows})
            bar.update(len(rows))
    store.write(table, embedding_rows(log))
    return facts


def _shown(store: AnalysisStore, table: Literal["crops", "contrast_crops"]) -> Tensor:
    """Return which images are cropped, ``(neurons, m, k)``; -1 where there is none."""
    return example_samples(store)[..., None] if table == "crops" else contrast_samples(store)


def _boxes(store: AnalysisStore) -> dict[tuple[int, int], tuple[Box | None, float]]:
    """Read the box of each heatmap and its side as a share of what the model sees."""
    rows = store.read("heatmaps", ["row", "sample", "box", "side"]).to_pylist()
    return {
        (row["row"], row["sample"]): (row["box"] and tuple(row["box"]), row["side"]) for row in rows
    }


def _crop_facts(boxes: Sequence[tuple[Box | None, float]]) -> dict[str, Any]:
    """Count how many crops are no crops, and say so if that makes embedding them pointless."""
    unplaced = sum(box is None for box, _ in boxes)
    nearly = sum(box is not None and side >= _NEARLY_ALL for box, side in boxes)
    if 2 * nearly > len(boxes):
        warnings.warn(
            f"{nearly} of {len(boxes)} crops are all that the model sees, or nearly (side at least "
            f"{_NEARLY_ALL:.0%}): crop embedding takes two more embeddings for each example and "
            "changes little here. Give a higher crop_threshold (such as 0.5), or "
            'embedding="image".',
            stacklevel=2,
        )
    if unplaced:
        warnings.warn(
            f"{unplaced} of {len(boxes)} examples are embedded whole: where what the model sees of "
            "them lies in the image was not found, so that they cannot be cropped.",
            stacklevel=2,
        )
    return {"whole": (nearly + unplaced) / max(len(boxes), 1), "unplaced": unplaced}


def _crop(image: Image.Image, box: Box | None) -> Image.Image:
    if box is None:
        return image
    width, height = image.size
    # Edges are stored as float32 fractions: rounded alike, a square stays one.
    left, top = round(box[0] * width), round(box[1] * height)
    right, bottom = round(box[2] * width), round(box[3] * height)
    left, top = min(left, width - 1), min(top, height - 1)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _stage(table: Literal["crops", "contrast_crops"], result: str, after: tuple[str, ...]) -> Stage:
    return Stage(
        table,
        result,
        settings=("embedding", *FOUNDATION),
        after=after,
        tables=(table,),
        run=lambda store, plan, mapper: embed_crops(
            store, plan.foundation, plan.images, table, batch_size=plan.batch_size, mapper=mapper
        ),
        wanted=lambda settings: settings["embedding"] == "crop",
        count=lambda store: (
            logged_rows(store.path / "scratch", table, np.float16),
            _shown(store, table).numel(),
        ),
    )


CROPS = _stage("crops", "embeddings of crops", ("examples", "heatmaps"))
CONTRAST_CROPS = _stage("contrast_crops", "embeddings of contrastive crops", ("contrasts",))
