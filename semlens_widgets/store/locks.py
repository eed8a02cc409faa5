"""Who may write an analysis folder: one process at a time, and one thread of it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE = 5  # seconds for another process to finish what it is writing


@dataclass
class _Folder:
    lock: Any = field(default_factory=RLock)
    depth: int = 0  # of blocks of the thread that holds the lock


_FOLDERS: dict[Path, _Folder] = {}
_FINDING = Lock()
os.register_at_fork(after_in_child=_FOLDERS.clear)  # no thread of a child holds anything


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a folder's lock; other threads of this process wait for it.

    Yields
    ------
    bool
        Whether this is the outermost block of the thread.

    Raises
    ------
    StoreError
        If another process holds the lock.
    """
    from filelock import FileLock, Timeout

    with _FINDING:
        folder = _FOLDERS.setdefault(path.resolve(), _Folder())
    with folder.lock:
        file = FileLock(path / ".lock", timeout=_PATIENCE)
        if not folder.depth:
            try:
                file.acquire()
            except Timeout:
                raise StoreError(
                    f"Another process is writing the analysis in {str(path)!r}. "
                    "Wait for it, or open the folder with semlens_widgets.open() to read."
                ) from None
        folder.depth += 1
        try:
            yield folder.depth == 1
        finally:
            folder.depth -= 1
            if not folder.depth:
                file.release()
