"""What a person sees when the kernel is no longer there, or does not answer."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import open_as_saved

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator

    from tests.browser.notebook import Notebook

KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel"
PATIENCE = 8_000  # milliseconds; the server looks every 3 s whether its kernels live
LATE = 6_000  # a panel says after 3 s that it waits
#: ipywidgets itself writes that it could not tell the kernel what was chosen.
UNSENT = "Could not send widget sync message"
EXPLORER = "explorer = lens.explore(active=('layer4', 17))\nexplorer"


def process_of(notebook: Notebook) -> int:
    return notebook.kernel.value("__import__('os').getpid()")


def shut_down(notebook: Notebook, _process: int) -> None:
    notebook.page.evaluate(f"() => {KERNEL}.shutdown()")


def restart(notebook: Notebook, _process: int) -> None:
    notebook.page.evaluate(f"() => {{ {KERNEL}.restart(); }}")


def kill(notebook: Notebook, process: int) -> None:
    """As the system does when memory runs out; JupyterLab starts another kernel and says so."""
    notebook.page.add_locator_handler(
        notebook.page.locator(".jp-Dialog"), lambda told: told.get_by_role("button").last.click()
    )
    os.kill(process, signal.SIGKILL)


def expect_gone(where: Locator, timeout: int = PATIENCE) -> None:
    # More than one part may have met it.
    alert = where.get_by_role("alert").filter(has_text="run the cell again").first
    expect(alert).to_be_visible(timeout=timeout)
    expect(alert.get_by_role("button", name="Retry")).to_be_visible()


@pytest.mark.parametrize("end", [shut_down, restart, kill])
def test_a_kernel_that_ends_is_said_to_who_waits_and_to_who_asks(
    scene_notebook, end: Callable[[Notebook, int], None]
):
    with scene_notebook(f"gone-{end.__name__}", EXPLORER) as notebook:
        explorer = notebook.page.locator(".slw-explorer")
        gallery = explorer.locator(".slw-gallery")
        expect(gallery.locator(".slw-tile img").first).to_be_visible()
        expect(explorer.locator(".slw-map-stage[data-renderer=webgl]")).to_be_visible()
        process = process_of(notebook)
        notebook.page.evaluate(
            f"() => {{ {KERNEL}.requestExecute({{ code: 'import time; time.sleep(600)' }})"
            ".done.catch(() => {}); }"
        )
        explorer.get_by_label("Search neurons by concept").fill("green")
        expect(explorer.locator(".slw-search")).to_have_attribute("aria-busy", "true")
        end(notebook, process)
        expect_gone(explorer)
        expect(gallery.locator(".slw-tile img").first).to_be_visible()  # as it was
        explorer.get_by_role("button", name="Retry").first.click()
        expect_gone(explorer)
        expect(explorer.locator(".slw-search")).to_have_attribute("aria-busy", "false")
        assert [text for text in notebook.complaints if not text.startswith(UNSENT)] == []


def test_a_kernel_that_hangs_is_said_and_followed_when_it_goes_on(scene_notebook):
    with scene_notebook("hangs", EXPLORER) as notebook:
        explorer = notebook.page.locator(".slw-explorer")
        expect(explorer.locator(".slw-gallery .slw-tile img").first).to_be_visible()
        process = process_of(notebook)
        os.kill(process, signal.SIGSTOP)  # it lives, and nobody tells that it does nothing
        try:
            explorer.get_by_label("Search neurons by concept").fill("green")
            late = explorer.get_by_role("status").filter(has_text="No answer from the kernel yet")
            expect(late).to_be_visible(timeout=LATE)
        finally:
            os.kill(process, signal.SIGCONT)
        expect(explorer.locator(".slw-hits-of")).to_contain_text("green")
        expect(late).to_have_count(0)
        assert notebook.complaints == []


CELLS = ("lens.map()", "lens.gallery('layer4', 17)", "lens.contrast('layer4', 17)", EXPLORER)
DRAWN = {".slw-gallery": ".slw-tile img", ".slw-contrast": ".slw-pair img"}


def test_a_saved_notebook_shows_what_it_has_and_says_what_it_has_not(lab, browser, scene_notebook):
    with scene_notebook("saved", *CELLS) as notebook:
        for panel, drawn in DRAWN.items():
            first = notebook.page.locator(f".jp-OutputArea-output {panel}").first
            first.scroll_into_view_if_needed()
            expect(first.locator(drawn).first).to_be_visible()
        notebook.save()
    with open_as_saved(lab, browser, "saved") as notebook:
        page = notebook.page

        def output(cell: int, widget: str) -> Locator:
            """A cell's widget, scrolled to where it draws."""
            notebook.show_cell(cell)
            where = page.locator(f".jp-Cell[data-windowed-list-index='{cell}'] {widget}").first
            where.scroll_into_view_if_needed()
            return where

        stage = ".slw-map-stage[data-renderer=webgl]"
        expect(output(1, ".slw-map").locator(stage)).to_be_visible()
        for cell, panel in enumerate(DRAWN, 2):
            shown = output(cell, panel)
            expect_gone(shown)
            expect(shown).to_contain_text("layer4 / 17")
            expect(shown.locator(".slw-skeleton")).to_have_count(0)
            shown.get_by_role("button", name="Retry").click()
            expect_gone(shown)
        explorer = output(4, ".slw-explorer")
        expect(explorer.locator(stage)).to_be_visible()
        expect_gone(explorer.locator(".slw-gallery"))
        assert notebook.complaints == []

        notebook.run_all()
        for cell, (panel, drawn) in enumerate(DRAWN.items(), 2):
            expect(output(cell, panel).locator(drawn).first).to_be_visible()
        explorer = output(4, ".slw-explorer")
        expect(explorer.locator(".slw-tile img").first).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        assert notebook.complaints == []
