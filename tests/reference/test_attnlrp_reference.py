"""AttnLRP against the authors' library, which rewrites torch and so gets its own process."""

import subprocess
import sys
from importlib.util import find_spec

import open_clip
import pytest
import timm
import torch
from open_clip.transformer import QuickGELU
from open_clip.transformer import VisionTransformer as ClipTransformer
from torch import nn
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.models.vision_transformer import VisionTransformer
from zennit.core import BasicHook

from semlens_widgets.attribution.attnlrp import attnlrp
from semlens_widgets.attribution.neuron import localise, localise_shares, method_of
from semlens_widgets.inputs.target import TargetModel

METHOD = "AttnLRP, gamma 0.25 and 0.05"
SIDE = 32

ORACLE = """
import sys, functools, torch, open_clip, transformers.pytorch_utils, warnings
from torch import nn
from torchvision.models import vision_transformer
from zennit.composites import LayerMapComposite
from zennit.core import stabilize
from zennit.rules import Gamma

# lxt also supports BERT, for which it asks transformers for a function that version 5 lacks, and
# its gamma rules ask for a newer zennit than zennit-crp allows: they are repeated below.
vars(transformers.pytorch_utils).setdefault("find_pruneable_heads_and_indices", None)
from lxt.efficient import monkey_patch
from lxt.efficient.patches import layer_norm_forward, patch_method

class ImplicitGamma(Gamma):
    def forward(self, module, input, output):
        super().forward(module, input, output)
        self.stored_tensors["output"] = output

    def backward(self, module, grad_input, grad_output):
        given = (grad_output[0] * self.stored_tensors["output"].detach(),)
        self.stored_tensors["grad_output"] = given
        (relevance,) = super().backward(module, grad_input, given)
        return (relevance / stabilize(self.stored_tensors["input"][0].detach(), 1e-10),)

    def copy(self):
        return ImplicitGamma(self.value)

    def __init__(self, value):
        super().__init__(value)
        self.value = value

case = torch.load(sys.argv[1], weights_only=False)
monkey_patch(vision_transformer)
if case["kind"] == "open_clip":
    own = open_clip.transformer.LayerNorm
    monkey_patch(None, {own: functools.partial(patch_method, layer_norm_forward)})
model = case["model"]
seen = []
model.get_submodule(case["layer"]).register_forward_hook(lambda m, i, o: seen.append(o))
kinds = zip((nn.Conv2d, nn.Linear), case["gammas"])
composite = LayerMapComposite([(kind, ImplicitGamma(gamma)) for kind, gamma in kinds if gamma])
maps = []
with composite.context(model):
    for image, neuron in zip(case["images"], case["neurons"]):
        data = image[None].clone().requires_grad_()
        model(data)
        value = seen.pop()[..., neuron]
        (value[:, 0] if case["first"] else value).sum().backward()
        maps.append((data * data.grad).sum(1).detach())
torch.save(torch.cat(maps), sys.argv[2])
"""


def build(kind):
    torch.manual_seed(0)
    if kind == "torchvision":
        model = VisionTransformer(SIDE, 8, 3, 2, 24, 48, num_classes=3)
        layer = "encoder.layers.encoder_layer_2"
        nn.init.normal_(model.conv_proj.bias)
        return model.eval(), layer
    return ClipTransformer(SIDE, 8, 24, 3, 2, 2.0, output_dim=8).eval(), "transformer.resblocks.2"


@pytest.fixture(scope="module")
def images():
    return torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def target(model, layer, **options):
    options.setdefault("poles", "positive")
    options.setdefault("attention", "attnlrp")
    return TargetModel(model, [layer], transform=lambda _: torch.zeros(3, SIDE, SIDE), **options)


