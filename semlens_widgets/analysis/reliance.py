"""What a concept does to a class: relevance on images that show it, beside images that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from semlens_widgets.analysis.audit import DRAWS, Measured, interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Reliance:
    """Relevance for a class on images of other classes, with a concept and without.

    Shares tell what a class rests on where it is; they do not tell whether a neuron that fits a
    concept speaks for the class *because* of the concept. That is asked here: of the data set's
    images that are most like the concept and not of the class, does it raise the class?

    Attributes
    ----------
    own
        ``(images, neurons)`` relevance on the class's own images, the layers side by side.
    shown
        By concept, ``(images, neurons)`` on the images most like it.
    controls
        ``(images, neurons)`` on images that are like none of the concepts.
    fits
        By concept, ``(neurons,)`` bool, which neurons fit it better than chance.
    layers
        The neurons of each layer.
    seed
        Draws the images anew for the intervals.
    """

    own: NDArray[np.float32]
    shown: Mapping[str, NDArray[np.float32]]
    controls: NDArray[np.float32]
    fits: Mapping[str, NDArray[np.bool_]]
    layers: Mapping[str, slice]
    seed: int = 0

    def of(
        self, concept: str, layer: str, *, without: NDArray[np.bool_] | None = None
    ) -> Measured | None:
        """Return how far a concept raises the class through the neurons of a layer that fit it.

        The signed relevance of these neurons on images with the concept, less that on images
        without, in units of what the layer's positive relevance is on the class's own images: 1
        would make any image the class. None if there are no images to tell it by.

        Parameters
        ----------
        concept, layer
            Their names.
        without
            ``(neurons,)`` of all layers, which are left out.
        """
        if concept not in self.shown:
            return None
        span = self.layers[layer]
        fits = self.fits[concept][span]
        if without is not None:
            fits = fits & ~without[span]
        shown, controls = (
            part[:, span][:, fits].sum(axis=1, dtype=np.float64)
            for part in (self.shown[concept], self.controls)
        )
        own = np.maximum(self.own[:, span], 0).sum(axis=1, dtype=np.float64)
        generator = np.random.default_rng(self.seed)
        resampled = [
            values[generator.integers(len(values), size=(DRAWS, len(values)))].mean(axis=1)
            for values in (shown, controls, own)
        ]
        low, high = interval(_raised(*resampled)[:, None])[0]
        value = _raised(*(np.atleast_1d(part.mean()) for part in (shown, controls, own)))[0]
        return Measured(float(value), float(low), float(high))

    def by_neuron(self, concept: str) -> NDArray[np.float64]:
        """Return each neuron's part, ``(neurons,)``, whether it fits or not; NaN if unknown."""
        if concept not in self.shown:
            return np.full(self.own.shape[1], np.nan)
        part = np.empty(self.own.shape[1])
        for span in self.layers.values():
            own = np.maximum(self.own[:, span], 0).sum(axis=1)
            part[span] = _raised(
                self.shown[concept][:, span].mean(axis=0),
                self.controls[:, span].mean(axis=0),
                np.atleast_1d(own.mean()),
            )
        return part


def _raised(
    shown: NDArray[np.floating], controls: NDArray[np.floating], own: NDArray[np.floating]
) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        raised: NDArray[np.float64] = (shown - controls) / own
    return raised
