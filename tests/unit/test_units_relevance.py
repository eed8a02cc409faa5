"""Relevance of units: what a decoder adds, and what it leaves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import semlens_widgets as slw
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.inputs.units import Directions, SparseEncoder, decoded
from tests.colour_world import to_tensor
from tests.unit.test_intervene import Shortcut, pictures

CHANNELS, UNITS = 6, 9


class Net(nn.Module):
    """A layer with channels and positions, and a head over their means."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.body = nn.Sequential(nn.Conv2d(3, CHANNELS, 3), nn.ReLU())
        self.head = nn.Linear(CHANNELS, 4, bias=False)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


def images():
    return torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def autoencoder(**options):
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(UNITS, CHANNELS, generator=generator)
    decoder = torch.randn(UNITS, CHANNELS, generator=generator)
    return SparseEncoder(weight, torch.full((UNITS,), 0.1), decoder=decoder, **options), decoder


def target(encoder, **options):
    return slw.TargetModel(Net(), ["body"], transform=to_tensor, units={"body": encoder}, **options)


def test_units_carry_what_they_add_to_the_layer_and_the_error_the_rest():
    encoder, decoder = autoencoder(centre=torch.full((CHANNELS,), 0.05), top=3)
    t = target(encoder)
    outputs = torch.tensor([0, 1, 2, 3, 0])
    found = output_relevance(t, images(), outputs)
    # The truth in numpy: of a mean and a linear head the relevance of h is h times its weight.
    with torch.no_grad():
        h = t.model.body(images())
        units = encoder(h.flatten(2).transpose(1, 2)).numpy()
    weight = t.model.head.weight.detach().numpy()[outputs] / h[0, 0].numel()
    h = h.flatten(2).transpose(1, 2).numpy()
    arrived = h * weight[:, None]
    gradient = np.where(h == 0, 0, weight[:, None])
    expected = np.einsum("npu,uc,npc->nu", units, decoder.numpy(), gradient)
    assert found.relevance["body"].shape == (5, UNITS)
    np.testing.assert_allclose(found.relevance["body"], expected, rtol=1e-3, atol=1e-5)
    whole = found.relevance["body"].sum(1) + found.rest["body"]
    np.testing.assert_allclose(whole, arrived.sum((1, 2)), rtol=1e-4, atol=1e-6)
    plain = slw.TargetModel(Net(), ["body"], transform=to_tensor)
    channels = output_relevance(plain, images(), outputs)
    np.testing.assert_allclose(whole, channels.relevance["body"].sum(1), rtol=1e-4, atol=1e-6)
    assert channels.rest == {}


def test_a_perfect_autoencoder_leaves_nothing():
    eye = torch.eye(CHANNELS)
    found = output_relevance(target(SparseEncoder(eye, decoder=eye)), images())
    np.testing.assert_allclose(found.rest["body"], 0, atol=1e-6)


def test_of_a_direction_it_is_the_part_of_the_layer_along_it():
    matrix = torch.tensor([[2.0, 0, 0, 0, 0, 0], [0, 1.0, 1, 0, 0, 0]])
    found = output_relevance(target(Directions(matrix, torch.tensor([5.0, -3]))), images())
    channels = output_relevance(
        slw.TargetModel(Net(), ["body"], transform=to_tensor), images(), found.outputs
    ).relevance["body"]
    np.testing.assert_allclose(found.relevance["body"][:, 0], channels[:, 0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["decoder", "W_dec"])
@pytest.mark.parametrize("kind", ["matrix", "linear"])
def test_the_decoder_is_found_where_autoencoders_have_it(name, kind):
    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            linear = nn.Linear(UNITS, CHANNELS)
            setattr(self, name, linear if kind == "linear" else nn.Parameter(linear.weight.T))

        def encode(self, x):
            return (x @ torch.ones(CHANNELS, UNITS)).relu()

    found = decoded(Autoencoder().encode)
    assert found is not None
    assert found.vectors.shape == (UNITS, CHANNELS)


def test_without_a_decoder_it_is_refused_with_what_to_do():
    lone = target(SparseEncoder(torch.randn(UNITS, CHANNELS)))
    with pytest.raises(ValueError, match=r"decoder=W_dec"):
        output_relevance(lone, images())
    with pytest.raises(ValueError, match="decoder has shape"):
        SparseEncoder(torch.randn(UNITS, CHANNELS), decoder=torch.randn(CHANNELS, UNITS))


def test_the_error_is_a_share_of_its_own_and_kept(colour_lens):
    encoder = SparseEncoder(
        torch.eye(6)[[0, 1, 3, 4]], decoder=torch.eye(6)[[0, 1, 3, 4]]
    )  # blind to the blue corner
    t = slw.TargetModel(
        Shortcut(), ["seen"], transform=to_tensor, outputs=["red", "green"], units={"seen": encoder}
    )
    lens = colour_lens(target=t, images=slw.ImageDataset.from_list(*pictures())).run()
    relevance = lens.relevance("green")
    assert len(relevance) == 4
    shares, rest = lens._parts.relevances.shares(1, np.arange(40))
    np.testing.assert_allclose(shares.sum(1) + rest["seen"], 1)
    assert rest["seen"].max() < 1e-6  # "green" does not rest on blue
    shares, rest = lens._parts.relevances.shares(0, np.arange(40))
    np.testing.assert_allclose(shares.sum(1) + rest["seen"], 1)
    marked = np.array([at % 6 == 1 for at in range(60) if at % 3 != 2])
    assert rest["seen"][marked].min() > 0.5
    again = slw.open(lens.store.path)
    np.testing.assert_array_equal(
        again._parts.relevances.shares(0, np.arange(40))[1]["seen"], rest["seen"]
    )
