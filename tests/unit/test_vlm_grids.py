"""The grid of examples that a model is shown."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from semlens_widgets.labels.candidates.grids import GRID_SIDE, as_jpeg, grid

WHITE = (255, 255, 255)


def middle(place):
    """Where the middle of a place lies: three in a row, each of 128 pixels and 4 before it."""
    row, column = divmod(place, 3)
    return 4 + column * 132 + 64, 4 + row * 132 + 64


def test_nine_pictures_stand_in_order_and_what_is_over_is_white():
    colours = [(25 * place, 200 - 20 * place, 90) for place in range(12)]
    pictures = [Image.new("RGB", (64, 64), colour) for colour in colours]
    whole = grid(pictures)
    assert whole.size == (GRID_SIDE, GRID_SIDE) == (400, 400)
    assert [whole.getpixel(middle(place)) for place in range(9)] == colours[:9]
    assert whole.getpixel((2, 2)) == whole.getpixel((134, 64)) == WHITE
    few = grid(pictures[:4])
    assert [few.getpixel(middle(place)) for place in range(9)] == colours[:4] + [WHITE] * 5


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (16, 8), (1, 1)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_picture_keeps_its_shape(size, mode):
    shown = np.asarray(grid([Image.new(mode, size)]))[4:132, 4:132]
    dark = np.argwhere(shown.sum(2) < 300)
    height, width = dark.max(0) - dark.min(0) + 1
    assert max(height, width) == 128
    assert height * size[0] == pytest.approx(width * size[1], rel=0.02)


def test_a_grid_needs_a_picture_and_is_a_jpeg():
    with pytest.raises(ValueError, match="at least one"):
        grid([])
    assert Image.open(BytesIO(as_jpeg(grid([Image.new("RGB", (9, 9))])))).format == "JPEG"
