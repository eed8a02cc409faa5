"""A network whose model is looked at, and whether anything of it was touched."""

from __future__ import annotations

import torch
from torch import nn

from semlens_widgets.attribution.neuron import localise
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.inputs.target import TargetModel

SIDE = 10


def images(count=4, seed=0):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


class Net(nn.Module):
    """A batch norm that can be merged, a rectifier in place, a head."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(3, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Conv2d(6, 8, 3)
        self.head = nn.Linear(8, 4)
        self.wide = nn.Linear(64, 40)  # large enough to be compared by sums
        self.norm.running_mean.uniform_(-0.2, 0.2)
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x = self.last(self.relu(self.norm(self.conv(x))))
        return self.head(x.relu().mean((2, 3)))


def target(model, layers=("last",), **options):
    options.setdefault("poles", "positive")
    return TargetModel(model, list(layers), transform=lambda _: images(1)[0], **options)


def all_of(t, layer="last"):
    """Activations, heatmaps and relevance."""
    return [
        t.units(images())[layer],
        localise(t, images(), layer, [0, 1, 2, 3]),
        output_relevance(t, images())[0][layer],
    ]


def state(model):
    return {
        "modules": [
            (name, module, module.training, dict(vars(module).get("_forward_hooks", {})))
            for name, module in model.named_modules()
        ],
        "pre": [dict(module._forward_pre_hooks) for module in model.modules()],
        "flags": [
            (name, p, p.requires_grad, p.grad, p._version, p.data_ptr())
            for name, p in model.named_parameters()
        ],
        "values": {name: value.clone() for name, value in model.state_dict().items()},
        "own": {name: set(vars(module)) for name, module in model.named_modules()},
    }


def assert_untouched(model, before):
    now = state(model)
    for key in ("modules", "pre", "own"):
        assert now[key] == before[key], key
    for a, b in zip(now["flags"], before["flags"], strict=True):
        assert a[0] == b[0]
        assert a[1] is b[1]
        assert a[2:] == b[2:]
    for name, value in before["values"].items():
        assert torch.equal(now["values"][name], value), name


def same(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
