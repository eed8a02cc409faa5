"""Both poles of a neuron: which layers have them, what they are, and that nothing is lost."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

import semlens_widgets as slw
from semlens_widgets.attribution.neuron import localise, localise_shares, method_of
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.attribution.trace import (
    Goal,
    conditional_relevance,
    layers_below,
    trace_method,
)
from semlens_widgets.errors import StoreError
from semlens_widgets.inputs.corrections import Correction
from semlens_widgets.inputs.poles import neuron_name, neuron_number
from tests.colour_world import ColourNet, to_tensor

SIDE = 12


class Net(nn.Module):
    """A rectified layer, one in front of a rectifier, and outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.low = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU())
        self.raw = nn.Conv2d(6, 5, 3, padding=1, bias=False)
        self.out = nn.Linear(5, 4)

    def forward(self, x):
        return self.out(self.raw(self.low(x)).relu().mean((2, 3)))


@pytest.fixture
def images():
    return torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def target(model, layers, **options):
    return slw.TargetModel(model, layers, transform=lambda _: torch.rand(3, SIDE, SIDE), **options)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_poles_are_split_at_each_position_and_then_pooled(images, pooling):
    t = target(Net(), ["raw"], pooling=pooling)
    a = t.output(images, "raw").numpy()
    reduce = np.mean if pooling == "mean" else np.max
    poles = [reduce(np.maximum(sign * a, 0), axis=(2, 3)) for sign in (1, -1)]
    np.testing.assert_allclose(t.units(images)["raw"], np.concatenate(poles, 1), rtol=1e-5)
    assert t.n_units("raw") == 10


def test_a_function_pools_each_pole_by_itself(images):
    t = target(Net(), ["raw"], pooling=lambda y: y.amax((2, 3)), poles="both")
    named = target(Net(), ["raw"], pooling="max").units(images)
    assert torch.equal(t.units(images)["raw"], named["raw"])
    assert target(Net(), ["raw"], pooling=lambda y: y.amax((2, 3))).both_poles() == ()


@pytest.mark.parametrize(
    ("last", "both"),
    [
        (nn.Identity(), True),
        (nn.BatchNorm2d(4), True),
        (nn.Tanh(), True),
        (nn.ReLU(inplace=True), False),
        (nn.Sigmoid(), False),
        (nn.Softplus(), False),
        (nn.GELU(), False),
        (nn.SiLU(), False),
        (nn.Hardswish(inplace=True), False),
        (nn.LeakyReLU(0.1), False),
        (nn.Sequential(nn.GELU(), nn.Dropout(), nn.AvgPool2d(2)), False),
        (nn.Sequential(nn.GELU(), nn.Conv2d(4, 4, 1)), True),
    ],
)
def test_which_layers_have_them_follows_from_what_they_do(last, both, images):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), last)
    assert target(model, ["1"]).both_poles(images) == (("1",) if both else ())
    assert target(model, ["1"], poles="positive").both_poles(images) == ()
    assert target(model, ["1"], poles={"1": "both"}).both_poles(images) == ("1",)


def test_a_sum_with_what_a_rectifier_made_is_none_of_it(images):
    class Block(nn.Module):
        def forward(self, x):
            y = nn.functional.gelu(x)
            y += x
            return y

    model = nn.Sequential(nn.Conv2d(3, 4, 3), Block())
    assert target(model, ["1"]).both_poles(images) == ("1",)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_blocks_of_a_transformer_have_them_and_its_gelu_has_not(images, pooling):
    torch.manual_seed(1)
    vit = VisionTransformer(
        image_size=SIDE, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=16
    )
    block, gelu = "encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1.mlp.1"
    t = target(vit, [block, gelu], pooling=pooling)
    assert t.both_poles(images) == (block,)
    units = t.units(images)
    tokens = t.output(images, block).numpy()
    poles = np.concatenate([np.maximum(tokens, 0), np.maximum(-tokens, 0)], 2)
    pooled = poles.mean(1) if pooling == "mean" else poles[:, 0]
    np.testing.assert_allclose(units[block], pooled, rtol=1e-4, atol=1e-6)
    assert units[gelu].shape[1] == 16
    # Its map is its own values over the patches, behind the class token.
    maps = localise(t, images[:1], block, [8 + 3])
    grid = torch.from_numpy(poles[:1, 1:, 8 + 3]).reshape(1, 1, 3, 3)
    grown = nn.functional.interpolate(grid, size=(SIDE, SIDE), mode="bilinear")
    torch.testing.assert_close(maps, grown[:, 0])


