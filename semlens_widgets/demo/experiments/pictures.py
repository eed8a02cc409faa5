"""The pictures of an experiment: drawn once, embedded once, seen by every network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from semlens_widgets.demo.drawing import render
from semlens_widgets.demo.models import foundation, normalised
from semlens_widgets.demo.pool import render_pool
from semlens_widgets.demo.world import Scene, sample_scene

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

#: Large objects of few kinds, which small networks learn to tell apart within minutes.
SHAPES = ("circle", "triangle", "cross", "ring")
TEXTURES = ("plain", "striped", "dotted")
CLASSES = tuple(f"{texture} {shape}" for shape in SHAPES for texture in TEXTURES)
#: How many pictures networks learn from, are chosen by, and are looked at with.
TRAINING, VALIDATION, MEASURED = 12_000, 1_000, 2_500
_SEED = 701
_ARTEFACTS = 0.15  # probability of each
_AT_ONCE = 250


@dataclass(frozen=True)
class Pictures:
    """What the networks of an experiment learn from and are measured on.

    Attributes
    ----------
    training, validation, measured
        ``(pictures, 3, 64, 64)`` uint8.
    training_scenes, validation_scenes
        What they show.
    embeddings
        ``(measured pictures, dim)`` unit embeddings by the packaged CLIP.
    """

    training: Tensor
    validation: Tensor
    measured: Tensor
    training_scenes: list[Scene]
    validation_scenes: list[Scene]
    embeddings: Tensor


def sample(rng: np.random.Generator) -> Scene:
    """Draw a scene: a large object of one of `CLASSES`, anything else as it comes."""
    shape, texture = SHAPES[rng.integers(len(SHAPES))], TEXTURES[rng.integers(len(TEXTURES))]
    return sample_scene(rng, _ARTEFACTS, shape=shape, texture=texture, size="large")


def prepared(folder: Path, threads: int = 1) -> Pictures:
    """Return the pictures of the experiments, drawn and embedded unless the folder has them."""
    rng = np.random.default_rng(_SEED)
    scenes = [[sample(rng) for _ in range(count)] for count in (TRAINING, VALIDATION, MEASURED)]
    file = folder / f"pictures-{_SEED}.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        drawn = [render_pool(some, render, workers=threads) for some in scenes]
        half = file.with_suffix(".half.npz")
        np.savez(half, *drawn, embeddings=embedded(torch.from_numpy(drawn[2])).numpy())
        half.replace(file)
    with np.load(file) as held:
        training, validation, measured = (torch.from_numpy(held[f"arr_{at}"]) for at in range(3))
        embeddings = torch.from_numpy(held["embeddings"])
    return Pictures(training, validation, measured, scenes[0], scenes[1], embeddings)


def embedded(pictures: Tensor) -> Tensor:
    """Embed pictures ``(pictures, 3, 64, 64)`` uint8 by the packaged CLIP, at unit length."""
    clip = foundation()
    with torch.no_grad():
        parts = [clip.encode_images(normalised(some)) for some in torch.split(pictures, _AT_ONCE)]
    return torch.cat(parts)
