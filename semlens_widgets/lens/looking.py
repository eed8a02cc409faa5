"""What a lens shows of single neurons: activations, images, heatmaps."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from semlens_widgets.analysis.measures import two_means
from semlens_widgets.errors import LensUnavailable
from semlens_widgets.labels.evidence import some_neurons
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.pipeline.heatmaps import localise_some
from semlens_widgets.pipeline.pictures import Pictures
from semlens_widgets.pipeline.thumbnails import jpeg, scaled_down

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from plotly.graph_objects import Figure

    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.pipeline.settings import Plan
    from semlens_widgets.store.columns import StoredHeatmap
    from semlens_widgets.store.store import AnalysisStore


class Looking:
    """The part of a lens that shows single neurons; see :class:`SemanticLens`.

    Parameters
    ----------
    store, reader
        The finished analysis.
    images
        Where pictures come from that are not stored; None if they are not at hand.
    need_plan
        Gives the model and the images; raises if they are not at hand.
    """

    def __init__(
        self,
        store: AnalysisStore,
        reader: AnalysisReader,
        images: ImageDataset | None,
        need_plan: Callable[[str], Plan],
    ) -> None:
        self._store = store
        self._read = reader
        self._images = images
        self._need_plan = need_plan

    def figure(
        self, measure: str | Sequence[str] | None = None, *, layer: str | None = None
    ) -> Figure:
        """Draw how measures of the neurons are distributed in each layer.

        Parameters
        ----------
        measure
            One or several of clarity, polysemanticity, redundancy and firing_rate; all by default.
        layer
            A layer or a pattern of layers; all by default.

        Returns
        -------
        plotly.graph_objects.Figure
            Boxes of the neurons, and their mean with its 95 % interval.

        Raises
        ------
        ValueError
            If the measure is unknown.
        KeyError
            If no layer fits.
        """
        from semlens_widgets.lens.figures import checked_measures, measures_figure

        chosen = checked_measures(measure)
        table = self._read.neurons
        if layer is not None:
            table = table[table["layer"].isin(self._read.layers_like(layer))]
        return measures_figure(table, chosen)

    def activations(self, layer: str, neuron: int | str | None = None) -> NDArray[np.float32]:
        """Pooled activations on every image; NaN where an image is unreadable.

        Returns
        -------
        numpy.ndarray
            ``(images, neurons)`` of a layer, ``(images,)`` of one neuron.
        """
        if neuron is not None:
            return self._read.activations(self._read.row(layer, neuron))
        self._read.row(layer, 0)
        return self._read.values(*self._read.spans[layer]).T.numpy()

    def activation_histogram(
        self, layer: str, neuron: int | str, bins: int = 48
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """How often a neuron is how active: counts ``(bins,)`` and edges ``(bins + 1,)``."""
        values = self.activations(layer, neuron)
        counts, edges = np.histogram(values[np.isfinite(values)], bins)
        return counts.astype(np.int64), edges.astype(np.float64)

    def example_clusters(self, layer: str, neuron: int | str) -> NDArray[np.int64]:
        """Which of two groups each concept example belongs to, ``(examples,)``, by rank.

        The two k-means clusters that polysemanticity compares; the first example is in group 0.
        """
        row = self._read.row(layer, neuron)
        evidence = some_neurons(self._read.evidence, row, row + 1)
        first = two_means(evidence.positives, evidence.valid)[0][evidence.valid[0]]
        return (first != first[:1]).long().numpy()

    def original(self, sample: int, side: int = 2048) -> Image.Image:
        """Return an image in its own resolution, `side` pixels at most.

        Raises
        ------
        LensUnavailable
            If the analysis was opened without the images.
        """
        if self._images is None:
            raise LensUnavailable(
                "The images are not at hand: give images= to SemanticLens to see them whole."
            )
        return scaled_down(Pictures(self._images, self._store.path).load(sample), side)

    def original_jpeg(self, sample: int, side: int = 2048) -> bytes:
        """Return what :meth:`original` shows, as JPEG."""
        return jpeg(self.original(sample, side), side)

    def thumbnail(self, sample: int) -> Image.Image:
        """Return an image that is an example of some neuron, 256 pixels at most."""
        return self.thumbnails([sample])[0]

    def thumbnails(self, samples: Sequence[int]) -> list[Image.Image]:
        """Return several images, see :meth:`thumbnail`."""
        return [Image.open(BytesIO(stored)) for stored in self.thumbnail_jpegs(samples)]

    def thumbnail_jpegs(self, samples: Sequence[int]) -> list[bytes]:
        """Return what :meth:`thumbnails` shows as it is stored, JPEG."""
        return self._read.thumbnails(samples)

    def heatmap(self, layer: str, neuron: int | str, sample: int) -> StoredHeatmap:
        """Where in an image the neuron looks; computed and kept if it is not stored yet."""
        return self.heatmaps(layer, neuron, [sample])[0]

    @plainly()
    def heatmaps(
        self, layer: str, neuron: int | str, samples: Sequence[int]
    ) -> list[StoredHeatmap]:
        """Heatmaps of several images for one neuron, see :meth:`heatmap`.

        Raises
        ------
        LensUnavailable
            If one is not stored and the analysis was opened without model and images.
        ModelChanged
            If the model is no longer the one that the analysis was made with.
        UnreadableImage, TransformError
            If an image can no longer be read, or no longer be used.
        ValueError
            If the layer has no positions to show.

        Notes
        -----
        Concept Relevance Propagation (Achtibat et al. 2023), or the neuron's own map as in
        SemanticLens (arXiv 2501.05398); `method` of each says which, and what is not exact.
        """
        row = self._read.row(layer, neuron)
        found = self._read.heatmaps(row, samples)
        missing = [(row, sample) for sample in samples if sample not in found]
        if missing:
            plan = self._need_plan("Heatmaps")
            with self._store.writing():
                localise_some(self._store, plan, missing)
                found |= self._read.heatmaps(row, [sample for _, sample in missing])
        return [found[sample] for sample in samples]
