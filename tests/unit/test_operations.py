"""Rules for functions: any spelling equals its module twin, and what has no rule is named."""

import pytest
import torch
import torchvision
import zennit.layer
from torch import nn
from torch.nn import functional

from semlens_widgets.attribution.neuron import localise, method_of
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


@pytest.mark.parametrize("spelling", POOLS)
def test_averages_in_any_spelling_equal_the_module(spelling, images):
    model = Pooled(POOLS[spelling])
    twin = nn.Sequential(
        model.a, nn.ReLU(), model.b, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), model.fc
    )
    neurons = twin(images).argmax(1).tolist()
    maps = localise(target(model, "fc"), images, "fc", neurons)
    # The stabiliser weighs less against a sum than against an average.
    assert_same(maps, zennit_maps(twin, images, neurons), 5e-3)
    assert method_of(target(model, "fc"), "fc") == PLAIN


@pytest.mark.parametrize(
    ("spelling", "pool"),
    {
        "max": lambda y: y.amax((2, 3)),
        "max twice": lambda y: y.max(3).values.max(dim=2)[0],
        "sorted": lambda y: y.flatten(2).sort(2, descending=True).values[..., 0],
        "best of all": lambda y: y.flatten(2).topk(1).values.squeeze(-1),
        "adaptive_max_pool2d": lambda y: functional.adaptive_max_pool2d(y, 1).flatten(1),
    }.items(),
)
def test_maxima_in_any_spelling_equal_the_module(spelling, pool, images):
    model = Pooled(pool)
    twin = nn.Sequential(
        model.a, nn.ReLU(), model.b, nn.ReLU(), nn.MaxPool2d(SIDE), nn.Flatten(), model.fc
    )
    neurons = twin(images).argmax(1).tolist()
    assert_same(
        localise(target(model, "fc"), images, "fc", neurons), zennit_maps(twin, images, neurons)
    )
    assert method_of(target(model, "fc"), "fc") == PLAIN


class Joined(nn.Module):
    def __init__(self, add):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.c, self.d = nn.Conv2d(6, 6, 5, padding=2), nn.Conv2d(6, 4, 3, padding=1)
        self.add = add

    def forward(self, x):
        x = torch.relu(self.a(x))
        return self.d(self.add(torch.relu(self.b(x)), 0.2 * torch.relu(self.c(x))))


def added_in_place(p, q):
    p = p.clone()
    p += q
    return p


def subtracted_in_place(p, q):
    p = p.clone()
    p.sub_(-q)
    return p


def assigned(p, q):
    both = torch.zeros(2, *p.shape)
    both[0], both[1] = p, q
    return both.sum(0)


SUMS = {
    "alpha": lambda p, q: torch.add(p, q, alpha=1),
    "method": lambda p, q: p.add(q),
    "in place": added_in_place,
    "minus minus": lambda p, q: p - (-q),
    "reversed": lambda p, q: -((-p) - q),
    "subtracted in place": subtracted_in_place,
    "rsub": lambda p, q: torch.rsub(-p, q),
    "stack": lambda p, q: torch.stack([p, q]).sum(0),
    "stack behind": lambda p, q: torch.stack([p, q], -1).sum(-1),
    "zennit": lambda p, q: zennit.layer.Sum()(torch.stack([p, q], -1)),
    "cat": lambda p, q: torch.cat([p[:, None], q[:, None]], 1).sum(1),
    "python": lambda p, q: sum([p, q]),
    "mean": lambda p, q: torch.stack([p, q]).mean(0) * 2,
    "weighted": lambda p, q: 4 * (0.25 * p + 0.25 * q),
    "alpha of four": lambda p, q: torch.add(p, q / 4, alpha=4),
    "addcmul": lambda p, q: torch.addcmul(p, q, torch.ones(()), value=1),
    "lerp": lambda p, q: 2 * torch.lerp(p, q, 0.5),
    "einsum": lambda p, q: torch.einsum("kbchw->bchw", torch.stack([p, q])),
    "broadcast": lambda p, q: (p[None] + q[None])[0],
    "assigned": assigned,
    "float": lambda p, q: (p.double() + q.double()).float(),
}


@pytest.mark.parametrize("spelling", SUMS)
def test_sums_in_any_spelling_are_the_same(spelling, images):
    plain = Joined(lambda p, q: p + q)
    neurons = plain(images).flatten(2).sum(2).argmax(1).tolist()
    expected = localise(target(plain, "d"), images, "d", neurons)
    other = Joined(SUMS[spelling])
    torch.testing.assert_close(other(images), plain(images))
    assert_same(localise(target(other, "d"), images, "d", neurons), expected)
    assert method_of(target(other, "d"), "d") == PLAIN


