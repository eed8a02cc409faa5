"""A function of one's own model family: one row in the table of operations."""

import torch
from torch import nn

from semlens_widgets.attribution.neuron import localise, method_of
from semlens_widgets.attribution.operations import OPERATIONS, Operation
from semlens_widgets.inputs.target import TargetModel

PLAIN = "CRP EpsilonPlusFlat"


class Bent(nn.Module):
    """Two convolutions with a curve between them that is in no table."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.last = nn.Conv2d(4, 2, 1, bias=False)
        with torch.no_grad():
            self.first.weight.abs_().mul_(0.2)
            self.last.weight.abs_()

    def forward(self, x):
        return self.last(self.curve(self.first(x)))

    def curve(self, x):
        return torch.erfinv(x.clamp(max=0.9))


class Straight(Bent):
    def curve(self, x):
        return x


def seen(model, images):
    target = TargetModel(model, ["last"], transform=lambda _: images[0])
    return method_of(target, "last"), localise(target, images, "last", [0, 1])


def test_a_row_makes_a_function_known(monkeypatch):
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 0.3
    method, by_gradient = seen(Bent(), images)
    assert method == f"{PLAIN}; erfinv by gradient"

    monkeypatch.setitem(OPERATIONS, "erfinv", Operation("kept", "pass", "identity"))
    method, passed_on = seen(Bent(), images)
    assert method == PLAIN
    assert not torch.allclose(passed_on, by_gradient)
    # Handed on unchanged, relevance is spread as in the model without the curve.
    _, straight = seen(Straight(), images)
    together = torch.stack([passed_on.flatten(), straight.flatten()])
    assert torch.corrcoef(together)[0, 1] > 0.99
    torch.testing.assert_close(
        passed_on.sum((1, 2)),
        Bent()(images).movedim(1, 0)[[0, 1], [0, 1]].sum((1, 2)),
        rtol=1e-3,
        atol=1e-3,
    )
