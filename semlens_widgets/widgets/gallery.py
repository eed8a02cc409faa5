"""The concept gallery: the images that activate a neuron most, with relevance and crops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import Handler, LensWidget, Reply, asset
from semlens_widgets.widgets._sheet import COLUMNS, sheet_png

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.lens import SemanticLens


def _neuron(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    layer, neuron = _answers.neuron_of(params)
    facts = _answers.facts(widget.lens.neurons, layer, neuron)
    rows = widget.lens.examples(layer, neuron).to_dict("records")
    examples = [{"rank": int(row["rank"]), **_answers.shown(row)} for row in rows]
    return {"facts": facts, "examples": examples}, []


class ConceptGallery(LensWidget):
    """Show the images that activate one neuron most.

    Thumbnails and relevance are fetched when they come into view.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    layer, neuron : str, int, optional
        The neuron to show; also the trait ``active``, which may be set at any time.
    **options
        ``overlay`` (colour the relevant pixels), ``crop`` (zoom into the relevant region),
        ``opacity`` (of the overlay, 0 to 1).
    """

    _esm = asset("gallery.js")
    _css = asset("gallery.css")
    _requests: ClassVar[Mapping[str, Handler]] = {
        "neuron": _neuron,
        "thumbnails": _answers.thumbnails,
        "heatmaps": _answers.heatmaps,
    }

    overlay = traitlets.Bool(False, help="Colour the pixels that made the neuron fire.").tag(
        sync=True
    )
    crop = traitlets.Bool(False, help="Zoom each image into its relevant region.").tag(sync=True)
    opacity = traitlets.Float(0.7, min=0.0, max=1.0, help="Of the overlay, 0 to 1.").tag(sync=True)
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        lens: SemanticLens,
        layer: str | None = None,
        neuron: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(lens, **_answers.with_active(options, layer, neuron))

    def refresh(self) -> None:
        """Ask the browser to fetch the neuron's label and measures again."""
        self._revision += 1

    def _preview(self) -> bytes | None:
        if self.active is None:
            return None
        samples = [int(sample) for sample in self.lens.examples(*self.active)["sample"]]
        rows = [samples[:COLUMNS], samples[COLUMNS : 2 * COLUMNS]]
        return sheet_png(self.lens, [row for row in rows if row])