class Rnn(nn.Module):
    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(0)
        self.rnn = kind(6, 6, batch_first=True)

    def forward(self, y):
        tokens = y.flatten(2).transpose(1, 2)
        return self.rnn(tokens)[0].transpose(1, 2).reshape(y.shape)


class Own(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, y):
        return y * 3

    @staticmethod
    def backward(_ctx, gradient):
        return gradient * 3


OFFSETS = torch.zeros(1, 18, SIDE, SIDE)
GRID = torch.rand(1, SIDE, SIDE, 2, generator=torch.Generator().manual_seed(0))
NAMED = {
    "abs passes relevance on": torch.abs,
    "sqrt passes relevance on": lambda y: (y + 1).sqrt(),
    "square passes relevance on": torch.square,
    "pow passes relevance on": lambda y: y**2,
    "exp passes relevance on": torch.exp,
    "sin passes relevance on": torch.sin,
    "rdiv passes relevance on": lambda y: 1 / (1 + y),
    "logsumexp by gradient": lambda y: y.logsumexp(1, keepdim=True).expand(-1, 6, -1, -1),
    "std by gradient": lambda y: y.std((2, 3), keepdim=True).expand(y.shape),
    "prod by gradient": lambda y: torch.stack([y, y + 1]).prod(0),
    "lp_pool2d by gradient times input": lambda y: functional.lp_pool2d(y, 2, 2),
    "lstm by gradient": Rnn(nn.LSTM),
    "gru by gradient": Rnn(nn.GRU),
    "rnn_tanh by gradient": Rnn(nn.RNN),
    "deform_conv2d by gradient": lambda y: torchvision.ops.deform_conv2d(
        y, OFFSETS.expand(len(y), -1, -1, -1), torch.ones(6, 6, 3, 3), padding=1
    ),
    "grid_sample by gradient": lambda y: functional.grid_sample(
        y, GRID.expand(len(y), -1, -1, -1), align_corners=False
    ),
    "fft_irfft2 by gradient": lambda y: torch.fft.irfft2(torch.fft.rfft2(y)),
    "Own by gradient": Own.apply,
    "factors share relevance evenly": lambda y: y * torch.tanh(y),
    "gates take no relevance": lambda y: y * y.mean((2, 3), keepdim=True).sigmoid(),
    "divisors take no relevance": lambda y: y / (1 + y.mean(1, keepdim=True)),
    "norms over one image pass relevance on": lambda y: functional.normalize(y, dim=1),
}


@pytest.mark.parametrize("words", NAMED)
def test_what_has_no_rule_of_the_papers_is_named(words):
    t = target(Between(NAMED[words]), "b")
    assert words in method_of(t, "b").split("; ")


@pytest.mark.parametrize(
    "gate",
    [
        lambda y: y * y.mean((2, 3), keepdim=True).exp().sigmoid(),
        lambda y: y * y.mean((2, 3), keepdim=True).sigmoid().expand_as(y),
        lambda y: y * y.abs().mean(1, keepdim=True),
    ],
)
def test_the_inside_of_a_gate_is_no_matter(gate):
    """Relevance does not flow through it, so that nothing in it makes a map inexact."""
    t = target(Between(gate), "b")
    assert method_of(t, "b") == f"{PLAIN}; gates take no relevance"


@pytest.mark.parametrize(
    "curve",
    [
        functional.relu6,
        lambda y: y.clamp(0, 6),
        lambda y: torch.clip(y, 0, 6),
        lambda y: torch.minimum(y.clamp(min=0), torch.tensor(6.0)),
        lambda y: functional.hardtanh(y, 0, 6),
        lambda y: y * (y > 0),
        lambda y: torch.where(y > 0, y, 0),
        lambda y: y.clone().clamp_(0, 6),
        lambda y: functional.dropout(y, training=False).contiguous(),
        lambda y: functional.interpolate(y, scale_factor=2)[:, :, ::2, ::2],
        lambda y: torch.cat([*y.split(2, 1)], 1),
        lambda y: torch.stack([part for part in y.movedim(1, 0)], 1),  # noqa: C416 - iteration
        lambda y: functional.pad(y, (1, 1, 1, 1))[:, :, 1:-1, 1:-1],
        lambda y: y.roll(3, 2).roll(-3, 2),
        lambda y: functional.pixel_shuffle(functional.pixel_unshuffle(y, 2), 2),
    ],
)
def test_what_changes_nothing_behind_a_relu_changes_no_map(curve, images):
    plain, other = Between(nn.Identity()), Between(curve)
    neurons = plain(images).flatten(2).sum(2).argmax(1).tolist()
    expected = localise(target(plain, "b"), images, "b", neurons)
    assert_same(localise(target(other, "b"), images, "b", neurons), expected)
    assert method_of(target(other, "b"), "b") == PLAIN
