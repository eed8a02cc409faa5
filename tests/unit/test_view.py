"""Maps over a model's input, laid over the image that it was made from."""

from __future__ import annotations

import numpy as np
import pytest

from semlens_widgets.attribution.view import Frame, to_image_box, to_image_grid, to_input_grid


def corner(height, width):
    """A map with one hot quarter: top left."""
    values = np.zeros((height, width), np.uint8)
    values[: height // 2, : width // 2] = 255
    return values


@pytest.mark.parametrize(
    ("frame", "hot"),
    [
        (Frame((0, 0, 1, 1)), (0, 0, 50, 20)),
        (Frame((0.5, 0.5, 1, 1)), (50, 20, 75, 30)),
        (Frame((-0.5, -0.5, 1.5, 1.5)), (0, 0, 50, 20)),
        (Frame((1, 0, 0, 1)), (50, 0, 100, 20)),
        (Frame((0, 1, 1, 0)), (0, 20, 50, 40)),
        (Frame((0, 0.5, 1, 0), transposed=True), (0, 10, 50, 20)),
    ],
)
def test_a_hot_corner_lies_where_the_frame_says(frame, hot):
    values = corner(8, 12)
    values = values.T if frame.transposed else values
    grid = to_image_grid(values, frame, (100, 40), 100)
    assert grid.shape == (40, 100)
    rows, columns = np.nonzero(grid > 127)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert found == pytest.approx(hot, abs=1)
    height, width = values.shape
    box = to_image_box((0, 0, width // 2, height // 2), values.shape, frame)
    assert np.multiply(box, (100, 40, 100, 40)) == pytest.approx(hot, abs=1e-6)


def test_the_input_of_an_unknown_place_keeps_its_shape():
    assert to_input_grid(corner(224, 448), 112).shape == (56, 112)
    assert to_input_grid(corner(8, 12), 112).shape == (8, 12)
