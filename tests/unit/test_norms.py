"""Batch norms of any form are merged, and what is lost of the relevance is measured and said."""

import copy

import pytest
import torch
import torchvision
from timm.layers import BatchNormAct2d
from torch import nn
from torch.nn import functional

from semlens_widgets.attribution.crp import arrived_share
from semlens_widgets.attribution.neuron import localise, localise_shares, method_of, method_said
from semlens_widgets.attribution.operations import OPERATIONS, called
from tests.unit.rules_world import (
    PLAIN,
    POOLS,
    SIDE,
    Between,
    Pooled,
    assert_same,
    random_images,
    target,
    zennit_maps,
)


@pytest.fixture(scope="module")
def images():
    return random_images()


def settled_norm(norm, seed=0):
    generator = torch.Generator().manual_seed(seed)
    nn.init.uniform_(norm.weight, -1.5, 1.5, generator=generator)
    nn.init.uniform_(norm.bias, -0.3, 0.3, generator=generator)
    nn.init.normal_(norm.running_mean, std=0.1, generator=generator)
    nn.init.uniform_(norm.running_var, 0.1, 0.4, generator=generator)
    return norm.eval()


def frozen_norm(norm):
    frozen = torchvision.ops.FrozenBatchNorm2d(norm.num_features)
    frozen.load_state_dict(norm.state_dict())
    return nn.Sequential(frozen, nn.ReLU())


def fused_norm(norm):
    fused = BatchNormAct2d(norm.num_features)
    fused.load_state_dict(norm.state_dict())
    return fused


def written_norm(norm):
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()[:, None, None]
    return Written(
        scale, norm.bias.detach()[:, None, None] - norm.running_mean[:, None, None] * scale
    )


class Written(nn.Module):
    def __init__(self, scale, shift):
        super().__init__()
        self.scale, self.shift = nn.Parameter(scale), nn.Parameter(shift)

    def forward(self, y):
        return torch.relu(y * self.scale + self.shift)


class Functional(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.norm = norm

    def forward(self, y):
        n = self.norm
        mean, variance = n.running_mean, n.running_var
        return functional.batch_norm(y, mean, variance, n.weight, n.bias, eps=n.eps).relu_()


@pytest.mark.parametrize("form", [frozen_norm, fused_norm, written_norm, Functional])
@pytest.mark.parametrize(
    "layer", [nn.Conv2d(6, 5, 3), nn.ConvTranspose2d(6, 5, 3), nn.Conv2d(6, 5, 1, bias=False)]
)
def test_batch_norms_of_any_form_are_merged(form, layer, images):
    torch.manual_seed(0)
    first, last, norm = nn.Conv2d(3, 6, 3), nn.Conv2d(5, 4, 3), settled_norm(nn.BatchNorm2d(5))
    layer = copy.deepcopy(layer)
    twin = nn.Sequential(first, nn.ReLU(), layer, norm, nn.ReLU(), last).eval()
    model = nn.Sequential(first, nn.ReLU(), layer, form(copy.deepcopy(norm)), last).eval()
    torch.testing.assert_close(model(images), twin(images))
    neurons = twin(images).flatten(2).sum(2).argmax(1).tolist()
    expected = zennit_maps(twin, images, neurons)
    assert_same(localise(target(model, "4"), images, "4", neurons), expected)
    assert method_of(target(model, "4"), "4") == PLAIN


def test_one_norm_that_cannot_be_merged_leaves_the_others(images):
    torch.manual_seed(0)
    norms = [settled_norm(nn.BatchNorm2d(6), seed) for seed in range(2)]
    convs = [nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3), nn.Conv2d(6, 4, 3)]
    model = nn.Sequential(convs[0], norms[0], nn.ReLU(), convs[1], nn.ReLU(), norms[1], convs[2])
    t = target(model, "6")
    assert method_of(t, "6") == f"{PLAIN}; 1 of 2 batch norms not merged"
    merged = copy.deepcopy(model)
    merged[1] = nn.Identity()
    scale = norms[0].weight / (norms[0].running_var + norms[0].eps).sqrt()
    with torch.no_grad():
        merged[0].weight.mul_(scale[:, None, None, None])
        merged[0].bias.sub_(norms[0].running_mean).mul_(scale).add_(norms[0].bias)
    neurons = model(images).flatten(2).sum(2).argmax(1).tolist()
    expected = localise(target(merged, "6"), images, "6", neurons)
    assert_same(localise(t, images, "6", neurons), expected)


@pytest.mark.parametrize("first", ["raw", "norm"])
def test_a_norm_is_not_merged_where_its_input_has_other_uses(first, images):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.a, self.b = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 5, 1)
            self.norm, self.last = settled_norm(nn.BatchNorm2d(5)), nn.Conv2d(5, 4, 1)

        def forward(self, x):
            y = self.b(self.a(x).relu())
            if first == "raw":
                raw = y.relu()
                return self.last(raw + self.norm(y).relu())
            normed = self.norm(y).relu()
            return self.last(y.relu() + normed)

    t = target(Both(), "last")
    assert method_of(t, "last") == f"{PLAIN}; 1 of 1 batch norms not merged"
    assert localise(t, images, "last", [0, 1, 2]).isfinite().all()


