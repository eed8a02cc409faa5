"""The labels of an analysis as they are kept: one table, written in one commit."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from semlens_widgets.store.stages import NEURONS, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.store.store import AnalysisStore

#: The source of a label that a person gave, and the run it is listed under.
PERSON = "person"
#: What a person says of a neuron that no label fits.
NO_LABEL = ""
_TABLE = "labels"
_FACTS = b"labelling"
_LISTED = ["source", "label", "score", "margin", "chance"]
_SAID = ["label", "score", "margin", "chance", "source"]


@dataclass(frozen=True, eq=False)
class LabelRun:
    """What one run of a scorer said of all neurons; never changed in place.

    Attributes
    ----------
    frame
        One row per neuron: layer, neuron, label, score, margin, chance, source.
    vocabulary
        The candidates that were chosen from.
    scorer
        The scorer's name (``scorer``) and settings, and the ``templates``.
    threshold
        The score below which a neuron is "unknown", one for all labels or one for each of the
        vocabulary; None if the empty prompt alone is the bar.
    empty
        Whether a label has to score more than the empty prompt as well.
    """

    frame: pd.DataFrame
    vocabulary: tuple[str, ...]
    scorer: Mapping[str, Any]
    threshold: float | tuple[float, ...] | None = None
    empty: bool = True


@dataclass(frozen=True)
class Given:
    """A label that a person gave, and the score and margin it has by the latest run's scorer.

    An empty one is a person's word that no label fits: it is in force like any other.
    """

    label: str
    score: float = math.nan
    margin: float = math.nan


@dataclass(frozen=True, eq=False)
class Labelled:
    """All labels at one moment; never changed in place.

    Attributes
    ----------
    neurons
        One row per neuron: layer, neuron.
    runs
        By name, the latest last. Its labels are in force where no person gave one.
    persons
        The labels that people gave, by row of `neurons`.
    """

    neurons: pd.DataFrame
    runs: Mapping[str, LabelRun] = field(default_factory=dict)
    persons: Mapping[int, Given] = field(default_factory=dict)

    @property
    def latest(self) -> LabelRun | None:
        """The run whose labels are in force."""
        return list(self.runs.values())[-1] if self.runs else None

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The labels in force: layer, neuron, label, score, margin, chance, source."""
        frame = self.latest.frame.copy() if self.latest else unlabelled(self.neurons)
        rows, given = list(self.persons), list(self.persons.values())
        frame.loc[rows, "label"], frame.loc[rows, "source"] = [one.label for one in given], PERSON
        for name in ("score", "margin"):
            frame.loc[rows, name] = np.array([getattr(one, name) for one in given], np.float32)
        return frame

    @property
    def all(self) -> pd.DataFrame:
        """Every label of every run, and those of people: as `frame`, with the column ``run``."""
        parts = [run.frame.assign(run=name) for name, run in self.runs.items()]
        parts.append(self.frame.loc[sorted(self.persons)].assign(run=PERSON))
        return pd.concat(parts, ignore_index=True)[["layer", "neuron", "run", *_LISTED]]


def unlabelled(neurons: pd.DataFrame) -> pd.DataFrame:
    """Return the labels of neurons that have none."""
    nothing = np.float32("nan")
    return neurons[["layer", "neuron"]].assign(
        label="", score=nothing, margin=nothing, chance=nothing, source=""
    )


def read_labels(store: AnalysisStore, neurons: pd.DataFrame) -> Labelled:
    """Read the labels that are stored.

    After a change of what they were scored with, those that people gave are left, without scores.

    Parameters
    ----------
    neurons
        One row per neuron: layer, neuron.
    """
    labelled = Labelled(neurons[["layer", "neuron"]])
    if not store.has(_TABLE):
        return labelled
    table = store.read(_TABLE)
    facts = json.loads(table.schema.metadata[_FACTS])
    frame = table.to_pandas()
    if "run" not in frame:  # as labels once were kept: of one run, a person's in its place
        return _of_one_run(store, labelled, frame, facts)
    persons = _persons(store, frame[frame["run"] == PERSON], labelled)
    if _TABLE not in store.current().stages:
        return Labelled(labelled.neurons, persons=persons)
    runs = {name: _run(frame[frame["run"] == name], about) for name, about in facts["runs"].items()}
    return Labelled(labelled.neurons, runs, persons)


def _run(rows: pd.DataFrame, about: Mapping[str, Any]) -> LabelRun:
    scorer = dict(about["scorer"])
    scorer["templates"] = tuple(scorer["templates"])
    frame = rows[["layer", "neuron", *_SAID]].reset_index(drop=True)
    threshold = about["threshold"]
    if isinstance(threshold, list):
        threshold = tuple(threshold)
    empty = about.get("empty", threshold is None)  # once, one of the two was the bar
    return LabelRun(frame, tuple(about["vocabulary"]), scorer, threshold, empty)


def _persons(store: AnalysisStore, rows: pd.DataFrame, labelled: Labelled) -> dict[int, Given]:
    places = pd.MultiIndex.from_frame(labelled.neurons)
    at = places.get_indexer(pd.MultiIndex.from_frame(rows[["layer", "neuron"]])).tolist()
    scored = _TABLE in store.current().stages  # else the scores were of other evidence
    columns = (rows[name].tolist() for name in ("label", "score", "margin"))
    return {
        row: Given(label, score, margin) if scored else Given(label)
        for row, label, score, margin in zip(at, *columns, strict=True)
        if row >= 0
    }


def _of_one_run(
    store: AnalysisStore, labelled: Labelled, frame: pd.DataFrame, facts: Mapping[str, Any]
) -> Labelled:
    theirs = frame["source"] == PERSON
    persons = _persons(store, frame[theirs], labelled)
    scorer = dict(facts["scorer"])
    if _TABLE not in store.current().stages or not scorer:
        return Labelled(labelled.neurons, persons=persons)
    if "method" in scorer:
        scorer = {"scorer": scorer.pop("method"), **scorer}
    # What the scorer said where a person's label stood is not known.
    names = ["label", "score", "margin", "source"]
    frame.loc[theirs, names] = unlabelled(frame).loc[theirs, names]
    run = _run(frame, {**facts, "scorer": scorer})
    return Labelled(labelled.neurons, {scorer["scorer"]: run}, persons)


def write_labels(store: AnalysisStore, labelled: Labelled) -> None:
    """Replace the stored labels.

    Vocabularies and scorers are metadata of the same table: whoever reads it, and whenever a
    process dies, finds them as they belong together.
    """
    table = pa.Table.from_pandas(labelled.all, preserve_index=False)
    runs = {
        name: {
            "vocabulary": run.vocabulary,
            "scorer": dict(run.scorer),
            "threshold": run.threshold,
            "empty": run.empty,
        }
        for name, run in labelled.runs.items()
    }
    metadata = {**(table.schema.metadata or {}), _FACTS: json.dumps({"runs": runs})}
    store.write(_TABLE, table.replace_schema_metadata(metadata))
    store.finish(_TABLE)


LABELS = Stage(
    _TABLE,
    "neurons' labels, except those that people gave",
    settings=NEURONS,
    after=("vectors",),
    tables=(_TABLE,),
    keyed=True,
)
