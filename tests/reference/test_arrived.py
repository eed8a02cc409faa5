"""How much relevance arrives at the pixels, for many architectures that no rule was made for.

Random weights, batch norms settled on noise, the strongest neuron of every suggested layer. Run
with ``-s`` for the table. What is asked is honesty: a map that keeps its relevance, or one whose
method says that it does not, and how much is there.
"""

import math
from functools import cache

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from semlens_widgets.attribution.neuron import localise_shares, method_of, method_said
from semlens_widgets.inputs.target import TargetModel


def torchvision(name, side=64, **options):
    return lambda: getattr(models, name)(**options), side


def of_timm(name, side=64, **options):
    return lambda: timm.create_model(name, **options), side


ARCHITECTURES = {
    "alexnet": torchvision("alexnet"),
    "vgg11": torchvision("vgg11"),
    "vgg11_bn": torchvision("vgg11_bn"),
    "resnet34": torchvision("resnet34"),
    "resnext50": torchvision("resnext50_32x4d", 48),
    "mobilenet_v2": torchvision("mobilenet_v2"),
    "mobilenet_v3_large": torchvision("mobilenet_v3_large"),
    "shufflenet_v2": torchvision("shufflenet_v2_x1_0"),
    "squeezenet": torchvision("squeezenet1_1"),
    "mnasnet": torchvision("mnasnet0_5"),
    "regnet_y": torchvision("regnet_y_400mf"),
    "googlenet": torchvision("googlenet", init_weights=True, aux_logits=False),
    "inception_v3": torchvision("inception_v3", 96, init_weights=True, aux_logits=False),
    "timm efficientnet_b0": of_timm("efficientnet_b0"),
    "timm tf_efficientnetv2_b0": of_timm("tf_efficientnetv2_b0"),
    "timm mobilenetv3_small_100": of_timm("mobilenetv3_small_100"),
    "timm mobilenetv4_conv_small": of_timm("mobilenetv4_conv_small"),
    "timm regnetx_002": of_timm("regnetx_002"),
    "timm regnety_002": of_timm("regnety_002"),
    "timm densenet121": of_timm("densenet121"),
    "timm resnetv2_50": of_timm("resnetv2_50"),
    "timm seresnext26": of_timm("seresnext26d_32x4d"),
    "timm ecaresnet26t": of_timm("ecaresnet26t"),
    "timm res2next": of_timm("res2next50", 48),
    "timm repvgg_a0": of_timm("repvgg_a0"),
    "timm repvit_m1": of_timm("repvit_m1"),
    "timm mobileone_s0": of_timm("mobileone_s0"),
    "timm fastvit_t8": of_timm("fastvit_t8"),
    "timm mobilevit_xxs": of_timm("mobilevit_xxs"),
    "timm caformer_s18": of_timm("caformer_s18"),
    "timm convformer_s18": of_timm("convformer_s18"),
    "timm poolformer_s12": of_timm("poolformer_s12"),
    "timm convnextv2_atto": of_timm("convnextv2_atto"),
    "timm inception_next_atto": of_timm("inception_next_atto"),
    "timm hgnetv2_b0": of_timm("hgnetv2_b0"),
    "timm ghostnet": of_timm("ghostnet_100"),
    "timm dla34": of_timm("dla34"),
    "timm vovnet": of_timm("ese_vovnet19b_dw"),
    "timm starnet_s1": of_timm("starnet_s1"),
    "timm rexnet": of_timm("rexnet_100"),
    "timm nfnet_l0": of_timm("nfnet_l0", 48),
    "timm skresnet18": of_timm("skresnet18"),
    "timm vit, attnlrp": of_timm("vit_tiny_patch16_224", img_size=64, depth=4),
    "timm swiglu vit, attnlrp": of_timm("eva02_tiny_patch14_224", 56, img_size=56, depth=4),
    "timm dinov3, attnlrp": of_timm("vit_small_patch16_dinov3", img_size=64, depth=3),
    "timm mobilevit_xxs, attnlrp": of_timm("mobilevit_xxs"),
    "timm caformer_s18, attnlrp": of_timm("caformer_s18"),
}
# Networks without branches of both signs, and without negative inputs, lose to biases at most.
KEPT = {"alexnet", "vgg11", "vgg11_bn", "squeezenet", "timm convformer_s18"}


def settled(model, side):
    """Give batch norms the statistics of noise, as training would have left some."""
    kind = nn.modules.batchnorm._BatchNorm
    norms = [module for module in model.modules() if isinstance(module, kind)]
    for norm in norms:
        norm.momentum = None
    if norms:
        model.train()
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for _ in range(2):
                model(torch.randn(4, 3, side, side, generator=generator))
    return model.eval()


@cache
def measured(name):
    """For each suggested layer its method, maps of two images, shares, and what started."""
    make, side = ARCHITECTURES[name]
    torch.manual_seed(0)
    model = settled(make(), side)
    layers = TargetModel.suggest_layers(model, torch.zeros(1, 3, side, side))
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(2))
    attention = "attnlrp" if name.endswith("attnlrp") else "map"
    target = TargetModel(
        model, layers, transform=lambda _: images[0], attention=attention, poles="positive"
    )
    found = []
    for layer in layers:
        output = target.output(images, layer)
        axis = target.channel_axis(layer)
        strength = output.movedim(axis, 1).flatten(2).sum(2) if output.ndim > 2 else output
        neurons = strength.argmax(1)
        maps, arrived = localise_shares(target, images, layer, neurons.tolist())
        started = strength[torch.arange(2), neurons]
        found.append((layer, method_of(target, layer), maps, arrived, started))
    return found


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_relevance_arrives_or_the_method_says_how_much(name):
    seen = 0
    for layer, method, maps, arrived, started in measured(name):
        print(f"{name:28} {layer:24} {arrived[0]:9.3g} {arrived[1]:9.3g}  {method}")
        propagated = method.startswith(("CRP", "AttnLRP"))
        assert propagated == (not arrived.isnan().any()), layer
        if not propagated:
            assert method in {"activation map", "token map"} or "does not cover" in method
            continue
        torch.testing.assert_close(arrived, maps.sum((1, 2)) / started, rtol=0.05, atol=1e-2)
        for share, found in zip(arrived.tolist(), maps.amax((1, 2)) > 0, strict=True):
            said = method_said(method, found=bool(found), arrived=share)
            assert (0.5 <= share <= 1.5) == ("the starting relevance arrived" not in said)
            if name in KEPT:
                assert 0.5 <= share <= 1.05, layer
            assert not math.isinf(share)
        seen += 1
    assert seen or name == "timm skresnet18"  # whose choice of a branch is an attention


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("efficientnet_b0", ""),
        ("regnety_002", ""),
        ("mobilenetv3_small_100", ""),
        ("mobilenetv4_conv_small", ""),
        # Each dense layer and each transition begins with its norm; the last is that of the layer.
        ("densenet121", "; 61 of 120 batch norms not merged"),
        # Each of the 16 blocks begins with one.
        ("resnetv2_50", "; 16 of 48 batch norms not merged"),
    ],
)
def test_fused_norms_right_behind_a_convolution_are_merged(name, lost):
    _, method, *_ = measured(f"timm {name}")[-1]
    assert method.replace("; gates take no relevance", "") == "CRP EpsilonPlusFlat" + lost
