"""Pages of their own: nothing that a label or a file name says becomes part of the page's code."""

from __future__ import annotations

import atexit
import io
import json
import shutil
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from PIL import Image

from semlens_widgets.lens.report import report
from semlens_widgets.widgets import (
    AuditView,
    ConceptGallery,
    ContrastPanel,
    LabelTable,
    NeuronMap,
)  # fmt: skip
from semlens_widgets.widgets._columns import readable
from tests.fuzz.texts import TEXTS
from tests.reference.faults_of_the_store import lens_on
from tests.unit.audit_world import Audit
from tests.unit.page_file import PageFile
from tests.unit.panel_world import Lens

# What is stored was brought into UTF-8 where it came in; words for a page come from a person.
CASES = st.fixed_dictionaries(
    {name: TEXTS.map(readable) for name in ("label", "class_name", "layer", "note", "uri")}
    | {"words": st.just([]) | st.lists(TEXTS, min_size=1, max_size=3)}
)
PLAIN = dict.fromkeys(("label", "class_name", "layer", "note", "uri"), "plain") | {"words": []}


class _Elements(HTMLParser):
    """The elements of a page and their attributes' names, and what its scripts hold."""

    def __init__(self, page):
        super().__init__()
        self.found, self.scripts, self._inside = [], [], None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, *(name for name, _ in attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.found.append(("/", tag))
        self._inside = None

    def handle_comment(self, data):
        self.found.append(("comment",))

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data


def _jpeg():
    written = io.BytesIO()
    Image.new("RGB", (8, 8)).save(written, "JPEG")
    return written.getvalue()


_JPEG = _jpeg()
_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)


class _Said(Lens):
    def __init__(self, said):
        super().__init__()
        self.said = said
        layer = said["layer"]
        self.layers = (layer, "layer4")
        self.neurons["layer"] = [layer, layer, "layer4"]
        self.neurons["label"] = [said["label"], "", ""]
        self.neurons["source"] = ["person", "", ""]
        self.neurons["margin"] = self.neurons["chance"] = np.nan
        self.vocabulary = (said["label"], said["class_name"])

    def examples(self, layer, neuron):
        frame = super().examples(layer, neuron)
        return frame.assign(uri=self.said["uri"], class_name=self.said["class_name"])

    def thumbnail_jpegs(self, samples):
        return [_JPEG for _ in samples]

    def scorer_labels(self):
        return self.neurons[["layer", "neuron", "label", "score"]]

    def label_choices(self, keys, top):
        rows = [
            {"layer": layer, "neuron": neuron, "label": self.said["label"], "score": 0.5}
            for layer, neuron in keys
        ]
        return pd.DataFrame(rows)

    def export_labels(self, path):
        self.neurons.to_csv(path, index=False)


class _Audit(Audit):
    def __init__(self, said, neurons):
        concepts = {said["label"]: [said["class_name"]]}, {said["class_name"]: [said["label"]]}
        super().__init__(neurons, said["label"], *concepts)
        self.said = said
        self.unchecked = [said["note"]]
        self.decide(said["layer"], 0, "accept", said["note"])

    def class_images(self, layer, neuron, top=20):
        frame = super().class_images(layer, neuron, top)
        return frame.assign(class_name=self.said["class_name"], uri=self.said["uri"])

    @property
    def summary(self):
        return super().summary.replace({"layer": {"layer3": self.said["layer"]}})

    def picture(self, sample):
        return _JPEG


def views_of(said):
    """Return a view of every kind that holds texts, of one lens."""
    lens = _Said(said)
    of = (lens, said["layer"], 0)
    # A panel refuses candidates that are blank or very long.
    candidates = [said["label"]] if said["label"].strip() and len(said["label"]) <= 120 else []
    return {
        "gallery": ConceptGallery(*of),
        "contrast": ContrastPanel(*of, candidates=candidates),
        "map": NeuronMap(lens),
        "review": LabelTable(lens),
        "audit": AuditView(lens, _Audit(said, lens.neurons)),
    }