def test_units_of_an_encoder_are_left_as_they_are_given(images):
    t = target(Net(), ["raw"], units={"raw": torch.eye(5)}, poles="both")
    assert t.both_poles(images) == ()
    with pytest.raises(ValueError, match=r"units of an encoder.*torch.cat"):
        target(Net(), ["raw"], units={"raw": torch.eye(5)}, poles={"raw": "both"})


def test_wrong_choices_are_refused():
    with pytest.raises(ValueError, match="poles='negative'"):
        target(Net(), ["raw"], poles="negative")
    with pytest.raises(ValueError, match="poles names 'other'"):
        target(Net(), ["raw"], poles={"other": "both"})


def test_names():
    assert [neuron_name(n, 5) for n in (0, 4, 5, 9)] == ["0", "4", "0-", "4-"]
    assert neuron_name(9, None) == "9"
    assert all(neuron_number(neuron_name(n, 5), 5) == n for n in range(10))
    assert [neuron_number(name, 5) for name in ("5-", "-1", "a", "", "1--")] == [None] * 5
    assert neuron_number("3-", None) is None


def test_the_heatmap_of_a_negative_pole_is_that_of_the_neuron_turned_round(images):
    """A network whose layer is negated shows in the positive pole what the negative one showed."""
    net, turned = Net().eval(), Net().eval()
    with torch.no_grad():
        turned.raw.weight.neg_()
    neurons = [0, 1, 2, 4]
    one, arrived = localise_shares(target(net, ["raw"]), images, "raw", [5 + n for n in neurons])
    other = localise(target(turned, ["raw"]), images, "raw", neurons)
    torch.testing.assert_close(one, other)
    assert one.amin() >= 0  # it starts where the pole is active, and nothing but it
    np.testing.assert_allclose(arrived, 1, atol=1e-3)
    # By the z+ rule alone it would be shared by what makes the channel positive.
    plain = target(net, ["raw"], poles="positive")
    channel = localise(plain, images, "raw", neurons)
    assert (one + channel).abs().amax() > 0.1 * one.amax()
    assert method_of(target(net, ["raw"]), "raw").endswith("; z+ by the sign of what is explained")


def test_relevance_of_an_output_goes_to_the_pole_that_is_active(images):
    outputs = torch.tensor([0, 1, 2, 3])

    class Linear(Net):
        def forward(self, x):
            return self.out(self.raw(self.low(x)).mean((2, 3)))

    t = target(Linear(), ["raw"])
    found = output_relevance(t, images, outputs).relevance["raw"]
    a = t.output(images, "raw").numpy()
    weight = t.model.out.weight.detach().numpy()[outputs][:, :, None, None] / SIDE**2
    expected = [(part * weight).sum((2, 3)) for part in (np.maximum(a, 0), np.minimum(a, 0))]
    np.testing.assert_allclose(found, np.concatenate(expected, 1), rtol=2e-3, atol=2e-4)


def test_traces_lead_through_poles_and_lose_nothing(images):
    t = target(Net(), ["low", "raw"])
    goal = Goal("", 1)
    assert layers_below(t, goal) == ("raw", "low")
    whole, _ = conditional_relevance(t, images, goal, "low")
    _, through = conditional_relevance(t, images, goal, "low", "raw", range(10))
    torch.testing.assert_close(through.sum(0), whole, rtol=1e-3, atol=1e-5)
    assert trace_method(t, goal).endswith("by the sign of what is explained")
    # Of a pole: what starts is its own activation, all of which arrives below.
    pole = Goal("raw", 5 + 2)
    relevance, _ = conditional_relevance(t, images, pole, "low")
    activation = t.units(images)["raw"][:, 7] * SIDE**2
    torch.testing.assert_close(relevance.sum(1), activation, rtol=1e-3, atol=1e-4)


