"""The box around what is relevant: square, inside, clean of single pixels."""

import numpy as np
import pytest
import torch

from semlens_widgets.attribution.neuron import (
    quantise,
    relevance_boxes,
)
from tests.unit.rules_world import relevance_box

SIDE = 16


def brute_force_box(relevance, threshold):
    rows, columns = np.nonzero(relevance >= threshold * relevance.max())
    side = max(rows.max() - rows.min(), columns.max() - columns.min()) + 1
    return columns.min(), columns.max() + 1, rows.min(), rows.max() + 1, int(side)


def test_boxes_are_square_inside_and_around_everything_relevant():
    rng = np.random.default_rng(0)
    maps = rng.random((200, 12, 17)).astype(np.float32) ** 40
    boxes, found = relevance_boxes(torch.from_numpy(maps), threshold=0.1, smoothing=0)
    assert found.all()
    for relevance, (left, top, right, bottom) in zip(maps, boxes.tolist(), strict=True):
        x0, x1, y0, y1, side = brute_force_box(relevance, 0.1)
        assert right - left == bottom - top == min(side, 12)
        assert 0 <= left < right <= 17
        assert 0 <= top < bottom <= 12
        if side <= 12:
            assert left <= x0
            assert top <= y0
            assert right >= x1
            assert bottom >= y1


@pytest.mark.parametrize(
    ("pixels", "box"),
    [
        ([(0, 0)], (0, 0, 1, 1)),
        ([(9, 11)], (11, 9, 12, 10)),  # the last row and column are not lost
        ([(9, 3), (9, 8)], (3, 4, 9, 10)),  # moved up from the border, not cut
        ([(0, 11), (4, 11)], (7, 0, 12, 5)),
        ([(5, 0), (5, 11)], (1, 0, 11, 10)),  # wider than the image is high
    ],
)
def test_boxes_at_the_borders(pixels, box):
    relevance = torch.zeros(10, 12)
    for row, column in pixels:
        relevance[row, column] = 3.0
    assert relevance_box(relevance, smoothing=0) == box


def test_negative_relevance_does_not_count():
    relevance = torch.full((8, 8), -5.0)
    relevance[2, 3] = 1.0
    assert relevance_box(relevance, smoothing=0) == (3, 2, 4, 3)
    assert quantise(relevance)[2, 3] == 255
    assert quantise(relevance).sum() == 255


def test_nothing_relevant_gives_the_whole_image_and_says_so():
    boxes, found = relevance_boxes(torch.stack([torch.zeros(6, 9), -torch.ones(6, 9)]))
    assert boxes.tolist() == [[0, 0, 9, 6]] * 2
    assert not found.any()
    assert not quantise(torch.zeros(6, 9)).any()


def test_boxes_do_not_depend_on_the_scale_of_relevance():
    relevance = torch.rand(1, 20, 20, generator=torch.Generator().manual_seed(0)) ** 30
    expected, _ = relevance_boxes(relevance, threshold=0.2)
    for scale in (1e-30, 1e-9, 1e9, 1e30):
        assert torch.equal(relevance_boxes(relevance * scale, threshold=0.2)[0], expected)


def test_smoothing_widens_evenly_and_forgives_single_pixels():
    relevance = torch.zeros(101, 101)
    relevance[50, 50] = 1.0
    left, top, right, bottom = relevance_box(relevance, smoothing=0.02)
    assert left == top
    assert left + right == top + bottom == 101
    assert 5 <= right - left <= 17
    relevance[10:14, 10:14] = 1.0  # a patch outweighs the single pixel once smoothed
    assert relevance_box(relevance, threshold=0.3, smoothing=0.02)[2] < 50


def test_quantised_maps_keep_their_shares():
    relevance = torch.tensor([[[0.0, 1.0], [2.0, -4.0]], [[4.0, 0.0], [0.0, 1.0]]])
    expected = [[[0, 128], [255, 0]], [[255, 0], [0, 64]]]
    assert quantise(relevance).tolist() == expected
    assert quantise(relevance.numpy()).dtype == np.uint8


@pytest.mark.parametrize(
    ("options", "words"),
    [({"threshold": 0.0}, "threshold=0.0"), ({"smoothing": -1.0}, "smoothing=-1.0")],
)
def test_box_arguments_are_checked(options, words):
    with pytest.raises(ValueError, match=words):
        relevance_boxes(torch.ones(1, 4, 4), **options)
    with pytest.raises(ValueError, match=r"relevance has shape \(4, 4\)"):
        relevance_boxes(torch.ones(4, 4))
