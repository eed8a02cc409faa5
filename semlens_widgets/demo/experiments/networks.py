"""The networks that experiments train: small, for 64-pixel pictures, each seen at four depths.

The first convolution of those with convolutions has stride 4: they cost a quarter of the demo's
classifier, of which the first of them are the narrower kin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torchvision.models.vision_transformer import ConvStemConfig, VisionTransformer

from semlens_widgets.demo.models import SIDE
from semlens_widgets.demo.net import PlainNet, SmallResNet

if TYPE_CHECKING:
    from collections.abc import Callable

_PATCH = 8
_STAGES = ("layer1", "layer2", "layer3", "layer4")
_WIDTHS = (16, 32, 64, 96)  # of the residual net that the others are compared with


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a network is made, where it is looked at, and how fast it can learn.

    Attributes
    ----------
    make
        From the number of classes to the untrained network.
    layers
        Four of its layers, at a quarter, a half, three quarters and the whole of its depth.
    peak_rate
        Of the schedule: what attention and perceptrons bear is less than what convolutions do.
    half
        Whether it is trained in bfloat16; attention is slower in it than without.
    """

    make: Callable[[int], nn.Module]
    layers: tuple[str, ...] = _STAGES
    peak_rate: float = 4e-3
    half: bool = True


class Mixer(nn.Module):
    """Perceptrons that mix patches and channels in turn, after MLP-Mixer (arXiv 2105.01601).

    Parameters
    ----------
    classes : int
        Number of outputs.
    dim : int
        Channels of a token.
    depth : int
        Blocks.
    """

    def __init__(self, classes: int, dim: int = 48, depth: int = 4) -> None:
        super().__init__()
        tokens = (SIDE // _PATCH) ** 2
        self.patches = nn.Conv2d(3, dim, _PATCH, stride=_PATCH)
        self.blocks = nn.Sequential(*(_MixerBlock(tokens, dim) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (batch, 3, 64, 64) to logits (batch, classes)."""
        tokens = self.patches(images).flatten(2).transpose(1, 2)  # (batch, tokens, dim)
        logits: Tensor = self.fc(self.norm(self.blocks(tokens)).mean(1))
        return logits


class _MixerBlock(nn.Module):
    def __init__(self, tokens: int, dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.across = _perceptron(tokens, tokens)
        self.within = _perceptron(dim, 2 * dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (batch, tokens, dim) to the same."""
        tokens = tokens + self.across(self.norm1(tokens).transpose(1, 2)).transpose(1, 2)
        mixed: Tensor = tokens + self.within(self.norm2(tokens))
        return mixed


def _perceptron(size: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, size))


def residual(classes: int, *, width: float = 1, blocks: int = 1) -> SmallResNet:
    """Make a residual net, `width` times as wide, with so many blocks in each stage."""
    widths = [int(width * channels) for channels in _WIDTHS]
    return SmallResNet(widths, (blocks,) * 4, classes, stride=4)


def _plain(classes: int) -> nn.Module:
    halved = nn.AvgPool2d(2)  # its first convolution has stride 2
    return nn.Sequential(halved, PlainNet(_WIDTHS, classes))


def _transformer(classes: int) -> nn.Module:
    """Make one that reads its patches by three convolutions, as in arXiv 2106.14881."""
    stem = [ConvStemConfig(channels, kernel_size=3, stride=2) for channels in (12, 24, 48)]
    made: nn.Module = VisionTransformer(
        SIDE,
        _PATCH,
        num_layers=4,
        num_heads=4,
        hidden_dim=48,
        mlp_dim=96,
        num_classes=classes,
        conv_stem_configs=stem,
    )
    return made


#: The first is what the others are compared with.
ARCHITECTURES: dict[str, Architecture] = {
    "residual": Architecture(residual),
    "a half as wide": Architecture(lambda classes: residual(classes, width=0.5)),
    "twice as wide": Architecture(lambda classes: residual(classes, width=2)),
    "three times as wide": Architecture(lambda classes: residual(classes, width=3)),
    "twice as deep": Architecture(lambda classes: residual(classes, blocks=2)),
    "three times as deep": Architecture(lambda classes: residual(classes, blocks=3)),
    "plain": Architecture(_plain, tuple(f"1.{stage}" for stage in _STAGES)),
    "mixer": Architecture(Mixer, tuple(f"blocks.{at}" for at in range(4)), 2e-3),
    "transformer": Architecture(
        _transformer,
        tuple(f"encoder.layers.encoder_layer_{at}" for at in range(4)),
        2e-3,
        half=False,
    ),
}
