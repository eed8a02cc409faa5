"""Several concepts for one neuron of a lens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import torch

from semlens_widgets.labels.assign import check_candidates
from semlens_widgets.labels.evidence import some_neurons
from semlens_widgets.labels.explain import explain
from semlens_widgets.labels.words import default_vocabulary
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.texts import Words

_FEWEST = 40  # images: with fewer a quarter of a half says nothing


class Explaining:
    """The part of a lens that explains a neuron by several concepts; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    words
        Gives the text embeddings; raises if there is no foundation model.
    labels
        The labels, whose candidates are the default.
    """

    def __init__(
        self, reader: AnalysisReader, words: Callable[[], Words], labels: KeptLabels
    ) -> None:
        self._reader = reader
        self._words = words
        self._labels = labels

    @plainly()
    def explain(
        self,
        layer: str,
        neuron: int | str,
        candidates: Sequence[str] | None = None,
        *,
        most: int = 5,
        templates: Sequence[str] | None = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Explain a neuron by a few concepts that together predict its activation.

        Many neurons are not one thing. The concepts and their weights are found on one half of the
        images; how well they predict the activation is measured on the other.

        Parameters
        ----------
        candidates
            Words or phrases; by default those that :meth:`label` last chose from, and before that
            its default.
        most
            How many concepts at most. There are fewer where more do not predict images better that
            were left out of the fit.
        templates
            As in :meth:`label`.
        seed
            Deals the images out to the two halves.

        Returns
        -------
        pandas.DataFrame
            concept, weight (by how many standard deviations the activation rises when the likeness
            of an image to the concept does by one), together (the correlation of the activation
            with what this concept and those above it predict, on the other half of the images).
            In the order in which they were found; empty if none goes with the neuron, such as a
            dead one.

        Raises
        ------
        ValueError
            If there are too few images, or an argument makes no sense.
        LensUnavailable
            If the analysis was opened without its foundation model.

        Notes
        -----
        See :func:`semlens_widgets.labels.explain.explain`.
        """
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ValueError(f"most={most!r}: expected a whole number, at least 1.")
        row = self._reader.row(layer, neuron)
        if candidates is None:
            candidates = self._labels.vocabulary() or default_vocabulary(self._reader.classes)
        names = check_candidates(candidates)
        words = self._words()
        texts = words.prompts(names, templates)
        words.warn_once(names, templates)
        one = some_neurons(self._reader.evidence, row, row + 1)
        readable = ~one.values[0].isnan()
        if int(readable.sum()) < _FEWEST:
            raise ValueError(
                f"explain: {int(readable.sum())} images can be read; it takes at least {_FEWEST}, "
                "half of them to find concepts and half to judge them."
            )
        likeness = torch.cat([block @ texts.T for block in one.images.blocks()])[readable]
        found = explain(
            one.values[0][readable].double().numpy(), likeness.double().numpy(), most, seed
        )
        return pd.DataFrame(
            {
                "concept": [names[text] for text in found.texts],
                "weight": pd.Series(found.weights, dtype=float),
                "together": pd.Series(found.correlations, dtype=float),
            }
        )
