"""The networks of an experiment: each trained from a seed, and measured on the way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal
from zlib import crc32

import numpy as np
import pandas as pd
import torch
from torch import nn

from semlens_widgets.demo.analysis import release
from semlens_widgets.demo.experiments.losses import adversarial, augmented, sparse
from semlens_widgets.demo.experiments.measuring import activations, measured
from semlens_widgets.demo.experiments.networks import ARCHITECTURES
from semlens_widgets.demo.experiments.pictures import prepared
from semlens_widgets.demo.experiments.runs import finished
from semlens_widgets.demo.models import normalised
from semlens_widgets.demo.train_classifier import ClassifierRecipe, cross_entropy, fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from semlens_widgets.demo.experiments.pictures import Pictures
    from semlens_widgets.demo.train_classifier import Loss
    from semlens_widgets.demo.world import Scene

Kinds = Literal["texture", "shape", "texture shape", "colour texture shape"]
#: Networks are compared at the first look at which so many of the validation pictures are right.
COMMON_ACCURACY = 0.75
#: What a network is when it is measured; "shuffled" is the trained one, its answers dealt anew.
STATES = ("untrained", "equal accuracy", "trained", "shuffled")
_LOOK = 20  # steps from one look at the accuracy to the next
_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Setting:
    """All that decides, with a seed, what network comes out.

    Attributes
    ----------
    architecture
        One of `ARCHITECTURES`.
    kinds
        What the classes are told apart by; the pictures are always the same.
    steps
        Of 128 pictures.
    weight_decay
        Of AdamW.
    dropout
        Share of the channels behind each of the four layers that are left out of a step.
    sparsity
        Weight of the mean absolute activations in what is minimised (L1).
    augmented, adversarial
        Whether pictures are moved, or disturbed (PGD).

    Raises
    ------
    ValueError
        If there is no such architecture.
    """

    architecture: str = "residual"
    kinds: Kinds = "texture shape"
    steps: int = 300
    weight_decay: float = 0.05
    dropout: float = 0.0
    sparsity: float = 0.0
    augmented: bool = False
    adversarial: bool = False

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            known = ", ".join(map(repr, ARCHITECTURES))
            raise ValueError(f"architecture={self.architecture!r} is none of {known}.")

    def file(self, seed: int) -> str:
        """Name its run with a seed, so that no other has that name."""
        others = f"{crc32(repr((self, COMMON_ACCURACY, _LOOK)).encode()):08x}"
        return f"{self.architecture.replace(' ', '-')}-{others}-{seed}"


def networks(
    settings: Mapping[str, Setting], seeds: Sequence[int], folder: Path, threads: int, device: str
) -> pd.DataFrame:
    """Train and measure a network of every setting and seed, unless the folder has it.

    Parameters
    ----------
    settings
        By what tables call them.
    seeds
        Of each; all settings get a seed before any gets the next.
    folder
        Where pictures and finished networks lie; experiments share them.
    threads, device
        What each of them is trained by.

    Returns
    -------
    pandas.DataFrame
        network, seed, and what :func:`trained` tells of them.
    """
    torch.set_num_threads(threads)
    folder = folder / release()  # the packaged CLIP measures them
    pictures = prepared(folder, threads)
    files = {
        setting.file(seed): (name, setting, seed)
        for seed in seeds
        for name, setting in settings.items()
    }
    runs = {
        file: partial(trained, setting, seed, pictures, device)
        for file, (_, setting, seed) in files.items()
    }
    table = finished(folder / "networks", runs, "networks")
    whose = pd.DataFrame(
        [(file, name, seed) for file, (name, _, seed) in files.items()],
        columns=["run", "network", "seed"],
    )
    return whose.merge(table, on="run").drop(columns="run")


def trained(setting: Setting, seed: int, pictures: Pictures, device: str = "cpu") -> pd.DataFrame:
    """Train a network and measure it in each of `STATES`.

    Parameters
    ----------
    setting, seed
        What decides the outcome, up to how a machine and its number of threads round.
    pictures
        What it learns from and is measured on.
    device
        Where it is trained; it is measured on the CPU.

    Returns
    -------
    pandas.DataFrame
        state, step, accuracy (share of the validation pictures that are right), and what
        :func:`~semlens_widgets.demo.experiments.measuring.measured` tells, for each state and
        depth. A network that is never right often enough has no row "equal accuracy".
    """
    made = ARCHITECTURES[setting.architecture]
    torch.manual_seed(seed)
    labels = _labels(pictures.training_scenes, setting.kinds)
    validation = _labels(pictures.validation_scenes, setting.kinds)
    shown = pictures.validation.to(device)
    model = network(setting, int(labels.max()) + 1).to(device)
    tables: list[pd.DataFrame] = []
    reached = False

    def look(state: str, step: int, accuracy: float) -> None:
        layers = activations(model.cpu(), made.layers, pictures.measured)[1]
        model.to(device)
        found = {state: measured(layers, pictures.embeddings)}
        if state == "trained":
            found["shuffled"] = measured(layers, pictures.embeddings, shuffled=seed)
        tables.extend(
            table.assign(state=name, step=step, accuracy=accuracy) for name, table in found.items()
        )

    def each_step(step: int, _: nn.Module) -> None:
        nonlocal reached
        if step == setting.steps or (not reached and step % _LOOK == 0):
            accuracy = _accuracy(model, shown, validation)
            if not reached and accuracy >= COMMON_ACCURACY:
                reached = True
                look("equal accuracy", step, accuracy)
            if step == setting.steps:
                look("trained", step, accuracy)

    look("untrained", 0, _accuracy(model, shown, validation))
    recipe = ClassifierRecipe(
        seed=seed,
        steps=setting.steps,
        peak_rate=made.peak_rate,
        weight_decay=setting.weight_decay,
    )
    fit(
        model,
        pictures.training.to(device),
        labels.to(device),
        recipe,
        np.random.default_rng(seed),
        loss=_loss(setting, recipe),
        each_step=each_step,
    )
    table = pd.concat(tables, ignore_index=True)
    first = ["state", "step", "accuracy"]
    return table[[*first, *table.columns.drop(first)]]


def network(setting: Setting, classes: int) -> nn.Module:
    """Make the untrained network of a setting, in training mode."""
    made = ARCHITECTURES[setting.architecture]
    model = made.make(classes)
    if setting.dropout:
        for layer in made.layers:
            stage = model.get_submodule(layer)
            if not isinstance(stage, nn.Sequential):
                raise ValueError(f"dropout: {layer} of {setting.architecture!r} is no Sequential")
            stage.append(nn.Dropout2d(setting.dropout))
    return model


def _loss(setting: Setting, recipe: ClassifierRecipe) -> Loss:
    made = ARCHITECTURES[setting.architecture]
    loss: Loss = partial(cross_entropy, label_smoothing=recipe.label_smoothing, half=made.half)
    if setting.sparsity:
        loss = sparse(loss, made.layers, setting.sparsity)
    if setting.adversarial:
        loss = adversarial(loss)
    return augmented(loss) if setting.augmented else loss


def _labels(scenes: Sequence[Scene], kinds: Kinds) -> Tensor:
    """Return the class index of each scene, ``(scenes,)``."""
    words = [tuple(getattr(scene, kind) for kind in kinds.split()) for scene in scenes]
    numbers = {word: at for at, word in enumerate(sorted(set(words)))}
    return torch.tensor([numbers[word] for word in words])


@torch.no_grad()
def _accuracy(model: nn.Module, pictures: Tensor, labels: Tensor) -> float:
    model.eval()
    said = [model(normalised(some)).argmax(1).cpu() for some in torch.split(pictures, _AT_ONCE)]
    model.train()
    return float((torch.cat(said) == labels).double().mean())
