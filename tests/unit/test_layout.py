"""The map's layout: range, proportions, determinism, and few or equal vectors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from semlens_widgets.analysis.layout import umap_layout


@pytest.mark.slow
def test_clusters_lie_apart_and_a_seed_gives_one_layout():
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(3, 16, generator=generator).repeat_interleave(20, 0)
    vectors = centres + 0.1 * torch.randn(60, 16, generator=generator)
    found = umap_layout(vectors, seed=3)
    assert found.shape == (60, 2)
    assert found.dtype == np.float32
    assert np.abs(found).max() == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_array_equal(found, umap_layout(vectors, seed=3))
    assert not np.array_equal(found, umap_layout(vectors, seed=4))
    distance = np.linalg.norm(found[:, None] - found[None], axis=2)
    distance[np.diag_indices(60)] = np.inf
    assert (distance.argmin(1) // 20 == np.arange(60) // 20).all()
    # Fewer vectors than neighbours.
    few = umap_layout(vectors[::5], seed=3)
    assert few.shape == (12, 2)
    assert np.isfinite(few).all()


def test_torch_uses_as_many_threads_after_the_first_layout_as_before():
    """On a busy machine one thread more than there are free cores is many times slower."""
    code = """
import torch
from semlens_widgets.analysis.layout import umap_layout
torch.set_num_threads(1)
umap_layout(torch.randn(200, 8))
assert torch.get_num_threads() == 1, torch.get_num_threads()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_few_vectors_are_projected(count: int):
    vectors = torch.randn(count, 8, generator=torch.Generator().manual_seed(count))
    found = umap_layout(vectors)
    assert found.shape == (count, 2)
    assert np.ptp(found, axis=0).max() == pytest.approx(2.0, abs=1e-6)
    assert np.abs(found).max() <= 1
    np.testing.assert_array_equal(found, umap_layout(vectors))
    if count == 2:
        assert np.ptp(found[:, 1]) == pytest.approx(0.0, abs=1e-6)


def test_none_one_and_equal_vectors_lie_at_the_centre():
    assert umap_layout(torch.zeros(0, 4)).shape == (0, 2)
    assert umap_layout(torch.randn(1, 4)).tolist() == [[0.0, 0.0]]
    equal = torch.randn(1, 8).expand(40, 8) * torch.arange(1.0, 41.0)[:, None]
    assert not umap_layout(equal).any()
    assert not umap_layout(np.zeros((20, 3))).any()


def test_a_single_dimension_gives_a_line():
    found = umap_layout(torch.tensor([[1.0], [-2.0], [3.0]]))
    assert np.ptp(found[:, 0]) == 2
    assert not found[:, 1].any()


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="vectors: expected shape"):
        umap_layout(torch.zeros(3))
    with pytest.raises(ValueError, match="NaN"):
        umap_layout(torch.full((3, 2), torch.nan))
    with pytest.raises(ValueError, match="neighbours"):
        umap_layout(torch.zeros(3, 2), neighbours=1)
