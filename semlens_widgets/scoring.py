"""Questions put to a finished analysis: which neurons fit a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from PIL import Image

from semlens_widgets.analysis import labels as labelling
from semlens_widgets.analysis import search as searching
from semlens_widgets.errors import LensUnavailable
from semlens_widgets.foundation import embed_prompts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from torch import Tensor

    from semlens_widgets.foundation import FoundationModel
    from semlens_widgets.reader import AnalysisReader

Query = str | Image.Image | tuple[str, int]
Correction = Literal["centred", "empty"] | None


def query_scores(
    reader: AnalysisReader,
    foundation: FoundationModel | None,
    query: Query,
    templates: Sequence[str],
    correction: Correction,
) -> Tensor:
    """Score every neuron for one text, image or neuron, ``(neurons,)``.

    Raises
    ------
    LensUnavailable
        If the query is new to the analysis and there is no foundation model to embed it.
    TypeError
        If the query is something else.
    ValueError
        If the correction is unknown.
    """
    if correction not in {"centred", "empty", None}:
        raise ValueError(f'correction={correction!r} must be "centred", "empty" or None.')
    mean = reader.mean_embedding if correction == "centred" else None
    vectors = reader.directions
    if isinstance(query, str):
        (text,) = labelling.check_candidates([query])
        model = needed(reader, foundation)
        prompts = embed_prompts(model, [text], templates).cpu()
        empty = embed_prompts(model, [""], templates).cpu() if correction == "empty" else None
        return searching.unit_scores(vectors, searching.query_directions(prompts, empty), mean)[
            :, 0
        ]
    if isinstance(query, Image.Image):
        model = needed(reader, foundation)
        pixels = model.transform(query.convert("RGB")).unsqueeze(0)
        return searching.unit_scores(vectors, model.encode_images(pixels).float().cpu(), mean)[:, 0]
    if isinstance(query, tuple) and len(query) == 2:
        row = reader.row(*query)
        return searching.unit_scores(vectors, vectors[row : row + 1], mean)[:, 0]
    raise TypeError(
        f"query is a {type(query).__name__}; give a text, a PIL image or (layer, neuron)."
    )


def rank_neurons(
    reader: AnalysisReader, scores: Tensor, layer: str | None, top: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Order neurons (all, or one layer's) by falling score; return their rows and scores."""
    rows = torch.arange(len(scores))
    if layer is not None:
        reader.row(layer, 0)
        rows = rows[slice(*reader.spans[layer])]
    order = rows[searching.rank(scores[rows], top)]
    return order.numpy(), scores[order].numpy()


def needed(reader: AnalysisReader, foundation: FoundationModel | None) -> FoundationModel:
    """Return the foundation model, or say how to give it."""
    if foundation is None:
        raise LensUnavailable(
            "New words and images need the foundation model "
            f"{reader.store.settings['foundation']!r}: open(path, foundation=OpenClip(...))."
        )
    return foundation
