"""The tables of an audit: of neurons, of verdicts, of concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from semlens_widgets.analysis.audit import VERDICTS
from semlens_widgets.errors import named
from semlens_widgets.store.decisions import read_decisions

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from semlens_widgets.lens.audited import Audit

#: Verdicts of neurons that fit something they should not.
MISFITS = ("spurious", "both")
#: What stands in the place of a verdict for what no unit of an encoder carries.
ERROR = "error"
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
        if error := audit.shares.of_rest(name):
            rows.append((name, ERROR, error.value, error.low, error.high, 0))
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


def samples_frame(audit: Audit, concept: str, top: int, layer: str) -> pd.DataFrame:
    """Return where neurons of a concept speak for the class; see :meth:`Audit.samples`."""
    check_concept(audit, concept)
    frame = audit.neurons.iloc[span_of(audit, layer)]
    theirs = frame["verdict"].isin(MISFITS) & (frame["spurious_concept"] == concept)
    return _ranked(audit, layer, theirs.to_numpy(), top)


def images_frame(audit: Audit, layer: str, neuron: int, top: int) -> pd.DataFrame:
    """Return where one neuron speaks for the class; see :meth:`Audit.class_images`."""
    span = span_of(audit, layer)
    row = audit.reader.row(layer, neuron) - span.start
    return _ranked(audit, layer, np.arange(span.stop - span.start) == row, top)


def _ranked(audit: Audit, layer: str, neurons: NDArray[np.bool_], top: int) -> pd.DataFrame:
    """Rank the class's images by the share of some neurons of a layer."""
    share = audit.shares.known[:, audit.shares.layers[layer]][:, neurons].sum(axis=1)
    order = np.lexsort((audit.images, -share))
    order = order[share[order] > 0][:top]
    found = images_listed(audit, audit.images[order], share=share[order])
    found.insert(0, "rank", np.arange(len(found)))
    return found


def chance_of(audit: Audit, layer: str) -> tuple[float, float]:
    """Return what chance reaches on either side; see :meth:`Audit.chance`."""
    span = span_of(audit, layer)
    valid, spurious = (
        # The same for all neurons of a layer but those that could not be scored.
        max(side.level[span][np.isfinite(side.level[span])], default=float("nan"))
        for side in (audit.aligned.valid, audit.aligned.spurious)
    )
    return float(valid), float(spurious)


def span_of(audit: Audit, layer: str) -> slice:
    """Return the neurons of a layer, or refuse a name that is none."""
    if layer not in audit.shares.layers:
        raise ValueError(f"layer={layer!r} is not one of {list(audit.shares.layers)}.")
    return audit.shares.layers[layer]


def check_concept(audit: Audit, concept: str) -> None:
    """Refuse what is none of the spurious concepts."""
    if concept not in audit.spurious:
        raise ValueError(
            f"concept={concept!r} is not one of the spurious concepts "
            f"{named(list(audit.spurious))}."
        )


def images_listed(audit: Audit, samples: NDArray[np.int64], **more: Any) -> pd.DataFrame:
    """Return one row per image: sample, what is given of it, class_name, uri."""
    rows = audit.reader.samples.iloc[samples]
    names = [audit.reader.classes[at] if at >= 0 else "" for at in rows["label"]]
    listed = {"sample": samples, **more, "class_name": names, "uri": rows["uri"].to_list()}
    return pd.DataFrame(listed)
