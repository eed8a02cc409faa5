"""Fixtures that several test files share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Seed the global generators, before any fixture: a test draws the same whatever ran before."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - what others' code may draw from


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real photographs and pretrained models."""
    folder = os.environ.get("SEMLENS_REAL_DATA")
    if not folder:
        pytest.skip("SEMLENS_REAL_DATA is not set: no real photographs and models to test with")
    return Path(folder)


@pytest.fixture
def colour_lens(tmp_path: Path):
    """Make a lens on the colour world; arguments override its inputs."""

    def make(**changes):
        images = changes.pop("images", None) or slw.ImageDataset.from_list(
            colour_images(), [i % 3 for i in range(60)], ["red", "green", "blue"]
        )
        target = changes.pop("target", None) or slw.TargetModel(
            ColourNet(),
            ["seen", "mixed"],
            transform=to_tensor,
            outputs=["red", "green"],
            name="ColourNet",
            poles="positive",
        )
        options = {"path": tmp_path / "analysis", "n_examples": 6} | changes
        foundation = options.pop("foundation", None) or ColourFoundation()
        return slw.SemanticLens(target, images, foundation, **options)

    return make


@pytest.fixture(scope="session")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the checkpoints of one short training: before it, and after each of four passes.

    Half a minute on one core.
    """
    from semlens_widgets.demo.train_classifier import ClassifierRecipe, train_classifier

    folder = tmp_path_factory.mktemp("training")
    recipe = ClassifierRecipe(pictures=3_200, batch=64, steps=200)
    train_classifier(folder / "end.safetensors", recipe, threads=1, checkpoints=folder)
    return folder
