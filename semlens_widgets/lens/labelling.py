"""The labels of a lens: chosen, kept, and who hears of them."""

from __future__ import annotations

import math
import threading
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from semlens_widgets.labels.assign import (
    Assignment,
    assign,
    chance_level,
    check_labels,
    relabelled,
)
from semlens_widgets.labels.back_off import backed_off, tree_of
from semlens_widgets.labels.candidates.sources import source_of
from semlens_widgets.labels.evidence import some_neurons
from semlens_widgets.labels.hypernyms import parents
from semlens_widgets.labels.scorer import Competing
from semlens_widgets.labels.scorers import DEFAULT, scorer_of
from semlens_widgets.labels.words import RANDOM_WORDS
from semlens_widgets.lens.chance import bars_by_chance, known_bars
from semlens_widgets.lens.looked import Looked, telling
from semlens_widgets.lens.numbers import number
from semlens_widgets.lens.scoring import by_scorer
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.pipeline.progress import stops_in_a_line
from semlens_widgets.store.labels import (
    PERSON,
    Labelled,
    LabelRun,
    read_labels,
    unlabelled,
    write_labels,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from torch import Tensor

    from semlens_widgets.labels.candidates.source import Candidates, CandidateSource
    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.listeners import Listeners
    from semlens_widgets.lens.people import PeoplesLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.scoring import Scoring
    from semlens_widgets.lens.texts import Words
    from semlens_widgets.store.answers import KeptAnswers
    from semlens_widgets.store.store import AnalysisStore

# JupyterLab may answer widgets in another thread than the one that runs cells.
_LOCK = threading.RLock()


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
        self._beside: tuple[Labelled, pd.DataFrame] | None = None

    @property
    def now(self) -> Labelled:
        """All labels, what they were chosen from, and how."""
        moment = self._store.moment("labels")
        if self._kept is None or self._kept[0] != moment:
            self._kept = moment, self._read()
        return self._kept[1]

    def vocabulary(self) -> tuple[str, ...]:
        """Return the candidates that were last chosen from."""
        latest = self.now.latest
        return latest.vocabulary if latest else ()

    def labelled_by(self) -> dict[str, Any]:
        """Return how was last scored."""
        latest = self.now.latest
        return dict(latest.scorer) if latest else {}

    @property
    def neurons(self) -> pd.DataFrame:
        """All neurons with their labels behind layer and neuron, as a frame of the asker's own."""
        now = self.now
        if self._beside is None or self._beside[0] is not now:
            named = ["label", "score", "margin", "chance", "source"]
            order = ["layer", "neuron", "name", *named, "clarity", "polysemanticity", "redundancy"]
            labels = now.frame
            frame = self._reader.neurons.assign(**{name: labels[name] for name in named})
            order += [name for name in frame.columns if name not in order]
            self._beside = now, frame[order]
        return self._beside[1].copy()

    def _read(self) -> Labelled:
        return read_labels(self._store, self._reader.neurons)

    def commit(self, change: Callable[[Labelled], Labelled]) -> Labelled:
        """Change what is stored now, whoever stored it; then let the views know."""
        if self._store.read_only:
            with _LOCK:
                changed = change(self.now)
                self._kept = self._store.moment("labels"), changed
        else:
            with self._store.writing(), _LOCK:
                changed = change(self._read())
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
    people
        The labels that people give.
    answers
        What models have answered about the neurons.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        words: Callable[[], Words],
        scoring: Scoring,
        kept: KeptLabels,
        people: PeoplesLabels,
        answers: KeptAnswers,
    ) -> None:
        self._reader = reader
        self._words = words
        self._scoring = scoring
        self._kept = kept
        self._people = people
        self._answers = answers

    @by_scorer
    @plainly()
    def label(
        self,
        candidates: Sequence[str] | str | CandidateSource | None = None,
        *,
        scorer: str | Scorer = DEFAULT,
        templates: Sequence[str] | None = None,
        threshold: float | None = None,
        back_off: bool = False,
        run: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> pd.DataFrame:
        """Give every neuron the candidate label that scores best, and keep it.

        Labels that a person gave (:meth:`set_label`) stay; their score is that of the new scorer.
        What earlier runs said stays too, see :attr:`labels`.

        Parameters
        ----------
        candidates
            Words or phrases to choose from, or what finds them: a
            :class:`semlens_widgets.CandidateSource`, such as :class:`semlens_widgets.ChatVLM`, or
            the name of one (``"classes"``: the names of the images' classes; ``"wide"``: these and
            some four thousand words; ``"captions"``: for each neuron, phrases of the words that its
            examples are most like, see :class:`semlens_widgets.CaptionTemplates`). By default
            ``"everyday"``: these names and :data:`semlens_widgets.labels.words.VISUAL_WORDS`,
            common words for what pictures show.
        scorer
            One of :data:`semlens_widgets.labels.scorers.SCORERS` by its name (``"recognition"``,
            ``"correlation"``, ``"csp"``, ``"semanticlens"``, ``"difference"``,
            ``"clip-dissect"``), or an object with settings of its own, such as
            ``Csp(gamma=0.5, centred=False)``. The scores of ``"clip-dissect"`` depend on all
            candidates and all neurons, and compare with no others.
        templates
            Sentences with ``{}`` where the candidate goes, such as ``slw.CSP_TEMPLATES`` or
            ``slw.CLIP_TEMPLATES``: the embeddings of all are averaged at unit length, and the mean
            is brought to unit length again (the ensemble of CLIP, arXiv 2103.00020, section 3.1.4).
            By default the candidate alone.
        threshold
            Score below which a neuron is "unknown". By default a label has to lie higher above what
            it scores by chance than the labels of 19 in 20 shuffled neurons do, whose activations
            are dealt out among the images by lot, see
            :func:`semlens_widgets.lens.chance.bars_by_chance`; and above the empty prompt, or what
            is chance by nature for the scorers that have such a score (recognition: 0.5,
            correlation: 0). For ``"clip-dissect"``, whose scores depend on all neurons, the empty
            prompt alone counts.
        back_off
            Where the best candidate cannot be told from other kinds of the same thing (its lead is
            less than its standard error), give what they are kinds of, if that is a candidate too
            and its score is above the threshold. What is a kind of what, `candidates` says, by
            default the packaged vocabulary. See :func:`semlens_widgets.labels.back_off.backed_off`.
        run
            What to call it in :attr:`labels`; by default the scorer's name. A run of the same name
            is replaced.
        progress
            Hears how many neurons of how many are done, from time to time: asked about, if
            `candidates` asks a model, and then scored.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, score, margin (over the threshold), chance (what one random word
            in twenty reaches for this neuron, see :meth:`label_chance`), source ("person", or the
            scorer's name, with "backed off" behind it where a hypernym took the best one's place).

        Raises
        ------
        ValueError
            If there is no candidate, or an argument makes no sense: also `back_off`, where no
            candidate is a kind of another, or a score depends on the other candidates.
        LensUnavailable
            If the analysis was opened without its foundation model.
        VlmUnavailable
            If `candidates` asks a model that cannot be asked.
        RunStopped
            If a person interrupts it while it asks a model. What was answered is kept.

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
        how = scorer_of(scorer)
        if back_off and isinstance(how, Competing):
            raise ValueError(
                f"back_off: the scores of {how.name} depend on all candidates and all neurons, so "
                'no error of one is known. Label by another scorer, such as "recognition".'
            )
        how.check(self._reader.evidence)
        threshold = None if threshold is None else _checked_threshold(threshold)
        called = how.name if run is None else _checked_run(run)
        words = self._words()
        source = source_of(candidates)
        offered = self._offered(source, progress)
        names = check_labels(offered.names)
        more_general = self._backing_off(offered, names, how, templates) if back_off else None
        if said := str(words.check(names, templates)):
            warnings.warn(said, stacklevel=4)
        empty = threshold is None and how.chance is None
        bars = self._bars(offered, names, how, templates) if threshold is None else None
        found: list[Assignment] = []
        backed: list[bool] = []
        levels: list[Tensor] = []
        tell = progress or (lambda _done, _total: None)
        total = len(self._reader.neurons)
        tell(0, total)
        for scores, beside in self._scoring.of_all(names, ["", *RANDOM_WORDS], how, templates):
            first = sum(len(part.labels) for part in found)
            eligible = offered.eligible(names, first, first + len(scores))
            reached = beside[:, :1] if empty else torch.full((len(scores), 1), -torch.inf)
            reached = reached if bars is None else torch.maximum(reached, bars)
            best = assign(scores, names, reached, threshold, eligible)
            found.append(best)
            if more_general is not None:
                reached = reached if threshold is None else torch.full_like(reached, threshold)
                counts = scores > reached
                counts = counts if eligible is None else counts & eligible
                found[-1] = relabelled(
                    best, more_general(first, scores, best, counts), names, scores, reached
                )
            backed.extend((found[-1].indices != best.indices).tolist())
            levels.append(chance_level(beside[:, 1:]))
            tell(first + len(scores), total)
        key = self._scoring.chance_key(self._scoring.beside(names, how), how, templates)
        chance = words.once(key, lambda: torch.cat(levels)).numpy()
        frame = unlabelled(self._reader.neurons).assign(
            label=[label for part in found for label in part.labels],
            score=torch.cat([part.score for part in found]).numpy(),
            margin=torch.cat([part.margin for part in found]).numpy(),
            chance=chance[:, 1],
            source=[f"{how.name}, backed off" if less else how.name for less in backed],
        )
        asked = {
            "templates": words.sentences(templates),
            "candidates": getattr(source, "name", type(source).__name__),
        }
        settings = {"scorer": how.name, **how.settings, **asked, "back_off": back_off}
        bar = threshold if bars is None else tuple(bars.tolist())
        new = LabelRun(frame, names, settings, bar, empty)

        def keep(present: Labelled) -> Labelled:
            theirs = {row: given.label for row, given in present.persons.items()}
            persons = self._people.given_all(theirs, new)
            others = {name: other for name, other in present.runs.items() if name != called}
            return replace(present, runs={**others, called: new}, persons=persons)

        return self._kept.commit(keep).frame.copy()

    def _bars(
        self,
        offered: Candidates,
        names: tuple[str, ...],
        scorer: Scorer,
        templates: Sequence[str] | None,
    ) -> Tensor | None:
        """Return what each label's score must be above; None if the empty prompt is all we have."""
        if isinstance(scorer, Competing):
            return None
        words = self._words()
        if offered.of_neuron is None:
            bars = known_bars(self._reader, words, scorer, names, templates)
        else:
            texts = words.prompts(names, templates)
            counts = offered.eligible(names, 0, len(self._reader.neurons))
            bars = bars_by_chance(self._reader, scorer, texts, eligible=counts)
        bars = bars.nan_to_num(-torch.inf)  # no neuron has examples: nothing is labelled
        return bars if scorer.chance is None else bars.clamp(min=scorer.chance)

    def _backing_off(
        self,
        offered: Candidates,
        names: tuple[str, ...],
        scorer: Scorer,
        templates: Sequence[str] | None,
    ) -> Callable[[int, Tensor, Assignment, Tensor], Tensor]:
        """Return what gives labels of some neurons that can be told from their siblings."""
        tree = tree_of(names, parents() if offered.parents is None else offered.parents)
        texts = self._words().prompts(names, templates)

        def more_general(first: int, scores: Tensor, best: Assignment, counts: Tensor) -> Tensor:
            evidence = some_neurons(self._reader.evidence, first, first + len(scores))
            return backed_off(scorer, evidence, texts, scores, best.indices, tree, counts)

        return more_general

    def _offered(
        self, source: CandidateSource, progress: Callable[[int, int], None] | None
    ) -> Candidates:
        with telling(progress) as tell:
            looked = Looked(self._reader, self._words, self._answers, tell)
            with stops_in_a_line(lambda: looked.told, "label()"):
                return source.candidates(looked)


def _checked_threshold(threshold: float) -> float:
    least = number("threshold", threshold)
    if math.isnan(least):
        raise ValueError("threshold=nan: no score reaches it; give a number, or None for chance.")
    return least


def _checked_run(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"run={name!r} must be a text.")
    fits = name.strip() not in {"", PERSON} and name.isprintable()
    if not fits:
        raise ValueError(f"run={name!r}: give another name; {PERSON!r} are the labels of people.")
    return name
