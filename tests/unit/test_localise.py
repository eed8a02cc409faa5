"""Relevance maps: where planted neurons look, tokens, what is said of a map."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models.vision_transformer import VisionTransformer
from zennit.composites import EpsilonPlusFlat

from semlens_widgets.attribution.neuron import (
    localise,
    method_of,
)
from semlens_widgets.inputs.target import TargetModel
from tests.unit.rules_world import relevance_box

SIDE = 16


def target(model, *layers, side=SIDE, **options):
    options.setdefault("poles", "positive")
    options.setdefault("transform", lambda _: torch.rand(3, side, side))
    return TargetModel(model, layers, **options)


class ColourNet(nn.Module):
    """Neuron 0 answers to red, neuron 1 to green, through a functional residual block."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(2)
        self.conv = nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.block = nn.Identity()
        with torch.no_grad():
            self.stem.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])[:, :, None, None])
            self.conv.weight.copy_(torch.eye(2)[:, :, None, None] * torch.ones(3, 3) / 9)
            self.norm.bias.fill_(-0.1)

    def forward(self, x):
        x = functional.relu(self.norm(self.stem(x)))
        out = functional.relu(self.conv(x))
        out += x
        return self.block(out).mean((2, 3))


def squares():
    """Two images, each with a red square and a green one somewhere else."""
    images = torch.zeros(2, 3, SIDE, SIDE)
    images[0, 0, 2:5, 3:6] = 1
    images[0, 1, 10:13, 8:11] = 1
    images[1, 0, 9:12, 9:12] = 1
    images[1, 1, 1:4, 1:4] = 1
    return images


@pytest.mark.parametrize(
    ("image", "neuron", "rows", "columns"),
    [(0, 0, (2, 5), (3, 6)), (0, 1, (10, 13), (8, 11)), (1, 0, (9, 12), (9, 12))],
)
def test_a_neuron_is_found_where_its_colour_is(image, neuron, rows, columns):
    relevance = localise(target(ColourNet(), "block"), squares()[[image]], "block", [neuron])[0]
    inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    inside[slice(*rows), slice(*columns)] = True
    assert relevance[inside].sum() > 0
    assert relevance[~inside].abs().max() == 0
    box = (columns[0], rows[0], columns[1], rows[1])
    assert relevance_box(relevance, smoothing=0) == box


def test_pairs_are_independent_of_their_company_and_of_the_batch():
    t = target(ColourNet(), "block")
    images = squares()[[0, 0, 1, 1, 0]]
    neurons = [0, 1, 1, 0, 0]
    together = localise(t, images, "block", neurons)
    for i, neuron in enumerate(neurons):
        alone = localise(t, images[[i]], "block", [neuron])
        torch.testing.assert_close(together[[i]], alone)
    torch.testing.assert_close(localise(t, images, "block", neurons, batch_size=2), together)
    assert together.shape == (5, SIDE, SIDE)
    assert localise(t, images[:0], "block", []).shape == (0, SIDE, SIDE)


def test_a_silent_neuron_has_no_relevance():
    image = squares()[[0]]
    image[:, 1] = 0
    relevance = localise(target(ColourNet(), "block"), image, "block", [1])
    assert not relevance.any()
    assert relevance_box(relevance[0]) == (0, 0, SIDE, SIDE)


def test_result_does_not_depend_on_the_callers_modes():
    t = target(ColourNet(), "block")
    images = squares()
    expected = localise(t, images, "block", [0, 1])
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(localise(t, images, "block", [0, 1]), expected)
    with torch.inference_mode():
        assert torch.equal(localise(t, images.clone(), "block", [0, 1]), expected)
    assert expected.dtype == torch.float32
    assert not expected.requires_grad


def state(model):
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    values = {key: value.clone() for key, value in model.state_dict().items()}
    return hooks, values, [p.requires_grad for p in model.parameters()]


def assert_same_state(model, before):
    hooks, values, wanted = state(model)
    assert hooks == before[0] == 0
    assert wanted == before[2]
    assert values.keys() == before[1].keys()
    assert all(torch.equal(value, before[1][key]) for key, value in values.items())
    assert all(p.grad is None for p in model.parameters())


