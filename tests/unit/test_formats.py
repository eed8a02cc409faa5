"""A grey value becomes the same pixel whatever is beside it, or the picture is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

from semlens_widgets.errors import UnreadableImage
from semlens_widgets.inputs.images import ImageDataset


def loaded(item):
    return np.asarray(ImageDataset.from_list([item]).load(0))


GREYS = np.array([[0.0, 0.25], [0.5, 1.0]])
BYTES = np.array([[0, 64], [128, 255]])


@pytest.mark.parametrize(
    "values",
    [
        (GREYS * 255).round().astype(np.uint8),
        (GREYS * 65535).round().astype(np.uint16),
        GREYS,
        GREYS.astype(np.float32),
        GREYS.astype(np.float16),
    ],
    ids=lambda values: str(values.dtype),
)
@pytest.mark.parametrize(
    "layout", ["hw", "hw1", "1hw", "hw3", "3hw", "hw4", "tensor", "tensor1", "tensor3", "tensor4"]
)
def test_arrays_of_every_layout_and_type(values, layout):
    stacked = np.stack([values] * 3)
    white = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    opaque = np.full_like(values, white)
    with_alpha = np.stack([values, values, values, opaque])
    items = {
        "hw": values,
        "hw1": values[:, :, None],
        "1hw": values[None],
        "hw3": np.moveaxis(stacked, 0, 2),
        "3hw": np.stack([np.tile(values, (1, 3))] * 3),  # else the last axis is no channel count
        "hw4": np.moveaxis(with_alpha, 0, 2),
        "tensor": torch.from_numpy(values),
        "tensor1": torch.from_numpy(values[None]),
        "tensor3": torch.from_numpy(stacked),
        "tensor4": torch.from_numpy(with_alpha),
    }
    expected = np.tile(BYTES, (1, 3)) if layout == "3hw" else BYTES
    expected = np.repeat(expected[:, :, None], 3, axis=2)
    np.testing.assert_allclose(loaded(items[layout]), expected, atol=1)


def test_bool_arrays_are_black_and_white():
    np.testing.assert_array_equal(loaded(GREYS > 0.3)[..., 0], [[0, 0], [255, 255]])


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (np.zeros((7, 5, 2), np.uint8), r"shape \(7, 5, 2\)"),
        (np.zeros((4, 5, 6, 3), np.uint8), r"shape \(4, 5, 6, 3\)"),
        (np.zeros(7, np.uint8), r"shape \(7,\)"),
        (np.zeros((0, 5), np.uint8), "holds no pixel"),
        (np.full((4, 5), 200), "int64 does not say which value is white"),
        (np.full((4, 5), 1, np.int32), "int32 does not say"),
        (np.full((4, 5), 200.0), r"values from 200 to 200, not in \[0, 1\]"),
        (np.full((4, 5), np.nan), "values from nan"),
        (np.full((4, 5), -0.5), "values from -0.5"),
        (torch.full((3, 4, 5), 200), "int64 does not say"),
        (torch.zeros(7, 5, 3), r"a tensor of shape \(7, 5, 3\)"),
        (np.full((4, 5), "a"), "does not say"),
    ],
)
def test_arrays_without_one_meaning_are_refused_at_once(item, words):
    with pytest.raises(ValueError, match=rf"images\[0\]: .*{words}"):
        ImageDataset.from_list([item])
    images = ImageDataset.from_list([Image.new("RGB", (2, 2)), item])
    with pytest.raises(UnreadableImage, match=words):
        images.load(1)


RAMP = np.linspace(0, 1, 64).reshape(8, 8)


def test_one_grey_of_a_deep_picture_is_one_pixel(tmp_path):
    """Whatever is brightest beside it."""
    made = {
        "16.png": lambda grey: (grey * 65535).round().astype(np.uint16),
        "16.tif": lambda grey: (grey * 65535).round().astype(np.uint16),
        "32.tif": lambda grey: grey.astype(np.float32),
    }
    for name, deep in made.items():
        for brightest in (0.003, 0.2, 0.7, 1.0):
            picture = RAMP.clip(max=brightest)
            Image.fromarray(deep(picture)).save(tmp_path / name)
            seen = loaded(tmp_path / name)[..., 0]
            np.testing.assert_array_equal(seen, (picture * 255).round(), err_msg=name)


def test_a_pgm_of_16_bits(tmp_path):
    values = (RAMP * 65535).round().astype(">u2")
    (tmp_path / "a.ppm").write_bytes(b"P5 8 8 65535\n" + values.tobytes())
    np.testing.assert_array_equal(loaded(tmp_path / "a.ppm")[..., 0], (RAMP * 255).round())


@pytest.mark.parametrize("largest", [1, 255, 256, 70000])
def test_32_bits_without_a_declared_white_are_refused(tmp_path, largest):
    Image.fromarray((RAMP * largest).astype(np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImage, match=r"'a\.tif': a picture of 32 bits does not say"):
        loaded(tmp_path / "a.tif")


def test_a_declared_white_is_taken(tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[281] = 1000
    tags.tagtype[281] = 4
    for largest in (100, 1000):
        values = (RAMP * largest).round()
        Image.fromarray(values.astype(np.int32)).save(tmp_path / "a.tif", tiffinfo=tags)
        seen = loaded(tmp_path / "a.tif")[..., 0]
        np.testing.assert_array_equal(seen, (values / 1000 * 255).round())


@pytest.mark.parametrize("as_file", [True, False])
def test_floats_a_little_beyond_black_and_white_are_clipped(tmp_path, as_file):
    """As bicubic resampling leaves them: the grey values between are the same as without."""
    values = np.array([[-0.04, 0.0, 0.25, 0.5, 1.0, 1.04]], np.float32)
    item = tmp_path / "a.tif" if as_file else values
    if as_file:
        Image.fromarray(values).save(item)
    np.testing.assert_array_equal(loaded(item)[0, :, 0], [0, 0, 64, 128, 255, 255])


@pytest.mark.parametrize("largest", [1.1, 255.0, np.nan])
def test_floats_beyond_white_are_refused(tmp_path, largest):
    Image.fromarray((RAMP * largest).astype(np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImage, match=r"'a\.tif': a picture of floats has values"):
        loaded(tmp_path / "a.tif")


def tiff(path, bits, photometric, strip, width, height):
    """A plain little-endian TIFF of one strip."""
    entries = [
        (256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric),
        (273, 4, 8 + 2 + 9 * 12 + 4), (277, 3, 1), (278, 3, height), (279, 4, len(strip)),
    ]  # fmt: skip
    body = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        body += struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0) + strip)


def test_a_tiff_of_12_bits_has_its_own_white(tmp_path):
    """Two pixels of 12 bits are three bytes: here 4,095 and 2,048."""
    tiff(tmp_path / "a.tif", 12, 1, bytes([0xFF, 0xF8, 0x00]), 2, 1)
    assert loaded(tmp_path / "a.tif")[0, :, 0].tolist() == [255, 128]


def test_a_tiff_whose_white_is_zero(tmp_path):
    strip = np.array([0, 65535, 257 * 100], "<u2").tobytes()
    tiff(tmp_path / "a.tif", 16, 0, strip, 3, 1)
    assert loaded(tmp_path / "a.tif")[0, :, 0].tolist() == [255, 0, 155]
    tiff(tmp_path / "b.tif", 16, 1, strip, 3, 1)
    assert loaded(tmp_path / "b.tif")[0, :, 0].tolist() == [0, 255, 100]


def test_deep_pictures_are_turned_upright(tmp_path):
    values = np.zeros((6, 8), np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(values).save(tmp_path / "a.png", exif=exif)
    assert ImageDataset.from_folder(tmp_path).load(0).size == (6, 8)
