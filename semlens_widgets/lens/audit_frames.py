"""The tables of an audit: of neurons, of verdicts, of concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from semlens_widgets.analysis.audit import VERDICTS
from semlens_widgets.store.decisions import read_decisions

if TYPE_CHECKING:
    from semlens_widgets.lens.audited import Audit

#: Verdicts of neurons that fit something they should not.
MISFITS = ("spurious", "both")
#: Decisions that take a neuron out of what a check counts.
SET_ASIDE = ("reject", "ignore")


def neurons_frame(audit: Audit) -> pd.DataFrame:
    """Return one row per neuron; see :attr:`Audit.neurons`."""
    labels = audit.labels.neurons
    frame = labels[["layer", "neuron", "label"]].copy()
    frame["relevance_share"] = audit.shares.mean
    frame["share_low"], frame["share_high"] = audit.shares.interval.T
    for side, concepts, found in (
        ("valid", audit.valid, audit.aligned.valid),
        ("spurious", audit.spurious, audit.aligned.spurious),
    ):
        frame[side] = found.score
        names = [(name, phrase) for name, phrases in concepts.items() for phrase in phrases]
        best = [names[at] if at >= 0 else ("", "") for at in found.phrase]
        frame[f"{side}_concept"] = [name for name, _ in best]
        frame[f"{side}_phrase"] = [phrase for _, phrase in best]
        frame[f"{side}_null"] = found.null
    parts = {concept: audit.reliance.by_neuron(concept) for concept in audit.spurious}
    frame["reliance"] = [
        parts[one][row] if one else float("nan")
        for row, one in enumerate(frame["spurious_concept"])
    ]
    frame["null"] = np.fmin(frame["valid_null"], frame["spurious_null"])
    frame["verdict"] = audit.verdicts
    decided = read_decisions(audit.reader.store, audit.key)
    return frame.merge(decided, on=["layer", "neuron"], how="left").fillna(
        {"decision": "", "note": "", "decided": ""}
    )


def summary_frame(audit: Audit) -> pd.DataFrame:
    """Return one row per layer and verdict; see :attr:`Audit.summary`."""
    rows = []
    for name, layer in audit.shares.layers.items():
        for verdict in VERDICTS:
            theirs = audit.verdicts[layer] == verdict
            found = audit.shares.of(name, theirs)
            rows.append((name, verdict, found.value, found.low, found.high, int(theirs.sum())))
    columns = ["layer", "verdict", "share", "low", "high", "neurons"]
    return pd.DataFrame(rows, columns=columns)


def concepts_frame(audit: Audit) -> pd.DataFrame:
    """Return one row per concept and layer; see :attr:`Audit.concepts`."""
    rows = []
    frame = audit.neurons
    nothing = (float("nan"),) * 3
    for side, concepts in (("valid", audit.valid), ("spurious", audit.spurious)):
        counted = frame["verdict"].isin([side, "both"]).to_numpy()
        for concept in concepts:
            theirs = counted & (frame[f"{side}_concept"] == concept).to_numpy()
            for name, layer in audit.shares.layers.items():
                found = audit.shares.of(name, theirs[layer])
                count = int(theirs[layer].sum())
                known = audit.reliance.of(concept, name) if side == "spurious" else None
                rested = (known.value, known.low, known.high) if known else nothing
                share = (found.value, found.low, found.high, count)
                rows.append((side, concept, name, *share, *rested))
    columns = ["side", "concept", "layer", "share", "low", "high", "neurons"]
    columns += ["reliance", "reliance_low", "reliance_high"]
    return pd.DataFrame(rows, columns=columns)
