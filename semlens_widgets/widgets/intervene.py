"""The intervention: neurons are changed, and what the model then says stands beside chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
import traitlets

from semlens_widgets.lens.intervene import How
from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import Doer, Handler, LensWidget, Reply, Told, asset
from semlens_widgets.widgets._columns import readable
from semlens_widgets.widgets._messages.interventions import ChangedAnswer, EffectFigure, EffectsSaid
from semlens_widgets.widgets._selection import SelectingWidget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from semlens_widgets.widgets._lens import Effects
    from semlens_widgets.widgets._page.pool import Recorder

#: So many images are looked at while a person tries things; all of them when asked to.
LIVE = 1000
#: Images whose answers are shown.
ANSWERS = 12
#: More neurons than these are not sent one by one.
MOST_NEURONS = 5000
_WITH_AMOUNT = ("scale", "clamp")


def _live(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    return _effects(widget, params, most=LIVE), []


def _of_all(widget: LensWidget, params: Mapping[str, Any], tell: Told) -> Reply:
    return _effects(widget, params, progress=tell), []


def _effects(widget: LensWidget, params: Mapping[str, Any], **options: Any) -> EffectsSaid:
    rows = [int(row) for row in params.get("rows") or ()]
    table = widget.lens.neurons
    if not 0 < len(rows) <= MOST_NEURONS or not 0 <= min(rows) <= max(rows) < len(table):
        raise ValueError(f"Choose 1 to {MOST_NEURONS:,} of the {len(table):,} neurons.")
    how, amount, of = str(params.get("how")), params.get("amount"), str(params.get("of") or "")
    change = widget.lens.intervene(
        table.iloc[rows][["layer", "neuron"]], how, amount=amount if how in _WITH_AMOUNT else None
    )
    effects = change.effects(**options)
    output = effects.names.index(of) if of in effects.names else effects.most_moved
    names = [readable(name) for name in effects.names]
    answers = effects.answers(output, ANSWERS)
    return EffectsSaid(
        rows=rows,
        how=how,
        amount=float(amount or 0),
        of=names[output],
        images=len(effects.truth),
        total=effects.total,
        draws=len(effects.logits) - 2,
        changed=effects.changed,
        classes=[readable(name) for name in effects.classes["class"]],
        figures=_figures(effects, output, names[output]),
        answers=[
            ChangedAnswer(
                sample=int(row["sample"]),
                class_name=names[row["truth"]],
                before=names[row["before"]],
                after=names[row["after"]],
                logit_before=float(row["logit_before"]),
                logit_after=float(row["logit_after"]),
            )
            for row in answers.to_dict("records")
        ],
    )


def _figures(effects: Effects, output: int, name: str) -> list[EffectFigure]:
    accuracy = effects.accuracy.set_index("group")
    classes = effects.classes.set_index("class")
    found = [
        _figure("Accuracy", True, accuracy.loc["all"]),
        _figure("Accuracy of the worst class", True, accuracy.loc["worst"]),
    ]
    if effects.names[output] in classes.index:
        row: Any = classes.loc[effects.names[output]]
        own = int(row["images"])
        for words, kind, up, images in (
            (f"“{name}” found", "recall", True, own),
            (f"Others taken for “{name}”", "false", False, len(effects.truth) - own),
        ):
            if not images:
                continue
            figures = {one: row[f"{kind}_{one}"] for one in _PARTS}
            found.append(_figure(words, up, {"images": images, **figures}))
    return found


_PARTS = ("before", "after", "control", "low", "high")


def _figure(name: str, up: bool, row: Any) -> EffectFigure:
    before, after, control, low, high = (_answers.number(row[one]) for one in _PARTS)
    return EffectFigure(
        name=name,
        up=up,
        images=int(row["images"]),
        before=before,
        after=after,
        control=control,
        low=low,
        high=high,
    )


class InterveneView(SelectingWidget):
    """Change neurons and see what the model says then, beside random neurons changed alike.

    Parameters
    ----------
    lens : SemanticLens
        The analysis, with its model and images at hand.
    selection : bytes
        The neurons that are changed: rows of ``lens.neurons``, uint32. In an explorer it is the
        selection of the map.
    how : {"zero", "mean", "scale", "clamp", "project"}
        What is done to them, see :meth:`SemanticLens.intervene`.
    amount : float
        The factor of "scale", the quantile of "clamp".
    of : str
        The class whose figures are shown; empty: the one that moves most.
    """

    view_title = "Intervene"
    view_traits = ("how", "amount", "of")

    _esm = asset("intervene.js")
    _css = asset("intervene.css")
    _requests: ClassVar[Mapping[str, Handler]] = {
        "effects": _live,
        "thumbnails": _answers.any_thumbnails,
    }
    _actions: ClassVar[Mapping[str, Doer]] = {"effects_of_all": _of_all}

    how = traitlets.Enum(get_args(How), "zero", help="What is done to the neurons.").tag(sync=True)
    amount = traitlets.Float(0.5, min=0.0, max=1.0, help="A factor, or a quantile.").tag(sync=True)
    of = traitlets.Unicode("", help="The class looked at; empty: the one that moves most.").tag(
        sync=True
    )
    #: What every neuron is called, to name those that are changed: layer and number.
    _spans = traitlets.List(traitlets.List()).tag(sync=True)

    def __init__(self, lens: Any, **options: Any) -> None:
        super().__init__(lens, **options)
        self._spans = _spans(lens.neurons["layer"].astype(str).tolist())

    def _record(self, page: Recorder) -> None:
        """Keep what the change shown does, if the model is at hand."""
        rows = np.frombuffer(self.selection, dtype=np.uint32).tolist()
        if not 0 < len(rows) <= MOST_NEURONS:
            return
        amount = self.amount if self.how in _WITH_AMOUNT else 0
        asked = {"rows": rows, "how": self.how, "amount": amount, "of": self.of}
        said = page.ask_if_possible(self, "effects", asked)
        if said is not None:
            page.pictures(self, [answer["sample"] for answer in said["answers"]])

    def _summary(self) -> str:
        return f"{self.how}, {len(self.selected)} neurons"


def _spans(layers: Sequence[str]) -> list[list[Any]]:
    """Return the layers in order, each with the number of its neurons."""
    names, counts = np.unique(np.asarray(layers, dtype=object), return_counts=True)
    sizes = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return [[readable(name), sizes[name]] for name in dict.fromkeys(layers)]