def pages_of(said):
    """Write the page of each view, and a folder; return their texts, and what the first hold."""
    pages, answers = [], {}
    for name, view in views_of(said).items():
        path = _FOLDER / f"{name}.html"
        view.to_html(path)
        page = PageFile(path)
        answers[name] = {json.dumps(one): page.answer(*one)[0] for one in page.questions}
        pages.append(page.text)
        view.close()
    gallery = views_of(said)["gallery"]
    gallery.to_html(_FOLDER / "site", folder=True)
    pages.append((_FOLDER / "site" / "index.html").read_text("utf-8"))
    return pages, answers


_LENS = lens_on(_FOLDER / "analysis").run()
_AUDIT = _LENS.audit("red", ["red"], ["blue"])
_FOUND = {
    name: getattr(_AUDIT, name)
    for name in (
        "reader", "images", "shares", "aligned", "last_layer", "summary", "scored_by", "neurons",
    )
}  # fmt: skip
_SAMPLES, _SHOWN = _AUDIT.samples("blue", 4), _AUDIT.shown("blue")


def report_of(said):
    """Return the report of an audit whose texts are these."""
    neurons = _FOUND["neurons"].assign(
        label=said["label"], note=said["note"], valid_concept=said["label"],
        spurious_concept=said["class_name"], decision="accept", verdict="spurious",
    )  # fmt: skip
    spurious = said["class_name"]
    audit = SimpleNamespace(
        **_FOUND | {"neurons": neurons},
        target=said["label"],
        valid={said["label"]: (said["uri"], "red")},
        spurious={spurious: (said["layer"], "blue")},
        reliance=SimpleNamespace(of=lambda *_: None),
        samples=lambda *_: _SAMPLES,
        shown=lambda _: _SHOWN.assign(class_name=said["class_name"]),
        proofs=[],
        unchecked=[said["uri"], said["layer"]],
        method=said["layer"],
    )
    return report(audit, lambda _: b"jpeg")


def page_of_words(words):
    """Return the page of a panel that scores these words, or None if they are refused in words."""
    panel = ContrastPanel(_LENS, "seen", 0)
    try:
        panel.to_html(_FOLDER / "words.html", examples=1, texts=words)
    except ValueError as refused:
        if not str(refused).startswith("texts: "):
            raise
        return None
    finally:
        panel.close()
    return PageFile(_FOLDER / "words.html")


def _safe(page, plain):
    """Look for elements that come from a text, and read the data of the scripts."""
    page.encode("utf-8")
    parsed = _Elements(page)
    assert parsed.found == plain.found
    assert len(parsed.scripts) == len(plain.scripts)
    if not parsed.scripts:
        return
    json.loads(parsed.scripts[0])
    # What a browser may take for the end, or for one that swallows the end.
    for mark in ("</script", "<script", "<!--", "\u2028", "\u2029"):
        assert mark not in parsed.scripts[0].lower()


_PLAIN = [_Elements(page) for page in pages_of(PLAIN)[0]]
_PLAIN_REPORT = _Elements(report_of(PLAIN))
_PLAIN_WORDS = _Elements(page_of_words(["plain"]).text)


def check(case):
    """A page has the elements that it has with plain texts, and its data are the texts."""
    said = {name: one or "empty" for name, one in case.items()}
    pages, answers = pages_of(said)
    for page, plain in zip(pages, _PLAIN, strict=True):
        _safe(page, plain)
    _safe(report_of(said), _PLAIN_REPORT)
    question = json.dumps(["neuron", {"layer": said["layer"], "neuron": 0}])
    shown = answers["gallery"][question]
    assert shown["facts"]["label"] == said["label"]
    assert {one["uri"] for one in shown["examples"]} == {said["uri"]}
    if case["words"] and (page := page_of_words(case["words"])) is not None:
        _safe(page.text, _PLAIN_WORDS)
