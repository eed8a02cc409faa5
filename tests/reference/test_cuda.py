"""What a GPU computes is what a CPU computes: heatmaps of every kind of model, and a whole lens."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import Subset

import semlens_widgets as slw
from semlens_widgets.attribution.neuron import localise_shares, method_of
from semlens_widgets.demo.images import scene_images
from tests.reference.test_architectures import KINDS, settled

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


@pytest.fixture
def exact(monkeypatch):
    """Full float32: TF32, which convolutions use on their own, has ten bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("name", KINDS)
def test_heatmaps_are_the_cpus(name, exact):
    make, side, layers, _, _ = KINDS[name]
    torch.manual_seed(0)
    model = settled(make(), side)
    images = torch.rand(4, 3, side, side, generator=torch.Generator().manual_seed(2))
    for layer in (layers[0], layers[-1]):
        found = {}
        for device in ("cpu", "cuda"):
            target = slw.TargetModel(
                model, [layer], transform=lambda _: images[0], poles="positive", device=device
            )
            neurons = [0, 1, 2, 3]
            found[device] = (
                target.units(images)[layer].cpu(),
                *(part.cpu() for part in localise_shares(target, images, layer, neurons)),
                method_of(target, layer),
            )
        (units, maps, arrived, method), (units2, maps2, arrived2, method2) = found.values()
        assert method2 == method
        torch.testing.assert_close(units2, units, rtol=1e-3, atol=1e-4 * float(units.abs().max()))
        for one, other in zip(maps, maps2, strict=True):
            scale = float(one.abs().max()) or 1.0
            assert float((one - other).abs().mean()) < 2e-3 * scale
        torch.testing.assert_close(arrived2, arrived, rtol=0.02, atol=0.02, equal_nan=True)


def test_a_process_that_begins_at_a_dense_layer_is_told_nothing():
    """Relevance that starts in cuBLAS, in a thread without a CUDA context, makes torch warn."""
    code = """
import torch, semlens_widgets as slw
from torch import nn
from semlens_widgets.attribution.output import output_relevance
model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).cuda()
images = torch.rand(2, 3, 8, 8)
target = slw.TargetModel(model, ["1"], transform=lambda _: images[0], poles="positive")
relevance = output_relevance(target, images)[0]["1"]
assert relevance.isfinite().all() and relevance.any()
"""
    done = subprocess.run(
        [sys.executable, "-W", "error:Attempting to run cuBLAS", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "CUDA context" in done.stderr) == (0, False), done.stderr


@pytest.fixture(scope="module")
def lenses(tmp_path_factory):
    """One analysis of the demo's networks on the CPU and one on the GPU, as their users make it."""
    made = {}
    for device in ("cpu", "cuda"):
        foundation = slw.OpenClip(slw.demo.clip_dir(), device=device)
        target = slw.TargetModel(
            slw.demo.classifier(),
            ["layer3", "layer4"],
            transform=slw.demo.preprocess,
            outputs=slw.demo.CLASSES,
            device=device,
        )
        images = slw.ImageDataset.from_dataset(Subset(scene_images(), range(1500)))
        path = tmp_path_factory.mktemp(device)
        made[device] = slw.SemanticLens(target, images, foundation, path=path).run()
    return made["cpu"], made["cuda"]


def test_a_whole_lens_finds_the_same(lenses):
    cpu, cuda = lenses
    for layer in ("layer3", "layer4"):
        values, others = cpu.activations(layer), cuda.activations(layer)
        np.testing.assert_allclose(others, values, atol=5e-3 * values.max(), rtol=0)
        for neuron in (0, 7, 20):
            kept = [set(lens.examples(layer, neuron)["sample"]) for lens in lenses]
            assert len(kept[0] & kept[1]) >= 0.9 * len(kept[0])  # TF32 exchanges near ties
    cosines = (cpu.vectors * cuda.vectors).sum(1)
    assert (cosines > 0.98).mean() > 0.95
    labels = [lens.label(slw.demo.vocabulary())["label"].tolist() for lens in lenses]
    assert np.mean([one == other for one, other in zip(*labels, strict=True)]) > 0.9
    found = [lens.search("watermark").head(5)["neuron"].tolist() for lens in lenses]
    assert found[0][0] == found[1][0]


@pytest.mark.parametrize(
    "scorer", ["csp", "difference", "recognition", "correlation", "semanticlens", "clip-dissect"]
)
def test_scores_are_the_cpus(lenses, scorer):
    words = list(slw.demo.vocabulary())[:20]
    for neuron in (3, 40):
        scores, others = (
            lens.scores("layer4", neuron, words, scorer=scorer).set_index("candidate")["score"]
            for lens in lenses
        )
        difference = (scores - others[scores.index]).abs().median()
        assert difference < 0.05 * scores.std()
