"""What is filled in for a region, against formulas."""

import numpy as np
import pytest

from semlens_widgets.labels.contrasts.fills import blurred, inpainted, removed, shuffled
from semlens_widgets.labels.contrasts.perturb import most_relevant


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (33, 40, 3), np.uint8)


@pytest.fixture
def region():
    region = np.zeros((33, 40), bool)
    region[4:20, 7:30] = True
    region[32, 39] = True  # at the border
    return region


@pytest.mark.parametrize("fill", [removed, blurred, inpainted])
def test_nothing_outside_the_region_changes(fill, picture, region):
    before = picture.copy()
    after = fill(picture, region)
    assert np.array_equal(picture, before)
    assert np.array_equal(after[~region], before[~region])
    assert after.dtype == np.uint8
    assert (after[region] != before[region]).any(1).mean() > 0.9


def test_removed_is_the_mean_colour(picture, region):
    after = removed(picture, region).astype(float)
    assert np.abs(after[region] - picture.reshape(-1, 3).mean(0)).max() <= 0.5


def test_inpainted_continues_a_slope_exactly(region):
    # A plane solves Laplace's equation; the corner pixel is the mean of its two neighbours.
    y, x = np.mgrid[:33, :40]
    plane = np.stack([3 * x, 2 * y + 10, x + y], axis=2).astype(np.uint8)
    hidden = plane.copy()
    hidden[region] = 255
    after = inpainted(hidden, region)
    inner = region.copy()
    inner[32, 39] = False
    assert np.abs(after[inner].astype(int) - plane[inner]).max() <= 1
    corner = (plane[31, 39].astype(float) + plane[32, 38]) / 2
    assert np.abs(after[32, 39] - corner).max() <= 0.5


def test_inpainted_never_leaves_the_range_of_what_is_around(picture, region):
    picture = picture // 4 + 90
    after = inpainted(picture, region)
    assert after[region].min() >= 90
    assert after[region].max() <= 90 + 63


def test_blurred_flattens(picture, region):
    assert blurred(picture, region)[region].std() < picture[region].std() / 4


def test_shuffled_moves_every_patch_and_loses_none(region):
    # 33 // 16 = 2: patches of 2 by 2 pixels, each of a colour of its own.
    y, x = np.mgrid[:33, :40] // 2
    picture = np.stack([y, x, 0 * x], axis=2).astype(np.uint8)
    after = shuffled(picture, region, np.random.default_rng(1))
    moved = (after != picture).any(2)
    whole = np.zeros_like(region)
    whole[4:20, 6:30] = True  # columns 6 and 7 are a patch, covered by half
    assert np.array_equal(moved, whole)
    colours = [sorted(map(tuple, one[whole].tolist())) for one in (picture, after)]
    assert colours[0] == colours[1]
    again = shuffled(picture, region, np.random.default_rng(1))
    assert np.array_equal(after, again)


def test_a_single_patch_has_nowhere_to_go():
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    region = np.zeros((32, 32), bool)
    region[:2, :2] = True
    assert np.array_equal(shuffled(picture, region, np.random.default_rng(0)), picture)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25])
def test_the_most_relevant_pixels_grow_out_of_the_peak(share):
    y, x = np.mgrid[:32, :32]
    relevance = np.clip(255 - 12 * np.hypot(y - 8, x - 20), 0, 255).astype(np.uint8)
    region = most_relevant(relevance, (64, 64), share)
    assert region.sum() == int(share * 64 * 64)
    rows, columns = np.nonzero(region)
    radius = np.sqrt(share * 64 * 64 / np.pi)
    assert np.hypot(rows - 16.5, columns - 40.5).max() < radius + 2


def test_what_has_no_relevance_is_never_in_the_region():
    relevance = np.zeros((20, 30), np.uint8)
    assert not most_relevant(relevance, (20, 30), 0.5).any()
    relevance[5, 5] = 255
    assert 0 < most_relevant(relevance, (20, 30), 0.5).sum() < 30
