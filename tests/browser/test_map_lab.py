"""The map in JupyterLab: scrolled out and in, and large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import open_notebook
from tests.browser.pixels import colours, picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator

    from tests.browser.notebook import Notebook
    from tests.browser.server import Lab

LENS = """
import numpy as np, pandas as pd
from semlens_widgets.widgets.map import NeuronMap

class Lens:
    layers = ("layer3", "layer4")
    def __init__(self, count):
        random = np.random.default_rng(0)
        group = random.integers(0, 12, count)
        angle = group / 12 * 6.28
        self.neurons = pd.DataFrame({
            "layer": np.where(np.arange(count) < count // 2, "layer3", "layer4"),
            "neuron": np.arange(count), "label": [f"concept {g}" for g in group],
            "clarity": random.random(count),
            "x": np.cos(angle) + 0.1 * random.normal(size=count),
            "y": np.sin(angle) + 0.1 * random.normal(size=count)})
    def on_labels(self, callback):
        return lambda: None
    def examples(self, layer, neuron):
        return pd.DataFrame({"sample": [], "class_name": []})

lens = Lens(400)
"""
FILL = "from IPython.display import Markdown\nMarkdown('text  \\n' * 120)"


@pytest.fixture(scope="module")
def map_notebook(lab: Lab, browser: Browser) -> Iterator[Notebook]:
    cells = [LENS, "NeuronMap(lens)", FILL, FILL, "large = NeuronMap(Lens(200_000))\nlarge"]
    with open_notebook(lab, browser, "maps", cells) as notebook:
        yield notebook


def scroll_to(notebook: Notebook, cell: int) -> None:
    """Bring a cell into view, as a windowed notebook does."""
    notebook.page.evaluate(
        """async cell => {
            const { content } = window.jupyterapp.shell.currentWidget;
            content.activeCellIndex = cell;
            await content.scrollToItem(cell, 'start');
        }""",
        cell,
    )


def stage_of(notebook: Notebook, cell: int) -> Locator:
    """The map below a cell."""
    where = f".jp-Cell[data-windowed-list-index='{cell}'] .slw-map-stage[data-renderer=webgl]"
    return notebook.page.locator(where)


def expect_drawn(stage: Locator) -> None:
    expect(stage).to_be_visible(timeout=20_000)
    for _ in range(40):
        if colours(picture(stage)) > 8:
            return
        stage.page.wait_for_timeout(250)
    raise AssertionError("the map shows nothing")


def test_scrolled_out_and_in_the_maps_are_drawn(map_notebook: Notebook):
    for cell in (1, 4, 1, 4, 1):
        scroll_to(map_notebook, cell)
        expect_drawn(stage_of(map_notebook, cell))


def test_a_large_map_asks_for_its_columns_and_is_saved_small(map_notebook: Notebook):
    scroll_to(map_notebook, 4)
    expect_drawn(stage_of(map_notebook, 4))
    # Saved in the notebook is what the front end holds of every model.
    size = map_notebook.kernel.value(
        "sum(len(v) if isinstance(v, bytes) else len(repr(v))"
        " for k, v in large.get_state().items() if k not in ('_esm', '_css'))"
    )
    assert size < 20_000
    assert len(map_notebook.kernel.value("large._x.hex()")) == 8 * 200_000
