"""Which neurons fit a text, an image, a neuron: the search of a lens."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from semlens_widgets.analysis import search as searching
from semlens_widgets.inputs.decode import to_rgb
from semlens_widgets.inputs.embeddings import checked_embeddings
from semlens_widgets.inputs.foundation import embed_prompts
from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.labels.assign import chance_level, check_candidates
from semlens_widgets.labels.correlation import Correlation
from semlens_widgets.labels.scorer import Competing
from semlens_widgets.labels.scorers import scorer_of
from semlens_widgets.labels.words import RANDOM_WORDS
from semlens_widgets.lens.numbers import whole
from semlens_widgets.lens.renamed import formerly
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.scoring import Scoring
    from semlens_widgets.lens.texts import Words

Query = str | Image.Image | tuple[str, int]
_renamed = formerly(
    correction='give centred=True (was "centred"), minus_empty=True and centred=False (was '
    '"empty"), or centred=False (was None)'
)


class Search:
    """The part of a lens that searches; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    words
        Gives the text embeddings; raises if there is no foundation model.
    scoring
        Scores texts by a label scorer.
    kept
        The labels.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        words: Callable[[], Words],
        scoring: Scoring,
        kept: KeptLabels,
    ) -> None:
        self._reader = reader
        self._words = words
        self._scoring = scoring
        self._kept = kept

    @_renamed
    @plainly()
    def search(
        self,
        query: Query | list[Query],
        *,
        layer: str | None = None,
        scorer: str | Scorer | None = "auto",
        centred: bool = True,
        minus_empty: bool = False,
        templates: Sequence[str] | None = None,
        top: int | None = None,
    ) -> pd.DataFrame:
        """Rank the neurons by how well they fit a text, an image, a neuron, or several of them.

        A score is what a label scorer gives a text, or the cosine of the neuron's semantic vector
        to the query, averaged over the templates of a text. Several queries average.

        Parameters
        ----------
        query
            A text, a PIL image, a neuron ``(layer, index)``, or a list of these.
        layer
            Search this layer alone, or those that fit a pattern such as ``"layer4.*"``.
        scorer
            Rank texts by a label scorer, see :meth:`label`; None: by the cosine. By default
            ``"correlation"`` where every query is a text, and the cosine where an image or a neuron
            is among them, or `centred` or `minus_empty` ask for one. (Of the scorers that need one
            product alone it orders neurons best on the networks tried, see
            :mod:`semlens_widgets.demo.bench_search`.)
        centred
            Of the cosine subtract the query's mean similarity over all images: 0 is what any image
            scores, and queries can be compared. A scorer has a setting of its own for this.
        minus_empty
            Subtract from texts the neuron's cosine to the empty prompt, as SemanticLens does. It is
            as good as what the foundation model makes of an empty prompt.
        templates
            Sentences with ``{}`` where the text goes, such as ``slw.CSP_TEMPLATES``; by default
            the text alone.
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
            If the query is empty, or the scorer unknown or of no use for it.
        LensUnavailable
            If a text or an image is asked for and there is no foundation model.

        Warns
        -----
        UserWarning
            If the text encoder cuts a text, or cannot tell some from others.

        Notes
        -----
        Semantic search of SemanticLens (arXiv 2501.05398) with ``centred=False,
        minus_empty=True``.
        """
        queries = list(query) if isinstance(query, list) else [query]
        if not queries:
            raise ValueError("query is empty; give a text, an image or a neuron.")
        if top is not None:
            whole("top", top, 0)
        options = {"centred": centred, "minus_empty": minus_empty, "templates": templates}
        how = _scorer(scorer, options, all(isinstance(one, str) for one in queries))
        columns = [self._of_query(one, how, options) for one in queries]
        texts = [one for one in queries if isinstance(one, str)]
        if texts and (said := str(self._words().check(check_candidates(texts), templates))):
            warnings.warn(said, stacklevel=4)
        combined = searching.combine_scores(torch.stack(columns, dim=1))
        rows, scores = self._ranked(combined, layer, top)
        chance = np.full(len(rows), np.nan, np.float32)
        if len(texts) == len(queries) == 1:
            chance = self._chance(how, options)[rows, 1]
        kept = {
            **{name: self._reader.neurons[name].array for name in ("layer", "neuron")},
            "label": self._kept.now.frame["label"].array,
        }
        found = {name: column.take(rows) for name, column in kept.items()}
        return pd.DataFrame({**found, "score": scores, "chance": chance}, copy=False)

    @_renamed
    @plainly()
    def search_chance(
        self,
        *,
        scorer: str | Scorer | None = "auto",
        centred: bool = True,
        minus_empty: bool = False,
        templates: Sequence[str] | None = None,
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
        options = {"centred": centred, "minus_empty": minus_empty, "templates": templates}
        return self._chance(_scorer(scorer, options, texts=True), options).copy()

    def _chance(self, scorer: Scorer | None, options: dict[str, Any]) -> NDArray[np.float32]:
        if scorer is not None:
            return self._scoring.label_chance(scorer=scorer, templates=options["templates"])
        sentences = self._words().sentences(options["templates"])
        key = ("search", options["centred"], options["minus_empty"], sentences)

        def levels() -> Tensor:
            return chance_level(self._of_texts(RANDOM_WORDS, **options))

        return self._words().once(key, levels).numpy()

    def _of_query(self, query: Query, scorer: Scorer | None, options: dict[str, Any]) -> Tensor:
        """Score every neuron for one text, image or neuron, ``(neurons,)``."""
        mean = self._reader.embeddings.mean if options["centred"] else None
        vectors = self._reader.directions
        if isinstance(query, str):
            texts = check_candidates([query])
            if scorer is None:
                return self._of_texts(texts, **options)[:, 0]
            if isinstance(scorer, Competing):
                raise ValueError(
                    f"scorer: what {scorer.name} gives a text depends on the others it stands "
                    "among, and a search has none. Use lens.label(candidates, ...), or another "
                    "scorer."
                )
            parts = self._scoring.of_all(texts, (), scorer, options["templates"])
            return torch.cat([scores[:, 0] for scores, _ in parts])
        if scorer is not None:
            raise ValueError(f"scorer: {scorer.name} scores texts; search others without scorer=.")
        if isinstance(query, Image.Image):
            model = self._words().foundation
            pixels = transformed(model.transform, to_rgb(query), "the query").unsqueeze(0)
            found = checked_embeddings(model, model.encode_images(pixels), ["the query"])
            return searching.unit_scores(vectors, found.cpu(), mean)[:, 0]
        if isinstance(query, tuple) and len(query) == 2:
            row = self._reader.row(*query)
            return searching.unit_scores(vectors, vectors[row : row + 1], mean)[:, 0]
        raise TypeError(
            f"query is a {type(query).__name__}; give a text, a PIL image or (layer, neuron)."
        )

    def _of_texts(
        self,
        texts: Sequence[str],
        *,
        centred: bool,
        minus_empty: bool,
        templates: Sequence[str] | None,
    ) -> Tensor:
        """Score every neuron for several texts, ``(neurons, texts)``."""
        model, sentences = self._words().foundation, self._words().sentences(templates)
        prompts = embed_prompts(model, texts, sentences).cpu()
        empty = embed_prompts(model, [""], sentences).cpu() if minus_empty else None
        directions = searching.query_directions(prompts, empty)
        mean = self._reader.embeddings.mean if centred else None
        return searching.unit_scores(self._reader.directions, directions, mean)

    def _ranked(
        self, scores: Tensor, layer: str | None, top: int | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Order neurons (all, or some layers') by falling score; return their rows and scores."""
        if layer is None:
            order = searching.rank(scores, top)
        else:
            spans = [self._reader.spans[name] for name in self._reader.layers_like(layer)]
            rows = torch.cat([torch.arange(start, stop) for start, stop in spans])
            order = rows[searching.rank(scores[rows], top)]
        return order.numpy(), scores[order].numpy()


def _scorer(scorer: str | Scorer | None, options: dict[str, Any], texts: bool) -> Scorer | None:
    """Return the scorer to rank by, None for the cosine."""
    if scorer is None:
        return None
    if scorer == "auto":
        cosine = options["minus_empty"] or not options["centred"] or not texts
        return None if cosine else Correlation()
    return scorer_of(scorer)
