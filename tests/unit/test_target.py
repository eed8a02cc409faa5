"""Activations against what the layers return when called by hand."""

from typing import ClassVar

import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

from semlens_widgets.inputs.target import TargetModel, pool


class Net(nn.Module):
    """Convolution and batch norm followed by an in-place ReLU, and a shared one."""

    executed: ClassVar[list[str]] = []  # by any copy

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(5, 4, 3)
        self.pair = Pair()
        self.head = nn.Linear(4, 2)
        self.unused = nn.Linear(1, 1)

    def forward(self, x):
        x = self.relu(self.norm(self.conv(x)))
        self.executed.append("first")
        x = self.relu(self.second(x))
        self.executed.append("second")
        x = self.pair(x)[0].mean((2, 3))
        x = self.head(x)
        self.executed.append("head")
        return x


class Pair(nn.Module):
    def forward(self, x):
        return x, {"twice": 2 * x}


@pytest.fixture
def images():
    return torch.randn(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval()


def target(net, layers, **options):
    options.setdefault("poles", "positive")
    return TargetModel(net, layers, transform=lambda _: torch.zeros(3, 12, 12), **options)


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.parametrize(("pooling", "reduce"), [("mean", "mean"), ("max", "amax")])
def test_units_are_pooled_outputs_of_the_layers(net, images, pooling, reduce):
    units = target(net, ["second", "norm"], pooling=pooling).units(images)
    with torch.no_grad():
        norm = net.norm(net.conv(images))
        second = net.second(norm.relu())
    assert list(units) == ["second", "norm"]
    torch.testing.assert_close(units["norm"], getattr(norm, reduce)((2, 3)))
    torch.testing.assert_close(units["second"], getattr(second, reduce)((2, 3)))


def test_units_do_not_depend_on_which_layers_are_asked_together(net, images):
    both = target(net, ["norm", "head"]).units(images)
    alone = target(net, ["norm"])
    for _ in range(2):  # the first pass goes to the end, later ones stop early
        assert torch.equal(alone.units(images)["norm"], both["norm"])


def test_forward_stops_after_the_last_layer_in_order_of_execution(net, images):
    t = target(net, ["second", "conv"])
    t.units(images)
    net.executed.clear()
    t.units(images)
    assert net.executed == ["first"]


def test_no_hook_and_no_gradient_is_left(net, images):
    t = target(net, ["conv", "head"])
    units = t.units(images)
    assert hooks(net) == 0
    assert not units["head"].requires_grad
    assert all(p.requires_grad for p in net.parameters())


def test_hooks_go_even_when_the_model_fails(net):
    t = target(net, ["conv", "head"])
    with pytest.raises(RuntimeError):
        t.units(torch.zeros(2, 4, 12, 12))  # four colours
    assert hooks(net) == 0


def test_the_models_own_exception_is_not_mistaken_for_the_end(images):
    class Failing(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x):
            self.conv(x)
            raise ArithmeticError("own")

    with pytest.raises(ArithmeticError, match="own"):
        target(Failing(), ["conv"]).units(images)


def test_first_tensor_of_tuples_and_dictionaries_counts(net, images):
    units = target(net, ["pair"]).units(images)["pair"]
    assert units.shape == (6, 4)


def test_tokens_pool_over_positions_and_take_the_class_token(images):
    torch.manual_seed(0)
    vit = VisionTransformer(12, 4, 1, 2, 8, 16).eval()
    layer = "encoder.layers.encoder_layer_0"
    tokens = target(vit, [layer]).output(images, layer)
    assert tokens.shape == (6, 10, 8)
    for pooling, expected in (
        ("mean", tokens.mean(1)),
        ("max", tokens.amax(1)),
        ("cls", tokens[:, 0]),
        (lambda y: y[:, 1:].sum(1), tokens[:, 1:].sum(1)),
    ):
        units = target(vit, [layer], pooling=pooling).units(images)[layer]
        torch.testing.assert_close(units, expected)


def test_autocast_is_the_targets_choice_and_gives_float32(net, images, monkeypatch):
    exact = target(net, ["conv", "head"]).units(images)
    cast = target(net, ["conv", "head"], autocast=True)
    rounded = cast.units(images)
    assert {u.dtype for u in rounded.values()} == {torch.float32}
    assert not torch.equal(rounded["conv"], exact["conv"])
    torch.testing.assert_close(rounded["conv"], exact["conv"], atol=0.02, rtol=0.02)
    # The map is rounded, its mean is not: that is what tells neurons' activations apart.
    assert not torch.equal(rounded["conv"], rounded["conv"].bfloat16().float())
    output = cast.output(images, "conv")
    assert not torch.equal(output, output.bfloat16().float())
    with torch.autocast("cpu", dtype=torch.bfloat16):  # the caller's own has no say
        assert torch.equal(target(net, ["conv"]).units(images)["conv"], exact["conv"])
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda _: False)
    with pytest.raises(ValueError, match="autocast: torch has none for device 'cpu'"):
        target(Net(), ["conv"], autocast=True)


