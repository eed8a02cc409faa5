"""Many pictures rendered at once, over several processes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from tqdm.auto import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

_CHUNK = 500

#: Draws what is described at a size: uint8, shape (size, size, 3).
Draw: TypeAlias = "Callable[[Any, int], NDArray[np.uint8]]"
_Chunk: TypeAlias = "tuple[Draw, Sequence[Any], int]"


def render_pool(
    items: Sequence[Any], draw: Draw, *, workers: int = 1, size: int = 64
) -> NDArray[np.uint8]:
    """Render pictures in the layout of torch: uint8, shape (pictures, 3, size, size).

    Parameters
    ----------
    items
        What the pictures show.
    draw
        Draws one of them at a size. Several workers are processes, which are sent it.
    workers
        How many processes draw.
    size
        Side of the pictures in pixels.
    """
    pictures = np.empty((len(items), 3, size, size), np.uint8)
    starts = range(0, len(items), _CHUNK)
    chunks = [(draw, items[start : start + _CHUNK], size) for start in starts]
    progress = tqdm(total=len(items), desc="render", unit="img", mininterval=2, leave=False)
    with progress:
        for start, chunk in zip(starts, _rendered(chunks, workers), strict=True):
            pictures[start : start + len(chunk)] = chunk
            progress.update(len(chunk))
    return pictures


def _rendered(chunks: Sequence[_Chunk], workers: int) -> Iterator[NDArray[np.uint8]]:
    if workers <= 1:
        yield from map(_render_chunk, chunks)
        return
    context = multiprocessing.get_context("spawn")  # forking a process that runs torch may hang
    with ProcessPoolExecutor(workers, mp_context=context) as executor:
        yield from executor.map(_render_chunk, chunks)


def _render_chunk(chunk: _Chunk) -> NDArray[np.uint8]:
    draw, items, size = chunk
    return np.stack([draw(item, size).transpose(2, 0, 1) for item in items])
