"""Rules for functions: any spelling equals its module twin, and what has no rule is named."""

import copy

import pytest
import torch
import torchvision
import zennit.layer
from timm.layers import BatchNormAct2d
from torch import nn
from torch.nn import functional
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import EpsilonPlusFlat

from semlens_widgets.attribution.crp import arrived_share
from semlens_widgets.attribution.neuron import localise, localise_shares, method_of, method_said
from semlens_widgets.attribution.operations import OPERATIONS, called
from semlens_widgets.inputs.target import TargetModel

SIDE = 12
PLAIN = "CRP EpsilonPlusFlat"


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def target(model, layer, **options):
    return TargetModel(
        model, [layer], transform=lambda _: torch.full((3, SIDE, SIDE), 0.5), **options
    )


def zennit_maps(modules, images, neurons):
    """Relevance by zennit's hooks on a sequence of modules, from each image's neuron."""
    composite = EpsilonPlusFlat([SequentialMergeBatchNorm()])
    with composite.context(copy.deepcopy(modules).eval()) as model:
        data = images.clone().requires_grad_()
        output = model(data)
        pick = torch.zeros_like(output)
        for i, neuron in enumerate(neurons):
            pick[i, neuron] = output[i, neuron].detach()
        return torch.autograd.grad(output, data, pick)[0].sum(1)


def assert_same(maps, expected, tolerance=1e-4):
    assert expected.flatten(1).any(1).all()
    scale = expected.abs().amax((1, 2), keepdim=True)
    torch.testing.assert_close(maps / scale, expected / scale, rtol=tolerance, atol=tolerance / 10)


class Pooled(nn.Module):
    def __init__(self, pool):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 6, 3, padding=1)
        self.fc = nn.Linear(6, 4)
        nn.init.uniform_(self.fc.weight)
        self.pool = pool

    def forward(self, x):
        return self.fc(self.pool(torch.relu(self.b(torch.relu(self.a(x))))))


POOLS = {
    "mean": lambda y: y.mean((2, 3)),
    "torch.mean, kept axes": lambda y: torch.mean(y, dim=[-2, -1], keepdim=True)[..., 0, 0],
    "mean twice": lambda y: y.mean(3).mean(2),
    "flatten": lambda y: y.flatten(2).mean(2),
    "view": lambda y: y.view(*y.shape[:2], -1).mean(-1),
    "tokens": lambda y: y.flatten(2).transpose(1, 2).mean(1),
    "channels last": lambda y: y.permute(0, 2, 3, 1).reshape(len(y), -1, 6).mean(dim=1),
    "sum and quotient": lambda y: y.sum((2, 3)) / SIDE**2,
    "sum and product": lambda y: y.sum(-1).sum(-1) * SIDE**-2,
    "avg_pool2d": lambda y: functional.avg_pool2d(y, SIDE).flatten(1),
    "adaptive_avg_pool2d": lambda y: functional.adaptive_avg_pool2d(y, 1)[:, :, 0, 0],
    "avg_pool1d": lambda y: functional.avg_pool1d(y.flatten(2), SIDE**2).squeeze(2),
    "einsum": lambda y: torch.einsum("bchw->bc", y) / SIDE**2,
    "product of matrices": lambda y: y.flatten(2) @ torch.full((SIDE**2,), SIDE**-2.0),
    "einsum with constants": lambda y: torch.einsum(
        "bchw,hw->bc", y, torch.full((SIDE, SIDE), SIDE**-2.0)
    ),
    "in place": lambda y: y.sum((2, 3)).div_(SIDE**2),
    "module": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
}


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


class Between(nn.Module):
    """Something between two convolutions."""

    def __init__(self, inner):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)
        self.inner = inner

    def forward(self, x):
        return self.b(self.inner(torch.relu(self.a(x))))


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
