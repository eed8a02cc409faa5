"""The labels of a lens: chosen, kept, and who hears of them."""

from __future__ import annotations

import math
import threading
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from semlens_widgets.labels.assign import Assignment, assign, chance_level, check_candidates
from semlens_widgets.labels.scorers import SCORERS, scorer_of
from semlens_widgets.labels.words import RANDOM_WORDS, default_vocabulary
from semlens_widgets.lens.scoring import by_scorer
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.store.labels import PERSON, Labelled, read_labels, unlabelled, write_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from torch import Tensor

    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.scoring import Scoring
    from semlens_widgets.lens.texts import Words
    from semlens_widgets.store.store import AnalysisStore

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


class Listeners:
    """Who hears of changed labels."""

    def __init__(self) -> None:
        self._all: list[_Listener] = []

    def on_labels(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever labels have changed, in the thread that changed them.

        Returns
        -------
        callable
            Ends it; more than once does no harm.
        """
        listener = _Listener(callback)
        self._all.append(listener)

        def end() -> None:
            if listener in self._all:
                self._all.remove(listener)

        return end

    def tell(self) -> None:
        """Call them all; one that fails does not keep the others from hearing."""
        for listener in tuple(self._all):
            try:
                listener.call()
            except Exception as error:  # noqa: BLE001 - the labels are kept; a view is not all views
                warnings.warn(
                    f"The labels are kept, but a view could not follow: {error!r}", stacklevel=4
                )


class KeptLabels:
    """The labels as they are now: another lens may have written some on the same folder.

    Parameters
    ----------
    store, reader
        The analysis.
    listeners
        Who hears of changes.
    """

    def __init__(self, store: AnalysisStore, reader: AnalysisReader, listeners: Listeners) -> None:
        self._store = store
        self._reader = reader
        self._listeners = listeners
        self._kept: tuple[Any, Labelled] | None = None

    @property
    def now(self) -> Labelled:
        """All labels, what they were chosen from, and how."""
        moment = self._store.moment("labels")
        if self._kept is None or self._kept[0] != moment:
            self._kept = moment, read_labels(self._store) or unlabelled(self._reader.neurons)
        return self._kept[1]

    def commit(self, change: Callable[[Labelled], Labelled]) -> Labelled:
        """Change what is stored now, whoever stored it; then let the views know."""
        if self._store.read_only:
            with _LOCK:
                changed = change(self.now)
                self._kept = self._store.moment("labels"), changed
        else:
            with self._store.writing(), _LOCK:
                changed = change(read_labels(self._store) or self.now)
                write_labels(self._store, changed)
                self._kept = self._store.moment("labels"), changed
        self._listeners.tell()
        return changed


class Labelling:
    """The part of a lens that gives labels; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    words
        Gives the text embeddings; raises if there is no foundation model.
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
        words: Callable[[], Words],
        scoring: Scoring,
        kept: KeptLabels,
        can_score: Callable[[], bool],
    ) -> None:
        self._reader = reader
        self._words = words
        self._scoring = scoring
        self._kept = kept
        self._can_score = can_score

    @by_scorer
    @plainly()
    def label(
        self,
        candidates: Sequence[str] | None = None,
        *,
        scorer: str | Scorer = "csp",
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
        scorer
            One of :data:`semlens_widgets.labels.scorers.SCORERS` by its name (``"csp"``,
            ``"semanticlens"``, ``"difference"``, ``"clip-dissect"``, ``"recognition"``,
            ``"correlation"``), or an object with settings of its own, such as
            ``Csp(gamma=0.5, centred=True)``. The scores of ``"clip-dissect"`` depend on all
            candidates and all neurons, and compare with no others.
        templates
            Sentences with ``{}`` where the candidate goes; by default the six of CSP.
        threshold
            Score below which a neuron is "unknown"; by default the score of the empty prompt, and
            what is chance by nature for the scorers that have such a score (recognition: 0.5,
            correlation: 0).

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, score, margin (over the threshold), chance (what one random word
            in twenty reaches for this neuron, see :meth:`label_chance`), source ("person", or the
            scorer's name).

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
            candidates = default_vocabulary(self._reader.classes)
        names, how = check_candidates(candidates), scorer_of(scorer)
        words = self._words()
        if said := str(words.check(names, templates)):
            warnings.warn(said, stacklevel=4)
        bar = how.chance if threshold is None else threshold
        found: list[Assignment] = []
        levels: list[Tensor] = []
        for scores, beside in self._scoring.of_all(names, ["", *RANDOM_WORDS], how, templates):
            found.append(assign(scores, names, beside[:, 0], bar))
            levels.append(chance_level(beside[:, 1:]))
        key = self._scoring.chance_key(self._scoring.beside(names, how), how, templates)
        chance = words.once(key, lambda: torch.cat(levels)).numpy()
        frame = unlabelled(self._reader.neurons).frame.assign(
            label=[label for part in found for label in part.labels],
            score=torch.cat([part.score for part in found]).numpy(),
            margin=torch.cat([part.margin for part in found]).numpy(),
            chance=chance[:, 1],
            source=how.name,
        )
        settings = {"scorer": how.name, **how.settings, "templates": words.sentences(templates)}

        def keep_persons(present: Labelled) -> Labelled:
            labelled = Labelled(frame.copy(), names, settings, bar)
            theirs = present.frame["label"][present.frame["source"] == PERSON]
            for row, name in zip(theirs.index.tolist(), theirs.tolist(), strict=True):
                self._put(labelled, row, name, how)
            return labelled

        return self._kept.commit(keep_persons).frame.copy()

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
        (name,) = check_candidates([label])
        row = self._reader.row(layer, neuron)

        def put(present: Labelled) -> Labelled:
            changed = replace(present, frame=present.frame.copy())
            self._put(changed, row, name, _scorer(present), score)
            return changed

        self._kept.commit(put)

    @plainly()
    def clear_label(self, layer: str, neuron: int) -> None:
        """Take a person's label away: the neuron gets what the scorer of :attr:`labelled_by` says.

        Before the first :meth:`label` it has no label then.

        Raises
        ------
        LensUnavailable
            If neurons were scored, and there is no foundation model to do it again.
        """
        row = self._reader.row(layer, neuron)

        def clear(present: Labelled) -> Labelled:
            frame = present.frame.copy()
            label, score, margin = "", math.nan, math.nan
            if scorer := _scorer(present):
                scores = self._one(row, present.vocabulary, present, scorer)
                bar = self._bar(row, present, scorer)[None] if present.threshold is None else None
                found = assign(scores[None], present.vocabulary, bar, present.threshold)
                label, score = found.labels[0], float(found.score[0])
                margin = float(found.margin[0])
            _enter(frame, row, label, score, margin, present.scorer.get("scorer", ""))
            return replace(present, frame=frame)

        self._kept.commit(clear)

    def _put(
        self,
        labelled: Labelled,
        row: int,
        name: str,
        scorer: Scorer | None,
        score: float | None = None,
    ) -> None:
        """Enter a person's label into a frame that is not yet kept."""
        margin = math.nan
        if scorer and self._can_score():
            if score is None:
                # As it would score among the vocabulary.
                others = [other for other in labelled.vocabulary if other != name] or [name]
                score = float(self._one(row, others, labelled, scorer, beside=[name])[0])
            bar = labelled.threshold
            margin = score - (float(self._bar(row, labelled, scorer)) if bar is None else bar)
        _enter(labelled.frame, row, name, math.nan if score is None else score, margin, PERSON)

    def _bar(self, row: int, labelled: Labelled, scorer: Scorer) -> Tensor:
        """Return the empty prompt's score."""
        return self._one(row, labelled.vocabulary, labelled, scorer, beside=[""])[0]

    def _one(
        self,
        row: int,
        names: Sequence[str],
        labelled: Labelled,
        scorer: Scorer,
        beside: Sequence[str] | None = None,
    ) -> Tensor:
        templates = labelled.scorer["templates"]
        return self._scoring.of_one(row, names, scorer, templates, beside=beside)


def _scorer(labelled: Labelled) -> Scorer | None:
    """Return what labels were scored by; None before the first, and if it is not known here."""
    name = labelled.scorer.get("scorer")
    return scorer_of(name, labelled.scorer) if name in SCORERS else None
