"""Sparse autoencoders and directions as neurons, from the layer's output to the store."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate
from torchvision.models.vision_transformer import VisionTransformer

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.attribution.neuron import localise, localise_shares, method_of, method_said
from semlens_widgets.errors import StoreError
from semlens_widgets.inputs.target import TargetModel
from semlens_widgets.inputs.units import Directions, SparseEncoder

SIDE = 16
LAYER = "layer4"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU()
        self.head = nn.Conv2d(6, 5, 3, stride=2)

    def forward(self, x):
        return self.head(self.relu(self.conv(x)))


@pytest.fixture
def images():
    return torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval()


def target(net, layer="head", **options):
    options.setdefault("poles", "positive")
    return TargetModel(net, [layer], transform=lambda _: torch.rand(3, SIDE, SIDE), **options)


def sparse(channels, units, **options):
    generator = torch.Generator().manual_seed(1)
    weight, bias = torch.randn(units, channels, generator=generator), torch.randn(units) / 9
    return SparseEncoder(weight, bias, centre=torch.full((channels,), 0.1), **options)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_units_are_computed_at_each_position_and_then_pooled(net, images, pooling):
    encoder = sparse(5, 7)
    t = target(net, units={"head": encoder}, pooling=pooling)
    vectors = t.output(images, "head").flatten(2).transpose(1, 2)  # (batch, positions, channels)
    units = torch.relu((vectors - 0.1) @ encoder.weight.T + encoder.bias)
    expected = units.mean(1) if pooling == "mean" else units.amax(1)
    torch.testing.assert_close(t.units(images)["head"], expected)
    assert t.n_units("head") == 7


def test_topk_keeps_the_largest_and_never_a_negative():
    encoder = sparse(5, 40, top=3)
    values = torch.randn(2, 9, 5, generator=torch.Generator().manual_seed(2))
    encoded = encoder(values)
    full = sparse(5, 40)
    full.load_state_dict(encoder.state_dict() | {"kept": torch.tensor(0)})
    assert ((encoded > 0).sum(-1) == 3).all()
    best = full(values).topk(3, dim=-1)
    torch.testing.assert_close(encoded.gather(-1, best.indices), best.values)
    every = sparse(5, 40, top=40)
    every.load_state_dict(encoder.state_dict() | {"kept": torch.tensor(40)})
    assert torch.equal(every(values), full(values))
    assert encoder.top == 3
    assert full.top is None
    assert "top=3" in repr(encoder)


@pytest.mark.parametrize("kind", ["matrix", "module", "function", "linear"])
def test_directions_come_as_matrix_module_or_function(net, images, kind):
    matrix = torch.randn(3, 5, generator=torch.Generator().manual_seed(3))
    linear = nn.Linear(5, 3, bias=False)
    linear.weight.data = matrix
    units = {"matrix": matrix, "module": Directions(matrix), "linear": linear}
    t = target(net, units={"head": units.get(kind, lambda values: values @ matrix.T)})
    means = t.output(images, "head").mean((2, 3))
    torch.testing.assert_close(t.units(images)["head"], means @ matrix.T)
    whole = target(Wrapped(net, matrix), "units")
    neurons = [0, 1, 2, 0]
    torch.testing.assert_close(
        localise(t, images, "head", neurons),
        localise(whole, images, "units", neurons),
        rtol=1e-3,
        atol=1e-4,
    )


class Wrapped(nn.Module):
    """The directions as a last layer of the model, 1 × 1 dense, which has the epsilon rule."""

    def __init__(self, net, matrix):
        super().__init__()
        self.net, self.units = net, nn.Linear(5, 3, bias=False)
        self.units.weight.data = matrix

    def forward(self, x):
        return self.units(self.net(x).permute(0, 2, 3, 1))


def test_identity_units_have_the_heatmaps_of_the_channels(net, images):
    plain = localise(target(net), images, "head", [0, 1, 2, 4])
    units = localise(target(net, units={"head": torch.eye(5)}), images, "head", [0, 1, 2, 4])
    torch.testing.assert_close(units, plain)
    assert method_of(target(net, units={"head": torch.eye(5)}), "head") == "CRP EpsilonPlusFlat"


@pytest.mark.parametrize("top", [None, 2])
def test_relevance_starts_as_the_units_value_without_its_biases(net, images, top):
    """A layer of its own that has the channels: relevance is spread over what made the unit."""
    encoder = sparse(6, 9, top=top)
    encoder.bias.data.zero_()
    encoder.centre.data.zero_()
    net.conv.bias.data.zero_()
    t = target(net, "relu", units={"relu": encoder})
    values = encoder(t.output(images, "relu").movedim(1, -1))
    for unit in range(9):
        relevance = localise(t, images, "relu", [unit] * 4)
        totals = values[..., unit].sum((1, 2))
        torch.testing.assert_close(relevance.sum((1, 2)), totals, rtol=1e-3, atol=1e-3)
        silent = values[..., unit].flatten(1).amax(1) == 0
        assert not relevance[silent].any()


@pytest.mark.parametrize("attention", ["map", "attnlrp"])
def test_units_of_tokens_are_shown_like_channels(images, attention):
    torch.manual_seed(0)
    vit = VisionTransformer(SIDE, 4, 2, 2, 8, 16).eval()
    layer = "encoder.layers.encoder_layer_1"
    encoder = sparse(8, 20, top=4)
    t = target(vit, layer, units={layer: encoder}, attention=attention)
    tokens = encoder(t.output(images, layer))
    torch.testing.assert_close(t.units(images)[layer], tokens.mean(1))
    unit = int(tokens[:, 1:].sum((0, 1)).argmax())
    maps = localise(t, images, layer, [unit] * 4)
    if attention == "map":
        grid = tokens[:, 1:, unit].reshape(4, 1, 4, 4)
        expected = interpolate(grid, (SIDE, SIDE), mode="bilinear", align_corners=False)[:, 0]
        torch.testing.assert_close(maps, expected)
    assert maps.flatten(1).any(1).any()


@pytest.mark.parametrize(
    ("units", "error", "words"),
    [
        ({"heads": torch.eye(5)}, ValueError, "units names 'heads'"),
        ({"head": 3}, TypeError, r"units\['head'\] must be a module, a function or a matrix"),
        ({"head": torch.zeros(5)}, ValueError, r"matrix has shape \(5,\)"),
        ({"head": torch.eye(4)}, ValueError, "'head'.*cannot be computed from 5 channels"),
        ({"head": lambda values: values.mean(1)}, ValueError, r"'head'.*they are \(1, 5\)"),
    ],
)
def test_mistakes_are_named(net, images, units, error, words):
    with pytest.raises(error, match=words):
        target(net, units=units).units(images[:1])
    for options, name in (({"top": 0}, "top=0"), ({"centre": torch.zeros(2)}, "centre has shape")):
        with pytest.raises(ValueError, match=name):
            SparseEncoder(torch.zeros(4, 3), **options)


# -- a small sparse autoencoder on the demo's classifier ---------------------------------------


@pytest.fixture(scope="module")
def scenes():
    return demo.scene_images(160, seed=5)


@pytest.fixture(scope="module")
def autoencoder(scenes):
    """Train a TopK autoencoder on the positions of the last stage; return it and its fit."""
    torch.manual_seed(0)
    plain = TargetModel(demo.classifier(), [LAYER], transform=demo.preprocess)
    inputs = torch.stack([demo.preprocess(image) for image, _ in scenes])
    vectors = plain.output(inputs, LAYER).movedim(1, -1).flatten(0, 2)
    channels, units = vectors.shape[1], 2 * vectors.shape[1]
    atoms = nn.functional.normalize(torch.randn(units, channels), dim=1)
    encoder = SparseEncoder(atoms, centre=vectors.mean(0), top=8)
    decoder = nn.Parameter(atoms.clone())
    optimiser = torch.optim.Adam([*encoder.parameters(), decoder], lr=2e-3)
    for _ in range(300):
        batch = vectors[torch.randint(len(vectors), (512,))]
        loss = (encoder(batch) @ decoder + encoder.centre - batch).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        missed = (encoder(vectors) @ decoder + encoder.centre - vectors).square().mean()
    return encoder, 1 - float(missed / vectors.var(0).mean())


def lens(path, scenes, encoder):
    return slw.SemanticLens(
        TargetModel(demo.classifier(), [LAYER], transform=demo.preprocess, units={LAYER: encoder}),
        slw.ImageDataset.from_list([image for image, _ in scenes]),
        slw.OpenClip(demo.clip_dir()),
        path=path,
        n_examples=6,
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory, scenes, autoencoder):
    """Folder of an analysis of the autoencoder's units."""
    path = tmp_path_factory.mktemp("units")
    lens(path, scenes, autoencoder[0]).run()
    return path


