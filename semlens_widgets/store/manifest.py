"""The manifest of an analysis: what it was made with and which stages are finished."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 2


class Manifest:
    """``analysis.json``, read whole and replaced whole.

    Parameters
    ----------
    folder
        The analysis folder; a manifest that is not there yet is empty.

    Attributes
    ----------
    settings : dict
        What the analysis is made with (JSON).
    stages : dict
        Finished stages, each with the facts that it recorded (JSON).
    doomed : list of str
        Tables and scratch prefixes that no longer hold and are still to be deleted.
    doubts : dict
        Settings that made a stage fail, each with the images it failed on, if it was some.

    Raises
    ------
    StoreError
        If another version of the package wrote the folder, in a layout that this one cannot read,
        or the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "analysis.json"
        content: dict[str, Any] = {"settings": {}, "stages": {}}
        if (found := _read(self.path)) is not None:
            content = found
            version = content.get("schema_version")
            if version != SCHEMA_VERSION:
                older = isinstance(version, int) and version < SCHEMA_VERSION
                raise StoreError(
                    f"The analysis in {str(folder)!r} has schema version {version!r}; this release "
                    f"reads version {SCHEMA_VERSION}. Open it with the release that wrote it, or "
                    + ("run the analysis anew in a new folder." if older else "use a new folder.")
                )
            fault = _fault(content)
            if fault:
                raise StoreError(_damaged(self.path, fault))
        self.settings: dict[str, Any] = content["settings"]
        self.stages: dict[str, Any] = content["stages"]
        self.doomed: list[str] = content.get("doomed", [])
        self.doubts: dict[str, list[int]] = content.get("doubts", {})

    def save(self) -> None:
        """Replace the file at once: a reader sees the old or the new one."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "settings": self.settings,
            "stages": self.stages,
        }
        if self.doomed:
            content["doomed"] = self.doomed
        if self.doubts:
            content["doubts"] = self.doubts
        write_atomically(self.path, json.dumps(content, indent=1).encode())


_FACTS = {  # of finished stages, without which nothing can be read
    "collect": ("layers", dict),
    "classes": ("names", list),
    "examples": ("ranks", int),
}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:  # no JSON, or no UTF-8
        raise StoreError(_damaged(path, str(error))) from error
    except OSError as error:
        raise StoreError(
            f"{str(path)!r} cannot be read: {error.strerror or error}. It says what the folder's "
            "tables are. Nothing was changed; once the file can be read, open the folder again."
        ) from error
    if not isinstance(content, dict):
        raise StoreError(_damaged(path, f"it holds a {type(content).__name__}, not a dictionary"))
    return content


def _fault(content: dict[str, Any]) -> str:
    """Say what is wrong with a manifest's content; nothing if all is well."""
    kinds: dict[str, type] = {"settings": dict, "stages": dict}
    kinds |= {name: kind for name, kind in (("doomed", list), ("doubts", dict)) if name in content}
    for name, kind in kinds.items():
        if not isinstance(content.get(name), kind):
            return f"{name!r} is missing or no {kind.__name__}"
    for stage, facts in content["stages"].items():
        if not isinstance(facts, dict):
            return f"the facts of {stage!r} are no dictionary"
        name, kind = _FACTS.get(stage, ("", object))
        if name and not isinstance(facts.get(name), kind):
            return f"{name!r} of {stage!r} is missing or no {kind.__name__}"
    counts = [content["stages"]["examples"]["ranks"]] if "examples" in content["stages"] else []
    counts += content["stages"].get("collect", {}).get("layers", {}).values()
    if not all(type(count) is int and count > 0 for count in counts):
        return "a number of examples or neurons is none"
    doubted = content.get("doubts", {}).values()
    if not all(
        isinstance(samples, list) and set(map(type, samples)) <= {int} for samples in doubted
    ):
        return "'doubts' does not hold lists of images"
    return ""


def _damaged(path: Path, fault: str) -> str:
    return (
        f"{str(path)!r} is damaged: {fault}. It says what the folder's tables are, which cannot be "
        "read without it. Put a copy of the file back, or run the analysis anew in a new folder."
    )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all."""
    temporary = path.with_suffix(path.suffix + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
