"""Change what neurons do, and see what that changes in what the model says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch

from semlens_widgets.inputs.corrections import Correction
from semlens_widgets.lens.intervention import Intervention
from semlens_widgets.pipeline.loading import KeptInputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd
    from numpy.typing import NDArray

    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.relevance import Relevances
    from semlens_widgets.pipeline.settings import Plan

How = Literal["zero", "mean", "scale", "clamp", "project"]
_AMOUNTS = {"scale": 0.5, "clamp": 0.5}  # a factor; a quantile of the neuron's activations


class Intervening:
    """The part of a lens that changes the model; see :class:`SemanticLens`.

    Parameters
    ----------
    lens
        What a view of an intervention looks at.
    reader
        The finished analysis.
    relevances
        Knows which images are of the class that an output is called by.
    need_plan
        Gives the model and the images; raises if they are not at hand.
    """

    def __init__(
        self,
        lens: SemanticLens,
        reader: AnalysisReader,
        relevances: Relevances,
        need_plan: Callable[[str], Plan],
    ) -> None:
        self._lens = lens
        self._reader = reader
        self._relevances = relevances
        self._need_plan = need_plan
        self._inputs = KeptInputs()

    def intervene(
        self,
        neurons: Iterable[tuple[str, int]] | pd.DataFrame,
        how: How = "zero",
        *,
        amount: float | None = None,
        seed: int = 0,
    ) -> Intervention:
        """Change what some neurons do in the model; nothing is computed yet.

        Parameters
        ----------
        neurons
            ``(layer, neuron)`` pairs as in ``audit.flagged``, or a table with these columns. Their
            order is the order in which :meth:`Intervention.sweep` takes them. A pole is changed by
            itself: without ``"17-"``, channel 17 is never below 0, and above 0 what it was.
        how
            ``"zero"``: they are 0. ``"mean"``: they are what they are on average. ``"scale"``: they
            are multiplied. ``"clamp"``: they are no more than a quantile of their activations.
            ``"project"``: of each layer, the direction from the images on which they are quiet
            (their contrastive examples) to those that activate them most is projected out
            (P-ClArC).
        amount
            The factor of "scale" (by default .5), or the quantile of "clamp" (by default .5).
        seed
            Draws the random controls.

        Returns
        -------
        Intervention
            ``effects()``, ``sweep()``, ``refit()``, ``finetune()``, ``model()``.

        Raises
        ------
        ValueError
            If there are no neurons, `how` or `amount` makes no sense, or a neuron is read by an
            encoder and not part of the model.
        KeyError, IndexError
            If the lens has no such layer or neuron.
        LensUnavailable
            If the model is not at hand.
        """
        if how not in get_args(How):
            raise ValueError(f"how={how!r} must be one of {get_args(How)}.")
        if amount is not None and how not in _AMOUNTS:
            raise ValueError(f"amount={amount}: only {sorted(_AMOUNTS)} take one, not {how!r}.")
        value = _AMOUNTS.get(how, 0.0) if amount is None else float(amount)
        if not np.isfinite(value) or (how == "clamp" and not 0 <= value <= 1):
            raise ValueError(f"amount={amount}: a {'quantile' if how == 'clamp' else 'factor'}.")
        rows = self._rows(neurons)
        plan = self._need_plan("Interventions")
        read = [layer for layer in self._spans(rows) if layer in plan.target.encoders]
        if read:
            raise ValueError(
                f"The neurons of {', '.join(map(repr, read))} are read by an encoder and are not "
                "part of the model, so they cannot be changed in it."
            )
        if how in {"mean", "project"} and plan.target.pooling != "mean":
            raise ValueError(
                f"how={how!r} needs what neurons are on average over positions; this analysis was "
                f"made with pooling={plan.target.pooling!r}."
            )
        make = _Maker(self._reader, how, value)
        return Intervention(
            self._lens, self._reader, self._relevances, plan, rows, how, make, seed, self._inputs
        )

    def _rows(self, neurons: Iterable[tuple[str, int]] | pd.DataFrame) -> list[int]:
        given: Any = neurons
        if hasattr(given, "columns"):
            given = list(zip(given["layer"], given["neuron"], strict=True))
        rows = list(dict.fromkeys(self._reader.row(layer, neuron) for layer, neuron in given))
        if not rows:
            raise ValueError("neurons: there are none to change.")
        return rows

    def _spans(self, rows: list[int]) -> list[str]:
        return [
            layer
            for layer, (start, stop) in self._reader.spans.items()
            if any(start <= row < stop for row in rows)
        ]


class _Maker:
    """Makes the corrections for any neurons, those that are asked for and random ones."""

    def __init__(self, reader: AnalysisReader, how: How, amount: float) -> None:
        self._reader = reader
        self._how = how
        self._amount = amount

    def __call__(self, rows: list[int]) -> dict[str, Correction]:
        """Return by layer what is done to it."""
        corrections = {}
        for layer, (start, stop) in self._reader.spans.items():
            own = [row for row in rows if start <= row < stop]
            if own:
                corrections[layer] = self._of_layer(layer, own, start, stop)
        return corrections

    def _of_layer(self, layer: str, rows: list[int], start: int, stop: int) -> Correction:
        neurons = [row - start for row in rows]
        correction = Correction(stop - start, poles=layer in self._reader.poles)
        match self._how:
            case "zero":
                return correction.setting(neurons, 0)
            case "mean":
                means = self._reader.neurons["mean"].to_numpy(np.float32)[rows]
                return correction.setting(neurons, torch.from_numpy(means))
            case "scale":
                return correction.scaling(neurons, self._amount)
            case "clamp":
                bounds = [
                    float(np.nanquantile(self._reader.activations(row), self._amount))
                    for row in rows
                ]
                return correction.bounding(neurons, torch.tensor(bounds))
            case "project":
                values = self._reader.values(start, stop).numpy().T.astype(np.float64)
                return _projection(
                    correction,
                    values[_present(self._reader.example_samples[rows].numpy())],
                    values[_present(self._reader.contrast_samples[rows].numpy())],
                )


def _present(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the images in which several neurons' examples agree or not, each as often as it is."""
    flat: NDArray[np.int64] = samples.ravel()
    return flat[flat >= 0]


def _projection(
    correction: Correction, shown: NDArray[np.float64], quiet: NDArray[np.float64]
) -> Correction:
    """Project out the direction from images without a concept to those with it."""
    if not len(shown) or not len(quiet):
        return correction  # a dead neuron has no direction, and does nothing to project out
    direction = shown.mean(axis=0) - quiet.mean(axis=0)
    level = float((quiet @ direction).mean())
    return correction.projecting(torch.from_numpy(direction.astype(np.float32)), level)
