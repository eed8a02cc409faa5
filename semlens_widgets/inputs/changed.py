"""Small changes of pictures that leave what they show as it was, and images that are changed so."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance

from semlens_widgets.inputs.images import ImageDataset

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Takes a picture and what to draw lots with, which is made anew for each image: the same image is
#: changed in the same way each time.
Change = Callable[[Image.Image, np.random.Generator], Image.Image]

QUALITY = 50  # of 100
MARGIN = 0.05  # of each side
BRIGHTER = 1.2
NOISE = 8.0  # of 255, standard deviation


def jpeg(image: Image.Image, _lots: np.random.Generator) -> Image.Image:
    """Compress a picture as a JPEG of quality 50."""
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=QUALITY)
    return Image.open(packed).convert("RGB")


def crop(image: Image.Image, _lots: np.random.Generator) -> Image.Image:
    """Cut 5 % off each side, and bring the rest to the picture's size."""
    width, height = image.size
    box = (MARGIN * width, MARGIN * height, (1 - MARGIN) * width, (1 - MARGIN) * height)
    return image.resize(image.size, Image.Resampling.BICUBIC, box)


def shift(image: Image.Image, lots: np.random.Generator) -> Image.Image:
    """Move a picture by 5 % of its sides (a pixel at least), obliquely; its edges are continued."""
    across, down = (max(1, round(MARGIN * side)) for side in image.size)
    padded = np.pad(np.asarray(image), ((down, down), (across, across), (0, 0)), mode="edge")
    left, top = 2 * across * int(lots.integers(2)), 2 * down * int(lots.integers(2))
    return Image.fromarray(padded[top : top + image.height, left : left + image.width])


def brightness(image: Image.Image, lots: np.random.Generator) -> Image.Image:
    """Make a picture 1.2 times as bright, or as much darker."""
    factor = BRIGHTER if lots.integers(2) else 1 / BRIGHTER
    return ImageEnhance.Brightness(image).enhance(factor)


def noise(image: Image.Image, lots: np.random.Generator) -> Image.Image:
    """Add Gaussian noise to each value, of a standard deviation of 8 of 255."""
    pixels = np.asarray(image, np.float64)
    noisy = pixels + NOISE * lots.standard_normal(pixels.shape)
    return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))


CHANGES: dict[str, Change] = {
    "jpeg": jpeg,
    "crop": crop,
    "shift": shift,
    "brightness": brightness,
    "noise": noise,
}


class ChangedImages(ImageDataset):
    """Some images of a data set, changed as they are read.

    Parameters
    ----------
    images
        The data set.
    samples
        Which of its images, in this order.
    change
        What is done to each.
    seed
        Draws the lots, together with the image's number in the data set.
    """

    def __init__(
        self, images: ImageDataset, samples: Sequence[int], change: Change, seed: int = 0
    ) -> None:
        super().__init__(samples, [images.uris[sample] for sample in samples], lambda: None, ())
        self._images = images
        self._samples = samples
        self._change = change
        self._seed = seed

    def load(self, i: int) -> Image.Image:
        """Return image `i`, changed; raises as :meth:`ImageDataset.load`."""
        sample = self._samples[i]
        return self._change(self._images.load(sample), np.random.default_rng([self._seed, sample]))
