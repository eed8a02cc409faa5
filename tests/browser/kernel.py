"""The kernel's side of a notebook, read without the browser."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

from jupyter_client import BlockingKernelClient

from tests.browser.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

TIMEOUT = 60  # seconds


class Kernel:
    """A connection to the running kernel of a notebook."""

    def __init__(self, connection_file: Path) -> None:
        self._client = BlockingKernelClient(connection_file=str(connection_file))
        self._client.load_connection_file()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.stop_channels()

    def value(self, expression: str) -> Any:
        """Return what an expression is in the kernel, by way of JSON."""
        wanted = {"value": f"__import__('json').dumps({expression}, default=lambda x: x.item())"}
        reply = self._execute("", user_expressions=wanted)["user_expressions"]["value"]
        if reply["status"] != "ok":
            raise RuntimeError(f"{expression}: {reply['ename']}: {reply['evalue']}")
        return json.loads(ast.literal_eval(reply["data"]["text/plain"]))

    def wait(self, expression: str, expected: Any) -> None:
        """Wait until an expression has a value: what the browser sends comes by another way."""

        def check() -> None:
            found = self.value(expression)
            assert found == expected, f"{expression} is {found!r}, expected {expected!r}"

        eventually(check)

    def run(self, code: str) -> None:
        """Run statements in the kernel."""
        self._execute(code)

    def _execute(self, code: str, **options: Any) -> dict[str, Any]:
        reply = self._client.execute(
            code, store_history=False, reply=True, timeout=TIMEOUT, **options
        )["content"]
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply.get("traceback", [str(reply)])))
        return reply
