"""Where a model's input lies in the image that a transform made it from.

Transforms resize, crop, pad, flip, grey and normalise, and none says what it does. So one is shown
stripes of two colours only, so that whatever it does to single pixels (greyscale, inversion, gamma,
a normalisation by the image's own mean) is one and the same straight line for all of them, to which
a correlation is blind. Where the stripes come out says where the input lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from semlens_widgets.attribution.view import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Transform = Callable[[Image.Image], Tensor]
    Array = NDArray[np.float64]
    Search = Callable[[], tuple[Array, Array]]

_PATTERNS = 3  # per axis, and more where a tiny input has few pixels to tell by
_MOST_PATTERNS = 12
_VALUES = 48  # that the patterns give along an axis, at least
# Of two hues, for transforms to opponent colours, and no extremes, which solarising would equal.
_DARK, _LIGHT = (56, 96, 32), (216, 176, 232)
_FINEST = 512  # stripes in an image
_FADING = 0.8  # of stripes half as wide: wide ones decide, narrow ones make it exact
_BINS = 64  # of the input, for the search; as many as it has pixels for the exact place
_MOST_BINS = 256
_ALIKE = 0.85  # least correlation of what is seen and what a frame predicts
_SURELY_ALIKE = 0.97  # where little of the patterns is seen
_LEAST_PIXELS = 0.5  # of the image that the input must show along an axis
_LEAST_PLACES = 3  # of the input that the image must fill along an axis
_STRAIGHT = 0.95  # least correlation of a part of a stripe with the whole
_SMALLEST, _LARGEST = 0.002, 64.0  # of what is seen, per side of the image
_PADDINGS = ("constant", "edge", "reflect")


def find_frame(transform: Transform, size: tuple[int, int], shape: tuple[int, int]) -> Frame | None:
    """Find where a transform's output lies in images of one size.

    Parameters
    ----------
    transform
        From an RGB image to ``(channels, height, width)``.
    size
        Width and height of the images in pixels.
    shape
        Height and width of the output.

    Returns
    -------
    Frame or None
        None where no crop, padding, scaling, flip or quarter turn explains what comes out: a
        transform that is random, warps, follows what it finds in the image, or fails on stripes.
    """
    # Fine stripes are noise where a transform samples without smoothing; a small crop needs them.
    fitting = min(*shape, _FINEST)
    for finest, searches in ((fitting, (_centred, _anywhere)), (_FINEST, (_centred,))):
        count = min(max(_PATTERNS, -(-_VALUES // min(shape))), _MOST_PATTERNS)
        shown = [_stripes(length, count, finest) for length in size]
        try:
            stacks = [
                torch.stack([transform(image) for image in _images(size, signals, axis)])
                for axis, signals in enumerate(shown)
            ]
            seen = [stack.detach().cpu().double().numpy() for stack in stacks]
        except Exception:  # noqa: BLE001 - it may take the person's own pictures alone
            return None
        if any(stack.ndim != 4 or stack.shape[2:] != shape for stack in seen):
            return None
        for search in searches:
            for transposed in (False, True):
                frame = _frame_of(shown, seen, search, transposed)
                if frame is not None:
                    return frame
    return None


def _frame_of(
    shown: list[Array], seen: list[Array], search: Search, transposed: bool
) -> Frame | None:
    """Find the frame that explains how upright (first) and level stripes come out."""
    axes = (-2, -1) if transposed else (-1, -2)
    places = []
    for which, axis in enumerate(axes):
        if shown[which].shape[1] == 1:  # no stripes: what the others reach is the image
            place = _reach(seen[1 - which], axis)
        else:
            place = _place(shown[which], _profile(seen[which], axis), search)
        if place is None:
            return None
        places.append(place)
    (left, right, across), (top, bottom, down) = places
    if across * down < 0:  # light is dark along one axis alone: a mirror image of something else
        return None
    frame = Frame((left, top, right, bottom), transposed)
    shape = seen[0].shape[2:]
    straight = all(
        _is_straight(stack, axis, frame.inside(shape))
        for stack, axis in zip(seen, axes, strict=True)
    )
    return frame if straight else None


def _stripes(length: int, count: int, finest: int) -> Array:
    """Return patterns of dark (-1) and light (1) along an axis, (count, length).

    Sums of random stripes of all widths: a small part is as rich as the whole, and none is like
    another or like its own mirror image.
    """
    rng = np.random.default_rng(0)
    if length <= 8:  # the first three patterns give every pixel its own code
        codes = np.array([2, 5, 1, 6, 3, 4, 0, 7])[:length]
        more = rng.permuted(np.tile(np.arange(length) % 2, (count - 3, 1)), axis=1)
        return np.concatenate([(codes >> np.arange(3)[:, None]) & 1, more]) * 2.0 - 1
    places = (np.arange(length) + 0.5) / length
    total = np.zeros((count, length))
    stripes, weight = 2, 1.0
    while stripes == 2 or stripes <= min(length, finest):
        values = rng.choice([-1, 1], (count, stripes + 1)) * rng.uniform(
            0.5, 1, (count, stripes + 1)
        )
        total += weight * values[:, (places * stripes + rng.uniform()).astype(int)]
        stripes, weight = stripes * 2, weight * _FADING
    return np.where(total > 0, 1.0, -1.0)


def _images(size: tuple[int, int], signals: Array, axis: int) -> Iterator[Image.Image]:
    """Make an image of each pattern, which runs along the width (axis 0) or the height (1)."""
    width, height = size
    for line in np.where(signals[..., None] > 0, _LIGHT, _DARK).astype(np.uint8):
        flat = line[None, :] if axis == 0 else line[:, None]
        yield Image.fromarray(np.ascontiguousarray(np.broadcast_to(flat, (height, width, 3))))


def _profile(seen: Array, axis: int) -> Array:
    """Average (patterns, channels, height, width) to (patterns, places along an axis)."""
    profile: Array = _loudest(seen).mean(axis=-1 if axis == -2 else -2)
    return profile


def _loudest(seen: Array) -> Array:
    """Return the channel that varies most, (patterns, height, width): it speaks for all."""
    channel: Array = seen[:, int(seen.var(axis=(2, 3)).sum(axis=0).argmax())]
    return channel


def _reach(seen: Array, axis: int) -> tuple[float, float, float] | None:
    """Find where along an axis patterns vary at all, as the place of an image of one pixel."""
    channel = _loudest(seen)
    varies = channel.std(axis=0).mean(axis=-1 if axis == -2 else -2)
    inside = np.flatnonzero(varies > varies.max() / 2)
    if not len(inside) or inside[-1] - inside[0] + 1 != len(inside):
        return None
    first, length = int(inside[0]), len(inside)
    return -first / length, (len(varies) - first) / length, 0.0


def _is_straight(seen: Array, axis: int, inside: tuple[slice, slice]) -> bool:
    """Tell whether stripes look the same all along: a turn or a warp bends them."""
    channel = _loudest(seen)[:, inside[0], inside[1]]
    if axis == -2:
        channel = channel.swapaxes(1, 2)  # stripes now run along axis 1
    if not channel.size:
        return False
    parts = np.array_split(channel, min(6, channel.shape[1]), axis=1)
    lines = np.stack([part.mean(axis=1) for part in parts])  # (parts, patterns, places)
    lines = lines - lines.mean(axis=2, keepdims=True)
    whole = lines.mean(axis=0)
    norms = np.sqrt((lines**2).sum(axis=(1, 2)) * (whole**2).sum())
    return bool(((lines * whole).sum(axis=(1, 2)) >= _STRAIGHT * norms).all())


class _Line:
    """Patterns along one axis of the image, and how they would look through a frame."""

    def __init__(self, signals: Array, padding: str) -> None:
        fine = signals
        if signals.shape[1] < _MOST_BINS:  # enlarged, pixels shade into each other
            at = (np.arange(4 * _MOST_BINS) + 0.5) / (4 * _MOST_BINS) * signals.shape[1] - 0.5
            fine = np.stack([np.interp(at, range(signals.shape[1]), line) for line in signals])
        self.length = fine.shape[1]
        around = {
            "constant": lambda: (np.zeros_like(fine),) * 2,
            "edge": lambda: (fine[:, :1] + 0 * fine, fine[:, -1:] + 0 * fine),
            "reflect": lambda: (fine[:, ::-1],) * 2,
        }
        before, behind = around[padding]()
        self._sums = _cumulated(np.concatenate([before, fine, behind], axis=1))
        inside = np.zeros((1, 3 * self.length))
        inside[:, self.length : 2 * self.length] = 1
        self._inside = _cumulated(inside) if padding == "constant" else None

    def alike(self, profile: Array, starts: Array, ends: Array) -> Array:
        """Correlate a profile (patterns, places) with what frames predict, (frames,).

        Padding with a constant may have any value, so that it explains itself.
        """
        edges = np.linspace(starts, ends, profile.shape[1] + 1, axis=1)  # (frames, places + 1)
        predicted = _averages(self._sums, edges, self.length)  # (patterns, frames, places)
        predicted = predicted - predicted.mean(axis=2, keepdims=True)
        seen = profile - profile.mean(axis=1, keepdims=True)
        total = (seen**2).sum()
        both = np.einsum("kfp,kp->kf", predicted, seen)
        own = (predicted**2).sum(axis=2)
        explained = np.zeros_like(both)
        if self._inside is not None:
            inside = _averages(self._inside, edges, self.length)[0]
            inside = inside - inside.mean(axis=1, keepdims=True)
            norm = np.maximum((inside**2).sum(axis=1), 1e-9)
            share = np.einsum("fp,kp->kf", inside, seen)
            overlap = np.einsum("kfp,fp->kf", predicted, inside)
            explained = share**2 / norm
            both = both - share * overlap / norm
            own = own - overlap**2 / norm
        own = np.maximum(own, 1e-6 * profile.shape[1])
        sign = np.sign(both.sum(axis=0))
        good = np.where(np.sign(both) == sign, both**2 / own, 0)
        moving = np.maximum(total - explained.sum(axis=0), 0.05 * total)  # of what padding leaves
        alike: Array = sign * np.sqrt(np.clip(good.sum(axis=0) / moving, 0, 1))
        return alike

    def misses(self, profile: Array, start: float, end: float) -> bool:
        """Tell whether a pattern that should vary in a frame does not."""
        edges = np.linspace(start, end, profile.shape[1] + 1)[None]
        predicted = _averages(self._sums, edges, self.length)[:, 0].std(axis=1)
        seen = profile.std(axis=1)
        return bool(((predicted > 0.3 * predicted.max()) & (seen < 0.05 * seen.max())).any())


def _cumulated(lines: Array) -> Array:
    return np.concatenate([np.zeros((len(lines), 1)), lines.cumsum(axis=1)], axis=1)


def _averages(sums: Array, edges: Array, length: int) -> Array:
    """Average between neighbouring edges (frames, places + 1), given as shares of the image."""
    at = (edges + 1) * length
    low = np.clip(at.astype(int), 0, 3 * length - 1)
    totals = sums[:, low] + (at - low) * (sums[:, low + 1] - sums[:, low])
    width = (edges[:, -1] - edges[:, 0]) / (edges.shape[1] - 1) * length  # negative if mirrored
    means: Array = np.diff(totals, axis=2) / width[:, None]
    return means


def _place(signals: Array, profile: Array, search: Search) -> tuple[float, float, float] | None:
    """Find between which places of the image a profile reaches, and its correlation.

    The correlation is negative where light comes out darker than dark.
    """
    spread = np.ptp(profile, axis=1).max()
    if not np.isfinite(spread) or spread <= 1e-6 * np.abs(profile).max() or profile.shape[1] < 2:
        return None
    line, start, end, alike = _best(signals, profile, search)
    length, places = signals.shape[1], profile.shape[1]
    # Two pixels that are swapped look like two that are inverted.
    swapped = end < start or (length == 2 and alike < 0)
    telling = _is_telling(signals, start, end) or (length <= 8 and not (length == 2 and swapped))
    telling = telling or (search is _centred and not swapped)
    sure = _ALIKE if _is_telling(signals, start, end) else _SURELY_ALIKE
    if not telling or abs(alike) < sure or line.misses(profile, start, end):
        return None
    tolerance = max(min(0.5 / length, 0.01), 0.25 * abs(end - start) / places)
    start, end = _snapped(start, length, tolerance), _snapped(end, length, tolerance)
    if (start, end) == (0, 1):
        return start, end, alike
    reach = abs(end - start)
    if reach * length < _LEAST_PIXELS:
        return None
    inside = min(1.0, max(start, end)) - max(0.0, min(start, end))
    return (start, end, alike) if inside / reach * places >= _LEAST_PLACES else None


def _best(signals: Array, profile: Array, search: Search) -> tuple[_Line, float, float, float]:
    """Return the line and the ends that explain a profile best, with the correlation."""
    coarse, fine = _binned(profile, _BINS), _binned(profile, _MOST_BINS)
    found: list[tuple[_Line, float, float, float]] = []
    slack = 5e-3 if profile.shape[1] <= 8 else 1e-3
    for padding in _PADDINGS if search is _centred else _PADDINGS[:1]:
        line = _Line(signals, padding)
        start, end = _refined(line, coarse, fine, *search())
        alike = float(line.alike(fine, np.array([start]), np.array([end]))[0])
        whole = float(line.alike(fine, np.zeros(1), np.ones(1))[0])
        if whole >= max(abs(alike) - slack, _SURELY_ALIKE):  # few pixels fit many places
            return line, 0.0, 1.0, whole
        found.append((line, start, end, alike))
        if abs(alike) >= _SURELY_ALIKE:
            break
    return max(found, key=lambda one: abs(one[3]))


def _is_telling(signals: Array, start: float, end: float) -> bool:
    """Tell whether so many borders of stripes are seen that they can lie nowhere else."""
    length = signals.shape[1]
    low, high = (int(np.clip(edge * length, 0, length)) for edge in sorted((start, end)))
    return int((np.diff(signals[:, low:high], axis=1) != 0).sum()) >= 2 * len(signals)


def _snapped(edge: float, length: int, tolerance: float) -> float:
    """Move an edge to the image's own border, or else to a whole pixel, where it is as good."""
    for border in (0.0, 1.0):
        if abs(edge - border) <= tolerance:
            return border
    return round(edge * length) / length if length >= 32 else edge


