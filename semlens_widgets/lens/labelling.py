"""The labels of a lens: chosen, kept, and who hears of them."""

from __future__ import annotations

import math
import threading
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from semlens_widgets.labels import scorers
from semlens_widgets.labels.words import RANDOM_WORDS, default_vocabulary
from semlens_widgets.lens.scoring import Scoring, key_of, scorer_of
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.store.labels import PERSON, Labelled, read_labels, unlabelled, write_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from torch import Tensor


# JupyterLab may answer widgets in another thread than the one that runs cells.
_LOCK = threading.RLock()


def _enter(
    frame: pd.DataFrame, row: int, label: str, score: float, margin: float, source: str
) -> None:
    frame.loc[row, "label"], frame.loc[row, "source"] = label, source
    frame.loc[row, "score"], frame.loc[row, "margin"] = score, margin


@dataclass(frozen=True, eq=False)
class _Listener:
    """A callback by itself: the same function may listen twice, and end once."""

    call: Callable[[], None]


class Labelling(Scoring):
    """The part of a lens that keeps labels; see :class:`SemanticLens`."""

    @plainly()
    def label(
        self,
        candidates: Sequence[str] | None = None,
        *,
        method: str = "csp",
        gamma: float = 1.0,
        centred: bool = False,
        templates: Sequence[str] | None = None,
        threshold: float | None = None,
    ) -> pd.DataFrame:
        """Give every neuron the candidate label that scores best, and keep it.

        Labels that a person gave (:meth:`set_label`) stay; their score is that of the new scorer.

        Parameters
        ----------
        candidates
            Words or phrases to choose from; by default the names of the images' classes and
            :data:`semlens_widgets.labels.words.VISUAL_WORDS`, common words for what pictures
            show.
        method
            ``"csp"``, ``"semanticlens"``, ``"difference"`` or ``"clip-dissect"``. The scores of the
            last depend on all candidates and all neurons, and compare with no others.
        gamma
            How much of the contrastive example CSP projects out, in [0, 1].
        centred
            Subtract from each candidate its mean similarity over all images.
        templates
            Sentences with ``{}`` where the candidate goes; by default the six of CSP.
        threshold
            Score below which a neuron is "unknown"; by default the score of the empty prompt.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, score, margin (over the threshold), chance (what one random word
            in twenty reaches for this neuron, see :meth:`label_chance`), source ("person", or the
            method).

        Raises
        ------
        ValueError
            If there is no candidate, or an argument makes no sense.
        LensUnavailable
            If the analysis was opened without its foundation model.

        Warns
        -----
        UserWarning
            If the text encoder cuts labels, or cannot tell some from others; see
            :meth:`check_texts`.

        Notes
        -----
        CSP and the difference are those of arXiv 2604.22477, SemanticLens that of arXiv 2501.05398,
        CLIP-Dissect that of arXiv 2204.10965.
        """
        if candidates is None:
            candidates = default_vocabulary(self._read.classes)
        names = scorers.check_candidates(candidates)
        scorer = scorer_of(method, gamma, centred, templates)
        words = self._texts
        if said := str(words.check(names, templates)):
            warnings.warn(said, stacklevel=3)
        scores, beside = self._score_all(
            words.prompts(names, templates), words.prompts(["", *RANDOM_WORDS], templates), scorer
        )
        chance = words.chance(key_of(self._beside(names, method), scorer), lambda: beside[:, 1:])
        found = scorers.assign(scores, names, beside[:, 0], threshold)
        frame = unlabelled(self._read.neurons).frame.assign(
            label=found.labels,
            score=found.score.numpy(),
            margin=found.margin.numpy(),
            chance=chance[:, 1],
            source=method,
        )

        def keep_persons(present: Labelled) -> Labelled:
            labelled = Labelled(frame.copy(), names, scorer, threshold)
            theirs = present.frame["label"][present.frame["source"] == PERSON]
            for row, name in zip(theirs.index.tolist(), theirs.tolist(), strict=True):
                self._put(labelled, row, name)
            return labelled

        return self._commit(keep_persons).frame.copy()

    @plainly()
    def set_label(self, layer: str, neuron: int, label: str, score: float | None = None) -> None:
        """Give one neuron a label that a person chose, and keep it.

        Parameters
        ----------
        score
            By default what the scorer of :attr:`labelled_by` gives the label, so that it compares
            with those of the other neurons; unknown (NaN) before the first :meth:`label`, and
            without the foundation model.
        """
        (name,) = scorers.check_candidates([label])
        row = self._read.row(layer, neuron)

        def put(present: Labelled) -> Labelled:
            changed = replace(present, frame=present.frame.copy())
            self._put(changed, row, name, score)
            return changed

        self._commit(put)

    @plainly()
    def clear_label(self, layer: str, neuron: int) -> None:
        """Take a person's label away: the neuron gets what the scorer of :attr:`labelled_by` says.

        Before the first :meth:`label` it has no label then.

        Raises
        ------
        LensUnavailable
            If neurons were scored, and there is no foundation model to do it again.
        """
        row = self._read.row(layer, neuron)

        def clear(present: Labelled) -> Labelled:
            frame = present.frame.copy()
            label, score, margin = "", math.nan, math.nan
            if present.scorer:
                scores = self._score_one(row, present.vocabulary, present.scorer)
                bar = self._bar(row, present)[None] if present.threshold is None else None
                found = scorers.assign(scores[None], present.vocabulary, bar, present.threshold)
                label, score = found.labels[0], float(found.score[0])
                margin = float(found.margin[0])
            _enter(frame, row, label, score, margin, present.scorer.get("method", ""))
            return replace(present, frame=frame)

        self._commit(clear)

    def _put(self, labelled: Labelled, row: int, name: str, score: float | None = None) -> None:
        """Enter a person's label into a frame that is not yet kept."""
        margin = math.nan
        if labelled.scorer and self.foundation is not None:
            if score is None:
                score = self._score_beside_all(row, name, labelled)
            bar = labelled.threshold
            margin = score - (float(self._bar(row, labelled)) if bar is None else bar)
        _enter(labelled.frame, row, name, math.nan if score is None else score, margin, PERSON)

    def _score_beside_all(self, row: int, name: str, labelled: Labelled) -> float:
        """Score a label for one neuron as it would score among the vocabulary."""
        others = [other for other in labelled.vocabulary if other != name]
        return float(self._score_one(row, others or [name], labelled.scorer, beside=[name])[0])

    def _bar(self, row: int, labelled: Labelled) -> Tensor:
        """Return the empty prompt's score."""
        return self._score_one(row, labelled.vocabulary, labelled.scorer, beside=[""])[0]

    def on_labels(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever labels have changed, in the thread that changed them.

        Returns
        -------
        callable
            Ends it; more than once does no harm.
        """
        listener = _Listener(callback)
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    @cached_property
    def _listeners(self) -> list[_Listener]:
        return []

    def _commit(self, change: Callable[[Labelled], Labelled]) -> Labelled:
        """Change what is stored now, whoever stored it; then let the views know."""
        if self.store.read_only:
            with _LOCK:
                self._labelled = change(self._labelled)
        else:
            with self.store.writing(), _LOCK:
                changed = change(read_labels(self.store) or self._labelled)
                write_labels(self.store, changed)
                self._labelled = changed
        changed = self._labelled
        for listener in tuple(self._listeners):
            try:
                listener.call()
            except Exception as error:  # noqa: BLE001 - the labels are kept; a view is not all views
                warnings.warn(
                    f"The labels are kept, but a view could not follow: {error!r}", stacklevel=3
                )
        return changed
