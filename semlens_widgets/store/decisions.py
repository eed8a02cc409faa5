"""What people decided about neurons in audits: kept one by one, the last one counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from semlens_widgets.errors import holds_half
from semlens_widgets.store.labels import PERSON
from semlens_widgets.store.stages import NEURONS, Stage

if TYPE_CHECKING:
    from semlens_widgets.store.store import AnalysisStore

#: "accept": the verdict is right. "reject": it is wrong. "ignore": it shall not count. "": undone.
DECISIONS = ("accept", "reject", "ignore", "")
_TABLE = "decisions"
_COLUMNS = ["layer", "neuron", "decision", "note", "decided"]


def read_decisions(store: AnalysisStore, target: str) -> pd.DataFrame:
    """Read what is decided now: layer, neuron, decision, note, decided (ISO 8601, UTC).

    Parameters
    ----------
    target
        The audited class or output.
    """
    if not store.has(_TABLE):
        return pd.DataFrame(columns=_COLUMNS)
    frame = store.frame(_TABLE)
    latest = frame[frame["target"] == target].drop_duplicates(["layer", "neuron"], keep="last")
    return latest.loc[latest["decision"] != "", _COLUMNS].reset_index(drop=True)


def write_decision(
    store: AnalysisStore, target: str, layer: str, neuron: int, decision: str, note: str
) -> None:
    """Keep one decision, on disk when this returns.

    Raises
    ------
    ValueError
        If the note cannot be kept.
    """
    if holds_half(note):
        raise ValueError(f"note: {note!r} holds half a character, such as of an emoji.")
    row = {
        "target": [target],
        "layer": [layer],
        "neuron": pa.array([neuron], pa.int64()),
        "decision": [decision],
        "note": [note],
        "decided": [datetime.now(UTC).isoformat(timespec="seconds")],
    }
    with store.writing():
        store.append(_TABLE, pa.table(row))


def said_by_people(store: AnalysisStore) -> str:
    """Count what people said of an analysis, in words; empty if nothing."""
    labels = decisions = 0
    if store.has("labels"):
        labels = int((store.frame("labels", ["source"])["source"] == PERSON).sum())
    if store.has(_TABLE):
        decisions = len(store.frame(_TABLE, ["target"]))
    counts = (labels, "label"), (decisions, "decision")
    said = [f"{count} {what}{'s' * (count != 1)}" for count, what in counts if count]
    return " and ".join(said)


DECIDED = Stage(
    _TABLE,
    "people's decisions in audits",
    settings=NEURONS,
    tables=(_TABLE,),
    keyed=True,
)
