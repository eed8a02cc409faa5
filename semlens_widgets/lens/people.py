"""The labels that people give to a lens: one by one, many at once, and from a file."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from semlens_widgets.errors import LabelsClash
from semlens_widgets.labels.assign import UNKNOWN, check_labels
from semlens_widgets.labels.scorers import SCORERS, scorer_of
from semlens_widgets.lens.label_file import read_label_file, write_label_file
from semlens_widgets.lens.numbers import number
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.store.labels import NO_LABEL, Given, Labelled, LabelRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.scoring import Scoring

_TOGETHER = 64  # neurons scored at once

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
        (name,) = check_labels([label])
        score = None if score is None else number("score", score)
        row = self._reader.row(layer, neuron)

        def put(present: Labelled) -> Labelled:
            if score is None:
                given = self.given_all({row: name}, present.latest)[row]
            else:
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
            By layer and neuron. The empty text is a person's word that no label fits: the neuron
            has none then, whatever :meth:`label` says (in :attr:`neurons` its label is empty and
            its source "person"). None takes a person's word away, as :meth:`clear_label` does.

        Returns
        -------
        dict
            What people had said of these neurons before, None where nothing: given back to this
            method, it undoes it.

        Raises
        ------
        KeyError, IndexError, ValueError
            If there is no such neuron, a label is no text, or it is "unknown", which is how a
            neuron without a label is called. Nothing is changed then.
        """
        rows = {key: self._reader.row(*key) for key in labels}
        names = {
            key: label if label is None or label == NO_LABEL else check_labels([label])[0]
            for key, label in labels.items()
        }
        before: dict[tuple[str, int], str | None] = {}

        def put(present: Labelled) -> Labelled:
            persons = dict(present.persons)
            for key, row in rows.items():
                given = persons.pop(row, None)
                before[key] = given.label if given else None
            new = {rows[key]: name for key, name in names.items() if name is not None}
            return replace(present, persons=persons | self.given_all(new, present.latest))

        self._kept.commit(put)
        return before

    def export_labels(self, path: str | Path) -> None:
        """Write the labels in force to a CSV file: one row per neuron.

        Columns are layer, neuron, label, score, margin, chance, source. Where a person said that
        no label fits, the label is empty and the source "person". Labels that a spreadsheet would
        take for a formula get an apostrophe in front, which :meth:`import_labels` takes off.
        """
        write_label_file(path, self._kept.now.frame)

    def import_labels(self, path: str | Path, *, theirs: Theirs = "refuse") -> pd.DataFrame:
        """Take labels from a CSV file, as a person's.

        Rows whose label is the one in force, or empty, change nothing: of a file that
        :meth:`export_labels` wrote, what was edited counts. An empty label beside the source
        "person" says that no label fits. "unknown" is no label, and is read as an empty one.
        Columns other than layer, neuron, label and source are not read.

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
            If the file makes no sense, naming the lines. Nothing is changed then.
        LabelsClash
            If labels of people would be replaced, a ValueError too. Nothing is changed then.
        """
        if theirs not in {"refuse", "keep", "replace"}:
            raise ValueError(f'theirs={theirs!r} must be "refuse", "keep" or "replace".')
        now = self._kept.now
        rows = {(layer, int(at)): row for row, (layer, at) in _places(now.frame)}
        read = read_label_file(path, rows)
        labels = now.frame["label"].tolist()
        new = {
            key: label
            for key, label in read.items()
            # No label yet, and none that fits, read alike.
            if label != labels[rows[key]] or (label == NO_LABEL and rows[key] not in now.persons)
        }
        others = [key for key in new if rows[key] in now.persons]
        if others and theirs == "refuse":
            layer, at = others[0]
            raise LabelsClash(
                f"{path}: {len(others)} neurons have other labels that people gave, such as "
                f"{layer} {at} ({labels[rows[others[0]]]!r}, in the file {new[others[0]]!r}). Pass "
                'theirs="keep" to keep those, or theirs="replace".',
                tuple(others),
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

    def given(self, row: int, name: str, run: LabelRun | None, score: float) -> Given:
        """Return a person's label with the score that the person gave it."""
        scorer = scorer_of_run(run)
        if run is None or scorer is None or not self._can_score():
            return Given(name, score)
        return Given(name, score, score - self._bars(range(row, row + 1), name, run, scorer)[0])

    def given_all(self, labels: Mapping[int, str], run: LabelRun | None) -> dict[int, Given]:
        """Return people's labels, by row, with the scores they have among a run's candidates."""
        given = {row: Given(name) for row, name in labels.items()}
        scorer = scorer_of_run(run)
        if run is None:
            return given
        said = run.frame["label"].tolist()
        scored = run.frame[["score", "margin"]].to_numpy(float).tolist()
        left: dict[str, list[int]] = {}
        for row, name in labels.items():
            if name == said[row] and name != UNKNOWN:
                given[row] = Given(name, *scored[row])
            elif name != NO_LABEL:
                left.setdefault(name, []).append(row)
        if scorer is None or not self._can_score():
            return given
        for name, rows in left.items():
            others = [other for other in run.vocabulary if other != name] or [name]
            for some in _in_a_row(rows):
                scores = self._scoring.of_some(
                    some, others, scorer, run.scorer["templates"], beside=[name]
                )[:, 0].tolist()
                bars = self._bars(some, name, run, scorer)
                for row, score, bar in zip(some, scores, bars, strict=True):
                    given[row] = Given(name, score, score - bar)
        return given

    def _bars(self, rows: range, name: str, run: LabelRun, scorer: Scorer) -> list[float]:
        """Return what a label had to score more than in a run."""
        bar = _bar_of(name, run)
        if not run.empty:
            return [bar] * len(rows)
        empty = self._scoring.of_some(
            rows, run.vocabulary, scorer, run.scorer["templates"], beside=[""]
        )
        return [max(bar, score) for score in empty[:, 0].tolist()]


def _in_a_row(rows: list[int]) -> Iterator[range]:
    """Go through rows in runs of neighbours, which are read together, none too long."""
    start = 0
    ordered = sorted(rows)
    for at in range(1, len(ordered) + 1):
        ends = at == len(ordered) or ordered[at] != ordered[at - 1] + 1
        if ends or at - start == _TOGETHER:
            yield range(ordered[start], ordered[at - 1] + 1)
            start = at


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
