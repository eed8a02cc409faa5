"""What else a neuron might be called, and what the scorer said whatever people say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
import torch

from semlens_widgets.labels.assign import UNKNOWN
from semlens_widgets.lens.people import scorer_of_run
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.store.labels import NO_LABEL, unlabelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.scoring import Scoring
    from semlens_widgets.store.labels import Labelled

_NONE = (NO_LABEL, UNKNOWN)


class Choosing:
    """The part of a lens that offers labels to choose from; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    scoring
        Scores labels.
    kept
        The labels.
    can_score
        Whether there is a foundation model.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        scoring: Scoring,
        kept: KeptLabels,
        can_score: Callable[[], bool],
    ) -> None:
        self._reader = reader
        self._scoring = scoring
        self._kept = kept
        self._can_score = can_score

    @plainly()
    def label_choices(self, neurons: Iterable[tuple[str, int]], *, top: int = 5) -> pd.DataFrame:
        """Offer labels other than those in force, best first.

        By the scorer, the candidates and the templates of the last :meth:`label`; behind them what
        earlier runs said, whose scores do not compare. Without the foundation model, what runs
        said is all there is.

        Parameters
        ----------
        neurons
            By layer and neuron.
        top
            At most so many for each.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, score (NaN where it is not of the last run's scorer). A neuron
            that nothing is known of has no row.

        Raises
        ------
        KeyError, IndexError
            If there is no such neuron.
        ValueError
            If `top` is no positive number.
        """
        if top < 1:
            raise ValueError(f"top={top!r}: expected a positive number.")
        now = self._kept.now
        found = [
            (layer, neuron, label, score)
            for layer, neuron in neurons
            for label, score in self._choices(now, self._reader.row(layer, neuron), top)
        ]
        return pd.DataFrame(found, columns=["layer", "neuron", "label", "score"])

    def _choices(self, now: Labelled, row: int, top: int) -> list[tuple[str, float]]:
        in_force = now.frame["label"].iat[row]
        choices: dict[str, float] = {}
        run, scorer = now.latest, scorer_of_run(now.latest)
        if run is not None and scorer is not None and self._can_score():
            scores = self._scoring.of_one(row, run.vocabulary, scorer, run.scorer["templates"])
            order = torch.argsort(scores.nan_to_num(-torch.inf), descending=True, stable=True)
            best = [(run.vocabulary[at], float(scores[at])) for at in order[: top + 1].tolist()]
            choices = {name: score for name, score in best if not math.isnan(score)}
        for other in reversed(list(now.runs.values())):
            score = other.frame["score"].to_numpy(float)[row] if other is run else math.nan
            choices.setdefault(str(other.frame["label"].iat[row]), float(score))
        return [one for one in choices.items() if one[0] not in (in_force, *_NONE)][:top]

    def scorer_labels(self) -> pd.DataFrame:
        """Return what the last :meth:`label` said of every neuron, whatever people say.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, score, margin, chance, source: as :meth:`label` returns them, in
            the order of :attr:`neurons`. Before the first :meth:`label` all are empty.
        """
        now = self._kept.now
        return now.latest.frame.copy() if now.latest else unlabelled(now.neurons)