def test_parallel_branches_are_recognised():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
            self.norms, self.last = nn.ModuleList(nn.BatchNorm2d(4) for _ in "bci"), nn.ReLU()

        def forward(self, x):
            x = self.a(x).relu()
            b, c, i = self.norms
            return self.last(b(self.b(x)) + c(self.c(x)) + i(x))

    assert method_of(target(Branches(), "last"), "last") == (
        f"{PLAIN}; 1 of 3 batch norms not merged; parallel convolutions of one input not merged"
    )


def test_dense_layers_written_out_equal_the_module(images):
    class Dense(nn.Module):
        def __init__(self, written):
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = nn.Linear(3 * SIDE**2, 8), nn.Linear(8, 5)
            self.last, self.written = nn.Identity(), written

        def forward(self, x):
            x = x.flatten(1)
            for layer in (self.first, self.second):
                if self.written == "linear":
                    x = layer(x).relu()
                elif self.written == "matmul":
                    x = (x @ layer.weight.T + layer.bias).relu()
                else:
                    x = torch.addmm(layer.bias, x, layer.weight.T).relu()
            return self.last(x)

    models = [Dense(written) for written in ("linear", "matmul", "addmm")]
    neurons = models[0](images).argmax(1).tolist()
    maps = [localise(target(model, "last"), images, "last", neurons) for model in models]
    for found in maps[1:]:
        assert_same(found, maps[0])
    assert method_of(target(models[2], "last"), "last") == PLAIN


def test_the_share_is_that_of_the_map(images):
    t = target(Pooled(POOLS["mean"]), "b")
    maps, shares = localise_shares(t, images, "b", [0, 1, 2])
    started = t.output(images, "b")[torch.arange(3), torch.arange(3)].sum((1, 2))
    torch.testing.assert_close(shares, maps.sum((1, 2)) / started)
    assert torch.equal(maps, localise(t, images, "b", [0, 1, 2]))


def test_a_known_loss_is_measured_and_said(images):
    class Quarter(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, y):
            return y.clone()

        @staticmethod
        def backward(_ctx, gradient):
            return gradient / 4

    whole, part = target(Between(nn.Identity()), "b"), target(Between(Quarter.apply), "b")
    neurons = [0, 1, 2]
    _, expected = localise_shares(whole, images, "b", neurons)
    maps, shares = localise_shares(part, images, "b", neurons)
    torch.testing.assert_close(shares, expected / 4)
    said = method_said(method_of(part, "b"), found=bool(maps.any()), arrived=float(shares[0]))
    assert said.endswith(
        f"; Quarter by gradient; {float(shares[0]):.2f} × the starting relevance arrived"
    )


@pytest.mark.parametrize(
    ("arrived", "words"),
    [
        (1.0, ""),
        (0.5, ""),
        (1.5, ""),
        (float("nan"), ""),
        (0.31, "; 0.31 × the starting relevance arrived"),
        (-2.0, "; -2.00 × the starting relevance arrived"),
        (1.3e12, "; 1.3e+12 × the starting relevance arrived"),
        (0.0, "; 0.0e+00 × the starting relevance arrived"),
        (float("inf"), "; infinitely many times the starting relevance arrived"),
    ],
)
def test_shares_are_said_where_they_are_off(arrived, words):
    assert method_said("CRP", found=True, arrived=arrived) == "CRP" + words
    assert method_said("CRP", found=False, arrived=arrived).endswith(
        "no relevant pixel: whole image"
    )


def test_maps_that_blow_up_are_said():
    maps = torch.ones(4, 2, 2)
    maps[1, 0, 0], maps[2, 0, 0] = torch.nan, torch.inf
    started = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    shares = arrived_share(maps, started).tolist()
    assert shares == [2.0, float("inf"), float("inf"), float("inf")]
    said = method_said("CRP", found=True, arrived=shares[1])
    assert said == "CRP; infinitely many times the starting relevance arrived"


def test_silent_neurons_and_token_maps_have_no_share(images):
    class Silent(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)
            nn.init.constant_(self.conv.bias, -100.0)
            self.last = nn.ReLU()

        def forward(self, x):
            return self.last(self.conv(x))

    maps, shares = localise_shares(target(Silent(), "last"), images, "last", [0, 1, 0])
    assert not maps.any()
    assert shares.isnan().all()
    attention = Between(lambda y: y.softmax(1))
    _, shares = localise_shares(target(attention, "b"), images, "b", [0, 1, 0])
    assert shares.isnan().all()


def test_functions_are_called_by_one_name():
    with torch.no_grad():
        seen = []

        class Names(torch.overrides.TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                seen.append(called(func))
                return func(*args, **(kwargs or {}))

        x = torch.ones(2, 2)
        with Names():
            x + 1, 1 + x, x.add(1), torch.add(x, 1), x - 1, 1 - x, x / 2, 1 / x, x @ x, x.mT, x**2
            x += 1
            x.mul_(2)
            x[0] = 1
    names = ["add"] * 4 + [
        "sub",
        "rsub",
        "div",
        "rdiv",
        "matmul",
        "mT",
        "pow",
        "add",
        "mul",
        "setitem",
    ]
    assert [name for name, _ in seen] == names
    assert [in_place for _, in_place in seen] == [False] * 11 + [True] * 3
    assert all(name in OPERATIONS for name in names)
