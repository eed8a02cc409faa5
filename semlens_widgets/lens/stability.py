"""How many examples a semantic vector needs: how near the first m bring it to its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch

from semlens_widgets.analysis.mining import concept_examples
from semlens_widgets.analysis.stability import cosines_to_limit, recommended
from semlens_widgets.store.aligned import example_embedding_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from plotly.graph_objects import Figure
    from torch import Tensor

    from semlens_widgets.lens.reader import AnalysisReader

NEAR = 0.02
SHARE = 0.9
QUANTILES = (0.05, 0.1, 0.25, 0.5)
_MS = (1, 2, 5, 10, 20, 30, 50, 100)
_OF_IMAGES = 20  # the limit is of no more than one image in so many
_VALUES_AT_ONCE = 1 << 23


class _Wanted(NamedTuple):
    """Numbers of examples, those the limit is of, and whether they are the ones stored."""

    ms: tuple[int, ...]
    most: int
    stored: bool


@dataclass(frozen=True, eq=False)
class Stability:
    """How near semantic vectors of m examples are to their limit.

    Attributes
    ----------
    neurons
        One row per neuron: layer, neuron, clarity, and the cosine for each m, in columns that are
        called by the number. NaN: not judged.
    summary
        One row per layer (and "all") and m: layer, m, neurons (judged), quantiles q05, q10, q25 and
        q50 of the cosine over neurons, and ``near``, the share within 0.02 of the limit.
    limit_of
        How many examples the limit was estimated from.
    said
        How the limit was estimated, what was not judged, and what could not be reached.
    """

    neurons: pd.DataFrame
    summary: pd.DataFrame
    limit_of: int
    said: tuple[str, ...]

    @property
    def ms(self) -> tuple[int, ...]:
        """Numbers of examples that were asked for, ascending."""
        return tuple(dict.fromkeys(self.summary["m"].tolist()))

    @property
    def m(self) -> int | None:
        """The least number of examples that is enough in all layers taken together.

        From it on 90 % of the neurons lie within 0.02 of their limit; None: not reached.
        """
        return self._least(self.neurons)

    @property
    def by_layer(self) -> dict[str, int | None]:
        """The same for each layer."""
        layers = self.neurons.groupby("layer", sort=False)
        return {str(layer): self._least(rows) for layer, rows in layers}

    def _least(self, rows: pd.DataFrame) -> int | None:
        values = rows[list(self.ms)].to_numpy(np.float64)
        return recommended(values, self.ms, near=NEAR, share=SHARE)

    def __repr__(self) -> str:
        rows = self.summary[self.summary["layer"] == "all"]
        return "\n".join([rows.round(3).to_string(index=False), *self.said])

    def figure(self) -> Figure:
        """Draw the quantiles over m for each layer, by plotly."""
        from semlens_widgets.lens.figures import stability_figure

        return stability_figure(self)


class Stable:
    """The part of a lens that tells how many examples are enough; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    """

    def __init__(self, reader: AnalysisReader) -> None:
        self._reader = reader

    def stability(self, layer: str | None = None, ms: Sequence[int] | None = None) -> Stability:
        """Measure how near the semantic vector of the first m examples is to its limit.

        A vector is a mean over few examples. How far it is off decides what its labels and the
        distances on the map are worth; a neuron of low clarity needs more examples.

        Parameters
        ----------
        layer
            One layer; by default all.
        ms
            Numbers of examples, from 1; by default 1, 2, 5, 10, 20, 30, 50 and 100, up to one image
            in twenty.

        Returns
        -------
        Stability
            ``neurons``, ``summary``, ``m`` (how many examples are enough), ``by_layer``, ``said``,
            ``figure()``.

        Raises
        ------
        KeyError
            If there is no such layer.
        ValueError
            If `ms` makes no sense, or there are fewer than two examples.

        Notes
        -----
        The limit is what infinitely many images would give that activate the neuron as much as its
        M most activating ones (``limit_of``: a hundred, or one in twenty of fewer images, but no
        fewer than the analysis keeps or `ms` asks for). It is estimated from all pairs of different
        examples, see :func:`semlens_widgets.analysis.stability.cosines_to_limit`; images are mined
        for it from the stored activations and embeddings. Of crops, and of examples by relevance,
        there are only those that the analysis holds, and M is no more.
        """
        layers = self._reader.layers if layer is None else (layer,)
        for one in layers:
            if one not in self._reader.spans:
                self._reader.row(one, 0)  # raises, and names close ones
        wanted = self._wanted(ms)
        parts = [self._cosines(*self._reader.spans[one], wanted) for one in layers]
        cosines = np.concatenate(parts)
        rows = self._reader.neurons
        rows = rows[rows["layer"].isin(layers)].reset_index(drop=True)
        table = rows[["layer", "neuron", "clarity"]].assign(
            **{str(m): cosines[:, at] for at, m in enumerate(wanted.ms)}
        )
        table.columns = pd.Index(["layer", "neuron", "clarity", *wanted.ms], dtype=object)
        groups = {one: (rows["layer"] == one).to_numpy() for one in layers}
        groups["all"] = np.ones(len(rows), bool)
        summary = [
            row for name, own in groups.items() for row in _summary(name, cosines[own], wanted.ms)
        ]
        found = Stability(table, pd.DataFrame(summary), wanted.most, ())
        said = (*_told(found, cosines), *self._differs(wanted, ms))
        return Stability(table, found.summary, wanted.most, said)

    def _wanted(self, given: Sequence[int] | None) -> _Wanted:
        settings = self._reader.store.settings
        stored = self._reader.embedding == "crop" or settings.get("examples_by") == "relevance"
        readable = int(self._reader.samples["readable"].sum())
        ranks = self._reader.ranks
        cap = ranks if stored else readable
        top = min(max(ranks, min(max(_MS), readable // _OF_IMAGES)), cap)
        asked = {*_MS, ranks} if given is None else set(given)
        if not asked or any(
            isinstance(m, bool) or not isinstance(m, (int, np.integer)) or m < 1 for m in asked
        ):
            raise ValueError(f"ms={given!r} must be whole numbers of 1 or more.")
        if given is not None:
            top = min(max(top, *given), cap)
        chosen = [int(m) for m in sorted(asked) if m <= top]
        if top < 2 or not chosen:
            there = "stored examples" if stored else "readable images"
            raise ValueError(f"ms={given!r}: there are only {top} {there}; a limit needs two.")
        return _Wanted(tuple(chosen), int(top), stored)

    def _cosines(self, start: int, stop: int, wanted: _Wanted) -> NDArray[np.float64]:
        blocks = self._stored(start, stop) if wanted.stored else self._mined(start, stop, wanted)
        return np.concatenate(
            [cosines_to_limit(*_widened(*block, wanted.most), wanted.ms) for block in blocks]
        )

    def _mined(self, start: int, stop: int, wanted: _Wanted) -> Iterator[tuple[Tensor, Tensor]]:
        images, dim = self._reader.embeddings.shape
        step = max(1, _VALUES_AT_ONCE // max(images, wanted.most * dim))
        for at in range(start, stop, step):
            values = self._reader.values(at, min(at + step, stop))
            samples, activations = concept_examples(values.T, wanted.most)
            yield self._reader.embeddings.rows(samples), activations > 0

    def _stored(self, start: int, stop: int) -> Iterator[tuple[Tensor, Tensor]]:
        at = 0
        for vectors, valid in example_embedding_blocks(self._reader.store, self._reader.embedding):
            own = slice(max(start - at, 0), max(min(stop - at, len(vectors)), 0))
            positive = self._reader.example_activations[at : at + len(vectors)] > 0
            if len(vectors[own]):
                yield vectors[own], (valid & positive)[own]
            at += len(vectors)

    def _differs(self, wanted: _Wanted, given: Sequence[int] | None) -> list[str]:
        said = []
        if wanted.stored:
            said.append(
                f"Only the {wanted.most} examples that the analysis holds could be used: it goes "
                "by crops, or by relevance."
            )
        if given is not None and (dropped := [m for m in given if m > wanted.most]):
            said.append(f"{max(dropped)} examples are more than there are; left out.")
        return said


def _widened(vectors: Tensor, valid: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Fill up to `most` examples with some that do not count."""
    missing = most - vectors.shape[1]
    if missing <= 0:
        return vectors[:, :most], valid[:, :most]
    return (
        torch.nn.functional.pad(vectors, (0, 0, 0, missing)),
        torch.nn.functional.pad(valid, (0, missing)),
    )


