"""The kernel's side of the concept gallery."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import traitlets
from PIL import Image

from semlens_widgets.widgets._preview import few_colors_png, scatter_png
from semlens_widgets.widgets.gallery import ConceptGallery
from tests.unit.panel_world import EVIL, Asker, Lens


@pytest.fixture
def ask(monkeypatch):
    return Asker(ConceptGallery(Lens(), "layer3", 0), monkeypatch)


def test_a_neuron_is_given_whole_or_not_at_all():
    assert ConceptGallery(Lens()).active is None
    assert ConceptGallery(Lens(), "layer3", 1).active == ("layer3", 1)
    with pytest.raises(TypeError, match="layer and neuron together"):
        ConceptGallery(Lens(), "layer3")
    with pytest.raises(traitlets.TraitError, match="no neuron 5"):
        ConceptGallery(Lens(), "layer3", 5)


def test_options_are_checked():
    assert ConceptGallery(Lens(), overlay=True, opacity=0.5).overlay
    with pytest.raises(TypeError, match=r"no option 'overlai'.*'overlay'"):
        ConceptGallery(Lens(), overlai=True)
    with pytest.raises(traitlets.TraitError):
        ConceptGallery(Lens(), opacity=1.5)


def test_repr_names_the_neuron():
    assert repr(ConceptGallery(Lens(), "layer3", 1)) == "ConceptGallery(layer3 / 1)"


def test_a_neuron_comes_with_facts_and_examples_as_json(ask):
    detail, buffers = ask("neuron", layer="layer3", neuron=1)
    assert buffers == []
    assert detail["facts"]["label"] == ""
    assert detail["facts"]["score"] is None
    assert detail["facts"]["dead"] is True
    first, second = detail["examples"]
    assert first == {
        "rank": 0,
        "sample": 7,
        "activation": 3.0,
        "class_name": "zebra",
        "uri": "zoo/7.jpg",
    }
    assert (second["activation"], second["class_name"]) == (None, "")
    assert EVIL in second["uri"]
    json.dumps(detail, allow_nan=False)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layer": "layer3", "neuron": 9}, "no neuron 9 in layer 'layer3'"),
        ({"layer": "layer3"}, "layer must be a text and neuron an integer"),
    ],
)
def test_unknown_neurons_are_named(ask, params, message):
    error, _ = ask("neuron", **params)
    assert message in error["message"]


def test_thumbnails_come_together_and_one_failure_stays_alone(ask):
    result, buffers = ask("thumbnails", samples=[7, 2, 5])
    assert result["errors"] == [None, "cannot read '2.jpg'", None]
    assert buffers == [b"jpeg 7", b"jpeg 5"]


@pytest.mark.parametrize("samples", [[], [1] * 65])
def test_requests_for_pictures_are_bounded(ask, samples):
    error, _ = ask("thumbnails", samples=samples)
    assert error["message"] == f"samples: 1 to 64 images at once, got {len(samples)}."


def test_heatmaps_come_as_bytes_with_their_boxes(ask):
    result, buffers = ask("heatmaps", layer="layer3", neuron=0, samples=[7, 5])
    facts = {"shape": [2, 3], "method": "CRP", "arrived": 0.75, "side": None}
    assert result == [{"box": [0.0, 0.25, 0.5, 1.0], **facts}] * 2
    assert buffers == [bytes(range(6))] * 2
    result, _ = ask("heatmaps", layer="unplaced", neuron=0, samples=[7])
    assert result == [{"box": None, **facts}]  # the place in the image is unknown
    (told,), _ = ask("heatmaps", layer="leaky", neuron=0, samples=[7])
    assert told["method"] == "CRP; no relevant pixel: whole image"  # alike for all images
    assert told["arrived"] == 0.25


def test_a_lens_without_its_model_gives_what_is_stored_and_says_what_to_do(ask):
    (missing, stored), buffers = ask("heatmaps", layer="layer4", neuron=0, samples=[7, 5])
    assert missing["error"]["type"] == "LensUnavailable"
    assert "give target=" in missing["error"]["message"]
    assert stored["method"] == "CRP"
    assert len(buffers) == 1


def test_refresh_counts_up():
    gallery = ConceptGallery(Lens())
    gallery.refresh()
    assert gallery.get_state()["_revision"] == 1


def test_where_no_javascript_runs_a_picture_of_the_examples_stands():
    lens = Lens()
    assert ConceptGallery(lens)._preview() is None
    red = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(red, "JPEG")
    lens.thumbnail_jpegs = lambda samples: [{7: red.getvalue()}[one] for one in samples]  # no 2
    picture = Image.open(io.BytesIO(ConceptGallery(lens, "layer3", 0)._preview())).convert("RGB")
    assert picture.size == (150, 72)
    left, right = picture.getpixel((36, 36)), picture.getpixel((114, 36))
    assert left[0] > 240
    assert left[1] < 20
    assert right == (255, 255, 255)


def test_colours_of_few_pixels_stay_what_they_are_in_still_pictures():
    rng = np.random.default_rng(0)
    pixels = rng.integers((120, 60, 0), (240, 180, 120), (144, 624, 3))  # all kinds of brown
    pixels[10:14, 10:14] = [128, 0, 200]
    png = few_colors_png(Image.fromarray(pixels.astype(np.uint8)))
    shown = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    assert np.abs(shown - pixels).max() < 40
    assert np.abs(shown - pixels)[10:14, 10:14].max() < 10

    colours = ["#0072b2"] * 3000 + ["#009e73"]
    x, y = rng.uniform(-1, 1, (2, 3001)).astype(np.float32)
    x[-1], y[-1] = 1.2, 0  # alone, at the right of all
    map_ = np.asarray(Image.open(io.BytesIO(scatter_png(x, y, colours))).convert("RGB"))
    assert np.abs(map_[200, 320 + 240].astype(int) - [0x00, 0x9E, 0x73]).max() < 20


def test_a_neuron_comes_with_a_histogram_not_with_all_values(ask):
    detail, _ = ask("neuron", layer="layer3", neuron=0)
    assert detail["histogram"] == {"counts": [3, 0, 1], "low": 0.0, "high": 3.0}


def test_the_two_groups_come_from_the_lens(ask):
    assert ask("clusters", layer="layer3", neuron=0) == ([0, 1], [])


def test_originals_are_offered_where_the_lens_has_the_images(ask):
    error, buffers = ask("original", samples=[7])
    assert error["type"] == "LensUnavailable"
    assert buffers == []
    assert not ask.widget._originals
    lens = Lens()
    lens.images = [1]
    assert ConceptGallery(lens)._originals
    ask.widget.lens.images = [1]
    assert ask("original", samples=[7]) == ({}, [b"whole 7"])


@pytest.mark.parametrize(
    ("option", "value"),
    [("colormap", "jet"), ("sort_by", "size"), ("group_by", "colour"), ("threshold", -0.1)],
)
def test_what_a_gallery_cannot_show_is_refused(option, value):
    with pytest.raises(traitlets.TraitError):
        ConceptGallery(Lens(), **{option: value})
