"""A world small enough to know by heart: images of one colour, neurons that see one colour each."""

from __future__ import annotations

import re

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "grey": (1, 1, 1)}


def to_tensor(image: Image.Image) -> Tensor:
    """RGB in [0, 1], (3, height, width)."""
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


class ColourFoundation:
    """Embeds an image as its mean colour, and a colour's name as that colour."""

    name = "colours"
    dim = 3

    def transform(self, image: Image.Image) -> Tensor:
        return to_tensor(image.resize((16, 16), Image.Resampling.BOX))

    def encode_images(self, images: Tensor) -> Tensor:
        return normalize(images.mean((2, 3)), dim=1)

    def encode_text(self, texts: list[str]) -> Tensor:
        rows = []
        for text in texts:
            known = [c for name, c in COLOURS.items() if re.search(rf"\b{name}\b", text)]
            rows.append(known[0] if known else (1, 1, 1))
        return normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


class ColourNet(nn.Module):
    """Channel c of ``seen`` is colour c; ``mixed`` adds and subtracts them; then two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Conv2d(3, 3, 1, bias=False)
        self.mixed = nn.Conv2d(3, 4, 1, bias=False)
        self.relu = nn.ReLU()
        self.head = nn.Linear(4, 2)
        with torch.no_grad():
            self.seen.weight.copy_(torch.eye(3)[:, :, None, None])
            mix = torch.tensor([[1, -1, 0], [0, 1, -1], [-1, 0, 1], [-1, -1, -1]])
            self.mixed.weight.copy_(mix[:, :, None, None])
            self.head.weight.fill_(1)
            self.head.bias.fill_(0)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.relu(self.mixed(self.seen(x))).mean((2, 3)))


def colour_images(n: int = 60, seed: int = 0) -> list[Image.Image]:
    """Noisy images, image i mostly of colour i % 3."""
    rng = np.random.default_rng(seed)
    images = []
    for i in range(n):
        pixels = rng.uniform(0, 90, (16, 20, 3))
        pixels[..., i % 3] += 100 + 60 * rng.random()
        images.append(Image.fromarray(pixels.astype(np.uint8)))
    return images


def numbered_images(n: int) -> list[Image.Image]:
    """Image i is of one colour, which spells i."""
    return [Image.new("RGB", (4, 4), (i % 256, i // 256, 0)) for i in range(n)]


def numbers(images: Tensor) -> Tensor:
    """Read (batch, 3, 4, 4) numbered images back."""
    red, green = (images[:, :2, 0, 0] * 255).round().long().T
    return red + 256 * green


class TableNet(nn.Module):
    """Answers numbered image i with row i of a table (images, neurons)."""

    def __init__(self, table: np.ndarray) -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(torch.from_numpy(table).float())

    def forward(self, x: Tensor) -> Tensor:
        return self.table(numbers(x))


class TableFoundation:
    """Embeds numbered image i as row i of a table (images, dim), and a text at random by itself."""

    name = "table"

    def __init__(self, table: np.ndarray) -> None:
        self.table = normalize(torch.from_numpy(table).float(), dim=1)
        self.dim = table.shape[1]

    def transform(self, image: Image.Image) -> Tensor:
        return to_tensor(image)

    def encode_images(self, images: Tensor) -> Tensor:
        return self.table[numbers(images) % len(self.table)]

    def encode_text(self, texts: list[str]) -> Tensor:
        rows = [np.random.default_rng(list(text.encode())).normal(size=self.dim) for text in texts]
        return normalize(torch.from_numpy(np.stack(rows)).float(), dim=1)


def square_on_black(left: int, top: int, side: int, colour: tuple[int, int, int]) -> Image.Image:
    """A square of one colour in an image of 32 by 24 pixels, else black."""
    image = Image.new("RGB", (32, 24))
    image.paste(colour, (left, top, left + side, top + side))
    return image
