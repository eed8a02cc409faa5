"""Which neurons fit a text, an image, a neuron: the search of a lens."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from PIL import Image

from semlens_widgets.analysis import search as searching
from semlens_widgets.inputs.decode import to_rgb
from semlens_widgets.inputs.embeddings import checked_embeddings
from semlens_widgets.inputs.foundation import embed_prompts
from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.labels import scorers
from semlens_widgets.labels.words import RANDOM_WORDS
from semlens_widgets.lens.scoring import Scoring
from semlens_widgets.lens.texts import needed, sentences
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.lens.reader import AnalysisReader

Query = str | Image.Image | tuple[str, int]
Correction = Literal["centred", "empty"] | None


class Searching(Scoring):
    """The part of a lens that searches; see :class:`SemanticLens`."""

    @plainly()
    def search(
        self,
        query: Query | list[Query],
        *,
        layer: str | None = None,
        correction: Correction = "centred",
        templates: Sequence[str] = ("{}",),
        top: int | None = None,
    ) -> pd.DataFrame:
        """Rank the neurons by how well they fit a text, an image, a neuron, or several of them.

        A score is the cosine of the neuron's semantic vector to the query, averaged over the
        templates of a text, minus a correction. Several queries average.

        Parameters
        ----------
        query
            A text, a PIL image, a neuron ``(layer, index)``, or a list of these.
        layer
            Search this layer alone.
        correction
            ``"centred"`` subtracts the query's mean similarity over all images: 0 is what any
            image scores, and queries can be compared. ``"empty"`` subtracts the neuron's cosine to
            the empty prompt, as SemanticLens does, from texts; it is as good as what the
            foundation model makes of an empty prompt. None leaves the cosine as it is.
        templates
            Sentences with ``{}`` where the text goes.
        top
            How many neurons to return; all by default.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, score, chance, best first; ties keep the order of
            :attr:`neurons`. One random word in twenty reaches `chance` on this neuron, see
            :meth:`search_chance`; it is known (not NaN) where the query is one text.

        Raises
        ------
        TypeError
            If a query is something else.
        ValueError
            If the query is empty, or the correction unknown.
        LensUnavailable
            If a text or an image is asked for and there is no foundation model.

        Warns
        -----
        UserWarning
            If the text encoder cuts a text, or cannot tell some from others.
        """
        queries = list(query) if isinstance(query, list) else [query]
        if not queries:
            raise ValueError("query is empty; give a text, an image or a neuron.")
        columns = [
            _query_scores(self._read, self.foundation, one, templates, correction)
            for one in queries
        ]
        texts = [one for one in queries if isinstance(one, str)]
        if texts and (said := str(self.check_texts(texts, templates))):
            warnings.warn(said, stacklevel=3)
        combined = searching.combine_scores(torch.stack(columns, dim=1))
        rows, scores = _rank_neurons(self._read, combined, layer, top)
        chance = np.full(len(rows), np.nan, np.float32)
        if len(texts) == len(queries) == 1:
            chance = self._search_chance(correction, templates)[rows, 1]
        found = self._read.neurons[["layer", "neuron"]].take(rows)
        labels = self._labels["label"].take(rows)
        return found.assign(label=labels, score=scores, chance=chance).reset_index(drop=True)

    @plainly()
    def search_chance(
        self, *, correction: Correction = "centred", templates: Sequence[str] = ("{}",)
    ) -> NDArray[np.float32]:
        """Return what searches for random words score: their median and 95th percentile.

        Parameters as in :meth:`search`. The words are those of :meth:`label_chance`. They are told
        for each neuron: among many neurons, some always score above their 95th percentile, one in
        twenty by nothing but chance.

        Returns
        -------
        numpy.ndarray
            ``(neurons, 2)`` float32, in the order of :attr:`neurons`.
        """
        return self._search_chance(correction, templates).copy()

    def _search_chance(
        self, correction: Correction, templates: Sequence[str]
    ) -> NDArray[np.float32]:
        return self._texts.chance(
            ("search", correction, sentences(templates)),
            lambda: _text_scores(
                self._read, self._texts.foundation, RANDOM_WORDS, templates, correction
            ),
        )


def _query_scores(
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
    mean = reader.mean_embedding if _checked(correction) == "centred" else None
    vectors = reader.directions
    if isinstance(query, str):
        texts = scorers.check_candidates([query])
        model = needed(reader, foundation)
        return _text_scores(reader, model, texts, templates, correction)[:, 0]
    if isinstance(query, Image.Image):
        model = needed(reader, foundation)
        pixels = transformed(model.transform, to_rgb(query), "the query").unsqueeze(0)
        found = checked_embeddings(model, model.encode_images(pixels), ["the query"])
        return searching.unit_scores(vectors, found.cpu(), mean)[:, 0]
    if isinstance(query, tuple) and len(query) == 2:
        row = reader.row(*query)
        return searching.unit_scores(vectors, vectors[row : row + 1], mean)[:, 0]
    raise TypeError(
        f"query is a {type(query).__name__}; give a text, a PIL image or (layer, neuron)."
    )


def _text_scores(
    reader: AnalysisReader,
    model: FoundationModel,
    texts: Sequence[str],
    templates: Sequence[str],
    correction: Correction,
) -> Tensor:
    """Score every neuron for several texts, ``(neurons, texts)``."""
    mean = reader.mean_embedding if _checked(correction) == "centred" else None
    prompts = embed_prompts(model, texts, templates).cpu()
    empty = embed_prompts(model, [""], templates).cpu() if correction == "empty" else None
    directions = searching.query_directions(prompts, empty)
    return searching.unit_scores(reader.directions, directions, mean)


def _checked(correction: Correction) -> Correction:
    if correction not in {"centred", "empty", None}:
        raise ValueError(f'correction={correction!r} must be "centred", "empty" or None.')
    return correction


def _rank_neurons(
    reader: AnalysisReader, scores: Tensor, layer: str | None, top: int | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Order neurons (all, or one layer's) by falling score; return their rows and scores."""
    rows = torch.arange(len(scores))
    if layer is not None:
        reader.row(layer, 0)
        rows = rows[slice(*reader.spans[layer])]
    order = rows[searching.rank(scores[rows], top)]
    return order.numpy(), scores[order].numpy()
