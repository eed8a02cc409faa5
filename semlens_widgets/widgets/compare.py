"""Two analyses side by side: a joint map, matched neurons, what only one of them knows."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
import pandas as pd
import traitlets

from semlens_widgets.widgets import _answers, _columns
from semlens_widgets.widgets._answers import number, text
from semlens_widgets.widgets._base import Handler, LensWidget, Reply, asset
from semlens_widgets.widgets._messages.comparisons import (
    Alike,
    Compared,
    Interval,
    KnownLabel,
    Matches,
    MeasuredTwice,
    OnlyLabels,
    Side,
)
from semlens_widgets.widgets._page.pool import first
from semlens_widgets.widgets._preview import PALETTE, scatter_png
from semlens_widgets.widgets._requests import close_matches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.widgets import _lens
    from semlens_widgets.widgets._page.pool import Recorder

#: Labels of either side that are sent.
MOST_LABELS = 100
#: Points on the still picture.
PREVIEW_POINTS = 5_000


def _alike(found: _lens.Alike) -> Alike:
    return Alike(
        mean=number(found.similarity),
        low=number(found.low),
        high=number(found.high),
        neurons=found.neurons,
        without=found.without,
    )


class CompareView(LensWidget):
    """Show two analyses side by side: a layer of each, its neurons matched by meaning.

    Click a point or a row to see the images of a neuron beside those of its match. The neurons of
    all analyses lie in one layout; of an analysis ``name`` the layer ``conv1`` is called
    ``name/conv1`` where neurons are named.

    Parameters
    ----------
    comparison : Comparison
        What :func:`semlens_widgets.compare` returns.
    a, b : str
        The analyses to look at, by name; the first two by default.
    layer_a, layer_b : str
        A layer of each; the last by default.
    mode : {"overlay", "split"}
        Both in one map, or one beside the other.
    matching : {"nearest", "assigned"}
        Each neuron with the one most alike, which several may share, or one to one.
    show : {"matches", "only_a", "only_b", "changes"}
        What is listed: neurons with their matches; those of one ranked by how little the other
        knows of them; or, if one is the other after a change, what that has changed.
    active : (layer, index) or None
        The neuron looked at, such as ``("a/layer4", 17)``.
    """

    _esm = asset("compare.js")
    _css = asset("compare.css")

    a = traitlets.Unicode(help="The first analysis.").tag(sync=True)
    b = traitlets.Unicode(help="The second analysis.").tag(sync=True)
    layer_a = traitlets.Unicode(help="A layer of the first.").tag(sync=True)
    layer_b = traitlets.Unicode(help="A layer of the second.").tag(sync=True)
    mode = traitlets.Enum(("overlay", "split"), "overlay", help="One map, or two.").tag(sync=True)
    matching = traitlets.Enum(("nearest", "assigned"), "nearest").tag(sync=True)
    show = traitlets.Enum(("matches", "only_a", "only_b", "changes"), "matches").tag(sync=True)

    _analyses = traitlets.List(traitlets.Dict()).tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(self, comparison: _lens.Compared, **options: Any) -> None:
        self.comparison = comparison
        # Laid out here, where a cell shows that it takes its time, not under a waiting browser.
        self._places: pd.DataFrame = comparison.joint.neurons[["layer", "x", "y"]]
        super().__init__(comparison.joint, **options)
        self._analyses = [
            {"name": name, "layers": [str(layer) for layer in lens.layers]}
            for name, lens in comparison.lenses.items()
        ]

    def refresh(self) -> None:
        """Ask the browser to fetch labels and measures again."""
        self._revision += 1

    # -- which analyses and layers ---------------------------------------------------------------

    @traitlets.default("a")
    def _first(self) -> str:
        return next(iter(self.comparison.lenses))

    @traitlets.default("b")
    def _second(self) -> str:
        return next(name for name in self.comparison.lenses if name != self.a)

    @traitlets.default("layer_a")
    def _last_of_a(self) -> str:
        return self._layers(self.a)[-1]

    @traitlets.default("layer_b")
    def _last_of_b(self) -> str:
        return self._layers(self.b)[-1]

    def _layers(self, name: str) -> list[str]:
        return [str(layer) for layer in self.comparison.lenses[name].layers]

    @traitlets.validate("a", "b")
    def _known_analysis(self, proposal: dict[str, Any]) -> str:
        trait = proposal["trait"].name
        try:
            name = self._known(proposal["value"], trait)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        if name == (self.b if trait == "a" else self.a):
            raise traitlets.TraitError(f"a and b are both {name!r}; choose two analyses.")
        return name

    @traitlets.validate("layer_a", "layer_b")
    def _known_layer(self, proposal: dict[str, Any]) -> str:
        layer, trait = proposal["value"], proposal["trait"].name
        name = self.a if trait == "layer_a" else self.b
        known = self._layers(name)
        if layer not in known:
            raise traitlets.TraitError(
                f"{trait}: {name!r} has no layer {layer!r}.{close_matches(layer, known)}"
            )
        return str(layer)

    @traitlets.observe("a", "b")
    def _stay_at_its_layer(self, change: dict[str, Any]) -> None:
        trait = f"layer_{change['name']}"
        known = self._layers(change["new"])
        if getattr(self, trait) not in known:
            setattr(self, trait, known[-1])

    @traitlets.observe("a", "b", "layer_a", "layer_b")
    def _leave_neuron(self, _change: dict[str, Any]) -> None:
        if self.active is not None and self.active[0] not in self._shown:
            self.active = None

    @traitlets.observe("active")
    def _go_to_neuron(self, change: dict[str, Any]) -> None:
        if change["new"] is None or change["new"][0] in self._shown:
            return
        name, layer = self._owner(change["new"][0])
        with self.hold_trait_notifications():
            if name == self.b:
                self.layer_b = layer
            else:
                self.a, self.layer_a = name, layer

    @property
    def _shown(self) -> tuple[str, str]:
        """The two layers as the joint lens calls them."""
        return f"{self.a}/{self.layer_a}", f"{self.b}/{self.layer_b}"

    def _owner(self, joint_layer: str) -> tuple[str, str]:
        return next(
            (name, layer)
            for name in self.comparison.lenses
            for layer in self._layers(name)
            if f"{name}/{layer}" == joint_layer
        )

    # -- what the browser asks -------------------------------------------------------------------

    def _known(self, name: object, argument: str) -> str:
        """Return the name of an analysis if there is one."""
        known = list(self.comparison.lenses)
        if name not in known:
            raise ValueError(
                f"{argument}: there is no analysis {name!r}.{close_matches(name, known)}"
            )
        return str(name)

    def _layers_of(self, params: Mapping[str, Any]) -> tuple[str, str, str, str]:
        """Return what a request compares: a, its layer, b, its layer."""
        a, b = (self._known(params.get(name), name) for name in ("a", "b"))
        return a, str(params.get("layer_a")), b, str(params.get("layer_b"))

    def _request_compared(self, params: Mapping[str, Any]) -> Reply:
        a, layer_a, b, layer_b = self._layers_of(params)
        comparison = self.comparison
        forth = comparison.alike(a, b, layer=layer_a, to_layer=layer_b)
        back = comparison.alike(b, a, layer=layer_b, to_layer=layer_a)
        found = Compared(
            forth=_alike(forth),
            back=_alike(back),
            side_a=self._side(a, layer_a),
            side_b=self._side(b, layer_b),
            measures=self._measures(a, layer_a, b, layer_b),
            change=layer_a == layer_b and comparison.is_change(a, b),
        )
        return found, [
            axis.tobytes()
            for places in self._laid_out(f"{a}/{layer_a}", f"{b}/{layer_b}")
            for axis in places
        ]

    def _side(self, name: str, layer: str) -> Side:
        lens = self.comparison.lenses[name]
        table = lens.neurons
        return Side(
            labels=[text(label) for label in table["label"][table["layer"] == layer]],
            originals=lens.images is not None,
            crops=lens.embedding == "crop",
        )

    def _measures(self, a: str, layer_a: str, b: str, layer_b: str) -> list[MeasuredTwice]:
        table = self.comparison.measures
        of_a, of_b = (
            table[(table["analysis"] == name) & (table["layer"] == layer)].set_index("measure")
            for name, layer in ((a, layer_a), (b, layer_b))
        )
        return [
            MeasuredTwice(
                title=_columns.title(str(measure)),
                a=_interval(of_a.loc[measure]),
                b=_interval(of_b.loc[measure]),
            )
            for measure in of_a.index
        ]

    def _laid_out(self, *layers: str) -> list[tuple[_columns.Floats, _columns.Floats]]:
        """Return x and y of the neurons of each layer, all within [-1, 1]."""
        tables = [self._places[self._places["layer"] == layer] for layer in layers]
        x, y = _columns.layout_columns(pd.concat(tables))
        ends = np.cumsum([len(table) for table in tables])[:-1]
        return list(zip(np.split(x, ends), np.split(y, ends), strict=True))

    def _request_matches(self, params: Mapping[str, Any]) -> Reply:
        a, layer_a, b, layer_b = self._layers_of(params)
        how = params.get("how")
        if how == "same":
            return self._same(a, layer_a, b), []
        found = self.comparison.matches(
            a,
            b,
            layer=layer_a,
            to_layer=layer_b,
            how=cast("Literal['assigned', 'nearest']", how),
        )
        similarity = [number(value) for value in found["similarity"]]
        match = found["match"].tolist()
        return Matches(match=match, similarity=similarity, kept=[], changed=[]), []

    def _same(self, a: str, layer: str, b: str) -> Matches:
        found = self.comparison.changes(a, b)
        found = found[found["layer"] == layer]
        return Matches(
            match=found["neuron"].tolist(),
            similarity=[number(value) for value in found["similarity"]],
            kept=found["kept"].tolist(),
            changed=found["changed"].tolist(),
        )

    def _request_only_labels(self, params: Mapping[str, Any]) -> Reply:
        a, b = (self._known(params.get(name), name) for name in ("a", "b"))
        table = self.comparison.labels.set_index("label")
        has_a, has_b = table[a] > 0, table[b] > 0
        only_a, only_b = table[has_a & ~has_b], table[has_b & ~has_a]
        return OnlyLabels(
            a=self._known_labels(a, only_a),
            b=self._known_labels(b, only_b),
            total_a=len(only_a),
            total_b=len(only_b),
            shared=int((has_a & has_b).sum()),
        ), []

    def _known_labels(self, name: str, labels: pd.DataFrame) -> list[KnownLabel]:
        ranked = labels.sort_values(f"{name} score", ascending=False, kind="stable")
        neurons = self.comparison.lenses[name].neurons
        neurons = neurons.sort_values("score", ascending=False, kind="stable")
        best = neurons.drop_duplicates("label").set_index("label")
        rows = best.loc[ranked.index[:MOST_LABELS]].assign(count=ranked[name])
        return [
            KnownLabel(
                layer=f"{name}/{row['layer']}",
                neuron=int(row["neuron"]),
                label=text(label),
                score=number(row["score"]),
                neurons=int(row["count"]),
            )
            for label, row in rows.iterrows()
        ]

    _requests: ClassVar[Mapping[str, Handler]] = {
        "compared": _request_compared,
        "matches": _request_matches,
        "only_labels": _request_only_labels,
        "neuron": _answers.examples_of,
        "original": _answers.original,
        "thumbnails": _answers.thumbnails,
        "heatmaps": _answers.heatmaps,
    }

    def _record(self, page: Recorder) -> None:
        for a, b in itertools.permutations(self.comparison.lenses, 2):
            page.ask(self, "only_labels", {"a": a, "b": b})
            for layer_a, layer_b in itertools.product(self._layers(a), self._layers(b)):
                layers = {"a": a, "layer_a": layer_a, "b": b, "layer_b": layer_b}
                compared = page.ask(self, "compared", layers)
                for how in ("nearest", "assigned", *(["same"] if compared["change"] else [])):
                    page.ask(self, "matches", {**layers, "how": how})
        for of in page.each(self):
            shown = page.ask(self, "neuron", of, first("examples", page.examples))
            samples = [example["sample"] for example in shown["examples"]]
            page.pictures(self, samples)
            page.heatmaps(self, of, samples)

    def _summary(self) -> str:
        return " and ".join(self._shown)

    def _preview(self) -> bytes | None:
        places = self._laid_out(*self._shown)
        x, y = (np.concatenate(axes) for axes in zip(*places, strict=True))
        colors = np.repeat(PALETTE[:2], [len(side[0]) for side in places])
        shown = np.random.default_rng(0).permutation(len(x))[:PREVIEW_POINTS]
        return scatter_png(x[shown], y[shown], colors[shown].tolist())


def _interval(row: pd.Series) -> Interval:
    return Interval(mean=number(row["mean"]), low=number(row["low"]), high=number(row["high"]))
