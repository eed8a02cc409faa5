"""Still pictures of widgets, for places where no JavaScript runs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

PALETTE = ("#0072b2", "#e08a00", "#009e73", "#c0559a", "#3ba3e0", "#c94a00", "#8a7a00", "#6f5fbf")
GREY = "#b9bcc2"
#: A label that fits no better than random words do.
FAINT = "#e6e8eb"
_RAMP = ("#440154", "#3e4989", "#26828e", "#35b779", "#b5de2b")


def point_colors(
    codes: npt.NDArray[np.float32], *, categorical: bool, low: float, high: float
) -> list[str]:
    """Return one colour per value; NaN is grey."""
    if categorical:
        return [
            GREY if np.isnan(code) or code >= len(PALETTE) else PALETTE[int(code)] for code in codes
        ]
    # Numbers that are all alike have the colour of the middle.
    steps = (codes - low) / (high - low) * len(_RAMP) if high > low else codes * 0 + len(_RAMP) / 2
    return [GREY if np.isnan(s) else _RAMP[min(len(_RAMP) - 1, max(0, int(s)))] for s in steps]


def scatter_png(
    x: npt.NDArray[np.float32],
    y: npt.NDArray[np.float32],
    colors: Sequence[str],
    *,
    size: tuple[int, int] = (640, 400),
) -> bytes:
    """Return a PNG of points given in [-1, 1], painted twice as large and scaled down."""
    width, height = 2 * size[0], 2 * size[1]
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    radius = max(2.0, min(9.0, 27.0 / max(1, len(x)) ** 0.2))
    scale = min(width, height) / 2
    for px, py, color in zip(x, y, colors, strict=True):
        if np.isfinite(px) and np.isfinite(py):
            cx, cy = width / 2 + px * scale, height / 2 - py * scale
            draw.ellipse((cx - radius, cy - radius, cx + radius, cy + radius), fill=color)
    return few_colors_png(image.resize(size, Image.Resampling.LANCZOS))


def few_colors_png(image: Image.Image) -> bytes:
    """Return a picture as a small PNG, in which colours of few pixels stay what they are."""
    buffer = io.BytesIO()
    few = image.quantize(256, method=Image.Quantize.MAXCOVERAGE)
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
