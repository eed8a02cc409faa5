"""The audit: on which neurons a class rests, which of them it should not, and what people say."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from semlens_widgets.errors import LensUnavailable
from semlens_widgets.labels.concepts import typed_concepts
from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import Doer, Handler, Reply, Told, asset
from semlens_widgets.widgets._messages.audits import (
    AuditLayer,
    AuditMade,
    AuditRow,
    AuditRows,
    AuditSaid,
    Carried,
    ClassImages,
    Concept,
    Decided,
    Decisions,
    VerdictShare,
)
from semlens_widgets.widgets._page.pool import first
from semlens_widgets.widgets._preview import GREY, PALETTE, scatter_png
from semlens_widgets.widgets._requests import close_matches
from semlens_widgets.widgets._selection import SelectingWidget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from semlens_widgets.widgets._lens import Audit, Lens
    from semlens_widgets.widgets._page.pool import Recorder

SORTINGS = ("share", "neuron", "verdict", "valid", "spurious")
#: As in js/src/audit/verdicts.tsx.
_COLORS = {
    "valid": PALETTE[2],
    "spurious": PALETTE[5],
    "both": PALETTE[3],
    "unexpected": PALETTE[1],
}
#: How many of the class's images are shown of a neuron.
_IMAGES = 12


class AuditView(SelectingWidget):
    """Look through an audit of a class, neuron by neuron, and decide.

    Without an audit it asks what to audit, and makes one in the kernel.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    audit : Audit, optional
        What :meth:`SemanticLens.audit` returned; also the attribute `audit`, which may be set at
        any time and is what was made last.
    selection : bytes
        The selected neurons: rows of ``lens.neurons``, uint32. A button selects the flagged;
        in an explorer they are the map's selection, and what an intervention changes.
    layer : str or None
        The layer shown; None is the one nearest the output.
    sort_by : {"share", "neuron", "verdict", "valid", "spurious"}
        The order of the table.
    """

    view_title = "Audit"
    view_traits = ("layer", "sort_by")

    _esm = asset("audit.js")
    _css = asset("audit.css")

    layer = traitlets.Unicode(None, allow_none=True, help="The layer shown.").tag(sync=True)
    sort_by = traitlets.Enum(SORTINGS, "share", help="The order of the table.").tag(sync=True)
    #: Which audit is shown; 0 is none. Answers say of which they are.
    _audits = traitlets.Int(0).tag(sync=True)
    _decided = traitlets.Int(0).tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(self, lens: Lens, audit: Audit | None = None, **options: Any) -> None:
        self._audit: Audit | None = None
        self._made = 0
        self._stop_deciding: Callable[[], None] = _nothing
        super().__init__(lens, **options)
        self.audit = audit

    @property
    def audit(self) -> Audit | None:
        """The audit shown; None before there is one."""
        return self._audit

    @audit.setter
    def audit(self, audit: Audit | None) -> None:
        self._stop_deciding()
        self._audit = audit
        if audit is None:
            self._stop_deciding = _nothing
            self._audits = 0
            return
        self._stop_deciding = _hear_decisions(self, audit)
        self._made += 1
        self._audits = self._made

    @traitlets.validate("layer")
    def _known_layer(self, proposal: dict[str, Any]) -> str | None:
        layer: str | None = proposal["value"] or None
        layers = [str(name) for name in self.lens.layers]
        if layer is not None and layer not in layers:
            raise traitlets.TraitError(
                f"layer: there is no layer {layer!r}.{close_matches(layer, layers)}"
            )
        return layer

    def refresh(self) -> None:
        """Ask the browser to fetch labels and decisions again."""
        self._revision += 1

    def close(self) -> None:
        """Take the widget from the page and the kernel."""
        # The end of an object that could not be made comes here too.
        getattr(self, "_stop_deciding", _nothing)()
        super().close()

    def _shown(self, params: Mapping[str, Any]) -> Audit:
        """Return the audit that a request is about, or refuse if it is no longer shown."""
        if self._audit is None or params.get("audit", self._audits) != self._audits:
            raise ValueError("This audit is no longer shown here: another one has been made since.")
        return self._audit

    def _classes(self, _params: Mapping[str, Any]) -> Reply:
        """Answer the names of the images' classes, to choose from."""
        return [_answers.text(name) for name in self.lens.classes], []

    def _make(self, params: Mapping[str, Any], tell: Told) -> Reply:
        """Audit a class on the concepts that a person typed."""
        target = " ".join(str(params.get("target") or "").split())
        if not target:
            raise ValueError("Which class? Give the name of one of the model's outputs.")
        sides = [typed_concepts(str(params.get(s) or ""), s) for s in ("valid", "spurious")]
        self.audit = self.lens.audit(target, *sides, progress=tell)
        return AuditMade(audit=self._audits), []

    def _said(self, params: Mapping[str, Any]) -> Reply:
        audit = self._shown(params)
        layers = [
            _layer_said(str(name), rows, audit.chance(str(name)))
            for name, rows in audit.summary.groupby("layer", sort=False)
        ]
        return AuditSaid(
            audit=self._audits,
            target=_answers.text(str(audit.target)),
            images=len(audit.images),
            neurons=len(self.lens.neurons),
            method=audit.method,
            scorer=str(audit.scored_by.get("scorer", "")),
            at=audit.last_layer,
            layers=layers,
            valid=_concepts(audit.valid),
            spurious=_concepts(audit.spurious),
            unchecked=[_answers.text(one) for one in audit.unchecked],
        ), []

    def _rows_of_layer(self, params: Mapping[str, Any]) -> Reply:
        audit, layer = self._shown(params), str(params.get("layer"))
        frame = audit.neurons
        frame = frame[frame["layer"] == layer]
        if frame.empty:
            raise KeyError(f"There is no layer {layer!r} in this audit.")
        frame = frame.sort_values("relevance_share", ascending=False, kind="stable")
        rows = [
            _row(int(at), row)
            for at, row in zip(frame.index, frame.to_dict("records"), strict=True)
        ]
        return AuditRows(audit=self._audits, layer=layer, rows=rows), []

    def _decisions(self, params: Mapping[str, Any]) -> Reply:
        frame = self._shown(params).neurons
        decided = [_decision(row) for row in frame[frame["decision"] != ""].to_dict("records")]
        return Decisions(audit=self._audits, decisions=decided), []

    def _decide(self, params: Mapping[str, Any], _tell: Told) -> Reply:
        """Keep a decision, and answer what is kept."""
        audit, (layer, neuron) = self._shown(params), _answers.neuron_of(params)
        note = " ".join(str(params.get("note") or "").split())
        audit.decide(layer, neuron, str(params.get("decision")), note)
        frame = audit.neurons
        kept = frame[(frame["layer"] == layer) & (frame["neuron"] == neuron)]
        return _decision(kept.to_dict("records")[0]), []

    def _class_images(self, params: Mapping[str, Any]) -> Reply:
        layer, neuron = _answers.neuron_of(params)
        found = self._shown({}).class_images(layer, neuron, _IMAGES)
        images = [
            Carried(
                sample=int(row["sample"]),
                share=float(row["share"]),
                class_name=_answers.text(row["class_name"]),
                uri=_answers.text(row["uri"]),
            )
            for row in found.to_dict("records")
        ]
        return ClassImages(audit=self._audits, layer=layer, neuron=neuron, images=images), []

    def _thumbnails(self, params: Mapping[str, Any]) -> Reply:
        """Answer small pictures, also of images that are no examples."""

        def jpeg(sample: int) -> bytes:
            found = self._shown({}).picture(sample)
            if found is None:
                raise LensUnavailable("The image is not at hand.")
            return found

        return _answers.pictures(jpeg, params)

    _requests: ClassVar[Mapping[str, Handler]] = {
        "classes": _classes,
        "audit": _said,
        "audit_rows": _rows_of_layer,
        "decisions": _decisions,
        "class_images": _class_images,
        "neuron": _answers.examples_of,
        "thumbnails": _thumbnails,
        "heatmaps": _answers.heatmaps,
    }
    _actions: ClassVar[Mapping[str, Doer]] = {"make_audit": _make, "decide": _decide}

    def _record(self, page: Recorder) -> None:
        if self._audit is None:
            return
        of = {"audit": self._audits}
        said = page.ask(self, "audit", of)
        page.ask(self, "decisions", of)
        for layer in said["layers"]:
            page.ask(self, "audit_rows", {**of, "layer": layer["name"]})
        for neuron in page.each(self):
            shown = page.ask(self, "neuron", neuron, first("examples", page.examples))
            found = page.ask(self, "class_images", neuron, first("images", page.examples))
            samples = [one["sample"] for one in (*shown["examples"], *found["images"])]
            page.pictures(self, samples)
            page.heatmaps(self, neuron, samples)

    def _summary(self) -> str:
        about = "no audit" if self._audit is None else repr(self._audit.target)
        return f"{about}, {super()._summary()}"

    def _preview(self) -> bytes | None:
        if self._audit is None:
            return None
        frame = self._audit.neurons
        frame = frame[frame["layer"] == (self.layer or self._audit.last_layer)]
        frame = frame.sort_values("relevance_share")  # the heaviest on top
        x, y = (_spread(frame[side]) for side in ("valid", "spurious"))
        return scatter_png(x, y, [_COLORS.get(one, GREY) for one in frame["verdict"]])


