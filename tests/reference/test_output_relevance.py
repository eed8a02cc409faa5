"""Relevance of neurons for outputs, against what can be said exactly and against zennit."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer, resnet18
from zennit.composites import EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.attribution.output import output_relevance, relevance_method
from tests.colour_world import to_tensor

LAYERS = ["layer1", "layer2", "layer3", "layer4"]


@pytest.fixture(scope="module")
def target():
    return slw.TargetModel(demo.classifier(), LAYERS, transform=demo.preprocess)


@pytest.fixture(scope="module")
def images():
    return torch.stack([demo.preprocess(image) for image, _ in demo.scene_images(12, seed=3)])


def test_the_last_stage_is_activation_times_weight(target, images):
    """Behind the last stage there are only a mean and a dense layer: LRP is exact there."""
    relevance, outputs, _ = output_relevance(target, images)
    with torch.no_grad():
        logits = target.model(images)
    assert torch.equal(outputs, logits.argmax(1))
    expected = target.units(images)["layer4"] * target.model.fc.weight[outputs]
    assert torch.allclose(relevance["layer4"], expected.detach(), atol=1e-4)


def test_every_stage_agrees_with_zennit(target, images):
    """The same composite and canonizer, with module hooks, as zennit applies them."""
    outputs = torch.arange(12) % 40
    relevance, *_ = output_relevance(target, images, outputs)
    model = demo.classifier()
    seen = {}
    for layer in LAYERS:
        model.get_submodule(layer).register_forward_hook(
            lambda _m, _i, output, layer=layer: seen.update({layer: output})
        )
    with EpsilonPlusFlat(canonizers=[ResNetCanonizer()]).context(model) as modified:
        data = images.clone().requires_grad_()
        logits = modified(data)
        chosen = logits.gather(1, outputs[:, None])
        found = torch.autograd.grad(chosen, [seen[name] for name in LAYERS], chosen.detach())
    for layer, expected in zip(LAYERS, found, strict=True):
        assert torch.allclose(relevance[layer], expected.sum((2, 3)), rtol=1e-3, atol=1e-4), layer


def test_batches_do_not_mix(target, images):
    together, *_ = output_relevance(target, images)
    alone, *_ = output_relevance(target, images[5:6])
    for layer in LAYERS:
        assert torch.allclose(together[layer][5:6], alone[layer], atol=1e-4)


def test_the_model_is_left_as_it_was(target, images):
    before = {name: value.clone() for name, value in target.model.state_dict().items()}
    output_relevance(target, images)
    for name, value in target.model.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.requires_grad for parameter in target.model.parameters())
    assert not any(module._forward_hooks for module in target.model.modules())


def test_an_inplace_relu_does_not_reach_the_layer_before_it():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )
    target = slw.TargetModel(model, ["0", "1"], transform=to_tensor, poles="positive")
    images = torch.randn(3, 3, 8, 8)
    relevance, outputs, _ = output_relevance(target, images)
    assert torch.allclose(relevance["0"], relevance["1"], atol=1e-5)
    # Behind them are a mean and a dense layer, as behind the last stage above.
    expected = target.units(images)["1"] * model[4].weight[outputs]
    assert torch.allclose(relevance["1"], expected.detach(), atol=1e-4)


def test_transformers_by_attnlrp():
    torch.manual_seed(0)
    model = VisionTransformer(
        image_size=32,
        patch_size=8,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
        num_classes=5,
    )
    nn.init.normal_(model.heads.head.weight)
    nn.init.normal_(model.encoder.ln.weight)
    layers = ["encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1"]
    target = slw.TargetModel(
        model,
        layers,
        transform=lambda image: to_tensor(image.resize((32, 32))),
        poles="positive",
    )
    images = torch.randn(2, 3, 32, 32)
    relevance, outputs, _ = output_relevance(target, images)
    assert relevance_method(target).startswith("AttnLRP")
    with torch.no_grad():
        assert outputs.equal(model.eval()(images).argmax(1))
        # Behind the last layer: a norm, whose deviation is constant, then a dense layer by gamma.
        token, norm, head = (
            target.output(images, layers[1])[:, 0],
            model.encoder.ln,
            model.heads.head,
        )
        weight, bias = (
            p[outputs] + 0.05 * p[outputs].clamp(min=0) for p in (head.weight, head.bias)
        )
        share = model(images).amax(1) / ((norm(token) * weight).sum(1) + bias)
        slope = norm.weight * weight * share[:, None]
        spread = (token.var(1, unbiased=False, keepdim=True) + norm.eps).sqrt()
        expected = token * (slope - slope.mean(1, keepdim=True)) / spread
    torch.testing.assert_close(relevance[layers[1]], expected, rtol=1e-3, atol=1e-4)
    assert relevance[layers[0]].shape == (2, 16)
    assert not relevance[layers[0]].allclose(relevance[layers[1]], atol=1e-2)


def test_what_cannot_be_explained_is_said(target, images):
    with pytest.raises(ValueError, match="0 to 39"):
        output_relevance(target, images, torch.full((12,), 40))
    with pytest.raises(ValueError, match="12 images"):
        output_relevance(target, images, torch.zeros(3, dtype=torch.long))
    maps = slw.TargetModel(resnet18().layer1, ["0"], transform=to_tensor)
    with pytest.raises(ValueError, match="needs outputs"):
        output_relevance(maps, torch.randn(1, 64, 8, 8))
