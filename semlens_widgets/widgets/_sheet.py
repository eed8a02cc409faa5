"""A still picture of thumbnails in rows, for places where no JavaScript runs."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

from PIL import Image

from semlens_widgets.widgets._preview import few_colors_png

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semlens_widgets.widgets._lens import Lens

logger = logging.getLogger(__name__)

_TILE = 72
_GAP = 6
COLUMNS = 8


def sheet_png(lens: Lens, rows: Sequence[Sequence[int]]) -> bytes | None:
    """Return a PNG of the samples' thumbnails row by row; negative samples stay blank.

    None if there is nothing to show: a still picture must never be what breaks a widget.
    """
    width = max((len(row) for row in rows), default=0)
    if width == 0:
        return None
    size = (width * (_TILE + _GAP) - _GAP, len(rows) * (_TILE + _GAP) - _GAP)
    sheet = Image.new("RGB", size, "white")
    for down, row in enumerate(rows):
        for right, sample in enumerate(row):
            if sample < 0:
                continue
            try:
                tile = Image.open(io.BytesIO(lens.thumbnail_jpegs([sample])[0])).convert("RGB")
            except Exception:
                logger.debug("no thumbnail of sample %d", sample, exc_info=True)
                continue
            tile.thumbnail((_TILE, _TILE))
            centre = ((_TILE - tile.width) // 2, (_TILE - tile.height) // 2)
            place = (right * (_TILE + _GAP) + centre[0], down * (_TILE + _GAP) + centre[1])
            sheet.paste(tile, place)
    return few_colors_png(sheet)
