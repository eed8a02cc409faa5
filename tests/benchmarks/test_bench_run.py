"""A whole run costs what decoding every image once costs, or what the models cost beside it."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import resnet18
from torchvision.transforms import v2

import semlens_widgets as slw

IMAGES, DRAWN, WORKERS, BATCH = 1000, 100, 2, 50
SIZES = ((500, 375), (1024, 768), (2048, 1536), (3264, 2448))
_PIXELS = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """JPEGs of natural size, with structure at all scales, as photographs have."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for i in range(DRAWN):
        width, height = SIZES[i % len(SIZES)]
        picture = np.zeros((height, width, 3), np.float32)
        for level in range(1, 8):
            noise = rng.normal(size=(height >> level | 1, width >> level | 1, 3)) * level**1.5
            layer = [Image.fromarray(noise[..., c].astype(np.float32)) for c in range(3)]
            picture += np.stack([one.resize((width, height)) for one in layer], axis=2)
        pixels = np.clip(128 + 6 * picture, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:04}.jpg", quality=90)
    for i in range(DRAWN, IMAGES):
        shutil.copy(folder / f"{i % DRAWN:04}.jpg", folder / f"{i:04}.jpg")
    return slw.ImageDataset.from_folder(folder)


class Foundation:
    """What a run asks of a foundation model, by any image encoder."""

    dim = 512

    def __init__(self, name: str, encode: nn.Module) -> None:
        self.name = name
        self._encode = encode.eval()
        self.transform = v2.Compose([v2.Resize(224), v2.CenterCrop(224), *_PIXELS])

    def encode_images(self, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return nn.functional.normalize(self._encode(images), dim=1)

    def encode_text(self, texts: list[str]) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.ones(len(texts), self.dim), dim=1)


class Sampled(nn.Module):
    """A few pixels of every image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, :, ::32, ::32].flatten(1)


def cheap() -> tuple[nn.Module, list[str], nn.Module]:
    """Models that take next to nothing of the CPUs, as on a GPU."""
    torch.manual_seed(0)
    target = nn.Sequential(Sampled(), nn.Linear(147, 64))
    return target.eval(), ["1"], nn.Sequential(Sampled(), nn.Linear(147, 512))


def large() -> tuple[nn.Module, list[str], nn.Module]:
    """A ResNet-18, and a tower of the size of ViT-B/32."""
    torch.manual_seed(0)
    encoder = open_clip.create_model("ViT-B-32", pretrained=None).visual
    return resnet18(num_classes=10).eval(), ["layer4"], encoder


def models(kind):
    model, layers, encoder = kind()
    transform = v2.Compose([v2.Resize(256), v2.CenterCrop(224), *_PIXELS])
    target = slw.TargetModel(model, layers, transform=transform)
    return target, Foundation(kind.__name__, encoder)


def seconds(work, *args):
    start = time.perf_counter()
    work(*args)
    return time.perf_counter() - start


def decode(images, target, foundation):
    """Read each image once and prepare it for both models, by as many threads."""

    def one(sample):
        image = images.load(sample)
        target.transform(image)
        foundation.transform(image)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, range(len(images))))


def forward(target, foundation):
    """Run both models bare, on batches that are there."""
    batch = torch.rand(BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for _ in range(IMAGES // BATCH):
            target.model(batch)
            foundation.encode_images(batch)


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory):
    """Have the layout compiled, which a process pays for once."""
    target, foundation = models(cheap)
    images = slw.ImageDataset.from_list([Image.new("RGB", (64, 64), (i, 0, 0)) for i in range(9)])
    path = tmp_path_factory.mktemp("first") / "analysis"
    slw.SemanticLens(target, images, foundation, path=path, n_examples=4).run()


@pytest.mark.parametrize(
    ("kind", "rounds", "most"), [(cheap, 3, 1.2), (large, 1, 1.1)], ids=["cheap", "large"]
)
def test_a_run_decodes_once(benchmark, photographs, tmp_path, kind, rounds, most):
    target, foundation = models(kind)

    def ours():
        path = tmp_path / "analysis"
        shutil.rmtree(path, ignore_errors=True)
        lens = slw.SemanticLens(target, photographs, foundation, path=path, batch_size=BATCH)
        lens.run(workers=WORKERS)

    def bare():
        decode(photographs, target, foundation)
        if kind is large:
            forward(target, foundation)

    decode(photographs, target, foundation)  # the files are in the system's memory from here on
    pairs = [(seconds(ours), seconds(bare)) for _ in range(rounds)]
    ratio = sorted(mine / plain for mine, plain in pairs)[len(pairs) // 2]
    benchmark.extra_info["ratio to the bare work"] = round(ratio, 3)
    benchmark.pedantic(ours, rounds=1)
    print(f"run: {pairs[0][0]:.2f} s, bare: {pairs[0][1]:.2f} s, ratio {ratio:.3f}")
    assert ratio <= most
