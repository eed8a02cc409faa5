"""A JupyterLab that sends small messages at once.

Tornado leaves Nagle's algorithm on: a message after another may wait some 40 ms for the browser's
delayed acknowledgement of the one before, at random. That falls on the bare message and on what is
compared with it alike, but a median of a few takes either side of it.
"""

from __future__ import annotations

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """A connection to a kernel without Nagle's algorithm."""

    async def connect(self) -> None:
        """Connect, and send what is written at once."""
        self.websocket_handler.set_nodelay(True)
        await super().connect()


OPTION = f"--ServerApp.kernel_websocket_connection_class={__name__}.{PromptConnection.__name__}"
