"""Keyboard interrupts that wait until what must not be cut short is done."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let a keyboard interrupt wait for a commit, which else would go on behind our back.

    Python handles signals in the main thread alone; elsewhere there is nothing to wait for.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[tuple[int, FrameType | None]] = []
    before: Callable[[int, FrameType | None], Any] | int | None = signal.signal(
        signal.SIGINT, lambda number, frame: caught.append((number, frame))
    )
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if caught and callable(before):
            before(*caught[0])
