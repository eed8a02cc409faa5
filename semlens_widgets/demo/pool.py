"""Many scenes rendered at once, over several processes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from semlens_widgets.demo.drawing import render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from semlens_widgets.demo.world import Scene

_CHUNK = 500


def render_pool(scenes: Sequence[Scene], workers: int = 1, size: int = 64) -> NDArray[np.uint8]:
    """Render scenes in the layout of torch: uint8, shape (scenes, 3, size, size)."""
    pictures = np.empty((len(scenes), 3, size, size), np.uint8)
    starts = range(0, len(scenes), _CHUNK)
    chunks = [(scenes[start : start + _CHUNK], size) for start in starts]
    progress = tqdm(total=len(scenes), desc="render", unit="img", mininterval=2, leave=False)
    with progress:
        for start, chunk in zip(starts, _rendered(chunks, workers), strict=True):
            pictures[start : start + len(chunk)] = chunk
            progress.update(len(chunk))
    return pictures


def _rendered(
    chunks: Sequence[tuple[Sequence[Scene], int]], workers: int
) -> Iterator[NDArray[np.uint8]]:
    if workers <= 1:
        yield from map(_render_chunk, chunks)
        return
    context = multiprocessing.get_context("spawn")  # forking a process that runs torch may hang
    with ProcessPoolExecutor(workers, mp_context=context) as executor:
        yield from executor.map(_render_chunk, chunks)


def _render_chunk(chunk: tuple[Sequence[Scene], int]) -> NDArray[np.uint8]:
    scenes, size = chunk
    return np.stack([render(scene, size).transpose(2, 0, 1) for scene in scenes])
