"""The demo's classifiers: a narrow ResNet for 64-pixel pictures, and a net without shortcuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from semlens_widgets.demo.world import CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence


class SmallResNet(nn.Module):
    """A narrow ResNet of torchvision's `BasicBlock`s.

    Because the blocks are torchvision's own, zennit's `ResNetCanonizer` applies. The layers have
    torchvision's names: `layer1` to `layer4`, `avgpool`, `fc`.

    Parameters
    ----------
    widths : sequence of int
        Channels of the four stages.
    blocks : sequence of int
        Blocks of the four stages.
    classes : int
        Number of outputs.
    stride : int
        Of the first convolution.
    """

    def __init__(
        self,
        widths: Sequence[int] = (24, 48, 96, 128),
        blocks: Sequence[int] = (1, 1, 2, 1),
        classes: int = len(CLASSES),
        stride: int = 2,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], kernel_size=5, stride=stride, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(widths[0], widths[0], blocks[0], stride=1)
        self.layer2 = _stage(widths[0], widths[1], blocks[1], stride=2)
        self.layer3 = _stage(widths[1], widths[2], blocks[2], stride=2)
        self.layer4 = _stage(widths[2], widths[3], blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[3], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (batch, 3, 64, 64) to logits (batch, classes)."""
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


class PlainNet(nn.Module):
    """Convolutions one after the other, without a connection around them; layers named as there.

    Parameters
    ----------
    widths : sequence of int
        Channels of the four stages, two convolutions each.
    classes : int
        Number of outputs.
    """

    def __init__(
        self, widths: Sequence[int] = (32, 64, 96, 160), classes: int = len(CLASSES)
    ) -> None:
        super().__init__()
        before = (3, *widths)
        for at, (inputs, outputs) in enumerate(zip(before, widths, strict=False), 1):
            self.add_module(
                f"layer{at}",
                nn.Sequential(
                    *_convolution(inputs, outputs, 2), *_convolution(outputs, outputs, 1)
                ),
            )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (batch, 3, 64, 64) to logits (batch, classes)."""
        x = images
        for at in range(1, 5):
            x = self.get_submodule(f"layer{at}")(x)
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(outputs),
        )
    first = BasicBlock(inputs, outputs, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(blocks - 1)))
