"""The labels that people give to a lens: one by one, many at once, and from a file."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from semlens_widgets.labels.assign import check_candidates
from semlens_widgets.labels.scorers import SCORERS, scorer_of
from semlens_widgets.lens.label_file import read_label_file, write_label_file
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.store.labels import Given, Labelled, LabelRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.scoring import Scoring

Theirs = Literal["refuse", "keep", "replace"]


class PeoplesLabels:
    """The part of a lens that keeps people's labels; see :class:`SemanticLens`.

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
    def set_label(
        self, layer: str, neuron: int | str, label: str, score: float | None = None
    ) -> None:
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
            given = self.given(row, name, present.latest, score)
            return replace(present, persons={**present.persons, row: given})

        self._kept.commit(put)

    @plainly()
    def clear_label(self, layer: str, neuron: int | str) -> None:
        """Take a person's label away: the neuron has what the last :meth:`label` said of it.

        Before the first :meth:`label` it has no label then.
        """
        row = self._reader.row(layer, neuron)

        def clear(present: Labelled) -> Labelled:
            others = {at: given for at, given in present.persons.items() if at != row}
            return replace(present, persons=others)

        self._kept.commit(clear)

    @plainly()
    def set_labels(
        self, labels: Mapping[tuple[str, int], str | None]
    ) -> dict[tuple[str, int], str | None]:
        """Give many neurons labels that a person chose, all at once.

        Parameters
        ----------
        labels
            By layer and neuron. None takes a person's label away, as :meth:`clear_label` does.

        Returns
        -------
        dict
            What people had said of these neurons before, None where nothing: given back to this
            method, it undoes it.

        Raises
        ------
        KeyError, IndexError, ValueError
            If there is no such neuron, or a label is no text. Nothing is changed then.
        """
        rows = {key: self._reader.row(*key) for key in labels}
        names = {
            key: None if label is None else check_candidates([label])[0]
            for key, label in labels.items()
        }
        before: dict[tuple[str, int], str | None] = {}

        def put(present: Labelled) -> Labelled:
            persons = dict(present.persons)
            for key, row in rows.items():
                given, name = persons.pop(row, None), names[key]
                before[key] = given.label if given else None
                if name is not None:
                    persons[row] = self.given(row, name, present.latest)
            return replace(present, persons=persons)

        self._kept.commit(put)
        return before

    def export_labels(self, path: str | Path) -> None:
        """Write the labels in force to a CSV file: one row per neuron.

        Columns are layer, neuron, label, score, margin, chance, source. Labels that a spreadsheet
        would take for a formula get an apostrophe in front, which :meth:`import_labels` takes off.
        """
        write_label_file(path, self._kept.now.frame)

    def import_labels(self, path: str | Path, *, theirs: Theirs = "refuse") -> pd.DataFrame:
        """Take labels from a CSV file, as a person's.

        Rows whose label is the one in force, or empty, change nothing: of a file that
        :meth:`export_labels` wrote, what was edited counts. Columns other than layer, neuron and
        label are not read.

        Parameters
        ----------
        path
            The file, in UTF-8, its columns separated by commas or semicolons.
        theirs
            What to do if a person has given another label already: ``"refuse"`` all, ``"keep"``
            theirs, or ``"replace"`` them.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, before (the label that was in force), label: what was changed.

        Raises
        ------
        ValueError
            If the file makes no sense, naming the line; or labels of people would be replaced.
            Nothing is changed then.
        """
        if theirs not in {"refuse", "keep", "replace"}:
            raise ValueError(f'theirs={theirs!r} must be "refuse", "keep" or "replace".')
        now = self._kept.now
        rows = {(layer, int(at)): row for row, (layer, at) in _places(now.frame)}
        read = read_label_file(path, rows)
        labels = now.frame["label"].tolist()
        new = {key: label for key, label in read.items() if label != labels[rows[key]]}
        others = [key for key in new if rows[key] in now.persons]
        if others and theirs == "refuse":
            layer, at = others[0]
            raise ValueError(
                f"{path}: {len(others)} neurons have other labels that people gave, such as "
                f"{layer} {at} ({labels[rows[others[0]]]!r}, in the file {new[others[0]]!r}). Pass "
                'theirs="keep" to keep those, or theirs="replace".'
            )
        if theirs == "keep":
            new = {key: label for key, label in new.items() if key not in set(others)}
        if new:
            self.set_labels(new)
        changed: list[dict[str, Any]] = [
            {"layer": key[0], "neuron": key[1], "before": labels[rows[key]], "label": label}
            for key, label in new.items()
        ]
        return pd.DataFrame(changed, columns=["layer", "neuron", "before", "label"])

    def given(self, row: int, name: str, run: LabelRun | None, score: float | None = None) -> Given:
        """Return a person's label with the score it has among the candidates of a run."""
        scorer = scorer_of_run(run)
        if run is None or scorer is None or not self._can_score():
            return Given(name, math.nan if score is None else score)
        templates = run.scorer["templates"]
        if score is None:
            others = [other for other in run.vocabulary if other != name] or [name]
            scores = self._scoring.of_one(row, others, scorer, templates, beside=[name])
            score = float(scores[0])
        bar = _bar_of(name, run)
        if run.empty:
            empty = self._scoring.of_one(row, run.vocabulary, scorer, templates, beside=[""])
            bar = max(bar, float(empty[0]))
        return Given(name, score, score - bar)


def _bar_of(name: str, run: LabelRun) -> float:
    """Return what a label's score must be above; NaN for one that was no candidate."""
    if run.threshold is None:
        return -math.inf
    if not isinstance(run.threshold, tuple):
        return run.threshold
    known = name in run.vocabulary
    return run.threshold[run.vocabulary.index(name)] if known else math.nan


def scorer_of_run(run: LabelRun | None) -> Scorer | None:
    """Return what labels were scored by; None before the first, and if it is not known here."""
    name = run and run.scorer["scorer"]
    return scorer_of(name, run.scorer) if run and name in SCORERS else None


def _places(frame: pd.DataFrame) -> enumerate[tuple[str, int]]:
    return enumerate(zip(frame["layer"].tolist(), frame["neuron"].tolist(), strict=True))
