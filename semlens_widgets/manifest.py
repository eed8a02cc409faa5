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

    Raises
    ------
    StoreError
        If another version of the package wrote the folder, in a layout that this one cannot read.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "analysis.json"
        content: dict[str, Any] = {}
        if self.path.exists():
            content = json.loads(self.path.read_text("utf-8"))
            version = content.get("schema_version")
            if version != SCHEMA_VERSION:
                raise StoreError(
                    f"The analysis in {str(folder)!r} has schema version {version}; this release "
                    f"reads version {SCHEMA_VERSION}. Open it with the release that wrote it, or "
                    "use a new folder."
                )
        self.settings: dict[str, Any] = content.get("settings", {})
        self.stages: dict[str, Any] = content.get("stages", {})
        self.doomed: list[str] = content.get("doomed", [])

    def save(self) -> None:
        """Replace the file at once: a reader sees the old or the new one."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "settings": self.settings,
            "stages": self.stages,
        }
        if self.doomed:
            content["doomed"] = self.doomed
        write_atomically(self.path, json.dumps(content, indent=1).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all."""
    temporary = path.with_suffix(path.suffix + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
