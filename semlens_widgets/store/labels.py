"""The labels of an analysis as they are kept: one table, written in one commit."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from semlens_widgets.store.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from semlens_widgets.store.store import AnalysisStore

#: The source of a label that a person gave; a scorer's labels name the scorer.
PERSON = "person"
_TABLE = "labels"
_FACTS = b"labelling"


@dataclass(frozen=True)
class Labelled:
    """All labels at one moment, what they were chosen from, and how; never changed in place.

    Attributes
    ----------
    frame
        One row per neuron: layer, neuron, label, score, margin, chance, source.
    vocabulary
        The candidates that were chosen from.
    scorer
        The scorer's name (``scorer``) and settings, and the ``templates``: every score is of this
        scorer, that of a person's label too. Empty before the first.
    threshold
        The bar below which a neuron is "unknown"; None for the empty prompt.
    """

    frame: pd.DataFrame
    vocabulary: tuple[str, ...] = ()
    scorer: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None


def unlabelled(neurons: pd.DataFrame) -> Labelled:
    """Return the labels of neurons that have none yet."""
    nothing = np.float32("nan")
    return Labelled(
        neurons[["layer", "neuron"]].assign(
            label="", score=nothing, margin=nothing, chance=nothing, source=""
        )
    )


def read_labels(store: AnalysisStore) -> Labelled | None:
    """Read the labels that are stored; None if there are none.

    After a change of what they were scored with, those that people gave are left, without scores.
    """
    if not store.has(_TABLE):
        return None
    table = store.read(_TABLE)
    if _TABLE not in store.current().stages:
        frame = table.to_pandas()
        theirs = frame["source"] == PERSON
        return Labelled(
            unlabelled(frame).frame.assign(
                label=frame["label"].where(theirs, ""), source=frame["source"].where(theirs, "")
            )
        )
    facts = json.loads(table.schema.metadata[_FACTS])
    scorer = facts["scorer"]
    if scorer:
        scorer["templates"] = tuple(scorer["templates"])
    if "method" in scorer:  # as it was called once; it had every setting, whatever the scorer
        scorer = {"scorer": scorer.pop("method"), **scorer}
    return Labelled(table.to_pandas(), tuple(facts["vocabulary"]), scorer, facts["threshold"])


def write_labels(store: AnalysisStore, labelled: Labelled) -> None:
    """Replace the stored labels.

    Vocabulary and scorer are metadata of the same table: whoever reads it, and whenever a process
    dies, finds the three as they belong together.
    """
    table = pa.Table.from_pandas(labelled.frame, preserve_index=False)
    facts = {
        "vocabulary": labelled.vocabulary,
        "scorer": dict(labelled.scorer),
        "threshold": labelled.threshold,
    }
    metadata = {**(table.schema.metadata or {}), _FACTS: json.dumps(facts)}
    store.write(_TABLE, table.replace_schema_metadata(metadata))
    store.finish(_TABLE)


def count_of_people(store: AnalysisStore) -> int:
    """Count the stored labels that people gave."""
    if not store.has(_TABLE):
        return 0
    return int((store.frame(_TABLE, ["source"])["source"] == PERSON).sum())


LABELS = Stage(
    _TABLE,
    "neurons' labels, except those that people gave",
    settings=("weights", "architecture", "layers", "channels", "units", "pooling"),
    after=("vectors",),
    tables=(_TABLE,),
    keyed=True,
)
