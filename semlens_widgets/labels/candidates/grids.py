"""The picture of a neuron that a model is shown: its examples in one grid."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

if TYPE_CHECKING:
    from collections.abc import Sequence

_ACROSS = 3
_SIDE = 128
_GAP = 4
#: Images that a grid holds.
GRID_IMAGES = _ACROSS**2
#: Pixels of a grid's side.
GRID_SIDE = _ACROSS * _SIDE + (_ACROSS + 1) * _GAP


def grid(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return the first nine pictures in rows of three, as ``(GRID_SIDE, GRID_SIDE)`` RGB.

    Each keeps its shape, on white; so do places that are left over.

    Raises
    ------
    ValueError
        If there is no picture.
    """
    if not pictures:
        raise ValueError("pictures: a grid needs at least one.")
    whole = Image.new("RGB", (GRID_SIDE, GRID_SIDE), "white")
    for place, picture in enumerate(pictures[:GRID_IMAGES]):
        row, column = divmod(place, _ACROSS)
        tile = ImageOps.pad(picture.convert("RGB"), (_SIDE, _SIDE), color="white")
        whole.paste(tile, (_GAP + column * (_SIDE + _GAP), _GAP + row * (_SIDE + _GAP)))
    return whole


def as_jpeg(image: Image.Image) -> bytes:
    """Encode a picture as JPEG."""
    written = BytesIO()
    image.save(written, "JPEG", quality=85)
    return written.getvalue()
