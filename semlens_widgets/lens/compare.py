"""Two or more analyses side by side: what they share, and what only one of them knows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Unpack

import numpy as np
import pandas as pd
import torch

from semlens_widgets.analysis.compare import NOBODY, assigned, mean_of, nearest
from semlens_widgets.lens.joint import JointLens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from plotly.graph_objects import Figure
    from torch import Tensor

    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.widgets import CompareView, NeuronMap
    from semlens_widgets.widgets import options as of

MEASURES = ("clarity", "polysemanticity", "redundancy", "firing_rate")
_LARGEST = 20_000  # neurons on a side that are matched one to one: some minutes, 6 GiB


def compare(lenses: Mapping[str, SemanticLens]) -> Comparison:
    """Compare what models know: other models, other layers, or one before and after a change.

    Parameters
    ----------
    lenses
        Finished analyses by name, at least two. Their meaning must come from one foundation model;
        the images may differ.

    Raises
    ------
    ValueError
        If there are fewer than two, or they were made with different foundation models.
    StoreError
        If one of them is not finished.

    Examples
    --------
    >>> comparison = slw.compare({"planted": planted, "clean": clean})
    >>> comparison.similarity
    >>> comparison.only("planted", "clean", layer="layer4")
    """
    if len(lenses) < 2:
        raise ValueError(f"lenses: {len(lenses)} cannot be compared; give at least two by name.")
    return Comparison(lenses)


class Alike(NamedTuple):
    """How much of one layer another knows; see :attr:`Comparison.similarity`."""

    similarity: float
    low: float
    high: float
    neurons: int
    without: int


class Comparison:
    """Several analyses whose neurons are matched by meaning; see :func:`compare`."""

    def __init__(self, lenses: Mapping[str, SemanticLens]) -> None:
        self._joint = JointLens(lenses)
        self._vectors = {name: torch.from_numpy(lens.vectors) for name, lens in self.lenses.items()}
        self._matched: dict[tuple[str, ...], tuple[NDArray[np.int64], NDArray[np.float32]]] = {}

    @property
    def lenses(self) -> dict[str, SemanticLens]:
        """The analyses, by name."""
        return self._joint.lenses

    @property
    def joint(self) -> JointLens:
        """The neurons of all analyses as those of one, laid out together."""
        return self._joint

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {len(of)} neurons" for name, of in self._vectors.items())
        return f"Comparison({sizes})"

    @cached_property
    def similarity(self) -> pd.DataFrame:
        """How much of one layer another knows: S(A→B) for every pair of layers of two analyses.

        Columns: of, of_layer, to, to_layer; similarity, the mean over the neurons of the first of
        the largest cosine to a neuron of the second, with low and high, its 95 % interval over
        neurons; neurons, how many that is, and without, how many have no examples and so no
        meaning. S(A→B) is not S(B→A).
        """
        rows = []
        for first, second in self._pairs():
            for a in self.lenses[first].layers:
                for b in self.lenses[second].layers:
                    alike = self.alike(first, second, layer=a, to_layer=b)
                    rows.append((first, a, second, b, *alike))
        return pd.DataFrame(rows, columns=["of", "of_layer", "to", "to_layer", *Alike._fields])

    def alike(self, of: str, to: str, *, layer: str, to_layer: str | None = None) -> Alike:
        """Tell how much of `layer` of the analysis `of` is known to `to_layer` of `to`.

        A row of :attr:`similarity`; without `to_layer` it is the layer of the same name.

        Raises
        ------
        ValueError
            If an analysis or a layer is unknown.
        """
        _, found = self._match(of, layer, to, to_layer or layer, "nearest")
        mean = mean_of(found)
        known = int(np.isfinite(found).sum())
        return Alike(mean.value, mean.low, mean.high, known, len(found) - known)

    def matches(
        self,
        of: str,
        to: str,
        *,
        layer: str,
        to_layer: str | None = None,
        how: Literal["assigned", "nearest"] = "assigned",
    ) -> pd.DataFrame:
        """Match the neurons of one layer with those of another.

        Parameters
        ----------
        of, to
            Names of two analyses; they may be the same if the layers are not.
        layer, to_layer
            A layer of each; the second is called as the first by default.
        how
            ``"assigned"``: one to one, so that the sum of the cosines is the largest;
            ``"nearest"``: each with the one that means most nearly the same, which several may
            share.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label; match_layer, match, match_label; similarity. A neuron without a
            match has match -1 and similarity NaN: it has no examples, or the other layer has fewer
            neurons.

        Raises
        ------
        ValueError
            If an analysis or a layer is unknown, a layer is matched with itself, or there are too
            many neurons for an assignment.
        """
        if how not in {"assigned", "nearest"}:
            raise ValueError(f'how={how!r} must be "assigned" or "nearest".')
        a, b = self._of(of, layer), self._of(to, to_layer or layer)
        if (of, layer) == (to, to_layer or layer):
            raise ValueError(
                f"Each neuron of {layer!r} matches itself; give two layers or analyses."
            )
        if how == "assigned" and max(len(a), len(b)) > _LARGEST:
            raise ValueError(
                f"{max(len(a), len(b))} neurons cannot be assigned one to one within reason; "
                f'give how="nearest", or layers of at most {_LARGEST}.'
            )
        match, similarity = self._match(of, layer, to, to_layer or layer, how)
        frame = self._table(of, layer)[["layer", "neuron", "label"]].reset_index(drop=True)
        labels = self._table(to, to_layer or layer)["label"].to_numpy()
        frame["match_layer"] = to_layer or layer
        frame["match"] = match
        frame["match_label"] = ["" if at == NOBODY else labels[at] for at in match]
        frame["similarity"] = similarity
        return frame

    def only(
        self, of: str, to: str, *, layer: str | None = None, to_layer: str | None = None
    ) -> pd.DataFrame:
        """Rank neurons by how little another analysis knows of them.

        Parameters
        ----------
        of, to
            Names of two analyses.
        layer, to_layer
            Layers or patterns (``"layer4.*"``) that are looked at on each side; all by default.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, score, clarity; match_layer, match, match_label, the neuron of the
            other that means most nearly the same; similarity, least first. Neurons without examples
            are left out.

        Raises
        ------
        ValueError
            If an analysis is unknown, or both are the same.
        KeyError
            If no layer fits.
        """
        own, others = self._like(of, layer), self._like(to, to_layer)
        if of == to:
            raise ValueError(f"of and to are both {of!r}, which knows all of itself; give another.")
        a, b = (
            self._vectors[name][torch.tensor(table.index)]
            for name, table in ((of, own), (to, others))
        )
        match, similarity = nearest(a, b)
        frame = own[["layer", "neuron", "label", "score", "clarity"]].reset_index(drop=True)
        for column, source in (
            ("match_layer", "layer"),
            ("match", "neuron"),
            ("match_label", "label"),
        ):
            frame[column] = others[source].to_numpy()[match]
        frame["similarity"] = similarity
        frame = frame[np.isfinite(similarity)]
        return frame.sort_values("similarity", kind="stable", ignore_index=True)

    @property
    def labels(self) -> pd.DataFrame:
        """Which labels each analysis has: one row per label, best known first.

        Columns: label; for each analysis its number of neurons and, as ``"<name> score"``, the best
        score among them; only, the analysis that alone has it, or empty. Neurons without a label
        are not counted.
        """
        parts = []
        for name, lens in self.lenses.items():
            table = lens.neurons
            named = table[table["label"].fillna("") != ""]
            found = named.groupby("label", observed=True)["score"].agg(["size", "max"])
            parts.append(found.rename(columns={"size": name, "max": f"{name} score"}))
        frame = pd.concat(parts, axis=1).sort_index(kind="stable")
        names = list(self.lenses)
        frame[names] = frame[names].fillna(0).astype(int)
        has = frame[names] > 0
        frame["only"] = np.where(has.sum(axis=1) == 1, has.idxmax(axis=1), "")
        order = np.argsort(-frame[names].sum(axis=1).to_numpy(), kind="stable")
        return frame.iloc[order].rename_axis("label").reset_index()

    @cached_property
    def measures(self) -> pd.DataFrame:
        """Measures side by side: analysis, layer, measure, mean, low, high (95 %), neurons."""
        rows = []
        for name, lens in self.lenses.items():
            table = lens.neurons
            for layer in lens.layers:
                of_layer = table[table["layer"] == layer]
                for measure in MEASURES:
                    values = of_layer[measure].to_numpy(np.float64)
                    mean = mean_of(values)
                    known = int(np.isfinite(values).sum())
                    rows.append((name, layer, measure, mean.value, mean.low, mean.high, known))
        columns = ["analysis", "layer", "measure", "mean", "low", "high", "neurons"]
        return pd.DataFrame(rows, columns=columns)

    def changes(self, before: str, after: str) -> pd.DataFrame:
        """Tell for each neuron of one model what a change of the model has done to it.

        Parameters
        ----------
        before, after
            Names of two analyses of the same layers, on the same images.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label (before), label_after; kept, the share of its concept examples that
            it still has; similarity, the cosine of the semantic vectors (NaN if it has none on one
            side); changed, whether any example differs, or its activations of them do.

        Raises
        ------
        ValueError
            If the layers, their neurons or the images are not the same.
        """
        if why_not := self._why_no_change(before, after):
            raise ValueError(f"{why_not}; match by meaning: matches(...).")
        first, second = self.lenses[before].neurons, self.lenses[after].neurons
        reads = [self._reader(name) for name in (before, after)]
        examples = [read.example_samples.numpy() for read in reads]
        first_values, second_values = (read.example_activations.numpy() for read in reads)
        frame = first[["layer", "neuron", "label"]].copy()
        frame["label_after"] = second["label"].to_numpy()
        frame["kept"] = _kept(*examples)
        frame["similarity"] = _cosines(self._vectors[before], self._vectors[after])
        frame["changed"] = (frame["kept"].to_numpy() < 1) | ~np.isclose(
            first_values, second_values, rtol=1e-3, atol=1e-6, equal_nan=True
        ).all(axis=1)
        return frame

    def is_change(self, before: str, after: str) -> bool:
        """Tell whether `after` may be `before` with a change, so that :meth:`changes` can say what.

        Raises
        ------
        ValueError
            If an analysis is unknown.
        """
        return not self._why_no_change(before, after)

    def _why_no_change(self, before: str, after: str) -> str:
        """Say why no neuron of one is that of the other; empty if each may be."""
        reads = [self._reader(self._known(name)) for name in (before, after)]
        if reads[0].spans != reads[1].spans:
            return (
                f"{before!r} and {after!r} have not the same layers with the same neurons, so no "
                "neuron of one is that of the other"
            )
        if not reads[0].samples["uri"].equals(reads[1].samples["uri"]):
            return (
                f"{before!r} and {after!r} were made with different images, so their examples "
                "cannot tell what has changed"
            )
        return ""

    def figure(self) -> Figure:
        """Draw how much of each layer the others know, above the measures side by side."""
        from semlens_widgets.lens.figures import comparison_figure

        return comparison_figure(self.similarity, self.measures)

    def map(self, **options: Unpack[of.MapOptions]) -> NeuronMap:
        """Return one map of all neurons, laid out together."""
        from semlens_widgets.widgets import NeuronMap

        shown: Any = self.lenses
        return NeuronMap(shown, **options)

    def view(self, **options: Unpack[of.CompareOptions]) -> CompareView:
        """Return two analyses side by side: joint map, matched neurons, what only one knows."""
        from semlens_widgets.widgets import CompareView

        return CompareView(self, **options)

    def _match(
        self, of: str, layer: str, to: str, to_layer: str, how: str
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Match two layers once: an assignment of many neurons takes its time."""
        key = (of, layer, to, to_layer, how)
        if key not in self._matched:
            match = assigned if how == "assigned" else nearest
            self._matched[key] = match(self._of(of, layer), self._of(to, to_layer))
        return self._matched[key]

    def _pairs(self) -> list[tuple[str, str]]:
        return [(a, b) for a in self.lenses for b in self.lenses if a != b]

    def _known(self, name: str) -> str:
        if name not in self.lenses:
            raise ValueError(
                f"{name!r} is none of the analyses {', '.join(map(repr, self.lenses))}."
            )
        return name

    def _reader(self, name: str) -> AnalysisReader:
        return self.lenses[name]._read  # noqa: SLF001 - the same house

    def _table(self, name: str, layer: str) -> pd.DataFrame:
        table = self.lenses[self._known(name)].neurons
        if layer not in self.lenses[name].layers:
            raise ValueError(
                f"layer={layer!r} is none of the layers of {name!r}: {self.lenses[name].layers}."
            )
        return table[table["layer"] == layer]

    def _of(self, name: str, layer: str) -> Tensor:
        self._table(name, layer)
        start, stop = self._reader(name).spans[layer]
        return self._vectors[name][start:stop]

    def _like(self, name: str, pattern: str | None) -> pd.DataFrame:
        table = self.lenses[self._known(name)].neurons
        if pattern is None:
            return table
        return table[table["layer"].isin(self._reader(name).layers_like(pattern))]


def _kept(before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return which share of each neuron's examples it still has; 1 if it never had any."""
    has = before >= 0
    still = (before[:, :, None] == after[:, None, :]).any(axis=2) & has
    count = has.sum(axis=1)
    return np.where(count > 0, still.sum(axis=1) / np.maximum(count, 1), 1.0)


def _cosines(a: Tensor, b: Tensor) -> NDArray[np.float32]:
    """Return the cosine of each neuron before to itself after; NaN where it has no vector."""
    cosines = (a * b).sum(dim=1)
    none = (a.abs().amax(dim=1) == 0) | (b.abs().amax(dim=1) == 0)
    found: NDArray[np.float32] = cosines.masked_fill(none, torch.nan).numpy()
    return found
