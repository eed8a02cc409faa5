"""From a picture to a heatmap, a box and a crop, under transforms whose place is known or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable, StoreError, TransformError
from tests.colour_world import ColourFoundation, ColourNet, to_tensor

TAIL = (v2.Resize(64), v2.CenterCrop(32), v2.ToImage(), v2.ToDtype(torch.float32, scale=True))
TRANSFORMS = {
    "plain": v2.Compose(TAIL),
    "grey": v2.Compose([v2.Grayscale(3), *TAIL]),
    "swapped": v2.Compose([*TAIL, lambda x: x[[2, 1, 0]]]),
    "z-score": v2.Compose([*TAIL, lambda x: (x - x.mean()) / (x.std() + 1e-6)]),
    "mirrored": v2.Compose([v2.RandomHorizontalFlip(1.0), *TAIL]),
    "squashed": v2.Compose([v2.Resize((32, 32)), *TAIL[2:]]),
}


def brightness():
    """One neuron: how bright a place is."""
    model = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False), nn.ReLU())
    nn.init.ones_(model[0].weight)
    return model


def pictures():
    """The first has a bright square from 40 to 56 of 128 pixels; the others are of one colour."""
    bright = Image.new("RGB", (128, 128))
    bright.paste((255, 255, 255), (40, 40, 56, 56))
    return [bright, *(Image.new("RGB", (128, 128), (3 * i,) * 3) for i in range(1, 6))]


def lens_with(tmp_path, transform, **options):
    return slw.SemanticLens(
        slw.TargetModel(brightness(), ["1"], transform=transform),
        slw.ImageDataset.from_list(pictures()),
        ColourFoundation(),
        path=tmp_path / "a",
        n_examples=3,
        **options,
    )


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_heatmap_and_its_box_lie_on_the_square(tmp_path, name):
    heatmap = lens_with(tmp_path, TRANSFORMS[name]).run().heatmap("1", 0, 0)
    rows, columns = (places * 128 / 112 for places in np.nonzero(heatmap.values > 127))
    for places in (rows, columns):
        assert (places.min(), places.max()) == pytest.approx((40, 55), abs=3.5)
    assert np.multiply(heatmap.box, 128) == pytest.approx((36, 36, 60, 60), abs=4)
    assert "unknown" not in heatmap.method


def to_the_bright(image):
    box = image.convert("L").point(lambda v: 255 * (v > 40)).getbbox()
    return to_tensor(image.crop(box).resize((32, 32)))


def test_an_unknown_place_is_said(tmp_path):
    """The transform shows the bright square alone, and of other pictures all."""
    lens = lens_with(tmp_path, to_the_bright).run()
    heatmap = lens.heatmap("1", 0, 0)
    assert heatmap.box is None
    assert heatmap.method.endswith("place in the image unknown: drawn over what the model sees")
    assert heatmap.values.shape == (32, 32)
    assert (heatmap.values == 255).all()  # the model sees white
    assert lens.heatmap("1", 0, 5).box is not None


def test_without_a_place_the_whole_image_is_embedded_and_counted(tmp_path):
    lens = lens_with(tmp_path, to_the_bright, embedding="crop")
    with (
        pytest.warns(UserWarning, match="1 of 3 examples are embedded whole"),
        pytest.warns(UserWarning, match="2 of 3 crops are all that the model sees"),
    ):
        lens.run()
    assert lens.store.stages["crops"] == {"whole": 1.0, "unplaced": 1}
    assert lens.whole_crops == 1
    examples = lens.examples("1", 0)["sample"].tolist()
    assert examples[0] == 0
    foundation = ColourFoundation()
    whole = foundation.encode_images(foundation.transform(pictures()[0])[None])[0].numpy()
    crops = lens.store.matrix("crops", "embedding")
    assert crops[0] == pytest.approx(whole, abs=2e-3)


def test_crops_are_refused_before_anything_is_computed(tmp_path):
    turned = v2.Compose([lambda image: image.rotate(20), *TAIL])
    lens = lens_with(tmp_path, turned, embedding="crop")
    with pytest.raises(TransformError, match="none of the first 4 images is it found"):
        lens.run()
    assert not lens.store.stages
    assert lens_with(tmp_path, turned, embedding="image").run().heatmap("1", 0, 0).box is None


def test_crops_that_are_the_whole_image_are_said(tmp_path, colour_lens):
    rng = np.random.default_rng(0)
    images = []
    for i in range(12):  # every colour is everywhere, and more of it in one spot
        pixels = rng.integers(40, 50, (24, 24, 3)).astype(np.uint8)
        pixels[8:12, 8:12, i % 3] = 250
        images.append(Image.fromarray(pixels))
    made = {"images": slw.ImageDataset.from_list(images), "embedding": "crop"}
    with pytest.warns(UserWarning, match=r"\d+ of \d+ crops are all that the model sees"):
        wide = colour_lens(path=tmp_path / "wide", **made).run()
    assert wide.whole_crops > 0.5
    assert slw.open(tmp_path / "wide").whole_crops == wide.whole_crops
    target = slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor)
    close = colour_lens(path=tmp_path / "close", crop_threshold=0.6, target=target, **made).run()
    assert close.whole_crops < 0.5
    assert np.isnan(colour_lens(path=tmp_path / "image", images=made["images"]).run().whole_crops)
    heatmap = close.heatmap("seen", 0, int(close.examples("seen", 0)["sample"][0]))
    left, _, right, _ = heatmap.box
    assert heatmap.side == pytest.approx(right - left, abs=1e-6)


def test_what_was_embedded_is_the_stored_box(tmp_path):
    lens = lens_with(tmp_path, TRANSFORMS["mirrored"], embedding="crop", crop_threshold=0.5)
    with pytest.warns(UserWarning, match="crops are all"):  # those of one colour
        lens.run()
    left, top, right, bottom = np.round(np.multiply(lens.heatmap("1", 0, 0).box, 128)).astype(int)
    foundation = ColourFoundation()
    crop = foundation.transform(pictures()[0].crop((left, top, right, bottom)))
    expected = foundation.encode_images(crop[None])[0].numpy()
    assert lens.store.matrix("crops", "embedding")[0] == pytest.approx(expected, abs=2e-3)


# -- a reader whose owner computes anew ------------------------------------------------------------


def as_numbers(heatmaps):
    return [(h.values.tobytes(), h.box) for h in heatmaps]


def test_a_reader_never_shows_another_neurons_heatmap(colour_lens, tmp_path):
    """Heatmaps given up and computed in another order while a reader has an index of the old."""
    owner = colour_lens().run()
    wanted = [
        ("seen", neuron, owner.examples("seen", neuron)["sample"].tolist()) for neuron in (0, 1)
    ]
    for layer, neuron, samples in wanted:
        owner.heatmaps(layer, neuron, samples)
    reader = slw.open(tmp_path / "analysis")
    truth = {neuron: as_numbers(reader.heatmaps(layer, neuron, s)) for layer, neuron, s in wanted}
    rows = owner.store.read("heatmaps")
    with owner.store.writing():
        owner.store.write("heatmaps", rows.take(list(range(len(rows)))[::-1]))
    for layer, neuron, samples in wanted:
        assert as_numbers(reader.heatmaps(layer, neuron, samples)) == truth[neuron]
    with owner.store.writing():
        owner.store.write("heatmaps", rows.slice(0, 2))  # recomputed as far as two
    layer, neuron, samples = wanted[0]
    kept = set(rows.slice(0, 2)["sample"].to_pylist())
    for sample, numbers in zip(samples, truth[0], strict=True):
        if sample in kept:
            assert as_numbers([reader.heatmap(layer, neuron, sample)]) == [numbers]
        else:
            with pytest.raises(LensUnavailable):
                reader.heatmap(layer, neuron, sample)
    assert as_numbers(owner.heatmaps(layer, neuron, samples)) == truth[0]  # computes what is gone
    assert as_numbers(reader.heatmaps(layer, neuron, samples)) == truth[0]  # and is seen


def test_a_reader_never_shows_another_images_thumbnail(colour_lens, tmp_path):
    owner = colour_lens().run()
    reader = slw.open(tmp_path / "analysis")
    samples = reader.examples("seen", 0)["sample"].tolist()
    truth = reader.thumbnails(samples)
    rows = owner.store.read("thumbnails")
    with owner.store.writing():
        owner.store.write("thumbnails", rows.take(list(range(len(rows)))[::-1]))
    assert reader.thumbnails(samples) == truth
    assert reader.thumbnails(samples[::-1]) == truth[::-1]


def test_rows_of_an_analysis_with_other_layers_are_not_taken_for_the_same(colour_lens, tmp_path):
    """Row 0 is the first neuron of another layer once the owner has turned the layers round."""
    colour_lens().run().localise()
    reader = slw.open(tmp_path / "analysis")
    sample = int(reader.examples("seen", 0)["sample"][0])
    reader.heatmap("seen", 0, sample)
    turned = slw.TargetModel(
        ColourNet(), ["mixed", "seen"], transform=to_tensor, poles="positive", name="ColourNet"
    )
    colour_lens(target=turned, on_change="recompute").run().localise()
    with pytest.raises(StoreError, match="Make the lens anew"):
        reader.heatmap("seen", 0, sample)
    with pytest.raises(StoreError, match="Make the lens anew"):
        reader.examples("seen", 0)
