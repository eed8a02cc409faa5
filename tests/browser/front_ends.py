"""The same cells in every front end that is tested: JupyterLab, Notebook 7 and marimo."""

from __future__ import annotations

import shutil
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

from playwright.sync_api import expect

from tests.browser.notebook import hear_complaints, open_notebook
from tests.browser.server import running_marimo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.browser.notebook import Notebook
    from tests.browser.server import FrontEnd, Lab

RUN = 120_000  # milliseconds
SIZE = (1500, 1200)
LENS = "from tests.browser.scene_lens import scene_lens\nlens = scene_lens({!r})"
GALLERY = "lens.gallery('layer4', 7)"
CONTRAST = "lens.contrast('layer4', 11, candidates=['square', 'green', 'watermark'])"
EXPLORER = "lens.explore()"


class Shown(Protocol):
    """The cells of the lens, the gallery, the contrast panel and the explorer, open in a page."""

    page: Page
    complaints: list[str]

    def show_cell(self, index: int) -> None:
        """Bring a cell into view."""

    def count_cells(self) -> int:
        """Return how many cells the notebook has."""

    def set_theme(self, theme: Literal["light", "dark"]) -> None:
        """Switch the front end's theme."""

    def expect_active(self, layer: str, neuron: int) -> None:
        """Wait until Python knows which neuron the explorer shows."""


class _InJupyter:
    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self.page, self.complaints = notebook.page, notebook.complaints
        self.show_cell, self.set_theme = notebook.show_cell, notebook.set_theme
        self.count_cells = notebook.count_cells

    def expect_active(self, layer: str, neuron: int) -> None:
        self._notebook.kernel.wait("explorer.active", [layer, neuron])


class _InMarimo:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        hear_complaints(page, self.complaints)

    def show_cell(self, index: int) -> None:
        """Leave it to the browser: marimo draws all cells."""

    def count_cells(self) -> int:
        return self.page.locator("[id^=output-]").count()

    def set_theme(self, theme: Literal["light", "dark"]) -> None:
        self.page.emulate_media(color_scheme=theme)
        self.page.wait_for_function("theme => document.body.dataset.theme === theme", arg=theme)

    def expect_active(self, layer: str, neuron: int) -> None:
        # The cell runs again whenever the explorer has changed.
        expect(self.page.get_by_text(f"Python knows {layer} / {neuron}.")).to_be_visible()


@contextmanager
def in_jupyter(front_end: FrontEnd, lab: Lab, browser: Browser, analysis: Path) -> Iterator[Shown]:
    """Show the cells in JupyterLab or Notebook 7, on a copy of the analysis."""
    name = f"front-end-{front_end}"
    shutil.copytree(analysis, lab.root / name)
    cells = [LENS.format(name), GALLERY, CONTRAST, f"explorer = {EXPLORER}\nexplorer"]
    with open_notebook(lab, browser, name, cells, SIZE, front_end) as notebook:
        yield _InJupyter(notebook)


@contextmanager
def in_marimo(browser: Browser, analysis: Path, folder: Path) -> Iterator[Shown]:
    """Show the cells in marimo, on a copy of the analysis."""
    copy = folder / "scenes"
    shutil.copytree(analysis, copy)
    app = "import marimo\n\napp = marimo.App(width='full')\n\n\n"
    app += _cell(f"{LENS.format(str(copy))}\nimport marimo as mo", gives="lens, mo")
    app += _cell(GALLERY, "lens") + _cell(CONTRAST, "lens")
    explorer = f"explorer = mo.ui.anywidget({EXPLORER})\nexplorer"
    app += _cell(explorer, "lens, mo", "explorer")
    said = "mo.md('Python knows {} / {}.'.format(*explorer.active or ('no', 'neuron')))"
    app += _cell(f"explorer.value\n{said}", "explorer, mo")
    with running_marimo(folder / "marimo", app) as url:
        context = browser.new_context(
            viewport={"width": SIZE[0], "height": SIZE[1]},
            color_scheme="light",
            reduced_motion="reduce",
        )
        try:
            shown = _InMarimo(context.new_page())
            shown.page.goto(url)
            # The last cell: marimo imports everything before it shows anything.
            last = shown.page.get_by_text("Python knows no / neuron.")
            last.wait_for(timeout=RUN)
            yield shown
        finally:
            context.close()


def _cell(code: str, takes: str = "", gives: str = "") -> str:
    body = textwrap.indent(f"{code}\nreturn {f'({gives},)' if gives else ''}".rstrip(), "    ")
    return f"@app.cell\ndef _({takes}):\n{body}\n\n\n"
