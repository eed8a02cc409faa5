"""Where a model's input lies in the image: each transform's answer is known from how it is made."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch.nn.functional import grid_sample
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as tv

from semlens_widgets.attribution.framing import find_frame
from semlens_widgets.attribution.placing import holds
from semlens_widgets.attribution.view import Frame, to_image_box, to_image_grid

TENSOR = (v2.ToImage(), v2.ToDtype(torch.float32, scale=True))
CROP = (v2.Resize(64), v2.CenterCrop(32), *TENSOR)  # the middle half of the short side
IMAGENET = v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
FLIP = Image.Transpose.FLIP_LEFT_RIGHT


def then(*steps):
    return v2.Compose(list(steps))


def z_scored(x):
    return (x - x.mean()) / (x.std() + 1e-6)


def spread(x):
    return (x - x.min()) / (x.max() - x.min() + 1e-6)


def squared(image, mode="constant"):
    width, height = image.size
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    border = [left, top, side - width - left, side - height - top]
    return tv.pad(image, border, padding_mode=mode)


def with_numpy(image):
    """As albumentations do it: arrays, own arithmetic, channels last until the end."""
    pixels = np.asarray(image.resize((48, 48)), np.float32)[8:40, 8:40]
    pixels = (pixels - pixels.mean((0, 1))) / (pixels.std((0, 1)) + 1)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def to_the_object(image):
    """Crop to what is brighter than the rest: another place in each image."""
    light = np.asarray(image.convert("L"))
    return image.crop(Image.fromarray((light > light.min()).astype(np.uint8)).getbbox())


def warped(x, bent=-1.0):
    line = torch.linspace(-1, 1, x.shape[-1])
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    grid = grid * (1 + bent * (1 - grid.norm(dim=-1, keepdim=True)) / 2)
    return grid_sample(x[None], grid[None], align_corners=False)[0]


def flipped_if_bright_on_the_left(image):
    pixels = np.asarray(image.convert("L"), np.float32)
    half = image.width // 2
    return image.transpose(FLIP) if pixels[:, :half].mean() > pixels[:, half:].mean() else image


MIDDLE = (0.25, 0.25, 0.75, 0.75)
WHOLE = (0.0, 0.0, 1.0, 1.0)
PADDED = (-0.25, -0.25, 1.25, 1.25)
SQUASH = v2.Resize((64, 64))

KNOWN = {  # by name: the transform, its box in a square image, and whether it transposes
    "plain": (then(*CROP), MIDDLE),
    "imagenet": (then(*CROP, IMAGENET), MIDDLE),
    "three greys": (then(v2.Grayscale(3), *CROP), MIDDLE),
    "one grey": (then(v2.Grayscale(1), *CROP), MIDDLE),
    "one colour": (then(*CROP, lambda x: x[:1]), MIDDLE),
    "swapped channels": (then(*CROP, lambda x: x[[2, 1, 0]]), MIDDLE),
    "opponent channels": (then(*CROP, lambda x: x - x.roll(1, 0)), MIDDLE),
    "six channels": (then(*CROP, lambda x: torch.cat([x, 1 - x])), MIDDLE),
    "z-score": (then(*CROP, z_scored), MIDDLE),
    "z-score per channel": (then(*CROP, lambda x: torch.stack([z_scored(c) for c in x])), MIDDLE),
    "z-score and imagenet": (then(*CROP, z_scored, IMAGENET), MIDDLE),
    "min-max": (then(*CROP, spread), MIDDLE),
    "inverted": (then(*CROP, lambda x: 1 - x), MIDDLE),
    "gamma": (then(*CROP, lambda x: x**2.2), MIDDLE),
    "posterised": (then(v2.RandomPosterize(3, 1.0), *CROP), MIDDLE),
    "equalised": (then(v2.RandomEqualize(1.0), *CROP), MIDDLE),
    "autocontrast": (then(*CROP[:2], v2.RandomAutocontrast(1.0), *TENSOR), MIDDLE),
    "blurred": (then(*CROP, v2.GaussianBlur(3, 1.0)), MIDDLE),
    "not smoothed": (then(*TENSOR, v2.Resize(64, antialias=False), v2.CenterCrop(32)), MIDDLE),
    "nearest": (then(v2.Resize(64, InterpolationMode.NEAREST), *CROP[1:]), MIDDLE),
    "numpy": (with_numpy, (1 / 6, 1 / 6, 5 / 6, 5 / 6)),
    "colour jitter": (then(v2.ColorJitter(0.3, 0.3), *CROP), MIDDLE),
    "squashed": (then(SQUASH, *TENSOR), WHOLE),
    "stretched": (then(v2.Resize((40, 96)), *TENSOR), WHOLE),
    "eight pixels": (then(v2.Resize((8, 8)), *TENSOR), WHOLE),
    "four pixels": (then(v2.Resize((4, 4)), *TENSOR), WHOLE),
    "corner": (then(SQUASH, *TENSOR, lambda x: x[:, :32, 32:]), (0.5, 0.0, 1.0, 0.5)),
    "padded": (then(SQUASH, v2.Pad(32), *TENSOR), (-0.5, -0.5, 1.5, 1.5)),
    "padded grey": (then(SQUASH, v2.Pad(8, fill=127), *TENSOR), (-0.125, -0.125, 1.125, 1.125)),
    "edges repeated": (then(SQUASH, v2.Pad(16, padding_mode="edge"), *TENSOR), PADDED),
    "edges reflected": (then(SQUASH, v2.Pad(16, padding_mode="reflect"), *TENSOR), PADDED),
    "mirrored": (then(v2.RandomHorizontalFlip(1.0), *CROP), (0.75, 0.25, 0.25, 0.75)),
    "mirrored and inverted": (
        then(v2.RandomHorizontalFlip(1.0), v2.RandomInvert(1.0), *CROP),
        (0.75, 0.25, 0.25, 0.75),
    ),
    "upside down": (then(SQUASH, ImageOps.flip, *TENSOR), (0.0, 1.0, 1.0, 0.0)),
    "turned": (then(SQUASH, lambda i: i.rotate(90), *TENSOR), (1.0, 0.0, 0.0, 1.0), True),
    "transposed": (then(SQUASH, *TENSOR, lambda x: x.mT), WHOLE, True),
}
UNKNOWN = {
    "turned by 15 degrees": then(SQUASH, lambda image: image.rotate(15), *TENSOR),
    "warped": then(SQUASH, *TENSOR, warped),
    "slightly warped": then(SQUASH, *TENSOR, lambda x: warped(x, -0.4)),
    "shuffled": then(SQUASH, *TENSOR, lambda x: x[:, :, torch.arange(64) * 37 % 64]),
    "spectrum": then(SQUASH, *TENSOR, lambda x: torch.fft.fft2(x).abs().log1p()),
    "rolled": then(SQUASH, *TENSOR, lambda x: x.roll(20, 2)),
    "borders of things": then(SQUASH, *TENSOR, lambda x: x.diff(dim=2)),
    "nothing": then(SQUASH, *TENSOR, lambda x: 0 * x),
    "not a number": then(SQUASH, *TENSOR, lambda x: x + torch.nan),
    "error": then(SQUASH, *TENSOR, lambda x: x.reshape(7)),
}


def photograph(size=(128, 128), at=(40, 40, 56, 56), seed=0):
    """Soft shades and a bright square."""
    rng = np.random.default_rng(seed)
    shades = Image.fromarray(rng.integers(20, 110, (5, 6, 3), np.uint8))
    image = shades.resize(size, Image.Resampling.BICUBIC)
    image.paste((255, 255, 255), at)
    return image


@cache
def frame_of(name):
    """Where a transform that is known is found to look in images of 128 by 128 pixels."""
    transform, *_ = KNOWN[name]
    return find_frame(transform, (128, 128), transform(photograph()).shape[1:])


@pytest.mark.parametrize("name", KNOWN)
def test_known_transforms_have_known_places(name):
    transform, box, *transposed = KNOWN[name]
    image = photograph()
    seen = transform(image)
    frame = frame_of(name)
    assert frame is not None
    assert frame.box == pytest.approx(box, abs=0.02)
    assert frame.transposed == bool(transposed)
    assert holds(frame, transform, image, seen)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_has_no_place_is_not_given_one(name):
    assert find_frame(UNKNOWN[name], (128, 128), (64, 64)) is None


@pytest.mark.parametrize(
    ("size", "transform", "box"),
    [
        ((256, 256), then(v2.Resize(256), v2.CenterCrop(224), *TENSOR), (1 / 16, 1 / 16) * 2),
        ((512, 256), then(v2.Resize(256), v2.CenterCrop(224), *TENSOR), (144 / 512, 1 / 16) * 2),
        ((500, 375), then(SQUASH, *TENSOR), (0, 0, 1, 1)),
        ((200, 100), then(squared, SQUASH, *TENSOR), (0, -0.5, 1, 1.5)),
        ((100, 200), then(lambda i: squared(i, "edge"), SQUASH, *TENSOR), (-0.5, 0, 1.5, 1)),
        ((90, 120), then(lambda i: squared(i, "reflect"), SQUASH, *TENSOR), (-1 / 6, 0, 7 / 6, 1)),
        ((20, 600), then(v2.Resize(64), v2.CenterCrop(64), *TENSOR), (0, 29 / 60, 1, 31 / 60)),
        ((3, 3), then(v2.Resize(64), v2.CenterCrop(56), *TENSOR), (1 / 16, 1 / 16) * 2),
        ((1, 40), then(SQUASH, *TENSOR), (0, 0, 1, 1)),
        ((40, 1), then(SQUASH, *TENSOR), (0, 0, 1, 1)),
        ((2, 50), then(SQUASH, *TENSOR), (0, 0, 1, 1)),
        ((1, 1), then(SQUASH, *TENSOR), (0, 0, 1, 1)),
    ],
)
def test_images_of_any_shape(size, transform, box):
    frame = find_frame(transform, size, transform(Image.new("RGB", size)).shape[1:])
    assert frame is not None
    if len(box) == 4 and box[:2] == box[2:]:  # centred: given by one corner
        box = (*box[:2], 1 - box[0], 1 - box[1])
    assert frame.box == pytest.approx(box, abs=0.02)


@pytest.mark.parametrize("size", [(2, 50), (17, 1200), (1, 40), (3, 3), (5, 300)])
@pytest.mark.parametrize("name", ["plain", "mirrored", "corner", "z-score", "nearest"])
def test_hardly_anything_to_see_is_right_or_unknown(size, name):
    transform, *_ = KNOWN[name]
    frame = find_frame(transform, size, transform(Image.new("RGB", size)).shape[1:])
    if frame is None:
        return
    width, height = size
    scale = 64 / min(size)
    if name == "corner":
        truth = (0.5, 0.0, 1.0, 0.5)
    else:
        across, down = (16 / (length * scale) for length in size)
        truth = (0.5 - across, 0.5 - down, 0.5 + across, 0.5 + down)
    if name == "mirrored" and width > 1:
        truth = (truth[2], truth[1], truth[0], truth[3])
    slack = [max(0.02, 1 / length) for length in (width, height, width, height)]
    assert (np.abs(np.subtract(frame.box, truth)) <= slack).all()


@pytest.mark.parametrize("name", KNOWN)
def test_a_bright_square_comes_back_where_it_was(name):
    """What stands out in the input is the heatmap: it lands on the square of the image itself."""
    transform, *_ = KNOWN[name]
    at = (68, 36, 92, 60)
    image = Image.new("RGB", (128, 128), (60, 70, 50))
    image.paste((250, 250, 250), at)
    seen, frame = transform(image), frame_of(name)
    values = (seen - seen.flatten(1).median(1).values[:, None, None]).abs().amax(0)
    levels = (values / values.max() * 255).byte().numpy()
    grid = to_image_grid(levels, frame, image.size, 128)
    rows, columns = np.nonzero(grid > 127)
    slack = max(3, 0.7 * 128 / seen.shape[2])
    assert (columns.min(), columns.max() + 1) == pytest.approx(at[::2], abs=slack)
    assert (rows.min(), rows.max() + 1) == pytest.approx(at[1::2], abs=slack)
    hot_rows, hot_columns = np.nonzero(levels > 127)
    hot = (hot_columns.min(), hot_rows.min(), hot_columns.max() + 1, hot_rows.max() + 1)
    box = to_image_box([int(edge) for edge in hot], levels.shape, frame)
    assert np.multiply(box, 128) == pytest.approx(at, abs=slack)


@pytest.mark.parametrize("colour", [0, 30, 127, 255])
def test_an_image_of_one_colour_has_its_place_all_the_same(colour):
    transform = then(*CROP, z_scored)
    image = Image.new("RGB", (128, 128), (colour,) * 3)
    assert holds(Frame(MIDDLE), transform, image, transform(image))


@pytest.mark.parametrize("background", [0, 40, 90])
def test_a_crop_that_follows_the_object_is_noticed(background):
    """On stripes it shows the whole image, on a picture the object alone."""
    transform = then(to_the_object, SQUASH, *TENSOR)
    image = Image.new("RGB", (128, 128), (background,) * 3)
    image.paste((200, 60, 60), (40, 40, 56, 56))
    image.paste((120, 200, 90), (48, 48, 56, 56))
    assert not holds(Frame(WHOLE), transform, image, transform(image))


def test_a_flip_that_follows_the_image_is_noticed():
    transform = then(flipped_if_bright_on_the_left, SQUASH, *TENSOR)
    left, right = photograph(at=(10, 40, 40, 80)), photograph(at=(90, 40, 120, 80))
    assert not holds(Frame(WHOLE), transform, left, transform(left))
    assert holds(Frame(WHOLE), transform, right, transform(right))


def test_a_random_crop_is_found_or_not_but_never_wrongly():
    torch.manual_seed(0)
    transform = v2.Compose([v2.RandomResizedCrop(64, (0.1, 0.5)), *TENSOR])
    for seed in range(5):
        image = photograph(seed=seed)
        seen = transform(image)
        for frame in (find_frame(transform, image.size, (64, 64)), Frame(WHOLE), Frame(MIDDLE)):
            assert frame is None or not holds(frame, transform, image, seen)
