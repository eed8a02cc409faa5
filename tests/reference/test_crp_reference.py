"""Heatmaps against zennit-crp's own attribution, for the same rules and the same pairs."""

import copy

import pytest
import torch
from crp.attribution import CondAttribution
from safetensors.torch import load_file
from torch import nn
from torchvision.models import resnet50, vgg11_bn
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.transforms import v2
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.composites import EpsilonPlusFlat
from zennit.torchvision import ResNetCanonizer, VGGCanonizer

from semlens_widgets import demo
from semlens_widgets.attribution.neuron import localise, method_of
from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.inputs.target import TargetModel
from tests.reference.resnet20 import ResNet20

SIDE = 32


def settled(model: nn.Module) -> nn.Module:
    """Give batch norms statistics and parameters such as training leaves behind."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(module.bias, -0.3, 0.3, generator=generator)
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(16, 3, SIDE, SIDE, generator=generator))
    return model.eval()


def crp_heatmaps(model, canonizer, layer, images, neurons):
    attribution = CondAttribution(copy.deepcopy(model))
    conditions = [{layer: [neuron]} for neuron in neurons]
    data = images.clone().requires_grad_()
    composite = EpsilonPlusFlat([canonizer])
    return attribution(
        data, conditions, composite, start_layer=layer, exclude_parallel=False
    ).heatmap


@pytest.fixture(scope="module")
def images():
    return torch.randn(20, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(7))


def strong_neurons(target, layer, images):
    """One neuron per image that is active there, not always the strongest."""
    ranked = target.units(images)[layer].topk(4, dim=1).indices
    return [int(ranked[i, i % 4]) for i in range(len(images))]


def build(name):
    torch.manual_seed(0)
    if name == "basic":
        return settled(ResNet(BasicBlock, [2, 1, 2, 1], num_classes=5)), ResNetCanonizer()
    if name == "bottleneck":
        return settled(resnet50(weights=None)), ResNetCanonizer()
    return settled(vgg11_bn(weights=None)), VGGCanonizer()


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("basic", "layer4"),
        ("basic", "layer3.0"),
        ("basic", "layer2.0.bn1"),
        ("basic", "fc"),
        ("bottleneck", "layer3"),
        ("vgg", "features.14"),
    ],
)
def test_twenty_pairs_equal_crp(name, layer, images):
    model, canonizer = build(name)
    target = TargetModel(model, [layer], transform=lambda _: images[0], poles="positive")
    neurons = strong_neurons(target, layer, images)
    expected = crp_heatmaps(model, canonizer, layer, images, neurons)

    relevance = localise(target, images, layer, neurons, batch_size=8)

    assert_same_maps(relevance, expected)
    assert method_of(target, layer) == "CRP EpsilonPlusFlat"


def assert_same_maps(relevance, expected):
    scale = expected.abs().amax((1, 2), keepdim=True)
    assert (scale > 0).all()  # the comparison is about something
    torch.testing.assert_close(relevance / scale, expected / scale, rtol=1e-4, atol=1e-4)


def test_a_convolution_starts_from_its_own_output_not_from_its_batch_norm(images):
    model, canonizer = build("basic")
    layer = "layer3.0.conv2"
    target = TargetModel(model, [layer], transform=lambda _: images[0], poles="positive")
    neurons = strong_neurons(target, layer, images)
    without_norm = copy.deepcopy(model)
    without_norm.layer3[0].bn2 = nn.Identity()
    expected = crp_heatmaps(without_norm, canonizer, layer, images, neurons)
    assert_same_maps(localise(target, images, layer, neurons), expected)


@pytest.mark.parametrize("layer", ["layer4", "fc"])
def test_functional_code_gets_the_heatmaps_of_its_modular_twin(images, layer):
    """The same network with functional ReLU and ``+=`` instead of modules and canonizer."""

    class Functional(ResNet):
        def _forward_impl(self, x):
            x = self.maxpool(nn.functional.relu(self.bn1(self.conv1(x)), inplace=True))
            for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
                x = stage(x)
            return self.fc(x.mean((2, 3)))

    class Block(BasicBlock):
        def forward(self, x):
            out = nn.functional.relu(self.bn1(self.conv1(x)))
            out = self.bn2(self.conv2(out))
            out += x if self.downsample is None else self.downsample(x)
            return nn.functional.relu(out)

    model, canonizer = build("basic")
    twin = Functional(Block, [2, 1, 2, 1], num_classes=5).eval()
    twin.load_state_dict(model.state_dict())
    target = TargetModel(twin, [layer], transform=lambda _: images[0], poles="positive")
    neurons = strong_neurons(target, layer, images)
    expected = crp_heatmaps(model, canonizer, layer, images, neurons)
    assert_same_maps(localise(target, images, layer, neurons), expected)
    assert method_of(target, layer) == "CRP EpsilonPlusFlat"


def test_functional_activations_count_like_modules(images):
    class Smooth(nn.Module):
        def __init__(self, functional):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 8, 3, 2)
            self.silu, self.gelu = nn.SiLU(inplace=True), nn.GELU()
            self.last = nn.Conv2d(8, 8, 3)
            self.functional = functional

        def forward(self, x):
            if self.functional:
                x = nn.functional.silu(self.first(x), inplace=True)
                return self.last(nn.functional.gelu(self.second(x)))
            return self.last(self.gelu(self.second(self.silu(self.first(x)))))

    modular, functional = Smooth(functional=False), Smooth(functional=True)
    functional.load_state_dict(modular.state_dict())
    target = TargetModel(functional, ["last"], transform=lambda _: images[0], poles="positive")
    neurons = strong_neurons(target, "last", images)
    expected = crp_heatmaps(modular, SequentialMergeBatchNorm(), "last", images, neurons)
    assert_same_maps(localise(target, images, "last", neurons), expected)


def test_the_demos_classifier():
    model = demo.classifier()
    pictures = torch.randn(20, 3, 64, 64, generator=torch.Generator().manual_seed(7))
    target = TargetModel(model, ["layer4"], transform=demo.preprocess)
    neurons = strong_neurons(target, "layer4", pictures)
    expected = crp_heatmaps(model, ResNetCanonizer(), "layer4", pictures, neurons)
    assert_same_maps(localise(target, pictures, "layer4", neurons), expected)


def test_relevant_pixels_of_photographs_drive_the_neuron(real_data):
    """Blank a quarter of the pixels of each neuron's best image: the most or least relevant."""
    model = ResNet20()
    model.load_state_dict(load_file(real_data / "resnet20.safetensors"))
    transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    target = TargetModel(model, ["layer3"], transform=transform)
    photos = ImageDataset.from_folder(real_data / "photos")
    some = ImageDataset.from_list([photos.load(i) for i in range(0, len(photos), 6)])
    pictures = torch.stack([transform(some.load(i)) for i in range(len(some))])
    units = target.units(pictures)["layer3"]
    best = pictures[units.argmax(0)]  # one image per neuron
    neurons = range(units.shape[1])
    order = localise(target, best, "layer3", neurons).flatten(1).argsort(1)
    assert method_of(target, "layer3") == "CRP EpsilonPlusFlat"

    def kept(pixels):
        blank = best.clone().flatten(2)
        blank.scatter_(2, pixels[:, None].expand(-1, 3, -1), 0.5)
        return (target.units(blank.view_as(best))["layer3"].diagonal() / units.amax(0)).mean()

    quarter = order.shape[1] // 4
    assert kept(order[:, -quarter:]) < 0.75 * kept(order[:, :quarter])