def _summary(
    layer: str, cosines: NDArray[np.float64], ms: Sequence[int]
) -> list[dict[str, object]]:
    known = cosines[np.isfinite(cosines).all(axis=1)]
    rows = []
    for at, m in enumerate(ms):
        column = known[:, at]
        quantiles = np.quantile(column, QUANTILES) if len(column) else [np.nan] * len(QUANTILES)
        near = float((column >= 1 - NEAR).mean()) if len(column) else np.nan
        named = {f"q{round(100 * q):02d}": v for q, v in zip(QUANTILES, quantiles, strict=True)}
        rows.append({"layer": layer, "m": m, "neurons": len(column), **named, "near": near})
    return rows


def _told(found: Stability, cosines: NDArray[np.float64]) -> list[str]:
    how = f"The limit is estimated from all pairs of the {found.limit_of} most activating images"
    said = [f"{how} of each neuron, none paired with itself."]
    judged = np.asarray(np.isfinite(cosines).all(axis=1))
    if missing := int((~judged).sum()):
        said.append(
            f"{missing} of {len(judged)} neurons have fewer than {found.limit_of} positive "
            "activations; they were not judged."
        )
    if not judged.any():
        return said
    if found.m is None:
        last = found.summary.iloc[-1]
        said.append(
            f"{SHARE:.0%} of neurons within {NEAR} of the limit are not reached: with {last['m']} "
            f"examples it is {last['near']:.0%}. More examples per neuron need more images."
        )
    else:
        said.append(f"{found.m} examples bring {SHARE:.0%} of neurons within {NEAR} of the limit.")
    return said
