"""Whether labels agree: with what people say, and with those of neurons that are alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from semlens_widgets.analysis.agreement import Beside, neighbours_agreeing
from semlens_widgets.lens.judgement import (
    Judged,
    judgeable,
    judged,
    labels_to_judge,
    table_of,
    unlabelled_said,
)
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.texts import Words

_NEEDED = ("layer", "neuron", "label")


class Agreeing:
    """The part of a lens that compares labels with others; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    kept
        The labels.
    words
        Gives the text embeddings; raises if there is no foundation model.
    """

    def __init__(
        self, reader: AnalysisReader, kept: KeptLabels, words: Callable[[], Words]
    ) -> None:
        self._reader = reader
        self._kept = kept
        self._words = words

    @plainly()
    def agreement(
        self,
        people: str | Path | pd.DataFrame,
        *,
        labels: Sequence[str] | None = None,
        templates: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Judged:
        """Compare the labels with those that people gave.

        Parameters
        ----------
        people
            A CSV file or a frame with the columns layer, neuron and label: one row for each label
            that one person gave a neuron. Several people may say something of the same neuron.
        labels
            One for each neuron, in the order of :attr:`neurons`; by default those in force, which
            are people's own where :meth:`set_label` gave one.
        templates
            Sentences with ``{}`` where a label goes; by default the label alone.
        seed
            Draws the neurons anew for the intervals.

        Returns
        -------
        Judged
            ``neurons``: layer, neuron, label, dead, people (how many labels), exact (share of them
            that are the same but for case and outer blanks), similarity (mean cosine of the texts
            under the foundation model), and both as expected if the labels of the neurons that are
            compared were shuffled.

        Raises
        ------
        ValueError
            If columns, labels or neurons are missing, or no neuron has a label on both sides.
        LensUnavailable
            If the analysis was opened without its foundation model.
        """
        own = labels_to_judge(self._reader, self._kept, labels)
        theirs = self._read(people)
        names = judgeable(own)
        both = theirs[[own[row] in names for row in theirs["row"]]]
        if not len(both):
            raise ValueError("people: none of these neurons has a label to compare with.")
        spoken = list(dict.fromkeys(both["label"]))
        one, other = (self._words().prompts(texts, templates) for texts in (names, spoken))
        cosines = (one.double() @ other.double().T).numpy()
        exact = np.array([[_same(a, b) for b in spoken] for a in names], float)
        rows = both["row"].to_numpy()
        said_at = np.array([spoken.index(label) for label in both["label"]])
        compared = np.unique(rows)
        own_at = np.array([names.index(own[row]) for row in compared])
        measured = {
            name: self._compared(values, compared, own_at, rows, said_at)
            for name, values in (("exact", exact), ("similarity", cosines))
        }
        counts = np.bincount(rows, minlength=len(own))
        said = unlabelled_said(own)
        if left := len(theirs) - len(both):
            said.append(f"{left} labels of people are of neurons without a label.")
        table = table_of(self._reader, own).assign(people=counts)
        return judged(self._reader, table, measured, said, seed)

    def _compared(
        self,
        values: NDArray[np.float64],
        compared: NDArray[np.int64],
        own: NDArray[np.int64],
        rows: NDArray[np.int64],
        said: NDArray[np.int64],
    ) -> Beside:
        """Average over people, of the neurons' own labels and of all those that are compared.

        Parameters
        ----------
        values
            ``(own labels, people's labels)``.
        compared, own
            The neurons, and which label each has.
        rows, said
            Of each label of people: the neuron, and which it is.
        """
        count = len(self._reader.neurons)
        at = np.searchsorted(compared, rows)
        people = np.bincount(at).astype(float)
        found, random = np.full(count, np.nan), np.full(count, np.nan)
        found[compared] = np.bincount(at, values[own[at], said]) / people
        random[compared] = np.bincount(at, values[own].mean(axis=0)[said]) / people
        return Beside(found, random)

    def _read(self, people: str | Path | pd.DataFrame) -> pd.DataFrame:
        """Return people's labels with the row of each neuron: row, label."""
        given = people if isinstance(people, pd.DataFrame) else _csv(Path(people))
        missing = [name for name in _NEEDED if name not in given]
        if missing:
            raise ValueError(
                f"people has no column {missing[0]!r}; it needs layer, neuron and label."
            )
        labels = [label.strip() if isinstance(label, str) else "" for label in given["label"]]
        if empty := [at for at, label in enumerate(labels) if not label]:
            raise ValueError(f"people: row {empty[0]} has no label; leave such rows out.")
        places = []
        for at, (layer, neuron) in enumerate(zip(given["layer"], given["neuron"], strict=True)):
            try:
                places.append(self._reader.row(layer, neuron))
            except (KeyError, IndexError, TypeError) as error:
                raise ValueError(f"people: row {at}: {error.args[0]}") from error
        return pd.DataFrame({"row": places, "label": labels})

    def consistency(
        self, threshold: float = 0.9, *, labels: Sequence[str] | None = None, seed: int = 0
    ) -> Judged:
        """Ask whether neurons that respond to the like have the same label.

        Parameters
        ----------
        threshold
            The least cosine of the semantic vectors of two neurons that are alike.
        labels, seed
            As in :meth:`agreement`.

        Returns
        -------
        Judged
            ``neurons``: layer, neuron, label, dead, neighbours (labelled neurons, of any layer,
            that are alike), agree (share of them with the same label) and agree_random (share of
            all other labelled neurons with it). ``summary``: means over the neurons that have
            neighbours.

        Raises
        ------
        ValueError
            If the threshold is no cosine, or there are no labels.

        Notes
        -----
        Labels that were chosen by the semantic vectors agree for that reason alone: of them the
        figure tells little.
        """
        if not -1 <= threshold <= 1:
            raise ValueError(f"threshold={threshold} must be a cosine, from -1 to 1.")
        own = labels_to_judge(self._reader, self._kept, labels)
        place = {name: at for at, name in enumerate(judgeable(own))}
        which = np.array([place.get(label, -1) for label in own])
        near, agree, chance = neighbours_agreeing(self._reader.directions.numpy(), which, threshold)
        table = table_of(self._reader, own).assign(neighbours=near)
        said = unlabelled_said(own)
        if not near.any():
            said.append(f"No two labelled neurons have a cosine of {threshold:g} or more.")
        return judged(self._reader, table, {"agree": Beside(agree, chance)}, said, seed)


def _csv(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise ValueError(f"people: there is no file {path.name!r}.")
    return pd.read_csv(path, dtype={"layer": str, "label": str})


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
