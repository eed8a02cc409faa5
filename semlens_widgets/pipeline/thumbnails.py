"""Small pictures of every image that is an example, so that an analysis can be shown anywhere."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from PIL import Image
from tqdm.auto import tqdm

from semlens_widgets.pipeline.loading import load_again
from semlens_widgets.store.aligned import example_samples
from semlens_widgets.store.stages import IMAGES, Stage

if TYPE_CHECKING:
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.store.store import AnalysisStore

SIDE = 256  # sharp in tiles of 128 CSS pixels on screens with two pixels for each
_ROWS_PER_COMMIT = 1024


def scaled_down(image: Image.Image, side: int) -> Image.Image:
    """Return an RGB copy whose longer side is at most ``side`` pixels."""
    small = image.convert("RGB")
    if max(small.size) > side:
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def jpeg(image: Image.Image, side: int = SIDE) -> bytes:
    """Encode an image as JPEG, scaled down so that its longer side is at most ``side`` pixels."""
    buffer = BytesIO()
    scaled_down(image, side).save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def write_thumbnails(store: AnalysisStore, images: ImageDataset) -> dict[str, Any]:
    """Write the ``thumbnails`` table for all concept and contrastive examples.

    Rows are committed in blocks; an interrupted stage goes on with the images still missing.
    """
    wanted = np.union1d(example_samples(store).numpy(), example_samples(store, "contrasts").numpy())
    wanted = wanted[wanted >= 0]
    if store.has("thumbnails"):
        present = store.read("thumbnails", ["sample"]).column("sample").to_numpy()
        wanted = np.setdiff1d(wanted, present)
    with tqdm(total=len(wanted), desc="thumbnails", unit="image") as bar:
        for start in range(0, len(wanted), _ROWS_PER_COMMIT):
            block = wanted[start : start + _ROWS_PER_COMMIT].tolist()
            pictures = []
            for sample in block:
                pictures.append(jpeg(load_again(images, sample)))
                bar.update()
            store.append(
                "thumbnails",
                pa.table({"sample": pa.array(block, pa.int32()), "jpeg": pa.array(pictures)}),
            )
    store.compact("thumbnails")
    return {}


THUMBNAILS = Stage(
    "thumbnails",
    "thumbnails",
    settings=IMAGES,
    after=("contrasts",),
    tables=("thumbnails",),
    keyed=True,
    run=lambda store, plan, _: write_thumbnails(store, plan.images),
)
