"""Heatmaps are the same as zennit-crp's, and faster."""

from __future__ import annotations

import statistics
import time

import pytest
import torch
from crp.attribution import CondAttribution
from crp.concepts import ChannelConcept
from crp.helper import load_maximization
from crp.visualization import FeatureVisualization
from torch import nn
from torch.utils.data import TensorDataset
from torchvision.models import resnet18
from zennit.composites import EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer

from semlens_widgets.attribution.neuron import localise
from semlens_widgets.inputs.target import TargetModel

IMAGES, NEURONS, EXAMPLES, ROUNDS = 16, 2, 8, 5
LAYER, SIDE = "layer4", 224


@pytest.fixture(autouse=True)
def one_core():
    """Both sides on one core, so that the ratio is not one of schedulers."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def settled_resnet(images):
    """A ResNet-18 whose batch norms know the images."""
    torch.manual_seed(0)
    model = resnet18()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model.train()(images)
    return model.eval()


def test_heatmaps_of_reference_images(benchmark, tmp_path):
    """Two neurons of a ResNet-18 with eight examples each, at 224 pixels."""
    coarse = torch.randn(IMAGES, 3, 14, 14, generator=torch.Generator().manual_seed(0))
    images = nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bicubic")
    model = settled_resnet(images)
    composite = EpsilonPlusFlat([ResNetCanonizer()])
    theirs = FeatureVisualization(
        CondAttribution(model),
        TensorDataset(images, torch.zeros(IMAGES, dtype=torch.int64)),
        {LAYER: ChannelConcept()},
        path=str(tmp_path),
    )
    theirs.run(composite, 0, IMAGES, batch_size=8)
    neurons = list(range(NEURONS))
    table, _, _ = load_maximization(theirs.ActMax.PATH, LAYER)
    pairs = [(int(image), k) for k in neurons for image in table[:EXAMPLES, k]]
    target = TargetModel(model, [LAYER], transform=lambda _: images[0])

    def crp():
        references = theirs.get_max_reference(
            neurons, LAYER, "activation", (0, EXAMPLES), composite, plot_fn=None
        )
        return torch.cat([references[k][1] for k in neurons])

    def ours():
        chosen = images[[image for image, _ in pairs]]
        return localise(target, chosen, LAYER, [k for _, k in pairs])

    expected, found = crp(), ours()
    scale = expected.abs().amax((1, 2), keepdim=True)
    torch.testing.assert_close(found / scale, expected / scale, rtol=1e-3, atol=1e-3)

    def seconds(run):
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    times = [(seconds(ours), seconds(crp)) for _ in range(ROUNDS)]
    ratio = statistics.median(reference / mine for mine, reference in times)
    rate = len(pairs) / statistics.median(mine for mine, _ in times)
    benchmark.extra_info["times zennit-crp's heatmaps per second"] = round(ratio, 2)
    benchmark.extra_info["heatmaps per second"] = round(rate, 1)
    benchmark.pedantic(ours, rounds=1)
    assert ratio >= 1.3
