"""A JupyterLab that sends small messages at once.

Tornado leaves Nagle's algorithm on: a message after another may wait some 40 ms for the browser's
delayed acknowledgement of the one before, at random. That falls on the bare message and on what is
compared with it alike, but a median of a few takes either side of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from tests.browser.notebook import open_notebook
from tests.browser.server import NO_BROWSER, running_browser, running_lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.browser.notebook import Notebook


class PromptConnection(ZMQChannelsWebsocketConnection):
    """A connection to a kernel without Nagle's algorithm."""

    async def connect(self) -> None:
        """Connect, and send what is written at once."""
        self.websocket_handler.set_nodelay(True)
        await super().connect()


OPTION = f"--ServerApp.kernel_websocket_connection_class={__name__}.{PromptConnection.__name__}"


@contextmanager
def prompt_notebook(folder: Path, cells: Sequence[str]) -> Iterator[Notebook]:
    """Open a notebook in such a JupyterLab and run its cells; without a browser, skip."""
    with running_browser() as browser:
        if browser is None:
            pytest.skip(NO_BROWSER)
        with (
            running_lab(folder, OPTION) as lab,
            open_notebook(lab, browser, "bench", cells) as notebook,
        ):
            yield notebook
