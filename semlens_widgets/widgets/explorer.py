"""The explorer: search, map and the views in one."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import traitlets

from semlens_widgets.widgets import _answers
from semlens_widgets.widgets._base import Handler, LensWidget, Neuron, asset
from semlens_widgets.widgets._requests import close_matches
from semlens_widgets.widgets._selection import SelectingWidget
from semlens_widgets.widgets._views import VIEWS
from semlens_widgets.widgets.map import NeuronMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from semlens_widgets.widgets._lens import Lens

MAP_HEIGHT = 560
_OWN = ("active", "query", "query_layer", "like", "tab")


class Explorer(LensWidget):
    """Look through a whole lens: search it, walk the map, see and label each neuron.

    The widgets inside are linked in the browser: what one selects, all show.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    active : (layer, index) or None
        The neuron to start from.
    query, query_layer, like
        What is searched: words, in one layer or all; or neurons like this one.
    tab : str
        The panel in front where there is room for one: ``"gallery"``, ``"contrast"``, ``"review"``.
    state : dict, optional
        A view to restore, as :attr:`state` or the button "Copy state" gave it.
    """

    _esm = asset("explorer.js")
    _css = asset("explorer.css")

    #: The map and the views beside it: name, title, reference, and what a copied view keeps.
    _views = traitlets.List(traitlets.Dict()).tag(sync=True)
    _layers = traitlets.List(traitlets.Unicode()).tag(sync=True)

    query = traitlets.Unicode("", help="Words that are searched.").tag(sync=True)
    query_layer = traitlets.Unicode(None, allow_none=True, help="The layer searched.").tag(
        sync=True
    )
    like = Neuron(help="The neuron whose like are searched.")
    tab = traitlets.Unicode(help="The panel in front.").tag(sync=True)

    def __init__(
        self, lens: Lens, *, state: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        self._inside: dict[str, LensWidget] = {}
        super().__init__(lens, **options)
        with self.hold_sync():
            self._inside["map"] = NeuronMap(lens, height=MAP_HEIGHT, active=self.active)
            self.map.hide_search()
            for name, kind in VIEWS.items():
                self._inside[name] = kind(lens, active=self.active)
            self._views = [
                {
                    "name": name,
                    "title": view.view_title,
                    "model": f"anywidget:{view.model_id}",
                    "keeps": list(view.view_traits),
                }
                for name, view in self._inside.items()
            ]
            self._layers = [str(layer) for layer in lens.layers]
        for widget in self._inside.values():
            widget.observe(self._follow, names="active")
            if isinstance(widget, SelectingWidget):
                widget.observe(self._select, names="selection")
        if state is not None:
            self.restore(state)

    @property
    def map(self) -> NeuronMap:
        """The map inside."""
        widget: Any = self._inside["map"]
        return cast("NeuronMap", widget)

    @property
    def views(self) -> Mapping[str, LensWidget]:
        """The widgets inside by name; each is an attribute, too: ``explorer.gallery``."""
        return dict(self._inside)

    def __getattr__(self, name: str) -> Any:
        inside = self.__dict__.get("_inside", {})
        if name in inside:
            return inside[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def selection(self) -> pd.DataFrame:
        """The neurons inside the map's lasso: rows of ``lens.neurons``."""
        return self.map.selected

    @property
    def state(self) -> dict[str, Any]:
        """The view as a small dict of plain values: ``lens.explore(state=...)`` shows it again."""
        state: dict[str, Any] = {name: _plain(getattr(self, name)) for name in _OWN}
        for part, view in self._inside.items():
            state[part] = {name: _plain(getattr(view, name)) for name in view.view_traits}
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
        _check(state, [*_OWN, *self._inside, "selection"], "state")
        for part, view in self._inside.items():
            _check(state.get(part, {}), view.view_traits, f"state[{part!r}]")
        _check(state.get("map", {}).get("filter", {}), None, "state['map']['filter']")
        chosen = state.get("selection", [])
        if not isinstance(chosen, list) or any(type(row) is not int or row < 0 for row in chosen):
            raise ValueError("state['selection'] must be a list of row numbers.")
        self._show_again({name: state[name] for name in _OWN if name in state})
        for part, view in self._inside.items():
            view._show_again(state.get(part, {}))  # noqa: SLF001 -- of this family
        if "selection" in state:
            rows = np.asarray(state["selection"], dtype=np.uint32)
            there = rows[rows < len(self.lens.neurons)]
            if gone := len(rows) - len(there):
                warnings.warn(
                    f"Not selected again, as they are gone: {gone} of {len(rows)} neurons.",
                    stacklevel=2,
                )
            self.map.selection = there.tobytes()

    @traitlets.default("tab")
    def _first_view(self) -> str:
        return next(iter(VIEWS), "")

    @traitlets.validate("tab")
    def _known_view(self, proposal: dict[str, Any]) -> str:
        tab: str = proposal["value"]
        if tab not in VIEWS:
            raise traitlets.TraitError(
                f"tab: there is no view {tab!r}.{close_matches(tab, list(VIEWS))}"
            )
        return tab

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
        for widget in self._inside.values():
            widget.refresh()

    def _inner(self) -> Sequence[LensWidget]:
        return tuple(self._inside.values())

    def _relabelled(self) -> None:
        """Leave it to the widgets inside: each hears of new labels by itself."""

    def close(self) -> None:
        """Take the widget from the page and the kernel, with those inside."""
        for widget in self._inside.values():
            widget.close()
        super().close()

    # What is set here or on a widget inside goes on from here, in one order. What a person does in
    # the browser goes on from there.
    @traitlets.observe("active")
    def _show(self, change: dict[str, Any]) -> None:
        if not self._told_by_browser:
            for widget in self._inside.values():
                widget.active = change["new"]

    def _follow(self, change: dict[str, Any]) -> None:
        if not change["owner"]._told_by_browser:  # noqa: SLF001 -- a widget of its own
            self.active = change["new"]

    def _select(self, change: dict[str, Any]) -> None:
        if not change["owner"]._told_by_browser:  # noqa: SLF001 -- a widget of its own
            for widget in self._inside.values():
                if isinstance(widget, SelectingWidget):
                    widget.selection = change["new"]

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
