"""The page of an audit: what it says, and that nothing in it can do more than be read."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import semlens_widgets as slw
from tests.colour_world import ColourFoundation, colour_images, to_tensor
from tests.unit.test_audit import Shortcut

NASTY = '<img src=x onerror="alert(1)">'


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def audit(colour_lens):
    target = slw.TargetModel(
        Shortcut(), ["seen"], transform=to_tensor, outputs=["red", "green"], name=NASTY
    )
    lens = colour_lens(target=target).run()
    lens.set_label("seen", 2, NASTY)
    audit = lens.audit("red", {"wanted": ["red"]}, {NASTY: ["blue"]})
    audit.decide("seen", 2, "accept", NASTY)
    return audit


def test_it_says_what_was_found(audit, tmp_path):
    greens = [colour_images()[i] for i in range(1, 60, 3)]
    proof = audit.prove(NASTY, [Image.new("RGB", (20, 16), (0, 90, 255))] * 5, greens)
    page = Page(audit.report(tmp_path / "audit.html").read_text(encoding="utf-8"))
    for said in (
        "What “red” rests on",
        str(audit.reliance.of(NASTY, "seen")),
        f"{audit.summary.set_index('verdict').loc['valid', 'share']:.3f}",
        str(proof.false_targets),
        "Nothing is known to be missing.",
        f"accept: {NASTY}",
        audit.reader.store.settings["weights"],
    ):
        assert said in page.text, said
    circles = [attributes for tag, attributes in page.tags if tag == "circle"]
    assert [one["class"] for one in circles] == ["valid", "spurious", "weak"]  # by share
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) >= 3
    assert all(source.startswith("data:image/jpeg;base64,") for source in pictures)


def test_nothing_in_it_runs_is_fetched_or_names_a_place(audit, tmp_path):
    source = audit.report(tmp_path / "audit.html").read_text(encoding="utf-8")
    page = Page(source)
    assert NASTY in page.text
    assert "<img src=x" not in source
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "a"})
    names = {name for _, attributes in page.tags for name in attributes}
    assert not any(name.startswith("on") for name in names)
    assert "http:" not in source
    assert "https:" not in source
    assert str(tmp_path) not in source
    policy = next(one for tag, one in page.tags if one.get("http-equiv"))
    assert policy["content"].startswith("default-src 'none'")


def test_it_is_the_same_for_the_same_inputs(audit, tmp_path):
    first = audit.report(tmp_path / "one.html").read_bytes()
    assert audit.report(tmp_path / "two.html").read_bytes() == first


@pytest.mark.usefixtures("audit")
def test_pictures_that_are_not_at_hand_are_said_to_be_so(tmp_path):
    """Read without images, only those that were kept as examples are there."""
    lens = slw.open(tmp_path / "analysis", foundation=ColourFoundation())
    read = lens.audit("red", {"wanted": ["red"]}, {NASTY: ["blue"]})
    read.picture = lambda sample: None if sample % 2 else b"jpeg"
    source = read.report(tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "not at hand" in source
    assert np.isfinite(read.reliance.of(NASTY, "seen").value)