def _nothing() -> None:
    """Stand where there is nothing to end."""


def _hear_decisions(view: AuditView, audit: Audit) -> Callable[[], None]:
    """Tell the view when something is decided, without keeping it alive."""
    reference = weakref.ref(view)

    def tell() -> None:
        if (living := reference()) is not None:
            living._decided += 1  # noqa: SLF001 -- of this module

    return audit.on_decision(tell)


def _concepts(side: Mapping[str, tuple[str, ...]]) -> list[Concept]:
    return [Concept(name=name, phrases=list(phrases)) for name, phrases in side.items()]


def _layer_said(name: str, rows: pd.DataFrame, chance: tuple[float, float]) -> AuditLayer:
    verdicts = [
        VerdictShare(
            verdict=str(row["verdict"]),
            share=float(row["share"]),
            low=_answers.number(row["low"]),
            high=_answers.number(row["high"]),
            neurons=int(row["neurons"]),
        )
        for row in rows.to_dict("records")
    ]
    valid, spurious = map(_answers.number, chance)
    return AuditLayer(name=name, verdicts=verdicts, valid=valid, spurious=spurious)


def _row(at: int, row: Mapping[Any, Any]) -> AuditRow:
    return AuditRow(
        row=at,
        neuron=int(row["neuron"]),
        label=_answers.text(row["label"]),
        verdict=str(row["verdict"]),
        share=float(row["relevance_share"]),
        low=_answers.number(row["share_low"]),
        high=_answers.number(row["share_high"]),
        valid=_answers.number(row["valid"]),
        spurious=_answers.number(row["spurious"]),
        valid_concept=_answers.text(row["valid_concept"]),
        spurious_concept=_answers.text(row["spurious_concept"]),
        valid_phrase=_answers.text(row["valid_phrase"]),
        spurious_phrase=_answers.text(row["spurious_phrase"]),
        valid_null=_answers.number(row["valid_null"]),
        spurious_null=_answers.number(row["spurious_null"]),
        reliance=_answers.number(row["reliance"]),
    )


def _decision(row: Mapping[Any, Any]) -> Decided:
    return Decided(
        layer=str(row["layer"]),
        neuron=int(row["neuron"]),
        decision=str(row["decision"]),
        note=_answers.text(row["note"]),
        decided=str(row["decided"]),
    )


def _spread(values: pd.Series) -> NDArray[np.float32]:
    """Return values within [-0.9, 0.9], for the still picture."""
    given = values.to_numpy(np.float32)
    known = given[np.isfinite(given)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    spread: NDArray[np.float32] = (given - np.float32((low + high) / 2)) * np.float32(
        1.8 / (high - low or 1)
    )
    return spread
