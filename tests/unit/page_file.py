"""A page read as the browser reads it, to see what it holds."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

from semlens_widgets.widgets._page.pool import key_of

if TYPE_CHECKING:
    from pathlib import Path


class PageFile:
    """A page that was written: its text, its contents, and the answers it holds."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text("utf-8")
        (found,) = re.findall(r'id="slw-contents">(.*?)</script>', self.text, re.DOTALL)
        self.contents: dict[str, Any] = json.loads(found)
        stored = re.findall(r'data-chunk="\d+">(.*?)</script>', self.text, re.DOTALL)
        self.chunks = [
            zlib.decompress(base64.b64decode(data)) if deflated else base64.b64decode(data)
            for data, (_, _, deflated) in zip(stored, self.contents["chunks"], strict=True)
        ]
        self.index: dict[str, Any] = self._listed(self.contents["index"])

    def _listed(self, entry: list[int]) -> Any:
        chunk, position = entry
        return json.loads(self.chunks[chunk])[position]

    @property
    def questions(self) -> list[tuple[str, dict[str, Any]]]:
        return [tuple(json.loads(key)) for key in self.index["answers"]]

    def read(self, place: list[int]) -> bytes:
        chunk, start, length = place
        return self.chunks[chunk][start : start + length]

    def answer(self, method: str, params: dict[str, Any]) -> tuple[Any, list[bytes]]:
        result, places = self._listed(self.index["answers"][key_of(method, params)])
        return result, [self.read(place) for place in places]
