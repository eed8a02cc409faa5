"""Paths and names of files, as people give them and as they can be shown."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/|(data):")  # one letter alone is a drive
_DRIVE = re.compile(r"[A-Za-z]:[/\\]|\\\\")
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def local_path(
    path: str | bytes | Path | os.PathLike[str], argument: str, error: type[Exception] = ValueError
) -> Path:
    """Return the absolute path that is meant, whatever the working directory becomes later.

    Parameters
    ----------
    path
        As a person gave it, with ``~`` or relative.
    argument
        What to call it in messages.
    error
        Class of what is raised.

    Raises
    ------
    Exception
        Of class `error`, if it is empty, an address, a path of another system, the home of nobody
        known, holds variables, or starts in a folder that is gone.
    TypeError
        If it is no path at all.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{argument} must be a path, not {type(path).__name__}.")
    text = os.fsdecode(path)
    if not text:
        raise error(f"{argument} is empty; give a folder or a file.")
    fault = _fault(text)
    if fault:
        raise error(f"{argument}={text!r} {fault}")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as unknown:
        raise error(f"{argument}={text!r}: there is no such home directory.") from unknown
    except FileNotFoundError as gone:
        raise error(
            f"{argument}={text!r} is relative to the working directory, which has been deleted. "
            "Change to another one by os.chdir(), or give an absolute path."
        ) from gone


def _fault(text: str) -> str:
    """Say why a path is not one of this machine; nothing if it is."""
    if "\0" in text:
        return "holds a zero byte, which no path does."
    if os.path.lexists(text):
        return ""
    if _URL.match(text):
        here = re.match(r"file:(?://(?:localhost)?(?=/))?(/.*)", text, re.IGNORECASE | re.DOTALL)
        advice = "copy or mount it, and give the path on this machine"
        if here:
            advice = f"give the path itself, {unquote(here[1])!r}"
        return f"is an address, and only local paths are read: {advice}."
    filled = os.path.expandvars(text)
    if filled != text:
        return f"holds a variable, and none is filled in: os.path.expandvars makes it {filled!r}."
    if os.name != "nt" and _DRIVE.match(text):
        return "is a path of Windows, which this machine does not run: give the path here."
    return ""


def files_below(root: Path) -> list[tuple[str, ...]]:
    """Return the parts of every file's path below a folder, sorted; hidden ones are left out.

    Each real folder counts once, at its own place. Links to folders are followed after that, in
    order, unless they lead to a folder that was seen or to one that holds such a folder.
    """
    found: list[tuple[str, ...]] = []
    seen: set[str] = set()
    links: list[tuple[str, ...]] = [()]
    while links:
        start = links.pop(0)
        real = os.path.realpath(root.joinpath(*start))
        if any(
            folder == real or folder.startswith(real.rstrip(os.sep) + os.sep) for folder in seen
        ):
            continue
        for folder, folders, files in os.walk(root.joinpath(*start)):
            seen.add(os.path.realpath(folder))
            parts = Path(folder).relative_to(root).parts
            folders[:] = [name for name in folders if not name.startswith(".")]
            linked = [name for name in folders if Path(folder, name).is_symlink()]
            links += [(*parts, name) for name in linked]
            folders[:] = [name for name in folders if name not in linked]
            found += [(*parts, name) for name in files if not name.startswith(".")]
        links.sort()
    return sorted(found)


def shown(name: str) -> str:
    """Write a file's name so that it can be stored and shown.

    Bytes that are no UTF-8, line breaks and other control characters become escapes.
    """
    return _UNSHOWABLE.sub(_escape, name)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
