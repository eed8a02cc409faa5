"""Pages of their own: nothing that a label or a file name says becomes part of the page's code."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from hypothesis import strategies as st

from semlens_widgets.widgets._columns import readable
from semlens_widgets.widgets._page import gallery_page
from semlens_widgets.widgets.gallery import ConceptGallery
from tests.fuzz.texts import TEXTS
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


_PLAIN = _Elements(page_of(dict.fromkeys(("label", "uri", "class_name", "layer"), "plain"))).found


def check(case):
    """A page has the elements that it has with plain texts, and its data are the texts."""
    page = page_of(case)
    page.encode("utf-8")
    parsed = _Elements(page)
    assert parsed.found == _PLAIN
    json.loads(parsed.scripts[0])
    # What a browser may take for the end, or for one that swallows the end.
    for mark in ("</script", "<script", "<!--"):
        assert mark not in parsed.scripts[0].lower()
