"""The bytes of a page, in chunks that are read one by one when something of them is shown."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A chunk is closed when it holds so many bytes: little enough to be read at once.
FULL = 256 * 1024
#: What deflate leaves more than this share of is kept as it is.
WORTH_IT = 0.95

#: Numbers that arrays may be of.
ARRAYS = ("float16", "float32", "uint8", "uint16", "uint32")

#: Where some bytes lie: chunk, first byte, number of bytes.
Place = tuple[int, int, int]


def compact(value: Any) -> str:
    """Return a value as JSON without spaces, which can be written: half a character is escaped.

    Raises
    ------
    ValueError
        If it holds what no JSON has, such as NaN.
    """
    said = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # As in names of files; JSON escapes it as Python does.
    return said.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True)
class Chunk:
    """Bytes as they are stored, deflated (zlib) or not, and how many they are when read."""

    data: bytes
    deflated: bool
    size: int


@dataclass
class _Open:
    number: int
    parts: list[bytes] = field(default_factory=list)
    size: int = 0


class Chunks:
    """Collects answers and bytes; of equal bytes one copy.

    Those of one kind lie together in the order in which they come, so that what belongs to one
    neuron is mostly one chunk.
    """

    def __init__(self) -> None:
        self._closed: list[Chunk | None] = []
        self._open: dict[str, _Open] = {}
        self._known: dict[bytes, Place] = {}

    def add(self, data: bytes, kind: str) -> Place:
        """Keep bytes with others of their kind, and return where they lie."""
        digest = blake2b(data, digest_size=16).digest()
        if (known := self._known.get(digest)) is not None:
            return known
        into = self._opened(kind)
        # Numbers start at a multiple of eight, as typed arrays do.
        if gap := -into.size % 8:
            into.parts.append(bytes(gap))
            into.size += gap
        place = self._known[digest] = (into.number, into.size, len(data))
        into.parts.append(data)
        into.size += len(data)
        self._close_if_full(kind)
        return place

    def add_answer(self, value: Any) -> tuple[int, int]:
        """Keep a JSON value in a list of such, and return chunk and position."""
        into = self._opened("answers")
        data = compact(value).encode("utf-8")
        at = len(into.parts)
        into.parts.append(data)
        into.size += len(data)
        number = into.number
        self._close_if_full("answers")
        return number, at

    def add_array(self, array: NDArray[Any]) -> dict[str, Any]:
        """Keep an array, and return its kind of numbers, its shape, and where it lies.

        Raises
        ------
        ValueError
            If the browser has no such numbers.
        """
        if array.dtype.name not in ARRAYS:
            raise ValueError(f"A page holds arrays of {', '.join(ARRAYS)}, not {array.dtype.name}.")
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        place = self.add(little.tobytes(), "arrays")
        return {"dtype": array.dtype.name, "shape": list(array.shape), "place": place}

    def finished(self) -> list[Chunk]:
        """Close what is open and return all chunks."""
        for kind in list(self._open):
            self._close(kind)
        return [chunk for chunk in self._closed if chunk is not None]

    def _opened(self, kind: str) -> _Open:
        if kind not in self._open:
            self._open[kind] = _Open(len(self._closed))
            self._closed.append(None)
        return self._open[kind]

    def _close_if_full(self, kind: str) -> None:
        if self._open[kind].size >= FULL:
            self._close(kind)

    def _close(self, kind: str) -> None:
        one = self._open.pop(kind)
        whole = b"[" + b",".join(one.parts) + b"]" if kind == "answers" else b"".join(one.parts)
        self._closed[one.number] = packed(whole)


def packed(data: bytes) -> Chunk:
    """Return bytes as a chunk, deflated where that helps."""
    deflated = zlib.compress(data, 9)
    if len(deflated) > WORTH_IT * len(data):
        return Chunk(data, deflated=False, size=len(data))
    return Chunk(deflated, deflated=True, size=len(data))
