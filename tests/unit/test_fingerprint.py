"""A changed input is noticed, and what does not matter is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

import semlens_widgets as slw
from semlens_widgets.pipeline import fingerprint
from semlens_widgets.pipeline.plan import STAGES
from semlens_widgets.pipeline.settings import Plan
from semlens_widgets.store.stages import stale_after
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor


def transform(
    size=64, mean=0.5, interpolation=v2.InterpolationMode.BILINEAR, resize=72, antialias=True
):
    return v2.Compose(
        [
            v2.Resize(resize, interpolation=interpolation, antialias=antialias),
            v2.CenterCrop(size),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([mean] * 3, [0.25] * 3),
        ]
    )


def test_transforms_are_told_apart_by_what_they_do():
    variants = [
        transform(),
        transform(size=60),
        transform(mean=0.45),
        transform(resize=80),
        transform(interpolation=v2.InterpolationMode.BICUBIC),
        transform(interpolation=v2.InterpolationMode.NEAREST),
        lambda image: transform()(image).flip(0),
        lambda image: transform()(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    ]
    digests = [fingerprint.of_transform(variant) for variant in variants]
    assert len(set(digests)) == len(variants)
    assert fingerprint.of_transform(lambda image: transform()(image) + 1e-7) == digests[0]
    assert fingerprint.of_transform(transform()) == digests[0]


def test_a_transform_that_cannot_be_probed_is_still_told_in_words():
    assert fingerprint.of_transform(lambda _: torch.rand(3, 4, 4)).startswith("random ")

    def picky(image):
        raise ValueError("only 32 × 32")

    assert "ValueError" in fingerprint.of_transform(picky)


def test_weights_and_architecture():
    plain, other = ColourNet(), ColourNet()
    assert fingerprint.of_weights(plain) == fingerprint.of_weights(other)
    assert fingerprint.of_architecture(plain) == fingerprint.of_architecture(other)
    with torch.no_grad():
        other.head.bias[1] += 1e-6
    assert fingerprint.of_weights(plain) != fingerprint.of_weights(other)
    assert fingerprint.of_architecture(plain) == fingerprint.of_architecture(other)
    other.relu = nn.GELU()
    assert fingerprint.of_architecture(plain) != fingerprint.of_architecture(other)


def test_poolings():
    torch.manual_seed(0)
    coder, retrained = nn.Linear(4, 8), nn.Linear(4, 8)

    def with_coder(coder):
        return lambda tokens: coder(tokens.mean(1))

    poolings = [
        "mean",
        "max",
        coder,
        retrained,
        with_coder(coder),
        with_coder(retrained),
        lambda y: y.mean(1),
        lambda y: y.amax(1),
        coder.forward,
        retrained.forward,
    ]
    digests = [fingerprint.of_function(pooling) for pooling in poolings]
    assert len(set(digests)) == len(poolings)
    assert fingerprint.of_function(with_coder(coder)) == digests[4]
    assert "0x" not in "".join(digests)


def test_images_under_the_same_names():
    first = slw.ImageDataset.from_list(colour_images(), [i % 3 for i in range(60)])
    same = slw.ImageDataset.from_list(colour_images(), [i % 3 for i in range(60)])
    others = slw.ImageDataset.from_list(colour_images(seed=1), [i % 2 for i in range(60)])
    for digest in (fingerprint.of_uris, fingerprint.of_pictures, fingerprint.of_labels):
        assert digest(first) == digest(same)
    assert fingerprint.of_uris(first) == fingerprint.of_uris(others)
    assert fingerprint.of_pictures(first) != fingerprint.of_pictures(others)
    assert fingerprint.of_labels(first) != fingerprint.of_labels(others)


def test_labels_that_lie_in_the_items_are_not_read_for_a_digest():
    class Slow:
        reads = 0

        def __len__(self):
            return 1000

        def __getitem__(self, index):
            Slow.reads += 1
            return Image.fromarray(np.full((4, 4, 3), index % 256, np.uint8)), index % 2

    images = slw.ImageDataset.from_dataset(Slow())
    fingerprint.of_labels(images)
    fingerprint.of_pictures(images)
    assert Slow.reads < 20


def test_every_setting_belongs_to_a_stage():
    target = slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor)
    images = slw.ImageDataset.from_list(colour_images())
    settings = set(Plan(target, images, ColourFoundation(), 6, "image", 8).settings())
    used = {key for stage in STAGES for key in stage.settings}
    assert settings - used == {"model", "outputs"}  # names, for people alone
    assert used <= settings
    order = [stage.name for stage in STAGES]
    for stage in STAGES:
        assert all(order.index(name) < order.index(stage.name) for name in stage.after)


@pytest.mark.parametrize(
    ("changed", "kept", "gone"),
    [
        ("weights", {"embeddings", "thumbnails"}, {"activations", "heatmaps", "labels"}),
        ("n_examples", {"activations", "embeddings", "heatmaps"}, {"examples", "vectors"}),
        ("foundation", {"activations", "neurons", "examples", "heatmaps"}, {"embeddings"}),
        ("embedding", {"examples", "embeddings", "heatmaps"}, {"crops", "contrasts", "layout"}),
        ("classes", {"activations", "samples", "vectors", "labels", "thumbnails"}, set()),
        # People's labels are of neurons, whatever the images; the scorers' no longer count.
        ("uris", {"labels"}, {"activations", "embeddings", "heatmaps", "thumbnails"}),
        ("composite", {"activations", "contrasts", "labels"}, {"heatmaps"}),
        ("model", {"activations", "labels", "vectors"}, set()),
    ],
)
def test_what_depends_on_what(changed, kept, gone):
    stale = set(stale_after(STAGES, {changed}, lambda stage: "crops" not in stage.name).tables)
    assert gone - {"crops"} <= stale
    assert not kept & stale


def test_crops_depend_on_heatmaps():
    stale = set(stale_after(STAGES, {"composite"}, lambda _: True).tables)
    assert {"heatmaps", "crops", "contrasts", "vectors"} <= stale
    assert not {"activations", "examples", "embeddings", "thumbnails"} & stale
