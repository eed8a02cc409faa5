"""The concept gallery: the images that activate a neuron most, with relevance and crops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import Handler, LensWidget, Reply, asset
from semlens_widgets.widgets._page.pool import first
from semlens_widgets.widgets._sheet import COLUMNS, sheet_png

if TYPE_CHECKING:
    from collections.abc import Mapping

    from semlens_widgets.widgets._lens import Lens
    from semlens_widgets.widgets._page.pool import Recorder


COLORMAPS = ("ember", "viridis", "ice", "grey")


def _clusters(widget: LensWidget, params: Mapping[str, Any]) -> Reply:
    return widget.lens.example_clusters(*_answers.neuron_of(params)).tolist(), []


def _fraction(default: float, what: str) -> traitlets.Float[float, float]:
    return traitlets.Float(default, min=0.0, max=1.0, help=what).tag(sync=True)


def _switch(what: str) -> traitlets.Bool[bool, bool | int]:
    return traitlets.Bool(False, help=what).tag(sync=True)


class ConceptGallery(LensWidget):
    """Show the images that activate one neuron most.

    Thumbnails and relevance are fetched when they come into view; a click on an image opens it in
    its own resolution if the lens has the images.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    layer, neuron : str, int, optional
        The neuron to show; also the trait ``active``, which may be set at any time.
    overlay, opacity, colormap : bool, float, str
        Colour the relevant pixels, how strongly, and with which of ``COLORMAPS``.
    threshold : float
        Relevance below this share of its maximum is left out; outline and crop follow it.
    outline : bool
        Draw a line where the relevance reaches the threshold (half its maximum, if that is 0).
    crop : bool
        Zoom into the region inside that line. What was embedded is a box of its own, and the large
        view says which.
    side_by_side : bool
        Show the plain image beside the relevance.
    sort_by : {"activation", "class", "file"}
        The order of the images.
    group_by : {"class", "cluster"} or None
        What puts images together; ``"cluster"`` splits them into the two meanings that
        polysemanticity compares.
    """

    view_title = "Examples"
    view_traits = (
        "overlay", "crop", "outline", "side_by_side", "opacity", "threshold", "colormap",
        "sort_by", "group_by",
    )  # fmt: skip

    _esm = asset("gallery.js")
    _css = asset("gallery.css")
    _requests: ClassVar[Mapping[str, Handler]] = {
        "neuron": _answers.examples_of,
        "clusters": _clusters,
        "original": _answers.original,
        "thumbnails": _answers.thumbnails,
        "heatmaps": _answers.heatmaps,
    }

    overlay = _switch("Colour the pixels that made the neuron fire.")
    crop = _switch("Zoom each image into its relevant region.")
    outline = _switch("Draw a line around the relevant region.")
    side_by_side = _switch("Show the plain image beside the relevance.")
    opacity = _fraction(0.7, "Of the overlay, 0 to 1.")
    threshold = _fraction(0.0, "Relevance below this share of its maximum is left out.")
    colormap = traitlets.Enum(COLORMAPS, "ember", help="Of the overlay.").tag(sync=True)
    sort_by = traitlets.Enum(("activation", "class", "file"), "activation").tag(sync=True)
    group_by = traitlets.Enum(("class", "cluster"), None, allow_none=True).tag(sync=True)
    _originals = _switch("Whether the images can be shown whole.")
    _crops = _switch("Whether crops were embedded rather than whole images.")
    _revision = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        lens: Lens,
        layer: str | None = None,
        neuron: int | str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(lens, **_answers.with_active(options, layer, neuron))
        self._originals = lens.images is not None
        self._crops = lens.embedding == "crop"

    @traitlets.validate("opacity", "threshold")
    def _a_number(self, proposal: dict[str, Any]) -> float:
        value: float = proposal["value"]
        if value != value:  # noqa: PLR0124 - NaN passes the bounds of the trait
            raise traitlets.TraitError(
                f"{proposal['trait'].name} must lie between 0 and 1, not NaN."
            )
        return value

    def refresh(self) -> None:
        """Ask the browser to fetch the neuron's label and measures again."""
        self._revision += 1

    def _reached(self) -> list[tuple[str, int]]:
        return _answers.active_alone(self)

    def _record(self, page: Recorder) -> None:
        for of in page.each(self):
            shown = page.ask(self, "neuron", of, first("examples", page.examples))
            page.ask(self, "clusters", of)
            samples = [example["sample"] for example in shown["examples"]]
            page.pictures(self, samples)
            page.heatmaps(self, of, samples)

    def _preview(self) -> bytes | None:
        if self.active is None:
            return None
        samples = [int(sample) for sample in self.lens.examples(*self.active)["sample"]]
        rows = [samples[:COLUMNS], samples[COLUMNS : 2 * COLUMNS]]
        return sheet_png(self.lens, [row for row in rows if row])
