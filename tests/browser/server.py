"""A JupyterLab or marimo of its own and a Chromium, ended with the tests that started them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Playwright

FrontEnd = Literal["lab", "notebook"]

REPOSITORY = Path(__file__).parents[2]
START = 90  # seconds
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # WebGL in software, as no test machine needs a graphics card:
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
NO_BROWSER = (
    "NO CHROMIUM FOUND: no widget was tried in a browser. Install chromium, or set "
    "SEMLENS_CHROMIUM to its executable."
)
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # A document that nobody saves asks nobody whether it may be left.
    "docmanager-extension/plugin": {"autosave": False},
}
#: Variables that would bring in what is the user's, or warnings of other packages.
UNWANTED = (
    "JUPYTER_PATH",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "PYTHONWARNDEFAULTENCODING",
)


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab, which serves Notebook 7, too."""

    url: str
    token: str
    root: Path  # notebooks lie here
    runtime: Path  # the kernels' connection files lie here

    def address(self, notebook: str, front_end: FrontEnd = "lab") -> str:
        """Where the browser finds a notebook, in a workspace of its own."""
        if front_end == "notebook":
            return f"{self.url}/notebooks/{notebook}?token={self.token}"
        name = Path(notebook).stem
        return f"{self.url}/lab/workspaces/{name}/tree/{notebook}?reset&token={self.token}"


@contextmanager
def running_lab(folder: Path, *options: str) -> Iterator[Lab]:
    """Run a JupyterLab that knows nothing of the user's settings, and end it."""
    root = folder / "notebooks"
    root.mkdir(parents=True)
    for name, settings in SETTINGS.items():
        file = folder / f"config/lab/user-settings/@jupyterlab/{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    port = _free_port()
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(16), root, folder / "runtime")
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(lab.runtime),
        "IPYTHONDIR": str(folder / "ipython"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
    ]
    command += [f"--IdentityProvider.token={lab.token}", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    command += ["--JupyterNotebookApp.expose_app_in_browser=True", *options]
    with _serving(command, environment, root, f"{lab.url}/api"):
        yield lab


@contextmanager
def running_marimo(folder: Path, app: str) -> Iterator[str]:
    """Run marimo on the text of an app, in the theme that the browser wishes; yield its address."""
    root = folder / "app"
    root.mkdir(parents=True)
    (root / "app.py").write_text(app, encoding="utf-8")
    settings = folder / "config/marimo/marimo.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[display]\ntheme = "system"\n', encoding="utf-8")
    environment = os.environ | {
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
        "MARIMO_SKIP_UPDATE_CHECK": "1",
    }
    port = _free_port()
    command = [sys.executable, "-m", "marimo", "run", "--headless", "--no-token"]
    command += ["--port", str(port), "app.py"]
    url = f"http://127.0.0.1:{port}"
    with _serving(command, environment, root, f"{url}/health"):
        yield url


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _serving(
    command: list[str], environment: dict[str, str], root: Path, asked: str
) -> Iterator[None]:
    """Run a server in a folder, wait until an address is answered, and end it."""
    environment |= {
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
    }
    for name in UNWANTED:
        environment.pop(name, None)
    log = root.parent / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd=root, stdout=output, stderr=output)
    try:
        _wait_for_answer(asked, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_answer(asked: str, process: subprocess.Popen[bytes], log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            direct.open(asked, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    tail = log.read_text(encoding="utf-8", errors="replace")[-3000:]
    raise RuntimeError(f"{process.args[2]} did not answer within {START} s:\n{tail}")


def find_chromium(playwright: Playwright) -> str | None:
    """Return the executable to use: the one named, the system's, Playwright's own, or None."""
    named = os.environ.get("SEMLENS_CHROMIUM")
    if named:
        return shutil.which(named)
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@contextmanager
def running_browser() -> Iterator[Browser | None]:
    """Run a Chromium and end it; None if there is none."""
    with sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
