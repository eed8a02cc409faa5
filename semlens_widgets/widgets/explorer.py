"""The explorer: search, map, gallery and contrast panel in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import numpy as np
import pandas as pd
import traitlets

from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import Handler, LensWidget, Reply, asset
from semlens_widgets.widgets.contrast import ContrastPanel
from semlens_widgets.widgets.gallery import ConceptGallery
from semlens_widgets.widgets.map import NeuronMap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.lens import SemanticLens

#: How many neurons a search lists and highlights.
HITS = 24
MAP_HEIGHT = 560


class Explorer(LensWidget):
    """Look through a whole lens: search it, walk the map, see and label each neuron.

    The three widgets inside are linked in the browser: what one selects, all show.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    **options
        ``active``: the neuron to start from, ``(layer, index)``.
    """

    _esm = asset("explorer.js")
    _css = asset("explorer.css")

    _map = anywidget.WidgetTrait().tag(sync=True)
    _gallery = anywidget.WidgetTrait().tag(sync=True)
    _contrast = anywidget.WidgetTrait().tag(sync=True)
    _layers = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, lens: SemanticLens, **options: Any) -> None:
        self._told_by_browser = False
        super().__init__(lens, **options)
        with self.hold_sync():
            self._map = NeuronMap(lens, height=MAP_HEIGHT, active=self.active)
            self._gallery = ConceptGallery(lens, active=self.active)
            self._contrast = ContrastPanel(lens, active=self.active)
            self._layers = [str(layer) for layer in lens.layers]
        self.contrast.observe(self._relabelled, names="accepted")

    @property
    def map(self) -> NeuronMap:
        """The map inside."""
        widget: NeuronMap = self._map
        return widget

    @property
    def gallery(self) -> ConceptGallery:
        """The gallery inside."""
        widget: ConceptGallery = self._gallery
        return widget

    @property
    def contrast(self) -> ContrastPanel:
        """The contrast panel inside."""
        widget: ContrastPanel = self._contrast
        return widget

    @property
    def selection(self) -> pd.DataFrame:
        """The neurons inside the map's lasso: rows of ``lens.neurons``."""
        return self.map.selected

    def refresh(self) -> None:
        """Show the neurons as the lens has them now, after labelling or a new layout."""
        for widget in (self.map, self.gallery, self.contrast):
            widget.refresh()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what the browser says; it tells the widgets inside by itself."""
        self._told_by_browser = True
        try:
            super().set_state(sync_data)
        finally:
            self._told_by_browser = False

    @traitlets.observe("active")
    def _show(self, change: dict[str, Any]) -> None:
        if self._told_by_browser or self._contrast is None:
            return
        for widget in (self.map, self.gallery, self.contrast):
            widget.active = change["new"]

    def _relabelled(self, _change: object) -> None:
        self.map.refresh()
        self.gallery.refresh()

    def _search(self, params: Mapping[str, Any]) -> Reply:
        """Answer ``{query | like, layer}``: the best neurons, and a score for each row."""
        like = params.get("like")
        own = None if like is None else _answers.neuron_of(like)
        query: Any = own or " ".join(str(params.get("query") or "").split())
        if not query:
            raise ValueError("query is blank. Give a text like 'striped'.")
        found = self.lens.search(query, layer=params.get("layer"), top=HITS + 1)
        if own is not None:
            found = found[(found["layer"] != own[0]) | (found["neuron"] != own[1])]
        found = found.head(HITS)
        table = self.lens.neurons
        rows = pd.MultiIndex.from_frame(table[["layer", "neuron"]]).get_indexer(
            pd.MultiIndex.from_frame(found[["layer", "neuron"]])
        )
        scores = np.full(len(table), np.nan, dtype=np.float32)
        scores[rows] = found["score"].to_numpy(dtype=np.float32)
        hits = [
            {
                "layer": str(row["layer"]),
                "neuron": int(row["neuron"]),
                "label": _answers.text(row.get("label")),
                "score": _answers.number(row["score"]),
            }
            for row in found.to_dict("records")
        ]
        return {"hits": hits}, [scores.tobytes()]

    _requests: ClassVar[Mapping[str, Handler]] = {"search": _search}

    def _summary(self) -> str:
        return f"{len(self.lens.neurons)} neurons, {super()._summary()}"

    def _preview(self) -> bytes | None:
        return self.map._preview()  # noqa: SLF001 -- a widget of its own
