"""Corrections, variants, units, traces and training on a GPU are what they are on a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.attribution.trace import Goal, conditional_relevance
from semlens_widgets.inputs.answers import variant_logits, variant_units
from semlens_widgets.inputs.corrected import corrected
from semlens_widgets.inputs.corrections import Correction
from semlens_widgets.inputs.units import SparseEncoder
from semlens_widgets.pipeline.answers import images_variants
from semlens_widgets.pipeline.finetune import finetune

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

LAYERS = ["layer1", "layer2", "layer3", "layer4"]


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Full float32: TF32, which convolutions use on their own, has ten bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture(scope="module")
def scenes():
    return [image for image, _ in demo.scene_images(24, seed=5)]


@pytest.fixture(scope="module")
def batch(scenes):
    return torch.stack([demo.preprocess(image) for image in scenes])


def on(device, **options):
    return slw.TargetModel(
        demo.classifier(),
        LAYERS,
        transform=demo.preprocess,
        outputs=demo.CLASSES,
        device=device,
        **options,
    )


def every_change(target):
    """One correction of each kind, in layers far apart."""
    width = target.n_units("layer4")
    along = torch.randn(width, generator=torch.Generator().manual_seed(2))
    return [
        {},
        {"layer4": Correction(width).setting([0, 5, 9], 0)},
        {"layer4": Correction(width).scaling(range(20), 0.25)},
        {"layer4": Correction(width).bounding([3, 4], torch.tensor([0.1, 0.2]))},
        {"layer4": Correction(width).projecting(along, 0.3)},
        {
            "layer2": Correction(target.n_units("layer2")).setting([1], 0.5),
            "layer4": Correction(width).setting([7], 0),
        },
    ]


def test_variants(batch):
    """Logits and units of every kind of correction."""
    found = {}
    for device in ("cpu", "cuda"):
        target = on(device)
        changes = every_change(target)
        found[device] = (
            variant_logits(target, batch, changes),
            variant_units(target, batch, changes, "layer4"),
        )
    for one, other in zip(found["cpu"], found["cuda"], strict=True):
        assert other.device.type == "cpu"
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(found["cpu"][0][0], found["cpu"][0][1], atol=0.1)


def test_a_corrected_model(batch, tmp_path):
    """The module that is saved, moved to the GPU, answers what its variant answered."""
    target = on("cpu")
    for change in every_change(target)[1:]:
        model = corrected(target.model, change, dict.fromkeys(LAYERS, 1)).cuda()
        with torch.no_grad():
            found = model(batch.cuda()).cpu()
        torch.testing.assert_close(
            found, variant_logits(target, batch, [change])[0], rtol=1e-3, atol=1e-3
        )


def test_relevance_of_units_and_their_rest(batch):
    """Decoded units share a layer's relevance, and the error has what they leave."""
    generator = torch.Generator().manual_seed(1)
    width = on("cpu").n_units("layer3")
    encoder = SparseEncoder(
        torch.randn(4 * width, width, generator=generator),
        torch.zeros(4 * width),
        decoder=0.1 * torch.randn(4 * width, width, generator=generator),
        top=8,
    )
    found = {}
    for device in ("cpu", "cuda"):
        target = on(device, units={"layer3": encoder})
        found[device] = output_relevance(target, batch[:8], torch.arange(8))
    for part in ("relevance", "rest"):
        one, other = (getattr(found[device], part)["layer3"] for device in ("cpu", "cuda"))
        torch.testing.assert_close(other.cpu(), one, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def test_edges_of_a_trace(batch):
    """Conditional relevance through single neurons."""
    found = {}
    for device in ("cpu", "cuda"):
        target = on(device)
        neurons = target.units(batch)["layer4"].mean(0).argsort(descending=True)[:3].tolist()
        found[device] = (
            neurons,
            *conditional_relevance(target, batch[:6], Goal("", 2), "layer3", "layer4", neurons),
        )
    assert found["cpu"][0] == found["cuda"][0]
    for one, other in zip(found["cpu"][1:], found["cuda"][1:], strict=True):
        torch.testing.assert_close(other.cpu(), one, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def test_variants_trained_on(scenes):
    """A few steps of training end with the same answers."""
    images = slw.ImageDataset.from_list(scenes, [at % 4 for at in range(24)], list("abcd"))
    truth = np.array([at % 4 for at in range(24)])
    ends = []
    for device in ("cpu", "cuda"):
        target = on(device)
        model = corrected(target.model, every_change(target)[1], dict.fromkeys(LAYERS, 1))
        finetune(
            target, [model], images, range(24), truth, epochs=2, rate=1e-4, batch_size=8, seed=3
        )
        assert next(model.parameters()).device.type == "cpu"  # where the person's own is
        tuned = slw.TargetModel(model, LAYERS, transform=demo.preprocess, device=device)
        ends.append(images_variants(tuned, images, range(24), [{}], 8)[0])
    before = images_variants(on("cpu"), images, range(24), [{}], 8)[0]
    assert float((ends[0] - before).abs().mean()) > 0.1
    torch.testing.assert_close(ends[1], ends[0], rtol=0.02, atol=0.05)
