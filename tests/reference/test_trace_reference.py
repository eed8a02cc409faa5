"""Traces against zennit-crp's own conditional relevance, and against the planted truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from crp.attribution import CondAttribution
from torch import nn
from torchvision.models import VisionTransformer
from zennit.composites import EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.attribution.trace import (
    Goal,
    conditional_relevance,
    layers_below,
    trace_method,
)
from tests.colour_world import to_tensor
from tests.reference.test_crp_reference import build

LAYERS = ["layer1", "layer2", "layer3", "layer4"]


def scenes_model():
    images = [demo.preprocess(image) for image, _ in demo.scene_images(12, seed=3)]
    return demo.classifier(), torch.stack(images)


def basic_model():
    model, _ = build("basic")
    return model, torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(7))


def crp_relevance(model, images, conditions, lower, start=None):
    """zennit-crp's own, summed over positions as its ChannelConcept does."""
    attribution = CondAttribution(model)
    found = attribution(
        images.clone().requires_grad_(),
        conditions,
        EpsilonPlusFlat([ResNetCanonizer()]),
        record_layer=[lower],
        start_layer=start,
    )
    return found.relevances[lower].sum((2, 3))


@pytest.mark.parametrize("make", [scenes_model, basic_model])
@pytest.mark.parametrize(("upper", "lower"), [("layer4", "layer3"), ("layer2", "layer1")])
def test_edges_equal_crps_conditional_relevance_on_ten_pairs(make, upper, lower):
    model, images = make()
    target = slw.TargetModel(model, LAYERS, transform=lambda _: images[0], poles="positive")
    strong = target.units(images)[upper].mean(0).argsort(descending=True)
    pairs = [(output, int(strong[at])) for output in (1, 3) for at in range(5)]
    for output, neuron in pairs:
        _, found = conditional_relevance(target, images, Goal("", output), lower, upper, [neuron])
        conditions = [{"y": [output], upper: [neuron]}]
        expected = crp_relevance(make()[0], images, conditions, lower)
        scale = expected.abs().max()
        assert scale > 0  # the comparison is about something
        assert torch.allclose(found[0] / scale, expected / scale, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", [scenes_model, basic_model])
def test_a_neurons_relevance_equals_crps(make):
    model, images = make()
    target = slw.TargetModel(model, LAYERS, transform=lambda _: images[0], poles="positive")
    for neuron in target.units(images)["layer4"].mean(0).argsort(descending=True)[:5].tolist():
        found, _ = conditional_relevance(target, images, Goal("layer4", neuron), "layer3")
        expected = crp_relevance(make()[0], images, [{"layer4": [neuron]}], "layer3", "layer4")
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_all_neurons_together_are_the_whole():
    """Relevance is linear: what passes through each channel sums to what passes through all."""
    model, images = scenes_model()
    target = slw.TargetModel(model, LAYERS, transform=demo.preprocess)
    every = range(target.n_units("layer3"))
    whole, parts = conditional_relevance(target, images[:3], Goal("", 2), "layer2", "layer3", every)
    assert torch.allclose(parts.sum(0), whole, rtol=1e-3, atol=1e-5)
    expected, *_ = output_relevance(target, images[:3], torch.full((3,), 2))
    assert torch.allclose(whole, expected["layer2"], atol=1e-5)


def vision_transformer():
    torch.manual_seed(0)
    model = VisionTransformer(
        image_size=32,
        patch_size=8,
        num_layers=3,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
        num_classes=5,
    )
    nn.init.normal_(model.heads.head.weight)
    nn.init.normal_(model.encoder.ln.weight)
    return model


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_transformers_by_attnlrp(pooling):
    layers = [f"encoder.layers.encoder_layer_{at}" for at in range(3)]
    target = slw.TargetModel(
        vision_transformer(),
        layers,
        transform=lambda image: to_tensor(image.resize((32, 32))),
        pooling=pooling,
        poles="positive",
    )
    images = torch.randn(2, 3, 32, 32)
    goal = Goal("", 1)
    assert layers_below(target, goal) == tuple(layers[::-1])
    whole, parts = conditional_relevance(target, images, goal, layers[1], layers[2], range(16))
    assert torch.allclose(parts.sum(0), whole, rtol=1e-3, atol=1e-4)
    assert whole.abs().max() > 0.01
    expected, *_ = output_relevance(target, images, torch.ones(2, dtype=torch.long))
    assert torch.allclose(whole, expected[layers[1]], atol=1e-4)
    assert trace_method(target, goal).startswith("AttnLRP")
    neuron = Goal(layers[2], 3)
    relevance, _ = conditional_relevance(target, images, neuron, layers[1])
    assert relevance.abs().max() > 0.01
    assert trace_method(target, neuron).startswith("AttnLRP")


@pytest.fixture(scope="module")
def lens(scenes):
    return scenes()


def test_relevance_agrees_with_ablation_on_scenes(lens):
    """Asserted of the planted class and of the mean over some more; the rest is told."""
    rows = []
    for name in ("striped star", *demo.CLASSES[::10]):
        trace = lens.trace(name)
        drops = trace.verify().groupby("kind")["drop"].mean()
        figures = trace.agreement, trace.agreement_of_nodes
        rows.append((name, *figures, drops["node"], drops["control"]))
    columns = ["class", "agreement", "of nodes", "drop of a node", "of a random neuron"]
    table = pd.DataFrame(rows, columns=columns)
    print("\n" + table.to_string())
    assert rows[0][1].value >= 0.6
    assert np.mean([row[1].value for row in rows]) >= 0.6
    assert (table["drop of a node"] > 4 * table["of a random neuron"].abs()).all()
