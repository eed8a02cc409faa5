"""Waiting for what the page or the kernel will show soon."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def eventually(check: Callable[[], None], timeout: float = 10) -> None:
    """Repeat a check until it asserts nothing any more, or the time (in seconds) is over."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
