"""What widgets add to a notebook that is saved with them, read from the file."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import expect

MOST = 1_000_000  # bytes of each widget in the file, beside its code
SMALL = [
    "lens.map()",
    "lens.gallery('layer4', 17, overlay=True)",
    """words = [f"{i:04} " + "a long label " * 8 for i in range(5_000)]
lens.contrast("layer4", 17, candidates=words)""",
    "explorer = lens.explore(active=('layer4', 17), query='striped')\nexplorer",
]
# Real neurons, over and over: as many columns as a real analysis has.
LARGE = """import numpy as np, pandas as pd
from semlens_widgets.widgets.map import NeuronMap
class Lens:
    layers = lens.layers
    def __init__(self, count):
        rows = np.arange(count) % len(lens.neurons)
        table = lens.neurons.iloc[rows].reset_index(drop=True)
        self.neurons = table.assign(neuron=np.arange(count))
    def on_labels(self, callback):
        return lambda: None
    def examples(self, layer, neuron):
        return lens.examples(layer, 0)
def shown(count):
    large = NeuronMap(Lens(count))
    large.selection = np.arange(count, dtype=np.uint32).tobytes()
    hits = large.lens.neurons[["layer", "neuron"]].head(20_000)
    large.highlight_scores(hits.assign(score=np.arange(len(hits))), top=None)
    return large
"""
MODELS = {
    "NeuronMap": 4,
    "ConceptGallery": 2,
    "ContrastPanel": 2,
    "LabelTable": 1,
    "AuditView": 1,
    "InterveneView": 1,
    "TraceView": 1,
    "Explorer": 1,
}


def sizes(notebook: Any) -> list[tuple[str, int]]:
    """Return each widget's class and its bytes in a notebook, without its code."""
    saved = notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    found = []
    for model in saved.values():
        kind = model["state"].get("_anywidget_id")
        if kind is None:
            continue
        assert model["state"]["_esm"], "a notebook without the code shows nothing"
        state = {k: v for k, v in model["state"].items() if k not in ("_esm", "_css")}
        text = json.dumps([state, model.get("buffers", [])], ensure_ascii=False)
        found.append((kind.rpartition(".")[2], len(text.encode())))
    return found


def test_no_widget_makes_a_saved_notebook_large(lab, scene_notebook):
    cells = [*SMALL, f"{LARGE}\nshown(10_000)", "shown(1_000_000)"]
    with scene_notebook("saved-small", *cells) as notebook:
        page = notebook.page
        for widget in (".slw-map", ".slw-gallery", ".slw-contrast", ".slw-explorer"):
            page.locator(f".jp-OutputArea-output {widget}").first.scroll_into_view_if_needed()
        expect(page.locator(".slw-explorer .slw-hit").first).to_be_visible()
        notebook.save()
        text = (lab.root / "saved-small.ipynb").read_text("utf-8")
        found = sizes(json.loads(text))
        assert {kind: [k for k, _ in found].count(kind) for kind, _ in found} == MODELS
        assert [one for one in found if one[1] > MOST] == []
        assert max(size for kind, size in found if kind == "ContrastPanel") > 500_000
