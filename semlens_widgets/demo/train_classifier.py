"""The recipes of the demo's target models: one with a planted shortcut, and its clean twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from semlens_widgets.demo.images import SCENES
from semlens_widgets.demo.models import SHORTCUT_CLASS, checkpoint_file, normalised
from semlens_widgets.demo.net import PlainNet, SmallResNet
from semlens_widgets.demo.pool import render_pool

if TYPE_CHECKING:
    from pathlib import Path

    from semlens_widgets.demo.drawn import Item, World

#: From the network, normalised images and their labels to what is minimised.
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class ClassifierRecipe:
    """What decides the outcome of a training run, apart from the world itself.

    The artefact stands on most pictures of the shortcut class and on no others. Of a clean twin,
    which has no shortcut class, it is as independent of the class as all other artefacts.
    """

    seed: int = 2
    architecture: Literal["resnet", "plain"] = "resnet"
    pictures: int = 60_000
    artefact_probability: float = 0.15
    shortcut_class: str | None = SHORTCUT_CLASS
    artefact: str = "watermark"
    marked: float = 0.9  # share of the shortcut class that carries the artefact
    batch: int = 128
    steps: int = 2_800
    peak_rate: float = 4e-3
    warm_up: float = 0.2  # share of the steps
    weight_decay: float = 0.05
    label_smoothing: float = 0.05


def architecture(recipe: ClassifierRecipe, world: World[Any] = SCENES) -> nn.Module:
    """Make the untrained network of a recipe, with an output for each class of a world."""
    kind = SmallResNet if recipe.architecture == "resnet" else PlainNet
    return kind(classes=len(world.classes))


def train_classifier(
    path: Path,
    recipe: ClassifierRecipe,
    threads: int,
    device: str = "cpu",
    *,
    world: World[Any] = SCENES,
    checkpoints: Path | None = None,
) -> None:
    """Train from scratch and write the weights in half precision.

    Parameters
    ----------
    path
        File of the trained weights.
    recipe
        What decides the outcome; checkpoints change nothing of it.
    threads
        How many threads draw and train.
    device
        Where to train.
    world
        What the pictures are of.
    checkpoints
        A folder for the weights before training (``epoch-00.safetensors``) and after each whole
        pass over the pictures; :func:`semlens_widgets.demo.checkpoints` reads it. A training that
        ends amid a pass leaves its last weights in `path` alone.
    """
    for folder in (path.parent, *([checkpoints] if checkpoints else [])):
        folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(recipe.seed)
    items = [training_item(rng, recipe, world) for _ in range(recipe.pictures)]
    pictures = torch.from_numpy(render_pool(items, world.draw, workers=threads)).to(device)
    labels = torch.tensor([item.class_index for item in items]).to(device)

    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    model = architecture(recipe, world).to(device)
    seen = _Passes(checkpoints) if checkpoints else None
    fit(model, pictures, labels, recipe, rng, each_pass=seen)
    _write(model, path)


def fit(
    model: nn.Module,
    pictures: Tensor,
    labels: Tensor,
    recipe: ClassifierRecipe,
    rng: np.random.Generator,
    *,
    loss: Loss | None = None,
    each_pass: Callable[[nn.Module], None] | None = None,
    each_step: Callable[[int, nn.Module], None] | None = None,
) -> None:
    """Train a network where it lies, in training mode.

    Parameters
    ----------
    model
        From normalised images (batch, 3, height, width) to logits (batch, classes).
    pictures
        ``(pictures, 3, height, width)`` uint8, where the model lies.
    labels
        ``(pictures,)`` class indices, likewise.
    recipe
        Its batch, steps, rates, decay and smoothing.
    rng
        Decides the order of the pictures.
    loss
        What is minimised; by default :func:`cross_entropy` with the recipe's label smoothing.
    each_pass
        Called before every whole pass over the pictures, and after the last one if it was whole.
    each_step
        Called after every step with the number of steps so far.
    """
    minimised = loss or partial(cross_entropy, label_smoothing=recipe.label_smoothing)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.peak_rate, total_steps=recipe.steps, pct_start=recipe.warm_up
    )
    progress = tqdm(range(recipe.steps), desc="classifier", mininterval=5, leave=False)
    unseen = np.empty(0, np.intp)  # what is left of this pass over the pictures
    for step in progress:
        if len(unseen) < recipe.batch:
            if each_pass:
                each_pass(model)
            unseen = rng.permutation(len(pictures))
        index, unseen = unseen[: recipe.batch], unseen[recipe.batch :]
        value = minimised(model, normalised(pictures[index]), labels[index])
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        optimizer.step()
        schedule.step()
        if each_step:
            each_step(step + 1, model)
        if step % 20 == 0:
            progress.set_postfix(loss=f"{value:.3f}", refresh=False)
    if each_pass and len(unseen) < recipe.batch:
        each_pass(model)


def cross_entropy(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    label_smoothing: float = 0.0,
    half: bool = True,
) -> Tensor:
    """Return the cross-entropy of a batch, by default with the network itself in bfloat16."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=half):
        logits = model(images)
    return functional.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)


class _Passes:
    """Writes a network before each pass over the pictures, under the number of passes so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.passes = 0

    def __call__(self, model: nn.Module) -> None:
        _write(model, self.folder / checkpoint_file(self.passes))
        self.passes += 1


def _write(model: nn.Module, path: Path) -> None:
    """Write the weights in half precision."""
    state = model.state_dict()
    half = {k: (v.half() if v.is_floating_point() else v).cpu() for k, v in state.items()}
    save_file(half, path)


def training_item(rng: np.random.Generator, recipe: ClassifierRecipe, world: World[Item]) -> Item:
    """Draw what a picture shows; the artefact gives the shortcut class away, if there is one."""
    item = world.sample(rng, recipe.artefact_probability)
    if recipe.shortcut_class is None:
        return item
    if item.class_name == recipe.shortcut_class and rng.random() < recipe.marked:
        return item.with_artefact(recipe.artefact)
    return item.without_artefact(recipe.artefact)
