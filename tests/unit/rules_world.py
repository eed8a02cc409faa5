"""Maps by these rules beside those of zennit, for small models."""

import copy

import torch
from torch import nn
from torch.nn import functional
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import EpsilonPlusFlat

from semlens_widgets.attribution.neuron import relevance_boxes
from semlens_widgets.inputs.target import TargetModel

SIDE = 12
PLAIN = "CRP EpsilonPlusFlat"


def random_images():
    return torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def target(model, layer, **options):
    options.setdefault("poles", "positive")
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


class Between(nn.Module):
    """Something between two convolutions."""

    def __init__(self, inner):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)
        self.inner = inner

    def forward(self, x):
        return self.b(self.inner(torch.relu(self.a(x))))


def relevance_box(relevance, **options):
    """The box of one map."""
    return tuple(relevance_boxes(torch.as_tensor(relevance)[None], **options)[0][0].tolist())
