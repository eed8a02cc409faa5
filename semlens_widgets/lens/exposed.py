"""Images that show a concept and not the class, chosen by the foundation model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from semlens_widgets.lens.reader import AnalysisReader

#: Which part of the images counts as showing a concept, and at most and at least how many.
SHARE, MOST, FEWEST = 0.02, 200, 10


def exposed(
    reader: AnalysisReader,
    directions: Mapping[str, torch.Tensor],
    own: NDArray[np.int64],
    seed: int,
) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int64]]:
    """Choose the images most like each concept, and as many that are like none.

    Parameters
    ----------
    directions
        By concept, ``(dim,)`` unit text embedding.
    own
        The class's images, which are left out.
    seed
        Draws the controls, from the half of the other images that is least like the concepts.

    Returns
    -------
    shown, controls
        Numbers of images in rising order; no concept, and no controls, if there are too few.
    """
    samples = reader.samples
    others = np.setdiff1d(np.flatnonzero(samples["readable"]), own)
    count = min(MOST, max(FEWEST, round(SHARE * len(samples))), len(others) // 4)
    if count < FEWEST:
        return {}, np.empty(0, np.int64)
    texts = torch.stack(list(directions.values())).double()
    likeness = torch.cat([texts @ block.double().T for block in reader.embeddings.blocks()], dim=1)
    likeness = likeness[:, torch.from_numpy(others)]
    ranks = likeness.argsort(dim=1, descending=True, stable=True).argsort(dim=1)  # 0: most like
    shown = {
        concept: others[(place < count).numpy()]
        for concept, place in zip(directions, ranks, strict=True)
    }
    nearest = ranks.amin(dim=0).numpy()
    plain = others[nearest >= np.partition(nearest, len(others) // 2)[len(others) // 2]]
    drawn = np.random.default_rng(seed).choice(plain, min(count, len(plain)), replace=False)
    return shown, np.sort(drawn)
