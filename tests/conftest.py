"""Fixtures that several test files share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

import semlens_widgets as slw
from semlens_widgets import demo
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


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory):
    """Give an analysis of the scenes of its own; it is made once for all tests of a run."""
    workers = tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else None
    shared = workers or tmp_path_factory.getbasetemp()

    def lens(*, planted: bool = True, path: Path | None = None) -> slw.SemanticLens:
        made = shared / f"scenes of all tests, {'planted' if planted else 'clean'}"
        with FileLock(f"{made}.lock"):
            if not (made / "whole").exists():
                demo.scenes(made, planted=planted)
                (made / "whole").touch()
        own = path or tmp_path_factory.mktemp("scenes") / "analysis"
        shutil.copytree(made, own, ignore=shutil.ignore_patterns("whole"))
        return demo.scenes(own, planted=planted)

    return lens


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