def _centred() -> tuple[Array, Array]:
    lengths = np.geomspace(_SMALLEST, _LARGEST, 600)
    lengths = np.concatenate([lengths, -lengths])
    return 0.5 - lengths / 2, 0.5 + lengths / 2


def _anywhere() -> tuple[Array, Array]:
    starts, lengths = [], []
    for length in np.geomspace(0.04, 8, 70):
        first, last = min(0, 1 - length), max(0, 1 - length)
        steps = int((last - first) / (length / 20)) + 2
        starts.append(np.linspace(first, last, steps))
        lengths.append(np.full(steps, length))
    start, length = np.concatenate(starts), np.concatenate(lengths)
    return np.concatenate([start, start + length]), np.concatenate([start + length, start])


def _refined(
    line: _Line, coarse: Array, fine: Array, starts: Array, ends: Array
) -> tuple[float, float]:
    """Take the best frames and move their ends until nothing improves."""
    scores = np.concatenate(
        [
            np.abs(line.alike(coarse, starts[i : i + 4096], ends[i : i + 4096]))
            for i in range(0, len(starts), 4096)
        ]
    )
    best, found = -1.0, (0.0, 1.0)
    moves = np.stack(np.meshgrid([-1, -0.5, 0, 0.5, 1], [-1, -0.5, 0, 0.5, 1]), axis=-1)
    moves = moves.reshape(-1, 2)
    for _ in range(4):
        candidate = int(scores.argmax())
        reach = 0.1 * abs(ends[candidate] - starts[candidate])
        near = np.abs(starts - starts[candidate]) + np.abs(ends - ends[candidate]) <= reach
        ends_now = np.array([starts[candidate], ends[candidate]])
        step = 0.02 * abs(ends_now[1] - ends_now[0])
        score = scores[candidate]
        scores = np.where(near, -1, scores)
        for _ in range(12):
            tried = ends_now + step * moves
            alike = np.abs(line.alike(fine, tried[:, 0], tried[:, 1]))
            top = int(alike.argmax())
            ends_now, score = tried[top], alike[top]
            step *= 0.6
        if score > best + 1e-9:
            best, found = float(score), (float(ends_now[0]), float(ends_now[1]))
    return found


def _binned(profile: Array, most: int) -> Array:
    """Average neighbouring places, so that there are no more than `most`."""
    places = profile.shape[1]
    if places <= most:
        return profile
    sums = _cumulated(profile)
    at = np.linspace(0, places, most + 1)
    low = np.minimum(at.astype(int), places - 1)
    totals = sums[:, low] + (at - low) * (sums[:, low + 1] - sums[:, low])
    binned: Array = np.diff(totals, axis=1) * most / places
    return binned
