"""Corrections of a layer, and what variants of a model answer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import semlens_widgets as slw
from semlens_widgets.errors import ModelError
from semlens_widgets.inputs.answers import target_logits, variant_logits
from semlens_widgets.inputs.corrections import Correction
from tests.colour_world import ColourNet, to_tensor


def images(count: int = 5) -> torch.Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def hooked(model: nn.Module, layer: str, change, x: torch.Tensor) -> torch.Tensor:
    """The truth: the model with a hook of plain torch."""
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, y: change(y.clone()))
    try:
        with torch.no_grad():
            return model(x)
    finally:
        handle.remove()


def zeroed(y):
    y[:, 1] = 0
    return y


def doubled(y):
    y[:, [0, 2]] *= 2
    return y


def bounded(y):
    y[:, 2] = y[:, 2].clamp(max=0.4)
    return y


def projected(y):
    v = torch.tensor([1.0, 2.0, 0.5])
    along = torch.einsum("bchw,c->bhw", y, v)
    return y + torch.einsum("bhw,c->bchw", (0.3 - along) / (v @ v), v)


CHANGES = {
    "zero": (zeroed, lambda: Correction(3).setting([1], 0)),
    "scale": (doubled, lambda: Correction(3).scaling([0, 2], 2)),
    "clamp": (bounded, lambda: Correction(3).bounding([2], torch.tensor([0.4]))),
    "project": (
        projected,
        lambda: Correction(3).projecting(torch.tensor([1.0, 2.0, 0.5]), 0.3),
    ),
}


@pytest.fixture
def target():
    return slw.TargetModel(ColourNet(), ["seen", "mixed"], transform=to_tensor, poles="positive")


def test_a_correction_does_what_a_hook_would(target):
    x = images()
    variants = [{"seen": made()} for _, made in CHANGES.values()]
    found = variant_logits(target, x, [{}, *variants])
    assert torch.allclose(found[0], target_logits(target, x), atol=1e-6)
    for answers, (change, _) in zip(found[1:], CHANGES.values(), strict=True):
        truth = hooked(ColourNet(), "seen", change, x)
        assert torch.allclose(answers, truth, atol=1e-5)
        assert not torch.allclose(answers, found[0], atol=1e-3)


def test_several_layers_are_changed_together(target):
    x = images()
    both = {"seen": Correction(3).setting([1], 0), "mixed": Correction(4).setting([0], 0.5)}
    found = variant_logits(target, x, [both, {"mixed": both["mixed"]}, {}])
    model = ColourNet()
    with torch.no_grad():
        seen = model.seen(x)
        rest = []
        for values in (zeroed(seen.clone()), seen):
            mixed = model.mixed(values)
            mixed[:, 0] = 0.5
            rest.append(model.head(model.relu(mixed).mean((2, 3))))
    assert torch.allclose(found[0], rest[0], atol=1e-5)
    assert torch.allclose(found[1], rest[1], atol=1e-5)
    assert torch.equal(found[2], target_logits(target, x))


class Around(nn.Module):
    """A connection leads around the layer, and the batch is counted before it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        self.second = nn.Conv2d(4, 4, 1)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        around = self.first(x)
        return (around + self.second(around)).mean((2, 3)).reshape(len(x), -1)


@pytest.mark.parametrize("count", [1, 4])
def test_where_a_connection_leads_around_each_variant_runs_alone(count):
    torch.manual_seed(0)
    model = Around()
    target = slw.TargetModel(model, ["second"], transform=to_tensor)
    x = images(count)
    found = variant_logits(target, x, [{}, {"second": Correction(4).setting([1], 0)}])
    assert torch.allclose(found[1], hooked(model, "second", zeroed, x), atol=1e-6)
    assert torch.allclose(found[0], model(x).detach(), atol=1e-6)


def test_a_batch_larger_than_is_computed_at_once_is_cut(target, monkeypatch):
    from semlens_widgets.inputs import answers

    variants = [{"seen": Correction(3).setting([at % 3], 0)} for at in range(4)]
    whole = variant_logits(target, images(), variants)
    monkeypatch.setattr(answers, "_ROWS", 8)
    assert torch.allclose(variant_logits(target, images(), variants), whole, atol=1e-6)


def test_what_is_no_tensor_cannot_be_changed():
    class Two(nn.Module):
        def forward(self, x):
            return x, x

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.two = Two()

        def forward(self, x):
            return self.two(x)[0].mean((2, 3))

    channels = {"two": "first"}
    target = slw.TargetModel(Model(), ["two"], transform=to_tensor, channels=channels)
    with pytest.raises(ModelError, match="'two' returns tuple"):
        variant_logits(target, images(), [{"two": Correction(3).setting([0], 0)}])
