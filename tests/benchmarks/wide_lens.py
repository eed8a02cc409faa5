"""A lens of 2,048 neurons and 1,000 known labels, made in seconds: nothing in it means anything."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

import semlens_widgets as slw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NEURONS, IMAGES, LABELS, DIM, SIDE = 2048, 3000, 1000, 512, 8
VOCABULARY = [f"kind of thing {i}" for i in range(LABELS)]


class Wide(nn.Module):
    """Random directions of the pixels."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, NEURONS), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


class Random:
    """Random embeddings; the same for the same text or image."""

    name = "random"
    dim = DIM

    def __init__(self) -> None:
        self.weight = torch.randn(3 * SIDE * SIDE, DIM, generator=torch.manual_seed(1))

    def transform(self, image: Image.Image) -> Tensor:
        return pixels(image)

    def encode_images(self, images: Tensor) -> Tensor:
        return normalize(images.flatten(1) @ self.weight, dim=1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        rows = [
            torch.randn(DIM, generator=torch.Generator().manual_seed(zlib.crc32(text.encode())))
            for text in texts
        ]
        return normalize(torch.stack(rows), dim=1)


def pixels(image: Image.Image) -> Tensor:
    array = np.asarray(image.resize((SIDE, SIDE)), dtype=np.float32) / 255 - 0.5
    return torch.from_numpy(array).permute(2, 0, 1)


def wide_lens(path: str | Path) -> slw.SemanticLens:
    """Make the analysis in a folder, or open it there."""
    noise = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE, 3), dtype=np.uint8)
    lens = slw.SemanticLens(
        slw.TargetModel(Wide(), ["features"], transform=pixels, name="wide"),
        slw.ImageDataset.from_list([Image.fromarray(one) for one in noise]),
        Random(),
        path=path,
    ).run()
    if not lens.vocabulary:
        lens.label(VOCABULARY)
    return lens
