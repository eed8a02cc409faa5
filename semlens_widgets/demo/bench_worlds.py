"""The worlds of the label bench: networks, pictures and foundation models that no test has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors.torch import load_file

from semlens_widgets.demo.models import classifier, clip_dir
from semlens_widgets.demo.train_classifier import ClassifierRecipe, architecture, train_classifier
from semlens_widgets.demo.train_clip import ClipRecipe, train_clip

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

#: A quarter of the steps of the one in the package: it confuses shapes, as weak models do.
_WEAK = {"pictures": 40_000, "steps": 1_700}
FOUNDATIONS: dict[str, ClipRecipe | None] = {
    "packaged": None,
    "weak": ClipRecipe(seed=31, **_WEAK),
    "weak, held out": ClipRecipe(seed=41, **_WEAK),
    "middling, held out": ClipRecipe(seed=42, pictures=60_000, steps=4_000),
}


@dataclass(frozen=True, slots=True)
class BenchWorld:
    """A network, the pictures on which it is looked at, and what they are embedded by.

    Attributes
    ----------
    name
        What tables call it.
    classifier
        How the network was trained; None for the one in the package.
    pictures
        Seed of the 5,000 scenes.
    foundation
        One of `FOUNDATIONS`.
    held_out
        Whether it is only reported on: no method and no setting was chosen by it.
    """

    name: str
    classifier: ClassifierRecipe | None
    pictures: int
    foundation: str
    held_out: bool

    @property
    def place(self) -> str:
        """What its files are called."""
        if self.classifier is None:
            return "bench-packaged"
        return f"bench-{self.classifier.architecture}-{self.classifier.seed}"


def _world(
    seed: int, net: str, shortcut: tuple[str, str] | None, foundation: str, *, held_out: bool = True
) -> BenchWorld:
    kind, artefact = shortcut or (None, "watermark")
    recipe = ClassifierRecipe(
        seed=seed,
        architecture="plain" if net == "plain" else "resnet",
        pictures=40_000,
        steps=1_400,
        shortcut_class=kind,
        artefact=artefact,
    )
    name = f"{net} {seed}, {foundation.removesuffix(', held out')} foundation"
    return BenchWorld(name, recipe, 3_000 + seed, foundation, held_out)


#: The embedded default, on which everything was tried.
PACKAGED = BenchWorld("the one in the package", None, 2_501, "packaged", held_out=False)
WORLDS: tuple[BenchWorld, ...] = (
    PACKAGED,
    _world(11, "resnet", ("dotted heart", "timestamp"), "packaged", held_out=False),
    _world(12, "plain", ("plain ring", "ruler"), "weak", held_out=False),
    _world(21, "resnet", ("striped cross", "border"), "packaged"),
    _world(22, "plain", ("speckled triangle", "watermark"), "middling, held out"),
    _world(23, "resnet", ("checkered circle", "lens flare"), "weak, held out"),
    _world(24, "plain", ("dotted square", "timestamp"), "weak, held out"),
    _world(25, "resnet", None, "middling, held out"),
)


def trained_classifier(world: BenchWorld, folder: Path) -> nn.Module:
    """Load a world's network from a folder, in evaluation mode.

    Raises
    ------
    FileNotFoundError
        If it has not been trained.
    """
    if world.classifier is None:
        return classifier()
    model = architecture(world.classifier)
    model.load_state_dict(load_file(weights_file(world, folder)))
    return model.eval()


def weights_file(world: BenchWorld, folder: Path) -> Path:
    """Return where the weights of a network lie, or are to lie."""
    return folder / f"{world.place}.safetensors"


def foundation_dir(name: str, folder: Path) -> Path:
    """Return where a foundation model lies, or is to lie, with others in a folder."""
    return clip_dir() if FOUNDATIONS[name] is None else folder / f"clip-{name.replace(', ', '-')}"


def train_missing(worlds: Sequence[BenchWorld], folder: Path, threads: int, device: str) -> None:
    """Train what is not in a folder yet, from seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    for world in worlds:
        target = foundation_dir(world.foundation, folder)
        clip = FOUNDATIONS[world.foundation]
        if clip and not (target / "open_clip_model.safetensors").exists():
            train_clip(target, clip, threads, device)
        weights = weights_file(world, folder)
        if world.classifier and not weights.exists():
            train_classifier(weights, world.classifier, threads, device)
