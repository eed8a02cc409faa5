"""How fast the three passes over images are on this machine's device: CUDA if there is one.

ResNet-18 at 224 pixels, images in memory. The same code runs everywhere; on CUDA, what it finds is
compared with the CPU's as well.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import normalize
from torchvision.models import resnet18

import semlens_widgets as slw
from semlens_widgets.pipeline.collect import collect
from semlens_widgets.pipeline.embed import embed
from semlens_widgets.pipeline.heatmaps import write_heatmaps
from semlens_widgets.store.store import AnalysisStore
from tests.colour_world import to_tensor

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
IMAGES, MAPS, BATCH = (8192, 2048, 256) if CUDA else (128, 32, 32)
LAYERS = ["layer3", "layer4"]
COMPARED = 16  # images whose results are compared between devices
SIDE = 224


class ResNetFoundation:
    """A ResNet-18 without its last layer, as if it were an image encoder."""

    name, dim = "resnet18", 512

    def __init__(self, device):
        self.device = torch.device(device)
        self.model = network().to(self.device)
        self.model.fc = nn.Identity()

    def transform(self, image):
        return to_tensor(image)

    def encode_images(self, images):
        with torch.no_grad():
            return normalize(self.model(images.to(self.device, non_blocking=True)), dim=1)

    def encode_text(self, texts):
        raise NotImplementedError


def network():
    torch.manual_seed(0)
    return resnet18().eval()


def pictures(n):
    """Images of coarse noise; few different ones, so that memory holds any number."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (min(n, 64), 14, 14, 3), np.uint8)
    distinct = [Image.fromarray(one).resize((SIDE, SIDE)) for one in coarse]
    return slw.ImageDataset.from_list([distinct[i % len(distinct)] for i in range(n)])


def target(device=DEVICE, *, autocast=False):
    return slw.TargetModel(network(), LAYERS, transform=to_tensor, device=device, autocast=autocast)


@pytest.fixture(scope="module")
def images():
    return pictures(IMAGES)


@pytest.fixture
def folders(tmp_path):
    return (tmp_path / str(i) for i in range(100))


def measured(benchmark, run, count, unit, warm):
    """Run once to warm up on a few, once for the clock; print and keep the rate."""
    warm()
    start = time.perf_counter()
    benchmark.pedantic(run, rounds=1)
    rate = count / (time.perf_counter() - start)
    benchmark.extra_info[f"{unit} per second on {DEVICE.type}"] = round(rate, 1)
    where = torch.cuda.get_device_name() if CUDA else f"CPU, {torch.get_num_threads()} threads"
    print(f"{rate:.1f} {unit}/s ({where})")


def collected(folder, model, some, batch_size=BATCH):
    store = AnalysisStore(folder)
    store.finish("collect", **collect(store, model, some, batch_size=batch_size))
    return store


def test_bare_forward_pass(benchmark):
    """What the model alone takes, images lying on the device: the bound for collecting."""
    model, batch = network().to(DEVICE), torch.rand(BATCH, 3, SIDE, SIDE, device=DEVICE)

    def run():
        with torch.no_grad():
            for _ in range(IMAGES // BATCH):
                model(batch)
        if CUDA:
            torch.cuda.synchronize()

    measured(benchmark, run, IMAGES // BATCH * BATCH, "images", run if CUDA else lambda: None)


@pytest.mark.parametrize("autocast", [False, True])
def test_collect(benchmark, images, folders, autocast):
    model, few = target(autocast=autocast), pictures(COMPARED)
    found = collected(next(folders), model, few).matrix("activations", "activations")
    exact = collected(next(folders), target("cpu"), few).matrix("activations", "activations")
    tolerance = 0.03 if autocast else 0.003  # TF32 on CUDA has ten bits
    np.testing.assert_allclose(found, exact, rtol=tolerance, atol=tolerance * exact.max())
    measured(
        benchmark,
        lambda: collected(next(folders), model, images),
        IMAGES,
        "images",
        lambda: collected(next(folders), model, pictures(BATCH)),
    )


def test_heatmaps(benchmark, folders):
    few = pictures(64)
    stores = {}
    for device in {DEVICE, torch.device("cpu")}:
        stores[device] = collected(next(folders), target(device), few, 32)
        keys = [(row, sample) for row in (3, 300) for sample in range(COMPARED // 2)]
        write_heatmaps(stores[device], target(device), few, keys)
    boxes = [store.matrix("heatmaps", "box") for store in stores.values()]
    assert np.abs(boxes[0] - boxes[-1]).mean() < 0.01
    model, store = target(), stores[DEVICE]
    keys = [(256 + i // 32, 32 + i % 32) for i in range(MAPS)]  # neurons of the last layer
    measured(
        benchmark,
        lambda: write_heatmaps(store, model, few, keys, batch_size=min(BATCH, 64)),
        MAPS,
        "maps",
        lambda: write_heatmaps(store, model, few, [(256, 0)]),
    )
    assert len(store.frame("heatmaps", ["row"])) == MAPS + COMPARED + 1


def test_embed(benchmark, images, folders):
    foundation, few = ResNetFoundation(DEVICE), pictures(COMPARED)

    def embedded(model, some):
        store = AnalysisStore(next(folders))
        embed(store, model, some, batch_size=BATCH)
        return store.matrix("embeddings", "embedding").astype(np.float32)

    cosine = (embedded(foundation, few) * embedded(ResNetFoundation("cpu"), few)).sum(1)
    assert cosine == pytest.approx(1, abs=2e-3)
    measured(
        benchmark,
        lambda: embedded(foundation, images),
        IMAGES,
        "images",
        lambda: embedded(foundation, pictures(BATCH)),
    )
