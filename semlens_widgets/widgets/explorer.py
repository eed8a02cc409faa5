"""The explorer: search, map, gallery and contrast panel in one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import numpy as np
import traitlets

from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import (
    Handler,
    LensWidget,
    Neuron,
    asset,
    close_matches,
)
from semlens_widgets.widgets.contrast import ContrastPanel
from semlens_widgets.widgets.gallery import ConceptGallery
from semlens_widgets.widgets.map import NeuronMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from semlens_widgets.widgets._lens import Lens

MAP_HEIGHT = 560
#: What a view is made of, by part; the browser copies the same (js/src/explorer/view-state.ts).
_PARTS = {
    "map": (
        "color_by", "size_by", "opacity_by", "filter", "contours", "region_labels", "tool",
    ),
    "gallery": (
        "overlay", "crop", "outline", "side_by_side", "opacity", "threshold", "colormap",
        "sort_by", "group_by",
    ),
    "contrast": ("candidates", "scorer", "settings", "templates", "excluded"),
}  # fmt: skip
_OWN = ("active", "query", "query_layer", "like", "tab")


class Explorer(LensWidget):
    """Look through a whole lens: search it, walk the map, see and label each neuron.

    The three widgets inside are linked in the browser: what one selects, all show.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    active : (layer, index) or None
        The neuron to start from.
    query, query_layer, like
        What is searched: words, in one layer or all; or neurons like this one.
    tab : {"gallery", "contrast"}
        The panel in front where there is room for one.
    state : dict, optional
        A view to restore, as :attr:`state` or the button "Copy state" gave it.
    """

    _esm = asset("explorer.js")
    _css = asset("explorer.css")

    _map = anywidget.WidgetTrait().tag(sync=True)
    _gallery = anywidget.WidgetTrait().tag(sync=True)
    _contrast = anywidget.WidgetTrait().tag(sync=True)
    _layers = traitlets.List(traitlets.Unicode()).tag(sync=True)

    query = traitlets.Unicode("", help="Words that are searched.").tag(sync=True)
    query_layer = traitlets.Unicode(None, allow_none=True, help="The layer searched.").tag(
        sync=True
    )
    like = Neuron(help="The neuron whose like are searched.")
    tab = traitlets.Enum(("gallery", "contrast"), "gallery", help="The panel in front.").tag(
        sync=True
    )

    def __init__(
        self, lens: Lens, *, state: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(lens, **options)
        with self.hold_sync():
            self._map = NeuronMap(lens, height=MAP_HEIGHT, active=self.active)
            self.map.hide_search()
            self._gallery = ConceptGallery(lens, active=self.active)
            self._contrast = ContrastPanel(lens, active=self.active)
            self._layers = [str(layer) for layer in lens.layers]
        for widget in self._parts:
            widget.observe(self._follow, names="active")
        if state is not None:
            self.restore(state)

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
    def _parts(self) -> tuple[LensWidget, ...]:
        """The widgets inside, as far as they are made."""
        parts = (self._map, self._gallery, self._contrast)
        return tuple(part for part in parts if part is not None)

    @property
    def selection(self) -> pd.DataFrame:
        """The neurons inside the map's lasso: rows of ``lens.neurons``."""
        return self.map.selected

    @property
    def state(self) -> dict[str, Any]:
        """The view as a small dict of plain values: ``lens.explore(state=...)`` shows it again."""
        state: dict[str, Any] = {name: _plain(getattr(self, name)) for name in _OWN}
        for part, names in _PARTS.items():
            state[part] = {name: _plain(getattr(getattr(self, part), name)) for name in names}
        state["selection"] = np.frombuffer(self.map.selection, dtype=np.uint32).tolist()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Show a view again; what `state` leaves out stays as it is.

        What is gone since the view was copied, such as a label that no neuron has any more, is left
        out with a warning.

        Raises
        ------
        ValueError
            If it holds a name that is no part of a view, or is none as :attr:`state` gives it.
        """
        _check(state, [*_OWN, *_PARTS, "selection"], "state")
        for part, names in _PARTS.items():
            _check(state.get(part, {}), names, f"state[{part!r}]")
        _check(state.get("map", {}).get("filter", {}), None, "state['map']['filter']")
        chosen = state.get("selection", [])
        if not isinstance(chosen, list) or any(type(row) is not int or row < 0 for row in chosen):
            raise ValueError("state['selection'] must be a list of row numbers.")
        self._show_again({name: state[name] for name in _OWN if name in state})
        for part in _PARTS:
            getattr(self, part)._show_again(state.get(part, {}))  # noqa: SLF001 -- of this family
        if "selection" in state:
            rows = np.asarray(state["selection"], dtype=np.uint32)
            there = rows[rows < len(self.lens.neurons)]
            if gone := len(rows) - len(there):
                warnings.warn(
                    f"Not selected again, as they are gone: {gone} of {len(rows)} neurons.",
                    stacklevel=2,
                )
            self.map.selection = there.tobytes()

    @traitlets.validate("query_layer")
    def _known_layer(self, proposal: dict[str, Any]) -> str | None:
        layer: str | None = proposal["value"] or None
        layers = [str(name) for name in self.lens.layers]
        if layer is not None and layer not in layers:
            raise traitlets.TraitError(
                f"query_layer: there is no layer {layer!r}.{close_matches(layer, layers)}"
            )
        return layer

    def refresh(self) -> None:
        """Show the neurons as the lens has them now, after a new layout."""
        for widget in self._parts:
            widget.refresh()

    def _relabelled(self) -> None:
        """Leave it to the widgets inside: each hears of new labels by itself."""

    def close(self) -> None:
        """Take the widget from the page and the kernel, with those inside."""
        for widget in self._parts:
            widget.close()
        super().close()

    # What is set here or on a widget inside goes on from here, in one order. What a person does in
    # the browser goes on from there.
    @traitlets.observe("active")
    def _show(self, change: dict[str, Any]) -> None:
        if not self._told_by_browser:
            for widget in self._parts:
                widget.active = change["new"]

    def _follow(self, change: dict[str, Any]) -> None:
        if not change["owner"]._told_by_browser:  # noqa: SLF001 -- a widget of its own
            self.active = change["new"]

    _requests: ClassVar[Mapping[str, Handler]] = {"search": _answers.search}

    def _summary(self) -> str:
        return f"{len(self.lens.neurons)} neurons, {super()._summary()}"

    def _preview(self) -> bytes | None:
        return self.map._preview()  # noqa: SLF001 -- a widget of its own


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


def _check(state: Any, known: Sequence[str] | None, what: str) -> None:
    if not isinstance(state, Mapping):
        raise ValueError(f"{what} must be a dictionary, not {type(state).__name__}.")
    for name in state:
        if known is not None and name not in known:
            raise ValueError(f"{what} has no {name!r}.{close_matches(name, list(known))}")
