"""A notebook made into a page, with no kernel and no network: the still pictures stand there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import nbformat
from playwright.sync_api import expect

from tests.browser.server import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

CELLS = (
    "lens.map()",
    "lens.gallery('layer4', 17)",
    "lens.contrast('layer4', 17)",
    "explorer = lens.explore(active=('layer4', 17))\nexplorer",
)


def test_an_executed_page_shows_a_picture_of_each_widget(
    analysis: Path, browser: Browser, tmp_path: Path
):
    first = f"import semlens_widgets as slw\nlens = slw.open({str(analysis)!r})"
    cells = [nbformat.v4.new_code_cell(source) for source in (first, *CELLS)]
    notebook = tmp_path / "story.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), notebook)
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", str(notebook)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    context = browser.new_context(offline=True)
    try:
        page = context.new_page()
        page.goto(notebook.with_suffix(".html").as_uri())
        stills = page.locator("img.slw-still")
        expect(stills).to_have_count(len(CELLS))
        for at in range(len(CELLS)):
            still = stills.nth(at)
            expect(still).to_be_visible()
            assert still.evaluate("image => image.naturalWidth") > 200
            assert still.get_attribute("alt")
    finally:
        context.close()
