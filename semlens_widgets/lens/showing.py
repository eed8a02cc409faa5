"""The widgets that a lens shows itself by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

if TYPE_CHECKING:
    import pandas as pd

    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.widgets import (
        ConceptGallery,
        ContrastPanel,
        Explorer,
        LabelTable,
        NeuronMap,
    )
    from semlens_widgets.widgets import options as of


class Showing:
    """The part of a lens that makes widgets; see :class:`SemanticLens`.

    Parameters
    ----------
    lens
        What they look at.
    """

    def __init__(self, lens: SemanticLens) -> None:
        self._lens = lens

    def map(self, **options: Unpack[of.MapOptions]) -> NeuronMap:
        """Return the map of all neurons, near each other if they mean the same."""
        from semlens_widgets.widgets import NeuronMap

        return NeuronMap(self._lens, **options)

    def gallery(
        self, layer: str, neuron: int | str, **options: Unpack[of.GalleryOptions]
    ) -> ConceptGallery:
        """Return the concept examples of one neuron, with heatmaps."""
        from semlens_widgets.widgets import ConceptGallery

        return ConceptGallery(self._lens, layer, neuron, **options)

    def contrast(
        self, layer: str, neuron: int | str, **options: Unpack[of.ContrastOptions]
    ) -> ContrastPanel:
        """Return activating and contrastive examples side by side, with live label scores."""
        from semlens_widgets.widgets import ContrastPanel

        return ContrastPanel(self._lens, layer, neuron, **options)

    def review(
        self, trust: pd.DataFrame | None = None, **options: Unpack[of.ReviewOptions]
    ) -> LabelTable:
        """Return the labels as a table, to accept, reject and edit many at once.

        Parameters
        ----------
        trust
            What :meth:`trust` returned, to sort and filter by.
        **options
            Of :class:`semlens_widgets.LabelTable`.
        """
        from semlens_widgets.widgets import LabelTable

        return LabelTable(self._lens, trust=trust, **options)

    def explore(self, **options: Unpack[of.ExplorerOptions]) -> Explorer:
        """Return map, search, gallery and contrast panel, linked."""
        from semlens_widgets.widgets import Explorer

        return Explorer(self._lens, **options)
