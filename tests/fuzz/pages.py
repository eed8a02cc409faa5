"""Pages of their own: nothing that a label or a file name says becomes part of the page's code."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

from hypothesis import strategies as st

from semlens_widgets.lens.report import report
from semlens_widgets.widgets._columns import readable
from semlens_widgets.widgets._page import gallery_page
from semlens_widgets.widgets.gallery import ConceptGallery
from tests.fuzz.texts import TEXTS
from tests.reference.faults_of_the_store import lens_on
from tests.unit.panel_world import Lens

# Names and labels are brought into UTF-8 where they come in.
CASES = st.fixed_dictionaries(
    {name: TEXTS.map(readable) for name in ("label", "uri", "class_name", "layer")}
)


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


class _Said(Lens):
    def __init__(self, said):
        super().__init__()
        self.said = said
        layer = said["layer"] or "layer3"
        self.layers = (layer, "layer4")
        self.neurons["layer"] = [layer, layer, "layer4"]
        self.neurons["label"] = [said["label"], "", ""]

    def examples(self, layer, neuron):
        frame = super().examples(layer, neuron)
        return frame.assign(uri=self.said["uri"], class_name=self.said["class_name"])


def page_of(said):
    """Return the page of a gallery whose texts are these."""
    lens = _Said(said)
    return gallery_page(ConceptGallery(lens, lens.layers[0], 0))


def _audit():
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    lens = lens_on(folder / "analysis").run()
    return lens.audit("red", ["red"], ["blue"])


_AUDIT = _audit()
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
        label=said["label"], note=said["uri"], valid_concept=said["label"],
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


_PAGES = (page_of, report_of)
_PLAIN = [
    _Elements(make({"label": "plain", "uri": "plain", "class_name": "plain", "layer": "plain"}))
    for make in _PAGES
]


def check(case):
    """A page has the elements that it has with plain texts, and its data are the texts."""
    for make, plain in zip(_PAGES, _PLAIN, strict=True):
        page = make({name: said or "empty" for name, said in case.items()})
        page.encode("utf-8")
        parsed = _Elements(page)
        assert parsed.found == plain.found
        assert len(parsed.scripts) == len(plain.scripts)
        if not parsed.scripts:
            continue
        json.loads(parsed.scripts[0])
        # What a browser may take for the end, or for one that swallows the end.
        for mark in ("</script", "<script", "<!--"):
            assert mark not in parsed.scripts[0].lower()
