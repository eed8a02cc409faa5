"""Small pictures of every image that is an example, so that an analysis can be shown anywhere."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from tqdm.auto import tqdm

from semlens_widgets.pipeline.engine.local import in_process
from semlens_widgets.pipeline.loading import load_again
from semlens_widgets.pipeline.pictures import Pictures
from semlens_widgets.store.aligned import example_samples
from semlens_widgets.store.scratch import BlobLog
from semlens_widgets.store.stages import IMAGES, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.pipeline.engine.local import Mapper
    from semlens_widgets.pipeline.loading import Batch
    from semlens_widgets.pipeline.pictures import Readable
    from semlens_widgets.store.store import AnalysisStore

SIDE = 256  # sharp in tiles of 128 CSS pixels on screens with two pixels for each
_ROWS_PER_COMMIT = 1024
_FEW = 10_000  # images
_NAME = "thumbnails-made"


def scaled_down(image: Image.Image, side: int) -> Image.Image:
    """Return the image in RGB, its longer side at most ``side`` pixels."""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    if max(rgb.size) <= side:
        return rgb
    scale = side / max(rgb.size)
    size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
    # Three times as fast as the finest filter, and no person sees the difference.
    return rgb.resize(size, Image.Resampling.BICUBIC, reducing_gap=1.0)


def jpeg(image: Image.Image, side: int = SIDE) -> bytes:
    """Encode an image as JPEG, scaled down so that its longer side is at most ``side`` pixels."""
    buffer = BytesIO()
    scaled_down(image, side).save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


class Jpegs:
    """Small pictures, made of images while they are at hand or of those that are asked for."""

    device = torch.device("cpu")

    def __init__(self, images: Readable) -> None:
        self._images = images

    def prepare(self, image: Image.Image, name: str) -> bytes:  # noqa: ARG002 - all that are read
        """Return the small picture of an image."""
        return jpeg(image)

    def compute(self, batch: Batch, prepared: Sequence[bytes]) -> list[bytes]:
        """Lay the pictures of a batch out, nothing where it is unreadable."""
        found = iter(prepared)
        return [next(found) if there else b"" for there in batch.readable]

    def items(self, samples: Sequence[int], /) -> Sequence[int]:
        """Return the samples, each to be loaded by itself."""
        return samples

    def load(self, sample: int, /) -> bytes:
        """Return the small picture of an image that an earlier pass could read."""
        return jpeg(load_again(self._images, sample))

    def __call__(self, _samples: Sequence[int], loaded: Sequence[bytes], /) -> list[bytes]:
        """Return what was loaded."""
        return list(loaded)


class ThumbnailsLog:
    """Logs the small pictures of all images, in a pass that decodes them anyway.

    Parameters
    ----------
    store
        The log is in its scratch folder.
    images
        What is shown.
    batch_size
        Images per batch.
    """

    label = "thumbnails"

    def __init__(self, store: AnalysisStore, images: ImageDataset, batch_size: int) -> None:
        self.reader = Jpegs(images)
        self.log = BlobLog(store.scratch(), _NAME, step=batch_size, total=len(images))

    @property
    def rows(self) -> int:
        """How many images are logged."""
        return self.log.rows

    def keep(self, batch: Batch, result: list[bytes]) -> None:  # noqa: ARG002 - all are kept
        """Log the pictures of a batch."""
        self.log.append(result)

    def end(self) -> None:
        """Leave it to the stage which of them are wanted."""


def thumbnails_of(
    store: AnalysisStore, images: ImageDataset, batch_size: int
) -> ThumbnailsLog | None:
    """Return what makes all thumbnails in a pass over the images, where most will be wanted.

    Of few images, nearly all are an example of some neuron. Of many, those that are will be read
    once more, which takes less than thumbnails of all.
    """
    return ThumbnailsLog(store, images, batch_size) if len(images) <= _FEW else None


def write_thumbnails(
    store: AnalysisStore,
    images: ImageDataset,
    *,
    batch_size: int = 64,
    mapper: Mapper = in_process,
) -> dict[str, Any]:
    """Write the ``thumbnails`` table for all concept and contrastive examples.

    Those that the pass over the images made are taken from its log. Rows are committed in blocks;
    an interrupted stage goes on with the images still missing.
    """
    wanted = np.union1d(example_samples(store).numpy(), example_samples(store, "contrasts").numpy())
    wanted = wanted[wanted >= 0]
    if store.has("thumbnails"):
        present = store.read("thumbnails", ["sample"]).column("sample").to_numpy()
        wanted = np.setdiff1d(wanted, present)
    made = BlobLog(store.scratch(), _NAME, step=batch_size, total=len(images))
    compute = Jpegs(Pictures(images, store.path))
    with tqdm(total=len(wanted), desc="thumbnails", unit="image") as bar:
        for start in range(0, len(wanted), _ROWS_PER_COMMIT):
            block = wanted[start : start + _ROWS_PER_COMMIT].tolist()
            logged = [sample for sample in block if sample < made.rows]
            pictures = dict(zip(logged, made.read(logged), strict=True))
            left = [sample for sample in block if not pictures.get(sample)]
            tasks = [left[at : at + batch_size] for at in range(0, len(left), batch_size)]
            for samples, found in zip(tasks, mapper(compute, tasks), strict=True):
                pictures |= zip(samples, found, strict=True)
            rows = [pictures[sample] for sample in block]
            store.append(
                "thumbnails", pa.table({"sample": pa.array(block, pa.int32()), "jpeg": rows})
            )
            bar.update(len(block))
    if len(wanted) > _ROWS_PER_COMMIT:
        store.compact("thumbnails")
    return {}


THUMBNAILS = Stage(
    "thumbnails",
    "thumbnails",
    settings=IMAGES,
    after=("contrasts",),
    tables=("thumbnails",),
    keyed=True,
    run=lambda store, plan, mapper: write_thumbnails(
        store, plan.images, batch_size=plan.batch_size, mapper=mapper
    ),
    reads=lambda store, plan: thumbnails_of(store, plan.images, plan.batch_size),
)
