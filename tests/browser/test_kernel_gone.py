"""What a person sees when the kernel is no longer there."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.notebook import Notebook

PATIENCE = 40_000  # milliseconds; a request waits 30 s for its answer


KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel"


def shut_down(notebook: Notebook) -> None:
    notebook.page.evaluate(f"() => {KERNEL}.shutdown()")


def kill(notebook: Notebook) -> None:
    """As the system does when memory runs out; JupyterLab starts another kernel."""
    notebook.page.evaluate(
        f"() => {{ window.seen = []; const kernel = {KERNEL};"
        " kernel.statusChanged.connect((_, status) => window.seen.push(status)); }"
    )
    os.kill(notebook.kernel.value("__import__('os').getpid()"), signal.SIGKILL)
    notebook.page.wait_for_function("() => window.seen.some(s => s.endsWith('restarting'))")


@pytest.mark.parametrize("end", [shut_down, kill])
def test_a_kernel_that_is_gone_is_said_in_the_panel(
    scene_notebook, end: Callable[[Notebook], None]
):
    name = f"gone-{end.__name__}"
    with scene_notebook(name, "explorer = lens.explore(active=('layer4', 17))\nexplorer") as opened:
        explorer = opened.page.locator(".slw-explorer")
        expect(explorer.locator(".slw-gallery .slw-tile img").first).to_be_visible()
        end(opened)
        explorer.get_by_label("Search neurons by concept").fill("green")
        alert = explorer.locator(".slw-notice-error").first
        expect(alert).to_contain_text("No answer from the kernel", timeout=PATIENCE)
        expect(alert.get_by_role("button", name="Retry")).to_be_visible()
        # ipywidgets itself writes that it could not tell the kernel what was typed.
        unsent = "Could not send widget sync message"
        assert [text for text in opened.complaints if not text.startswith(unsent)] == []