@pytest.mark.skipif(find_spec("lxt") is None, reason="the reference, lxt, is not installed")
@pytest.mark.parametrize(("pooling", "gammas"), [("mean", (0, 0)), ("cls", (0.25, 0.05))])
@pytest.mark.parametrize("kind", ["torchvision", "open_clip"])
def test_heatmaps_equal_the_librarys_own(kind, pooling, gammas, images, tmp_path, monkeypatch):
    model, layer = build(kind)
    neurons = [0, 5, 11, 23]
    case = {"kind": kind, "model": model, "layer": layer, "images": images, "neurons": neurons}
    torch.save(case | {"first": pooling == "cls", "gammas": gammas}, tmp_path / "case.pt")
    paths = [str(tmp_path / name) for name in ("case.pt", "maps.pt")]
    subprocess.run([sys.executable, "-c", ORACLE, *paths], check=True, capture_output=True)
    expected = torch.load(tmp_path / "maps.pt")

    monkeypatch.setattr(attnlrp, "__defaults__", (gammas,))
    t = target(model, layer, pooling=pooling)
    relevance = localise(t, images, layer, neurons, batch_size=3)

    scale = expected.abs().amax((1, 2), keepdim=True)
    assert (scale > 0).all()
    torch.testing.assert_close(relevance / scale, expected / scale, rtol=1e-3, atol=1e-3)
    assert method_of(t, layer) == METHOD


