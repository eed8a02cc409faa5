"""What a trace found: nodes, edges, and what becomes of the target without a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pandas as pd

from semlens_widgets.analysis.trace import agreement
from semlens_widgets.inputs.corrections import Correction
from semlens_widgets.pipeline.answers import images_variant_units, images_variants
from semlens_widgets.pipeline.engine.device import plainly

if TYPE_CHECKING:
    from collections.abc import Callable

    from networkx import DiGraph
    from numpy.typing import NDArray

    from semlens_widgets.analysis.audit import Measured
    from semlens_widgets.analysis.trace import Level
    from semlens_widgets.attribution.trace import Goal
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.widgets import TraceView
    from semlens_widgets.widgets import options as of

_FORMAT = 1
REST = -1  # the neuron of a layer's error node


class Trace:
    """Which neurons make a class or a neuron respond; made by :meth:`SemanticLens.trace`.

    Attributes
    ----------
    target : str, int or tuple
        What is traced.
    goal : Goal
        The same as the layer, ``""`` for an output, and the number.
    images : numpy.ndarray
        Numbers of the images looked at; relevance is their mean.
    method : str
        How relevance was propagated, with what in it is not exact.
    keep, top : float, int
        What was kept of each layer.
    levels : dict of Level
        By layer, the one nearest to the target first, all that is known of it.
    verified : pandas.DataFrame or None
        What :meth:`verify` last found.
    agreement : Measured or None
        Spearman's correlation of relevance and what :meth:`verify` found, over the neurons of all
        layers that it looked at, kept ones and controls, with its 95 % bootstrap interval.
    agreement_of_nodes : Measured or None
        The same of the kept neurons alone. They are the most relevant of their layers, so that
        their order says less.
    """

    def __init__(
        self,
        lens: SemanticLens,
        reader: AnalysisReader,
        labels: KeptLabels,
        need_plan: Callable[[str], Plan],
        *,
        target: str | int | tuple[str, int],
        goal: Goal,
        images: NDArray[np.int64],
        levels: dict[str, Level],
        method: str,
        kept: tuple[float, int],
    ) -> None:
        self._lens = lens
        self._reader = reader
        self._labels = labels
        self._need_plan = need_plan
        self.target = target
        self.goal = goal
        self.images = images
        self.levels = levels
        self.method = method
        self.keep, self.top = kept
        self.verified: pd.DataFrame | None = None
        self.agreement: Measured | None = None
        self.agreement_of_nodes: Measured | None = None

    def __repr__(self) -> str:
        count = sum(len(level.kept) for level in self.levels.values())
        return f"Trace({self.target!r}, {count} neurons, {len(self.images)} images)"

    @property
    def nodes(self) -> pd.DataFrame:
        """What is traced, the neurons that were kept, and an error node for the rest of each layer.

        Columns: kind ("target", "neuron", "error"); layer ("" of an output), neuron (-1 of an error
        node), label; relevance, all that reaches the node from the target, in units of the target;
        traced, what of it passes through kept neurons of the layer above; share, of the layer's
        absolute relevance. The shares of a layer sum to 1, see
        :attr:`semlens_widgets.analysis.trace.Level.shares`; the relevance of an error node is what
        the layer gets besides what is traced to kept neurons.
        """
        labels = self._labels.neurons["label"].to_numpy(object)
        first = next(iter(self.levels.values())).relevance.sum()
        rows: list[tuple[Any, ...]] = [
            ("target", *self.goal, self._target_label(labels), first, first, 1.0)
        ]
        for layer, level in self.levels.items():
            traced, shares = level.traced, level.shares
            start, _ = self._reader.spans[layer]
            for neuron, share in zip(level.kept.tolist(), shares, strict=False):
                figures = level.relevance[neuron], traced[neuron], share
                rows.append(("neuron", layer, neuron, labels[start + neuron], *figures))
            rest = level.relevance.sum() - traced[level.kept].sum()
            rows.append(("error", layer, REST, "", rest, 0.0, shares[-1]))
        columns = ["kind", "layer", "neuron", "label", "relevance", "traced", "share"]
        return pd.DataFrame(rows, columns=columns)

    def _target_label(self, labels: NDArray[Any]) -> str:
        if not self.goal.layer:
            return str(self.target)
        return str(labels[self._reader.row(*self.goal)] or "")

    @property
    def edges(self) -> pd.DataFrame:
        """What each node gets through each node of the layer above it.

        Columns: upper_layer, upper, lower_layer, lower (-1 are error nodes), relevance: R(lower |
        upper, target), the mean over the images. The edges into a neuron sum to its relevance.
        """
        rows = []
        above, uppers = self.goal.layer, [self.goal.number]
        for layer, level in self.levels.items():
            lowers = [*level.kept.tolist(), REST]
            for upper, values in zip([*uppers, REST], level.edges, strict=True):
                rows += [
                    (above, upper, layer, lower, value)
                    for lower, value in zip(lowers, values.tolist(), strict=True)
                    if value
                ]
            above, uppers = layer, level.kept.tolist()
        columns = ["upper_layer", "upper", "lower_layer", "lower", "relevance"]
        return pd.DataFrame(rows, columns=columns)

    def below(self, layer: str, neuron: int, top: int = 10) -> pd.DataFrame:
        """Return what a node gets most from, of the layer below it, kept or not.

        Parameters
        ----------
        layer, neuron
            A kept neuron, or what is traced.
        top
            How many.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, relevance (through this node alone), kept; the largest first.
            Empty for the lowest layer.

        Raises
        ------
        ValueError
            If the node is not in the trace.
        """
        names = [self.goal.layer, *self.levels]
        kept = [[self.goal.number], *(level.kept.tolist() for level in self.levels.values())]
        if layer not in names or neuron not in kept[names.index(layer)]:
            raise ValueError(f"{(layer, neuron)!r} is not a node of this trace.")
        at = names.index(layer)
        columns = ["layer", "neuron", "label", "relevance", "kept"]
        if at == len(self.levels):
            return pd.DataFrame(columns=columns)
        lower, level = list(self.levels.items())[at]
        values = level.conditional[kept[at].index(neuron)]
        order = np.argsort(-values, kind="stable")[:top]
        start, stop = self._reader.spans[lower]
        labels = self._labels.neurons["label"].to_numpy(object)[start:stop]
        found = (lower, order, labels[order], values[order], np.isin(order, level.kept))
        return pd.DataFrame(dict(zip(columns, found, strict=True)))

    def graph(self) -> DiGraph:
        """Return the trace as a graph, its edges from lower to upper nodes, as the model computes.

        Nodes are ``(layer, neuron)`` with the columns of :attr:`nodes`; edges have ``relevance``.
        """
        from networkx import DiGraph

        graph = DiGraph(target=str(self.target), method=self.method)
        graph.add_nodes_from(
            ((row["layer"], row["neuron"]), row) for row in self.nodes.to_dict("records")
        )
        graph.add_edges_from(
            ((lower_layer, lower), (upper_layer, upper), {"relevance": relevance})
            for upper_layer, upper, lower_layer, lower, relevance in self.edges.itertuples(
                index=False
            )
        )
        return graph

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the trace as JSON, without paths, and write it to a file if one is named."""
        content = {
            "format": _FORMAT,
            "target": self.target,
            "method": self.method,
            "images": self.images.tolist(),
            "keep": self.keep,
            "top": self.top,
            "nodes": self.nodes.to_dict("records"),
            "edges": self.edges.to_dict("records"),
            "verified": None if self.verified is None else self.verified.to_dict("records"),
            "agreement": None if self.agreement is None else vars(self.agreement),
            "agreement_of_nodes": None
            if self.agreement_of_nodes is None
            else vars(self.agreement_of_nodes),
        }
        text = json.dumps(content, indent=1, ensure_ascii=False)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    @plainly()
    def verify(
        self, *, seed: int = 0, progress: Callable[[int, int], None] | None = None
    ) -> pd.DataFrame:
        """Set each node to 0 in the model, and see what the target loses beside its relevance.

        Parameters
        ----------
        seed
            Draws the controls: of each layer as many neurons as were kept, of those that were not.
        progress
            Called with how many layers of how many are done.

        Returns
        -------
        pandas.DataFrame
            kind ("node", "control"), layer, neuron, label, relevance, drop: by how much the target,
            a logit or the neuron's pooled activation, is lower on average over the images when this
            neuron alone is 0. How well relevance and drop agree in their order, :attr:`agreement`
            says.

        Raises
        ------
        LensUnavailable
            If the model is not at hand.
        """
        plan = self._need_plan("Verified traces")
        labels = self._labels.neurons["label"].to_numpy(object)
        generator = np.random.default_rng(seed)
        rows: list[tuple[Any, ...]] = []
        for done, (layer, level) in enumerate(self.levels.items()):
            others = np.setdiff1d(np.arange(len(level.relevance)), level.kept)
            count = min(len(level.kept), len(others))
            controls = np.sort(generator.choice(others, count, replace=False))
            neurons = np.concatenate([level.kept, controls]).tolist()
            kinds = ["node"] * len(level.kept) + ["control"] * count
            start, _ = self._reader.spans[layer]
            drops = self._drops(plan, layer, neurons, len(level.relevance))
            rows += [
                (kind, layer, neuron, labels[start + neuron], level.relevance[neuron], drop)
                for kind, neuron, drop in zip(kinds, neurons, drops, strict=True)
            ]
            if progress is not None:
                progress(done + 1, len(self.levels))
        columns = ["kind", "layer", "neuron", "label", "relevance", "drop"]
        self.verified = pd.DataFrame(rows, columns=columns)
        nodes = self.verified[self.verified["kind"] == "node"]
        self.agreement, self.agreement_of_nodes = (
            agreement(frame["relevance"].to_numpy(), frame["drop"].to_numpy(), seed)
            for frame in (self.verified, nodes)
        )
        return self.verified

    def _drops(self, plan: Plan, layer: str, neurons: list[int], count: int) -> list[float]:
        """Return what the target loses without each neuron of a layer."""
        if not neurons:
            return []
        poles = layer in self._reader.poles
        silent = [Correction(count, poles=poles).setting([one], 0) for one in neurons]
        variants = [{}, *({layer: one} for one in silent)]
        given = plan.target, plan.images, self.images.tolist(), variants, plan.batch_size
        above, number = self.goal
        found = images_variant_units(*given, above) if above else images_variants(*given)
        values = found[:, :, number].double().mean(dim=1).numpy()
        drops: list[float] = (values[0] - values[1:]).tolist()
        return drops

    def view(self, **options: Unpack[of.TraceOptions]) -> TraceView:
        """Return the trace as a widget: layers as columns, the target at one end."""
        from semlens_widgets.widgets import TraceView

        return TraceView(self._lens, trace=self, **options)