def test_units_of_an_encoder_are_not_autocast(net, images):
    thirds = target(net, ["conv"], autocast=True, units={"conv": torch.eye(5) / 3})
    channels = target(net, ["conv"], autocast=True).units(images)["conv"]
    torch.testing.assert_close(thirds.units(images)["conv"], channels / 3, rtol=1e-5, atol=1e-7)


def test_units_are_float32_in_half_precision(net, images):
    half = target(net.to(torch.bfloat16), ["conv"]).units(images)["conv"]
    assert half.dtype == torch.float32
    assert half.unique().numel() > half.bfloat16().unique().numel()  # pooled beyond half precision


def test_pooled_values_share_no_memory_with_the_layer():
    flat = torch.ones(2, 3)
    pooled = [pool(flat, "mean"), pool(flat, lambda y: y), pool(flat[:, None], "cls")]
    flat.zero_()
    assert all(bool((p == 1).all()) for p in pooled)


def test_n_units_needs_no_image_of_the_caller(net):
    t = target(net, ["conv", "head"])
    assert (t.n_units("conv"), t.n_units("head")) == (5, 2)


def test_transform_gets_a_picture():
    seen = []

    def transform(image):
        seen.append(image)
        return torch.zeros(3, 12, 12)

    assert TargetModel(Net(), ["conv"], transform=transform, poles="positive").n_units("conv") == 5
    assert isinstance(seen[0], Image.Image)
    assert seen[0].mode == "RGB"


def test_a_model_in_training_mode_is_seen_in_evaluation_mode_and_stays_as_it_is(net, images):
    expected = target(net, ["norm"]).units(images)["norm"]
    t = target(net.train(), ["norm"])
    before = net.norm.running_mean.clone()
    assert torch.equal(t.units(images)["norm"], expected)
    assert all(module.training for module in net.modules())
    assert torch.equal(net.norm.running_mean, before)


def test_a_target_is_named(net):
    assert repr(target(net, ["norm"])) == "TargetModel(Net, layers=['norm'])"


@pytest.mark.parametrize(
    ("layers", "options", "error", "words"),
    [
        ([], {}, ValueError, "layers is empty"),
        (["sceond"], {}, ValueError, "'sceond'.*did you mean 'second'"),
        (["xyz"], {}, ValueError, "Available are 'conv', 'norm'"),
        (["conv", "conv"], {}, ValueError, "'conv' more than once"),
        ("conv", {}, TypeError, "layers must be a list"),
        (["conv"], {"pooling": "median"}, ValueError, "pooling='median'"),
    ],
)
def test_mistakes_are_named_at_once(net, layers, options, error, words):
    with pytest.raises(error, match=words):
        target(net, layers, **options)


@pytest.mark.parametrize(
    ("layer", "options", "words"),
    [
        ("relu", {}, "'relu' is called 2 times"),
        ("unused", {}, "'unused' is never called"),
        ("conv", {"pooling": "cls"}, "'conv'.*needs tokens"),
        ("conv", {"pooling": lambda y: y}, r"'conv'.*must return \(batch, neurons\)"),
    ],
)
def test_layers_without_clear_neurons_are_refused(net, images, layer, options, words):
    with pytest.raises(ValueError, match=words):
        target(net, [layer], **options).units(images)
    assert hooks(net) == 0


def test_unknown_layer_and_wrong_shape_are_refused(net, images):
    t = target(net, ["conv"])
    with pytest.raises(ValueError, match="layer='head' is not one"):
        t.n_units("head")
    with pytest.raises(ValueError, match=r"images has shape \(3, 12, 12\)"):
        t.units(images[0])


def test_output_whose_batch_is_not_first_is_refused(images):
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.turn = Turn()

        def forward(self, x):
            return self.turn(x)

    class Turn(nn.Module):
        def forward(self, x):
            return x.flatten(2).permute(2, 0, 1)

    with pytest.raises(ValueError, match="batch must come first"):
        target(Turned(), ["turn"]).units(images)
