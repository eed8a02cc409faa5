"""A view of one's own in the explorer, in JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.browser.notebook import Notebook

REGISTER = """from tests.unit.test_toy_view import Note
from semlens_widgets.widgets._views import VIEWS
VIEWS["notes"] = Note"""
CELLS = [
    REGISTER,
    "explorer = lens.explore(active=('layer4', 17))\nexplorer.notes.note = 'a shortcut?'\nexplorer",
]


def test_it_has_a_tab_and_follows_the_neuron(
    scene_notebook: Callable[..., AbstractContextManager[Notebook]],
):
    with scene_notebook("toy", *CELLS) as notebook:
        explorer = notebook.page.locator(".slw-explorer").first
        notebook.set_width(explorer, 1200)  # so that its panels share a place
        explorer.get_by_role("tab", name="Notes").click()
        panel = explorer.get_by_role("tabpanel", name="Notes")
        expect(panel).to_have_text("17: a shortcut?")
        notebook.kernel.wait("explorer.tab", "notes")
        notebook.kernel.run("explorer.gallery.active = ('layer4', 22)")
        expect(panel).to_have_text("22: a shortcut?")