def test_units_of_a_sparse_autoencoder_go_the_whole_way(path, scenes, autoencoder):
    encoder, explained = autoencoder
    assert explained > 0.7
    analysis = lens(path, scenes, encoder)
    assert len(analysis.neurons) == len(encoder.weight)
    hits = analysis.search("watermark", top=5)
    assert len(hits) == 5
    alive = int(analysis.neurons.query("not dead")["max"].idxmax())
    examples = analysis.examples(LAYER, alive)
    inputs = torch.stack([demo.preprocess(image) for image, _ in scenes])
    units = analysis.target.units(inputs)[LAYER][:, alive]
    assert examples["sample"].tolist() == units.topk(6).indices.tolist()
    np.testing.assert_allclose(analysis.activations(LAYER, alive), units, rtol=1e-3, atol=1e-4)
    heatmap = analysis.heatmap(LAYER, alive, int(examples["sample"][0]))
    row = analysis.target.as_input(inputs[examples["sample"][0]][None])
    _, arrived = localise_shares(analysis.target, row, LAYER, [alive])
    assert heatmap.arrived == pytest.approx(float(arrived), rel=1e-3)
    assert heatmap.method == method_said("CRP EpsilonPlusFlat", found=True, arrived=float(arrived))
    assert heatmap.values.max() == 255


def test_other_units_are_another_analysis(path, scenes, autoencoder):
    encoder, _ = autoencoder
    fewer = SparseEncoder(encoder.weight, encoder.bias, centre=encoder.centre, top=4)
    turned = SparseEncoder(-encoder.weight, encoder.bias, centre=encoder.centre, top=8)
    for other in (fewer, turned):
        with pytest.raises(StoreError, match="units"):
            lens(path, scenes, other)
    lens(path, scenes, encoder)
