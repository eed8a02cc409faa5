"""What drives do to an analysis, in words: full, read-only, not answering."""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from semlens_widgets.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = "Make room there and do it again."
_READ_ONLY = (
    "To look at what is finished, open it with semlens_widgets.open(path); to change it, copy the "
    "folder to where you may write."
)
_GONE = "Once the drive answers again, do it again."
_FAULTS = {
    errno.ENOSPC: ("the disk is full", _FULL),
    errno.EDQUOT: ("the disk quota is used up", _FULL),
    errno.EFBIG: ("a file would be larger than the system allows", _FULL),
    errno.EROFS: ("the drive is read-only", _READ_ONLY),
    errno.EACCES: ("this user may not write there", _READ_ONLY),
    errno.EPERM: ("this user may not write there", _READ_ONLY),
    errno.EIO: ("the drive reports an error", _GONE),
    errno.ETIMEDOUT: ("the drive does not answer in time", _GONE),
    errno.ESTALE: ("the drive has been taken away", _GONE),
    errno.ENOTCONN: ("the drive is not connected", _GONE),
    errno.EHOSTDOWN: ("the drive is not connected", _GONE),
}
_FOREIGN = re.compile(r"LanceError\(IO\).*\(os error (\d+)\)", re.DOTALL)


def fault_of(error: BaseException, folder: Path) -> tuple[str, str] | None:
    """Return what a drive did, and what to do; None if an error says nothing of the folder's drive.

    Parameters
    ----------
    error
        Of the system, or of the tables' library, which names the system's error by its number.
    folder
        An error that names a file elsewhere is none of this folder's.
    """
    if isinstance(error, OSError) and error.errno is not None:
        elsewhere = error.filename is not None and not Path(str(error.filename)).is_relative_to(
            folder
        )
        return None if elsewhere else _FAULTS.get(error.errno)
    if isinstance(error, (OSError, RuntimeError, ValueError)):
        found = _FOREIGN.search(str(error))
        return _FAULTS.get(int(found[1])) if found else None
    return None


@contextmanager
def drives_in_words(folder: Path) -> Iterator[None]:
    """Let what fails by the drive of a folder that is written say so, and what to do.

    Raises
    ------
    StoreError
        In place of the system's error.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        fault = fault_of(error, folder)
        if fault is None:
            raise
        raise StoreError(
            f"The analysis in {str(folder)!r} cannot be written: {fault[0]}. Nothing that was "
            f"finished is lost. {fault[1]} What is finished is not done anew."
        ) from error