def test_the_model_is_left_as_it_was():
    model = ColourNet()
    model.stem.weight.requires_grad_(False)
    t = target(model, "block")
    before = state(model)
    localise(t, squares(), "block", [0, 1])
    assert_same_state(model, before)


def test_the_model_is_left_as_it_was_when_it_fails():
    class Failing(ColourNet):
        fails = False

        def forward(self, x):
            out = super().forward(x)
            if self.fails and len(x) > 1:
                raise ArithmeticError("too many")
            return out

    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Failing()
            self.last = nn.Identity()

        def forward(self, x):
            return self.last(self.inner(x))

    model = Late()
    t = target(model, "last")
    t.n_units("last")
    before = state(model)
    Failing.fails = True
    with pytest.raises(ArithmeticError):
        localise(t, squares(), "last", [0, 1])
    assert_same_state(model, before)


class Plain(nn.Module):
    """A batch norm after a ReLU, declared right after the convolution: must not be merged."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.gate = nn.Linear(4, 4)
        self.last = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        x = self.norm(functional.relu(self.conv(x)))
        x = x * self.gate(x.mean((2, 3))).sigmoid()[:, :, None, None]
        return self.last(x).flatten(1)


def test_method_says_what_is_not_exact():
    assert method_of(target(ColourNet(), "block"), "block") == "CRP EpsilonPlusFlat"
    assert method_of(target(Plain(), "last"), "last") == (
        "CRP EpsilonPlusFlat; 1 of 1 batch norms not merged; gates take no relevance"
    )


def test_a_layer_that_is_used_twice_has_its_rule_twice():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.twice = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.again, self.last = self.twice, nn.Conv2d(4, 4, 1)

        def forward(self, x):
            x = self.twice(functional.relu(self.first(x)))
            return self.last(functional.relu(self.again(functional.relu(x))))

    torch.manual_seed(0)  # some weights silence the neurons
    shared = Shared()
    split = copy.deepcopy(shared)
    split.again = copy.deepcopy(split.twice)
    images = torch.rand(2, 3, 8, 8)
    maps = [localise(target(model, "last"), images, "last", [0, 3]) for model in (shared, split)]
    assert maps[0].any()
    assert torch.equal(*maps)
    assert method_of(target(shared, "last"), "last") == "CRP EpsilonPlusFlat"


def test_code_that_mutates_beyond_the_rules_is_refused():
    class Mutating(ColourNet):
        def forward(self, x):
            x = functional.relu(self.stem(x))
            functional.silu(x, inplace=True)  # the result is not taken
            return self.block(x)

    with pytest.raises(ValueError, match="changes tensors in place"):
        localise(target(Mutating(), "block"), squares(), "block", [0, 1])


LAYER = "encoder.layers.encoder_layer_0"


def vit(**options):
    torch.manual_seed(0)
    sizes = {"image_size": 16, "patch_size": 4, "num_layers": 1, "num_heads": 2}
    return VisionTransformer(
        **(sizes | {"hidden_dim": 8, "mlp_dim": 8, "num_classes": 3} | options)
    )


def test_tokens_become_a_map_without_the_class_token():
    layer = LAYER
    t = target(vit(), layer, "heads")
    images = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    tokens = t.output(images, layer)
    maps = localise(t, images, layer, [5, 0, 7])
    assert method_of(t, layer) == "token map"
    for i, neuron in enumerate([5, 0, 7]):
        grid = tokens[i, 1:, neuron].view(1, 1, 4, 4)
        expected = functional.interpolate(grid, (16, 16), mode="bilinear", align_corners=False)[
            0, 0
        ]
        torch.testing.assert_close(maps[i], expected)
    assert (maps < 0).any()
    with pytest.raises(ValueError, match="'heads' lies behind attention and has no positions"):
        localise(t, images, "heads", [0, 0, 0])


class Tokens(nn.Module):
    """Patches of 4 × 4 pixels, with some tokens before them."""

    def __init__(self, before, channels_last=False):
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 4, 4)
        self.block = nn.Identity()
        self.before = before
        self.channels_last = channels_last

    def forward(self, x):
        maps = self.embed(x)
        if self.channels_last:
            maps = maps.permute(0, 2, 3, 1)
            return self.block(functional.softmax(maps, -1))
        tokens = maps.flatten(2).transpose(1, 2)
        return self.block(functional.pad(tokens, (0, 0, self.before, 0), value=100.0))


@pytest.mark.parametrize("before", [0, 1, 5])
@pytest.mark.parametrize("size", [(16, 16), (16, 24), (24, 8)])
def test_class_and_register_tokens_are_left_out_of_any_grid(before, size):
    model = Tokens(before)
    images = torch.rand(2, 3, *size)
    with torch.no_grad():
        patches = model.embed(images)[[0, 1], [1, 2]]  # (2, height / 4, width / 4)
    expected = functional.interpolate(patches[:, None], size, mode="bilinear", align_corners=False)[
        :, 0
    ]
    maps = localise(target(model, "block"), images, "block", [1, 2])
    torch.testing.assert_close(maps, expected)


def test_maps_with_channels_last_behind_attention():
    t = target(Tokens(0, channels_last=True), "block", pooling=lambda y: y.mean((1, 2)))
    images = torch.rand(1, 3, 16, 16)
    output = t.output(images, "block")
    expected = functional.interpolate(output[..., 2][None], (16, 16), mode="bilinear")[0]
    torch.testing.assert_close(localise(t, images, "block", [2]), expected)
    assert method_of(t, "block") == (
        "activation map; of all positions alike, whatever the pooling function makes of them"
    )


@pytest.mark.parametrize(
    ("model", "layer", "pooling", "said"),
    [
        (ColourNet, "block", "mean", "CRP EpsilonPlusFlat"),
        (
            ColourNet,
            "block",
            "max",
            "CRP EpsilonPlusFlat; of all positions, not of the largest alone that is pooled",
        ),
        (vit, LAYER, "mean", "token map"),
        (
            vit,
            LAYER,
            "max",
            "token map; of all positions, not of the largest alone that is pooled",
        ),
        (
            vit,
            LAYER,
            "cls",
            "token map; of the image's tokens, not of the class token that is pooled",
        ),
    ],
)
def test_what_a_map_has_more_than_the_pooled_value_is_said(model, layer, pooling, said):
    assert method_of(target(model(), layer, pooling=pooling), layer) == said


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_values_without_positions_are_no_matter_of_pooling(pooling):
    dense = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4))
    assert method_of(target(dense, "1", pooling=pooling), "1") == "CRP EpsilonPlusFlat"


def test_a_composite_of_ones_own_says_it_too():
    t = target(ColourNet(), "block", pooling="max", composite=EpsilonPlusFlat())
    assert method_of(t, "block") == (
        "CRP EpsilonPlusFlat, as given; of all positions, not of the largest alone that is pooled"
    )


@pytest.mark.parametrize(
    ("images", "layer", "neurons", "words"),
    [
        (torch.zeros(2, 3, 16, 16), "block", [0], "neurons has 1 entries for 2 images"),
        (torch.zeros(1, 3, 16, 16), "block", [2], "holds 2, but layer 'block' has neurons 0 to 1"),
        (torch.zeros(1, 3, 16, 16), "block", [-1], "holds -1"),
        (torch.zeros(1, 3, 16, 16), "conv", [0], "layer='conv' is not one"),
        (torch.zeros(3, 16, 16), "block", [0], r"images has shape \(3, 16, 16\)"),
    ],
)
def test_mistakes_are_named(images, layer, neurons, words):
    with pytest.raises(ValueError, match=words):
        localise(target(ColourNet(), "block"), images, layer, neurons)


def test_units_that_are_no_channels_cannot_be_localised():
    t = target(ColourNet(), "block", pooling=lambda y: y.mean((2, 3)).repeat(1, 3))
    with pytest.raises(ValueError, match="makes neurons that are not channels"):
        localise(t, squares(), "block", [0, 1])
