"""How a panel gives all neurons labels, and from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from semlens_widgets.labels.assign import UNKNOWN
from semlens_widgets.labels.candidates.sources import SOURCES, source_of
from semlens_widgets.labels.candidates.vision_language import VisionLanguageSource
from semlens_widgets.widgets._candidates import known_labels, listed
from semlens_widgets.widgets._messages.labels import LabelledAll, Preview
from semlens_widgets.widgets._requests import close_matches
from semlens_widgets.widgets._scoring import scored_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from semlens_widgets.labels.candidates.source import CandidateSource
    from semlens_widgets.widgets._base import Reply, Told
    from semlens_widgets.widgets.contrast import ContrastPanel

_TITLES = {
    "everyday": "everyday words",
    "wide": "a wide vocabulary",
    "classes": "class names",
    "captions": "captions",
}


def checked_sources(
    given: Mapping[str, CandidateSource | Sequence[str]],
) -> dict[str, CandidateSource]:
    """Return the candidate sources that a person gives a panel, by the names it shows.

    Raises
    ------
    ValueError
        If a name is blank, or taken.
    TypeError
        If something is neither a source nor a list of labels.
    """
    sources = {}
    for name, source in given.items():
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"sources: {name!r} is no name to choose one by.")
        if name in SOURCES:
            raise ValueError(f"sources: {name!r} is a source of its own; give another name.")
        if isinstance(source, str):
            raise TypeError(f"sources: {name!r} must be a source or a list: [{source!r}].")
        sources[name] = source_of(source)
    return sources


def described_sources(given: Mapping[str, CandidateSource]) -> list[dict[str, str]]:
    """Return what a panel offers to choose from (JSON); ``asks`` names the model that is asked."""
    ready = [{"name": name, "title": _TITLES.get(name, name), "asks": ""} for name in SOURCES]
    return ready + [
        {
            "name": name,
            "title": name,
            "asks": source.model_name if isinstance(source, VisionLanguageSource) else "",
        }
        for name, source in given.items()
    ]


def _source(panel: ContrastPanel, name: str) -> CandidateSource:
    if name in panel.sources:
        return panel.sources[name]
    if name not in SOURCES:
        known = [*SOURCES, *panel.sources]
        raise ValueError(f"source: there is no {name!r} (any more).{close_matches(name, known)}")
    return source_of(name)


def preview(panel: ContrastPanel, params: Mapping[str, Any], tell: Told) -> Reply:
    """Answer what asking a model would take; nothing is asked."""
    source = _source(panel, str(params.get("source")))
    if not isinstance(source, VisionLanguageSource):
        raise ValueError(f"source: {source.name!r} asks no model.")
    tell(0, 1)
    found = source.preview(panel.lens)
    return Preview(calls=found.calls, said=str(found)), []


def label_all(panel: ContrastPanel, params: Mapping[str, Any], tell: Told) -> Reply:
    """Give every neuron the best label of a source, of the candidates named, or of those known."""
    name = str(params.get("source") or "")
    source = _source(panel, name) if name else listed(params) or known_labels(panel.lens)
    if not source:
        raise ValueError(
            "The lens knows no labels yet. Add some to the list to choose from, or choose another "
            "source of labels."
        )
    asked = scored_by(params)
    if params.get("back_off"):
        asked["back_off"] = True
    if not panel.labelling.acquire(blocking=False):
        raise ValueError("All neurons are being labelled already, from here or another page.")
    try:
        labels = panel.lens.label(source, **asked, progress=tell)
    finally:
        panel.labelling.release()
    labelled = int((labels["label"] != UNKNOWN).sum())
    return LabelledAll(labelled=labelled, said=_said(source)), []


def _said(source: object) -> str:
    """Say for how many neurons a model named nothing, and why not for the first."""
    if not isinstance(source, VisionLanguageSource):
        return ""
    report = source.report
    without = report[report["candidates"].map(len) == 0]
    if without.empty:
        return ""
    first = without.iloc[0]
    why = first["error"] or (first["rejected"][0] if first["rejected"] else "an empty answer")
    return (
        f"For {len(without)} of {len(report)} neurons {source.model_name} named nothing; "
        f"{first['layer']} / {first['neuron']}: {why}."
    )