def test_a_pole_is_changed_and_the_other_left():
    values = torch.randn(3, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    without = Correction(10, poles=True).setting([5 + 2], 0)(values)
    expected = values.clone()
    expected[:, 2] = values[:, 2].clamp(min=0)
    assert torch.equal(without, expected)
    assert torch.equal(Correction(10, poles=True)(values), values)
    halved = Correction(10, poles=True).scaling([2], 0.5)(values)
    expected[:, 2] = torch.where(values[:, 2] > 0, values[:, 2] / 2, values[:, 2])
    assert torch.equal(halved, expected)


# -- in a lens: channel 3 of "mixed" is darkness, so that its negative pole is brightness ----------


@pytest.fixture
def poled(colour_lens):
    def make(**changes):
        options = {"outputs": ["red", "green"], "name": "ColourNet"} | changes
        t = slw.TargetModel(ColourNet(), ["seen", "mixed"], transform=to_tensor, **options)
        return colour_lens(target=t)

    return make


def test_a_lens_has_them_as_neurons(poled):
    lens = poled().run()
    assert lens.poles == {"mixed": 4}
    names = lens.neurons.loc[lens.neurons["layer"] == "mixed", "name"].tolist()
    assert names == ["0", "1", "2", "3", "0-", "1-", "2-", "3-"]
    pixels = torch.stack([to_tensor(lens.images.load(i)) for i in range(60)]).numpy()
    brightness = pixels.sum(1).mean((1, 2))
    found = lens.examples("mixed", "3-")
    assert found["sample"].tolist() == np.argsort(-brightness, kind="stable")[:6].tolist()
    np.testing.assert_allclose(found["activation"], np.sort(brightness)[::-1][:6], rtol=1e-5)
    np.testing.assert_allclose(lens.activations("mixed", "3-"), brightness, rtol=1e-5)
    assert lens.neurons["dead"][lens.neurons["name"] == "3"].iloc[-1]  # never positive
    # Channel 0 is red less green: its poles are told apart by their words.
    lens.label(["red", "green", "blue"], scorer="correlation")
    labels = lens.neurons.set_index(["layer", "name"])["label"]
    assert labels["mixed", "0"] == "red"
    assert labels["mixed", "0-"] == "green"
    lens.set_label("mixed", "3-", "bright")
    assert lens.neurons["label"].iloc[-1] == "bright"
    assert lens.heatmap("mixed", "3-", int(found["sample"][0])).values.max() == 255


def test_a_name_that_no_neuron_has_is_refused(poled):
    lens = poled().run()
    with pytest.raises(IndexError, match=r"'4-' is none of layer 'mixed'.*\"0-\" to \"3-\""):
        lens.examples("mixed", "4-")
    with pytest.raises(IndexError, match="no negative poles"):
        lens.examples("seen", "1-")


def test_views_name_them(poled, tmp_path):
    lens = poled().run()
    gallery = lens.gallery("mixed", "3-")
    assert gallery.active == ("mixed", 7)
    assert repr(gallery) == "ConceptGallery(mixed / 3-)"
    assert gallery.get_state("_poles") == {"_poles": {"mixed": 4}}
    gallery.to_html(tmp_path / "page.html")
    assert '"_poles":{"mixed":4}' in (tmp_path / "page.html").read_text()
    gallery.active = ("mixed", "0-")
    assert gallery.active == ("mixed", 4)


def test_an_intervention_takes_a_pole_out_of_the_model(poled):
    lens = poled().run()
    model = lens.intervene([("mixed", "0-")]).model()
    x = torch.rand(2, 3, 5, 5)
    taken = []
    model.mixed.register_forward_hook(lambda _m, _i, output: taken.append(output))
    model(x)
    expected = ColourNet().mixed(x)
    expected[:, 0] = expected[:, 0].clamp(min=0)
    torch.testing.assert_close(taken[0], expected)


def test_an_analysis_from_before_is_opened_as_it_was(poled, tmp_path):
    before = poled(poles="positive").run().neurons
    manifest = tmp_path / "analysis" / "analysis.json"
    content = json.loads(manifest.read_text())
    assert content["settings"].pop("poles") == []
    manifest.write_text(json.dumps(content))
    assert slw.open(tmp_path / "analysis").poles == {}
    assert slw.open(tmp_path / "analysis").neurons.equals(before)
    with pytest.raises(StoreError, match=r"poles: recorded \[\], given \['mixed'\]"):
        poled()
    again = poled(poles="positive")
    assert again.neurons.equals(before)
    assert again.store.settings["poles"] == []