def test_nothing_is_left_patched(images):
    model, layer = build("open_clip")
    model.transformer.resblocks[0].mlp.gelu = QuickGELU()
    classes = (nn.GELU, nn.LayerNorm, nn.MultiheadAttention, QuickGELU, open_clip.model.LayerNorm)
    before = [kind.forward for kind in classes], BasicHook.forward, BasicHook.backward
    output = model(images)
    localise(target(model, layer), images, layer, [1, 2, 3, 4])
    assert ([kind.forward for kind in classes], BasicHook.forward, BasicHook.backward) == before
    assert not any(hasattr(kind, "original_forward") for kind in classes)
    assert not any("forward" in vars(module) for module in model.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(
        parameter.requires_grad for parameter in model.parameters() if parameter.grad is None
    )
    assert torch.equal(model(images), output)


def test_the_map_stays_the_default_and_other_attention_falls_back_to_it(images):
    model, layer = build("torchvision")
    assert method_of(target(model, layer, attention="map"), layer) == "token map"
    swin = SwinTransformer([4, 4], 8, [2], [2], [4, 4], num_classes=3).eval()
    layer = "features.1"
    own = target(swin, layer, attention="map")
    asked = target(swin, layer)
    assert method_of(asked, layer) == "activation map; AttnLRP does not cover this attention"
    maps = [localise(t, images, layer, [0, 1, 2, 3]) for t in (own, asked)]
    assert torch.equal(*maps)


def halved(product, a, b):
    """A product of which each factor gets half of the gradient, without another value."""
    return 0.5 * (product(a.detach(), b) + product(a, b.detach()))


def constant_ratio(f, x):
    """A function that passes relevance on: a factor that is constant to the gradient."""
    return x * (f(x) / x).detach()


def written_norm(norm, x):
    deviation = (x.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt().detach()
    return (x - x.mean(-1, keepdim=True)) / deviation * norm.weight + norm.bias


def written_attention(attention, x):
    batch, tokens, channels = x.shape
    heads = attention.num_heads
    q, k, v = (
        attention.qkv(x).view(batch, tokens, 3, heads, channels // heads).permute(2, 0, 3, 1, 4)
    )
    scores = halved(torch.matmul, q * attention.scale, k.mT)
    mixed = halved(torch.matmul, scores.softmax(-1), v)
    return attention.proj(mixed.transpose(1, 2).reshape(x.shape))


def test_fused_attention_of_timm_shares_relevance_evenly(images, monkeypatch):
    """Equal to gradient times input of the same network, written with constants by hand."""
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=SIDE, patch_size=8, depth=2).eval()
    for block in model.blocks:
        for norm in (block.norm1, block.norm2):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.1)
    data = images.clone().requires_grad_()
    x = model._pos_embed(model.patch_embed(data))
    for block in model.blocks:
        x = x + written_attention(block.attn, written_norm(block.norm1, x))
        y = written_norm(block.norm2, x)
        x = x + block.mlp.fc2(constant_ratio(nn.functional.gelu, block.mlp.fc1(y)))
    neurons = [0, 1, 2, 3]
    started = x.sum(1)[torch.arange(4), neurons]
    expected = (data * torch.autograd.grad(started.sum(), data)[0]).sum(1)

    monkeypatch.setattr(attnlrp, "__defaults__", ((0, 0),))
    t = target(model, "blocks.1")
    torch.testing.assert_close(t.output(images, "blocks.1"), x.detach())
    maps, arrived = localise_shares(t, images, "blocks.1", neurons)
    scale = expected.abs().amax((1, 2), keepdim=True)
    torch.testing.assert_close(maps / scale, expected / scale, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(arrived, (maps.sum((1, 2)) / started).detach(), rtol=1e-3, atol=1e-3)
    assert method_of(t, "blocks.1") == METHOD


class Gated(nn.Module):
    """A block with SwiGLU and a norm by root mean squares, by torch or written out."""

    def __init__(self, written):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.norm = nn.Conv2d(3, 8, 8, 8), nn.RMSNorm(8, eps=1e-6)
        self.up, self.down, self.last = nn.Linear(8, 32), nn.Linear(16, 8), nn.Identity()
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        self.written = written

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = nn.functional.scaled_dot_product_attention(x, x, x)
        if self.written:
            y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.norm.weight
        else:
            y = self.norm(x)
        gate, values = self.up(y).chunk(2, -1)
        gate = gate * gate.sigmoid() if self.written else nn.functional.silu(gate)
        return self.last(x + self.down(gate * values))


def test_gated_units_and_norms_written_out_equal_their_modules(images):
    neurons = [0, 3, 5, 7]
    maps = [localise(target(Gated(w), "last"), images, "last", neurons) for w in (False, True)]
    scale = maps[0].abs().amax((1, 2), keepdim=True)
    assert (scale > 0).all()
    torch.testing.assert_close(maps[1] / scale, maps[0] / scale, rtol=1e-3, atol=1e-3)
    assert method_of(target(Gated(written=False), "last"), "last") == METHOD
    said = method_of(target(Gated(written=True), "last"), "last")
    assert said == f"{METHOD}; gates take no relevance"


def test_gated_units_share_relevance_evenly(images, monkeypatch):
    """Equal to gradient times input of the same block, written with constants by hand."""
    monkeypatch.setattr(attnlrp, "__defaults__", ((0, 0),))
    model = Gated(written=False)
    data = images.clone().requires_grad_()
    x = model.embed(data).flatten(2).transpose(1, 2)
    scores = halved(torch.matmul, x * 8**-0.5, x.mT)
    x = halved(torch.matmul, scores.softmax(-1), x)
    y = x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt().detach() * model.norm.weight
    gate, values = model.up(y).chunk(2, -1)
    gate = constant_ratio(nn.functional.silu, gate)
    out = x + model.down(halved(torch.mul, gate, values))
    torch.testing.assert_close(out, model(images))
    started = out.sum(1)[torch.arange(4), [0, 3, 5, 7]].sum()
    expected = (data * torch.autograd.grad(started, data)[0]).sum(1)
    maps = localise(target(model, "last"), images, "last", [0, 3, 5, 7])
    scale = expected.abs().amax((1, 2), keepdim=True)
    torch.testing.assert_close(maps / scale, expected / scale, rtol=1e-3, atol=1e-3)


def test_flat_layers_behind_attention_have_heatmaps_too(images):
    model, _ = build("torchvision")
    nn.init.normal_(model.heads.head.weight)
    maps = localise(target(model, "heads"), images, "heads", [0, 1, 2, 0])
    assert maps.flatten(1).any(1).all()


def test_mistakes_are_named():
    model, layer = build("torchvision")
    with pytest.raises(ValueError, match='use "map" or "attnlrp"'):
        target(model, layer, attention="rollout")
