"""Where a model's input lies in the image: known transforms have known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from semlens_widgets.pipeline.view import WHOLE, to_image_box, to_image_grid, visible_box

NORMALISE = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("resize", "crop", "size", "expected"),
    [
        (256, 224, (256, 256), (16 / 256, 16 / 256, 240 / 256, 240 / 256)),
        (256, 224, (512, 256), (0.5 - 112 / 512, 1 / 16, 0.5 + 112 / 512, 15 / 16)),
        (64, 64, (64, 128), (0, 0.25, 1, 0.75)),
    ],
)
def test_resize_and_centre_crop(resize, crop, size, expected):
    transform = transforms.Compose(
        [transforms.Resize(resize), transforms.CenterCrop(crop), transforms.ToTensor(), NORMALISE]
    )
    assert visible_box(transform, size) == pytest.approx(expected, abs=0.01)


def test_squashing_shows_the_whole_image():
    transform = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor(), NORMALISE])
    assert visible_box(transform, (300, 100)) == pytest.approx(WHOLE, abs=0.01)


@pytest.mark.parametrize(
    "warp", [transforms.RandomHorizontalFlip(1.0), transforms.RandomRotation((90, 90))]
)
def test_a_warping_transform_falls_back_to_the_whole_image(warp):
    assert visible_box(transforms.Compose([warp, transforms.ToTensor()]), (64, 64)) == WHOLE


def test_a_bright_patch_comes_back_where_it_was():
    """A map made from the transformed image lands on the patch in the untouched one."""
    image = np.zeros((100, 200, 3), np.uint8)
    image[40:60, 120:140] = 255
    transform = transforms.Compose(
        [transforms.Resize(64), transforms.CenterCrop(56), transforms.ToTensor()]
    )
    seen = transform(Image.fromarray(image))
    values = (seen[0] * 255).to(torch.uint8).numpy()
    view = visible_box(transform, (200, 100))
    grid = to_image_grid(values, view, (200, 100), 200)
    assert grid.shape == (100, 200)
    rows, columns = np.nonzero(grid > 128)
    assert (rows.min(), rows.max() + 1) == pytest.approx((40, 60), abs=3)
    assert (columns.min(), columns.max() + 1) == pytest.approx((120, 140), abs=3)
    top, left = (int(edge) for edge in np.argwhere(values > 128).min(axis=0))
    bottom, right = (int(edge) + 1 for edge in np.argwhere(values > 128).max(axis=0))
    box = to_image_box((left, top, right, bottom), values.shape, view)
    assert box == pytest.approx((0.6, 0.4, 0.7, 0.6), abs=0.02)
