"""What a page without a kernel is given."""

from __future__ import annotations

import base64
import json
import re

import pytest

from semlens_widgets.widgets import ConceptGallery
from tests.unit.panel_world import EVIL, Lens


def page_of(gallery, tmp_path):
    gallery.to_html(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    (data,) = re.findall(r'id="slw-page">(.*?)</script>', text)
    return text, json.loads(data)


def test_all_that_the_gallery_may_ask_is_recorded(tmp_path):
    lens = Lens()
    lens.thumbnail_jpegs = lambda samples: [b"jpeg %d" % sample for sample in samples]
    gallery = ConceptGallery(lens, "layer3", 0, overlay=True)
    _, page = page_of(gallery, tmp_path)
    assert page["traits"]["active"] == {"layer": "layer3", "neuron": 0}
    assert page["traits"]["overlay"] is True
    of = {"layer": "layer3", "neuron": 0}
    asked = [(one["method"], one["params"]) for one in page["recorded"]]
    assert asked == [
        ("neuron", of),
        ("clusters", of),
        ("thumbnails", {"samples": [7]}),
        ("heatmaps", {**of, "samples": [7]}),
        ("thumbnails", {"samples": [2]}),
        ("heatmaps", {**of, "samples": [2]}),
    ]
    assert base64.b64decode(page["recorded"][2]["buffers"][0]) == b"jpeg 7"


def test_no_text_ends_the_script_and_nothing_is_loaded(tmp_path):
    lens = Lens()
    lens.neurons.loc[0, "label"] = "</script><script>alert(1)</script>"
    text, page = page_of(ConceptGallery(lens, "layer3", 0), tmp_path)
    assert text.count("</script>") == 2
    assert EVIL not in text
    assert page["recorded"][0]["result"]["facts"]["label"].startswith("</script>")
    assert "default-src &#x27;none&#x27;" in text
    assert not re.search(r'(?:src|href)="', text)


def test_a_page_is_of_a_neuron(tmp_path):
    with pytest.raises(ValueError, match="choose one first"):
        ConceptGallery(Lens()).to_html(tmp_path / "page.html")
