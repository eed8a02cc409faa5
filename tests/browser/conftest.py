"""One JupyterLab, one Chromium, one analysis and one explorer for all browser tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import open_notebook
from tests.browser.server import NO_BROWSER, REPOSITORY, running_browser, running_lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from playwright.sync_api import Browser, Locator

    from tests.browser.notebook import Notebook
    from tests.browser.server import Lab

expect.set_options(timeout=20_000)  # milliseconds, for machines that have more to do


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium; without one the tests are skipped, loudly."""
    with running_browser() as browser:
        if browser is None:
            pytest.skip(NO_BROWSER)
        yield browser


@pytest.fixture(scope="session")
def asking() -> str:
    """What asks a page from inside, as the script of a browser: ``asking``."""
    command = ["npx", "esbuild", "test/page/ask-all.ts", "--bundle", "--format=iife",
               "--global-name=asking", "--jsx=automatic", "--jsx-import-source=preact",
               "--loader:.css=empty"]  # fmt: skip
    done = subprocess.run(command, cwd=REPOSITORY / "js", check=True, capture_output=True)
    return done.stdout.decode()


@pytest.fixture(scope="session")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running JupyterLab."""
    with running_lab(tmp_path_factory.mktemp("jupyter")) as lab:
        yield lab


@pytest.fixture(scope="session")
def analysis(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished analysis; copy it, for notebooks write labels into theirs."""
    folder = tmp_path_factory.mktemp("analysis") / "scenes"
    subprocess.run(
        [sys.executable, "-m", "tests.browser.scene_lens", str(folder)], cwd=REPOSITORY, check=True
    )
    return folder


@pytest.fixture(scope="session")
def scene_notebook(
    lab: Lab, browser: Browser, analysis: Path
) -> Callable[..., AbstractContextManager[Notebook]]:
    """Open a notebook that has ``lens``, on its own copy of the analysis, and run all its cells."""

    def opened(name: str, *cells: str) -> AbstractContextManager[Notebook]:
        shutil.copytree(analysis, lab.root / name)
        first = f"from tests.browser.scene_lens import scene_lens\nlens = scene_lens({name!r})"
        return open_notebook(lab, browser, name, [first, *cells])

    return opened


@pytest.fixture(scope="session")
def explorer_notebook(scene_notebook) -> Iterator[Notebook]:
    """The notebook that the tests of the explorer share."""
    with scene_notebook("explorer", "explorer = lens.explore()\nexplorer") as notebook:
        yield notebook


@pytest.fixture
def notebook(explorer_notebook: Notebook) -> Iterator[Notebook]:
    """The shared notebook; a test may leave no complaint behind."""
    yield explorer_notebook
    complaints = explorer_notebook.complaints.copy()
    explorer_notebook.complaints.clear()
    assert complaints == [], "\n".join(complaints)


@pytest.fixture
def explorer(notebook: Notebook) -> Locator:
    """The explorer, its map drawn, nothing searched, so wide that its panels share a place."""
    root = notebook.page.locator(".slw-explorer")
    notebook.set_width(root, 1200)
    expect(root.locator(".slw-map-stage[data-renderer=webgl]")).to_be_visible()
    clear = root.get_by_role("button", name="Clear the search")
    if clear.is_visible():
        clear.click()
    expect(root.locator(".slw-hits")).to_have_count(0)
    return root


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once more, where nobody can miss it, that there was no browser."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(NO_BROWSER in str(report.longrepr) for report in skipped)
    if count:
        line = f"{count} browser tests skipped. {NO_BROWSER}"
        terminalreporter.write_line(line, red=True, bold=True)


@pytest.fixture
def opened(shared: Notebook) -> Iterator[Notebook]:
    """The notebook that a file's tests share; a test may leave no complaint behind."""
    yield shared
    complaints = shared.complaints.copy()
    shared.complaints.clear()
    assert complaints == [], "\n".join(complaints)
