"""One notebook in the browser: open it, run it, set its theme, hear its errors."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import nbformat

from tests.browser.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page

    from tests.browser.server import FrontEnd, Lab

KERNEL_START = 60_000  # milliseconds
RUN = 120_000
#: Errors of JupyterLab's or Notebook's own, each with its reason.
HARMLESS: tuple[re.Pattern[str], ...] = (
    # Notebook 7 hears of changed settings before it has read those of its shortcuts.
    re.compile(r"reading 'schema'.*/static/notebook/notebook_core", re.DOTALL),
    # It may look for its file browser before that is there.
    re.compile(r"'filebrowser:open-path' not registered.*/static/notebook/", re.DOTALL),
)

#: Switches whether saved notebooks keep their widgets.
_SAVE_WIDGETS = "@jupyter-widgets/jupyterlab-manager:saveWidgetState"
_SESSION = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session"
_CONTENT = "window.jupyterapp.shell.currentWidget.content"


def hear_complaints(page: Page, complaints: list[str]) -> None:
    """Have errors in the console, uncaught exceptions and dialogs of a page put into a list."""

    def take(text: str) -> None:
        if not any(pattern.search(text) for pattern in HARMLESS):
            complaints.append(text)

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            take(f"{message.text} ({message.location['url']})")

    def dismiss(dialog: Dialog) -> None:
        take(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", hear)
    page.on("pageerror", lambda error: take(f"uncaught: {error.stack or error}"))
    page.on("dialog", dismiss)


class Notebook:
    """A notebook that is open in JupyterLab or Notebook 7.

    Attributes
    ----------
    page
        The browser's page.
    kernel
        The kernel's side.
    complaints
        Errors in the console, uncaught exceptions and dialogs; a test may expect and clear them.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.kernel: Kernel
        self.complaints: list[str] = []
        hear_complaints(page, self.complaints)

    def run_all(self) -> None:
        """Run all cells and wait for them; raise with the traceback of a cell that failed."""
        self.page.evaluate(
            """() => {
                window.ran = false;
                window.jupyterapp.commands.execute('notebook:run-all-cells')
                    .finally(() => { window.ran = true; });
            }"""
        )
        self.page.wait_for_function("() => window.ran", timeout=RUN)
        cells = self.page.evaluate(f"() => {_CONTENT}.model.toJSON().cells")
        for cell in cells:
            for output in cell.get("outputs", []):
                if output["output_type"] == "error":
                    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output["traceback"]))
                    raise RuntimeError(f"a cell failed:\n{cell['source']}\n{trace}")

    def set_theme(self, theme: Literal["light", "dark"]) -> None:
        """Switch JupyterLab's theme and wait until the page shows it."""
        name = f"JupyterLab {theme.capitalize()}"
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name
        )
        self.page.wait_for_function(
            """([name, light]) => document.body.dataset.jpThemeName === name
                && !document.getElementById('jupyterlab-splash')
                && (getComputedStyle(document.body).getPropertyValue('--jp-layout-color0')
                    .trim().match(/^(white|#fff)/) !== null) === light""",
            arg=[name, theme == "light"],
        )

    def set_width(self, widget: Locator, width: int) -> None:
        """Give a widget's place in the output this width and wait until it has taken it."""
        widget.evaluate(
            "(root, width) => { root.parentElement.parentElement.style.cssText ="
            " `width: ${width}px; max-width: none; flex: none`; }",
            width,
        )
        self.page.wait_for_function(
            "([root, width]) => Math.abs(root.getBoundingClientRect().width - width) <= 24",
            arg=[widget.element_handle(), width],
        )

    def show_cell(self, index: int) -> None:
        """Scroll to a cell; JupyterLab draws only those near to what is in view."""
        self.page.evaluate(f"index => {_CONTENT}.scrollToItem(index)", index)

    def count_cells(self) -> int:
        """Return how many cells the notebook has."""
        count: int = self.page.evaluate(f"() => {_CONTENT}.model.cells.length")
        return count

    def save(self) -> None:
        """Save the notebook with its widgets and leave the setting as it was."""
        self.page.evaluate(
            """async toggle => {
                const { commands, shell } = window.jupyterapp;
                const set = async on => {
                    await commands.execute(toggle);
                    while (commands.isToggled(toggle) !== on) {
                        await new Promise(done => setTimeout(done, 50));
                    }
                };
                await set(true);
                await shell.currentWidget.context.save();
                await set(false);
            }""",
            _SAVE_WIDGETS,
        )

    def end_kernel(self) -> None:
        """Shut the kernel down."""
        self.page.evaluate(f"() => {_SESSION}.kernel.shutdown()")


@contextmanager
def open_notebook(
    lab: Lab,
    browser: Browser,
    name: str,
    cells: Sequence[str],
    size: tuple[int, int] = (1700, 1100),
    front_end: FrontEnd = "lab",
) -> Iterator[Notebook]:
    """Write a notebook, open it, run all its cells; close the page and end the kernel after."""
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(document, lab.root / f"{name}.ipynb")
    with open_as_saved(lab, browser, name, size, front_end) as notebook:
        notebook.run_all()
        yield notebook


@contextmanager
def open_as_saved(
    lab: Lab,
    browser: Browser,
    name: str,
    size: tuple[int, int] = (1700, 1100),
    front_end: FrontEnd = "lab",
) -> Iterator[Notebook]:
    """Open a notebook that was saved before, with a new kernel, and run nothing."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce"
    )
    page = context.new_page()
    notebook = Notebook(page)
    try:
        page.goto(lab.address(f"{name}.ipynb", front_end))
        # The kernel must be connected before the cells run: run-all can wait forever otherwise.
        page.wait_for_function(
            f"() => {{ const kernel = {_SESSION}?.kernel;"
            " return kernel?.connectionStatus === 'connected' && kernel.status === 'idle'; }",
            timeout=KERNEL_START,
        )
        page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        kernel_id = page.evaluate(f"() => {_SESSION}.kernel.id")
        with Kernel(lab.runtime / f"kernel-{kernel_id}.json") as notebook.kernel:
            yield notebook
    finally:
        page.evaluate(f"() => {_SESSION}?.shutdown().catch(() => {{}})")
        context.close()
