"""Which layers are proposed: none that a part of the computation goes around."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from semlens_widgets.inputs.layers import suggest_layers


def conv(a, b, stride=1):
    return nn.Conv2d(a, b, 3, stride, 1)


class Block(nn.Module):
    """A residual block with its shortcut."""

    def __init__(self, a, b, stride=1):
        super().__init__()
        self.first, self.second = conv(a, b, stride), conv(b, b)
        self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, stride), nn.BatchNorm2d(b))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.second(self.first(x).relu()) + self.shortcut(x))


class WrittenOut(nn.Module):
    """Residuals, a branched stem and a gate, all in one forward."""

    def __init__(self):
        super().__init__()
        self.left, self.right = conv(3, 8, 2), conv(3, 8, 2)
        self.joined = conv(8, 8)
        self.body, self.shortcut = conv(8, 16, 2), nn.Conv2d(8, 16, 1, 2)
        self.gate = nn.Conv2d(16, 16, 1)
        self.tail = Block(16, 16, 2)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        x = self.joined(self.left(x) + self.right(x)).relu()
        x = self.body(x) + self.shortcut(x)
        x = x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()
        return self.head(self.tail(x).mean((2, 3)))


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.deep, self.up = conv(3, 8), conv(8, 8, 2), nn.ConvTranspose2d(8, 8, 2, 2)
        self.out = conv(16, 4)

    def forward(self, x):
        x = self.down(x).relu()
        return self.out(torch.cat([x, self.up(self.deep(x).relu())], 1))


def bypassed(model, layer, side):
    """Whether the output depends on the image although the layer's output is cut off."""
    handle = model.get_submodule(layer).register_forward_hook(
        lambda _m, _i, output: output.detach() if torch.is_tensor(output) else output
    )
    image = torch.rand(1, 3, side, side, requires_grad=True)
    output = model(image)
    handle.remove()
    output = output if torch.is_tensor(output) else next(iter(output.values()))
    return output.requires_grad


def quick(make):
    torch.manual_seed(0)
    return make().eval().requires_grad_(False)


NETS = {
    "written out": (WrittenOut, 64),
    "residual": (
        lambda: nn.Sequential(conv(3, 8), Block(8, 8), Block(8, 16, 2), Block(16, 16, 2)),
        32,
    ),
    "U-Net": (Unet, 32),
    "Inception": (
        lambda: models.inception_v3(num_classes=5, init_weights=False, aux_logits=False),
        299,
    ),
    "ShuffleNet": (models.shufflenet_v2_x0_5, 224),
    "ResNet": (models.resnet18, 224),
    "DenseNet": (models.densenet121, 224),
    "MobileNet": (models.mobilenet_v3_small, 224),
    "RegNet": (models.regnet_y_400mf, 224),
    "Swin": (models.swin_t, 224),
}


@pytest.mark.parametrize("net", NETS)
def test_no_branch_is_proposed_and_the_size_does_not_matter(net):
    make, side = NETS[net]
    model = quick(make).train()
    found = suggest_layers(model)
    assert model.training
    assert found
    for other in (32, 100, side + 32):
        assert suggest_layers(model, torch.rand(1, 3, other, other)) == found
    model.eval()
    assert not [layer for layer in found if bypassed(model, layer, side)]


def test_stages_of_nets_with_many_branches():
    inception = quick(lambda: models.inception_v3(init_weights=False))
    assert suggest_layers(inception) == [
        *("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c")
    ]
    shuffle = quick(models.shufflenet_v2_x0_5)
    assert suggest_layers(shuffle) == ["conv1", "stage2", "stage3", "conv5"]
    assert suggest_layers(quick(WrittenOut)) == ["tail"]
    assert suggest_layers(quick(Unet)) == ["out"]
