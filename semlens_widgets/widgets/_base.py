"""What every widget shares: strict construction, lazy requests, errors for people.

The other side of the requests is ``js/src/source/kernel-source.ts``.
"""

from __future__ import annotations

import base64
import html
import logging
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets
from IPython.display import display

from semlens_widgets.errors import LensUnavailable
from semlens_widgets.inputs.poles import neuron_name, neuron_number
from semlens_widgets.widgets._messages import ACTIONS
from semlens_widgets.widgets._requests import close_matches, describe, whole
from semlens_widgets.widgets._work import Stopped, Work

if TYPE_CHECKING:
    from collections.abc import Iterable
    from threading import Event

    import pandas as pd

    from semlens_widgets.widgets._lens import Lens, Neurons
    from semlens_widgets.widgets._page.embedded import EmbeddedPage
    from semlens_widgets.widgets._page.pool import Recorder
    from semlens_widgets.widgets._page.scoring import Scoring

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent.parent / "static"

#: What a request handler returns: a JSON value and the binary buffers beside it.
Reply = tuple[Any, Sequence[bytes]]
Handler = Callable[[Any, Mapping[str, Any]], Reply]
#: Hears how many of how many are done.
Told = Callable[[int, int], None]
#: Something that is done rather than answered; it tells how far it is.
Doer = Callable[[Any, Mapping[str, Any], Told], Reply]

_PLUMBING = {"comm", "keys", "log"}
_NOT_BUILT = "The browser part of this widget is not built"
_MISSING_BUNDLE = """export default {{ render({{ el }}) {{ el.textContent =
"{said} ({name}). Run: pip install -e ."; }} }};"""


def asset(name: str) -> Path | str:
    """Return the path of a built bundle, or a stand-in that says how to build it."""
    path = STATIC / name
    if path.exists():
        return path
    return _MISSING_BUNDLE.format(said=_NOT_BUILT, name=name) if name.endswith(".js") else ""


def is_built(code: str) -> bool:
    """Return whether a widget's code is more than the stand-in of :func:`asset`."""
    return _NOT_BUILT not in code


class Neuron(traitlets.TraitType[Any, Any]):
    """A trait for one neuron: ``(layer, index or name)``, or None."""

    default_value = None
    allow_none = True
    info_text = "a neuron: (layer, index), or None"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tag(sync=True, to_json=_neuron_to_json, from_json=_neuron_from_json)

    def validate(self, obj: Any, value: Any) -> tuple[str, int] | None:
        """Accept a pair, a list, or the JSON form."""
        if isinstance(value, Mapping):
            value = _neuron_from_json(value)
        try:
            layer, neuron = value
            if isinstance(neuron, str) and isinstance(obj, LensWidget):
                neuron = neuron_number(neuron, poles_of(obj.lens).get(str(layer)))
            if int(neuron) != float(neuron):
                raise ValueError
            return (str(layer), int(neuron))
        except (TypeError, ValueError, OverflowError):
            return self.error(obj, value)  # raises


def poles_of(lens: Neurons) -> Mapping[str, int]:
    """Return by layer with both poles how many channels it has; another's lens need not tell."""
    poles: Mapping[str, int] = getattr(lens, "poles", {})
    return poles


def _neuron_to_json(value: tuple[str, int] | None, _widget: object = None) -> Any:
    return None if value is None else {"layer": value[0], "neuron": value[1]}


def _neuron_from_json(value: Any, _widget: object = None) -> tuple[str, int] | None:
    if isinstance(value, Mapping):
        return (str(value.get("layer")), int(value.get("neuron", -1)))
    return None if value is None else (value[0], value[1])


def _hear_labels(widget: LensWidget, lens: Lens) -> Callable[[], None]:
    """Tell the widget when the lens has other labels, without keeping it alive."""
    reference = weakref.ref(widget)

    def tell() -> None:
        if (living := reference()) is not None:
            living._relabelled()  # noqa: SLF001 -- of this module

    end = lens.on_labels(tell)
    weakref.finalize(widget, end).atexit = False
    return end


class LensWidget(anywidget.AnyWidget):
    """A widget that looks at a lens.

    Subclasses name the handlers of questions in ``_requests``; each takes ``(self, params)`` and
    returns a JSON value and a list of buffers. Those of ``_actions``, which change something, take
    besides what hears how far they are. What a handler raises reaches the person inside the
    widget, without a traceback. ``widgets/_messages`` declares what both sides say, and which
    actions are done in a thread of their own: those the browser may have stopped, which ends them
    where they next tell how far they are.

    Parameters
    ----------
    lens : SemanticLens
        The analysis to look at.
    **options
        Public traits of the widget; unknown names raise TypeError.
    """

    _requests: ClassVar[Mapping[str, Handler]] = {}
    _actions: ClassVar[Mapping[str, Doer]] = {}
    #: What an explorer calls the view, and the traits that a copied view is made of. One that
    #: belongs to a neuron is sent as ``_<name>``, with the neuron and its ``ranks``.
    view_title: ClassVar[str] = ""
    view_traits: ClassVar[tuple[str, ...]] = ()

    active = Neuron(help="The neuron looked at: (layer, index), or None.")
    #: By layer with both poles, how many channels it has: the browser part names its neurons.
    _poles = traitlets.Dict().tag(sync=True)
    #: Names the still picture in the page, which the browser part hides while it works.
    _still = traitlets.Unicode().tag(sync=True)

    def __init__(self, lens: Lens, **options: Any) -> None:
        self.lens: Lens = lens
        known = [
            name
            for name in self.class_trait_names()
            if not name.startswith("_") and name not in _PLUMBING
        ]
        for name in options:
            if name not in known:
                message = f"{type(self).__name__} has no option {name!r}."
                raise TypeError(message + close_matches(name, sorted(known)))
        self._told_by_browser = False
        self._work = Work()
        super().__init__(**options)
        self._still = self.model_id or ""
        self._poles = dict(poles_of(lens))
        self.on_msg(self._answer)
        self._stop_hearing = _hear_labels(self, lens)

    def __reduce__(self) -> Any:
        raise LensUnavailable(
            f"A {type(self).__name__} cannot be pickled: it is shown in a page. Pickle what it is "
            "made of, such as lens.explore().state, and make another one."
        )

    def refresh(self) -> None:
        """Show the neurons as the lens has them now."""

    def to_html(
        self,
        path: str | Path,
        neurons: pd.DataFrame | Iterable[tuple[str, int | str]] | None = None,
        examples: int = 9,
        *,
        texts: Sequence[str] = (),
        folder: bool = False,
    ) -> None:
        """Write the widget as a page that works without kernel and network.

        Heatmaps that are not stored are computed if the model is at hand. Pictures may be smaller
        than in the notebook; the page says so, and what it cannot do.

        Parameters
        ----------
        path
            The HTML file to write; with `folder` a folder for a web server, whose parts are loaded
            when they are shown.
        neurons
            Those that travel with their images and scores: rows of ``lens.neurons``, or (layer,
            neuron) pairs; by default all, or the active one of a view in which no other can be
            chosen. Of the others the page knows where they lie, no more.
        examples
            How many examples of each.
        texts
            Words that can be searched and scored in the page besides those that travel anyway: the
            neurons' labels, a panel's candidates, and of the vocabularies what fits best.

        Raises
        ------
        ValueError
            If there are no such neurons, if something cannot be answered that the page promises,
            or if the page can do nothing with `texts`.
        TypeError
            If `neurons` or `texts` are something else.
        OSError
            If a browser part is not built, or if `path` is no place for a page.
        """
        from semlens_widgets.widgets._page import write_page

        write_page(self, path, neurons=neurons, examples=examples, texts=texts, folder=folder)

    def embed(
        self,
        neurons: pd.DataFrame | Iterable[tuple[str, int | str]] | None = None,
        examples: int = 9,
        *,
        texts: Sequence[str] = (),
    ) -> EmbeddedPage:
        """Return the page of :meth:`to_html` in a frame, which a saved notebook keeps working.

        It takes the room in the notebook that the file would take.
        """
        from semlens_widgets.widgets._page import embedded_page

        return embedded_page(self, neurons=neurons, examples=examples, texts=texts)

    def _reached(self) -> Sequence[tuple[str, int]] | None:
        """Return the neurons that a page of this widget can show; None for all.

        Raises
        ------
        ValueError
            If it can show none.
        """
        return None

    def _inner(self) -> Sequence[LensWidget]:
        """Return the widgets inside this one."""
        return ()

    def _record(self, page: Recorder) -> None:
        """Ask what a page without a kernel may be asked of this widget."""

    def _as_in_page(self, _scoring: Scoring | None) -> Mapping[str, Any]:
        """Return the traits that a page has otherwise, by what it can score."""
        return {}

    def _show_again(self, values: Mapping[str, Any]) -> None:
        """Set traits as they were once; what is gone since then is left out, with a warning."""
        for name, value in values.items():
            try:
                setattr(self, name, value)
            except traitlets.TraitError as error:
                warnings.warn(f"Not shown again: {error}", stacklevel=4)

    def _relabelled(self) -> None:
        """Hear that the lens has other labels."""
        self.refresh()

    def close(self) -> None:
        """Take the widget from the page and the kernel."""
        # The end of an object that could not be made comes here too.
        if stop := getattr(self, "_stop_hearing", None):
            stop()
            self._work.end()
        super().close()

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take over what the browser says."""
        self._told_by_browser = True
        try:
            super().set_state(sync_data)
        finally:
            self._told_by_browser = False

    @traitlets.validate("active")
    def _known_neuron(self, proposal: dict[str, Any]) -> tuple[str, int] | None:
        neuron: tuple[str, int] | None = proposal["value"]
        if neuron is None:
            return None
        layer, index = neuron
        layers = [str(name) for name in self.lens.layers]
        if layer not in layers:
            raise traitlets.TraitError(
                f"active: there is no layer {layer!r}.{close_matches(layer, layers)}"
            )
        table = self.lens.neurons
        if not ((table["layer"] == layer) & (table["neuron"] == index)).any():
            raise traitlets.TraitError(f"active: layer {layer!r} has no neuron {index}.")
        return neuron

    def _answer(self, _widget: object, content: Any, _buffers: Sequence[memoryview]) -> None:
        if not isinstance(content, Mapping):
            return
        of = content.get("id")
        if not isinstance(of, int):  # no browser part of ours waits for that
            return
        if content.get("kind") == "stop":
            self._work.stop(of)
        elif content.get("kind") == "request":
            action = ACTIONS.get(str(content.get("method")))
            if action is not None and action.long:
                self._work.begin(of, lambda stop: self._reply(content, stop))
            else:
                self._reply(content)

    def _reply(self, content: Mapping[str, Any], stop: Event | None = None) -> None:
        reply: dict[str, Any] = {"kind": "reply", "id": content.get("id")}
        buffers: Sequence[bytes] = []
        method = content.get("method")
        try:
            params = whole(content.get("params") or {})
            if (doer := self._actions.get(str(method))) is not None:
                told = self._teller(content.get("id"), stop)
                reply["result"], buffers = doer(self, params, told)
            elif (handler := self._requests.get(str(method))) is not None:
                reply["result"], buffers = handler(self, params)
            else:
                raise ValueError(f"{type(self).__name__} cannot answer {method!r}.")
        except Exception as error:
            logger.debug("request %r failed", method, exc_info=True)
            reply["error"] = describe(error)
            buffers = []
        self.send(reply, list(buffers))

    def _teller(self, of: Any, stop: Event | None) -> Told:
        """Return what tells the browser how far an action is, and ends one that is to stop."""

        def tell(done: int, total: int) -> None:
            if stop is not None and stop.is_set():
                raise Stopped(f"Stopped at {done} of {total}.")
            self.send({"kind": "progress", "id": of, "done": done, "total": total})

        return tell

    def _summary(self) -> str:
        """Return what stands between the parentheses of the repr."""
        if self.active is None:
            return "no neuron"
        layer, neuron = self.active
        return f"{layer} / {neuron_name(neuron, poles_of(self.lens).get(layer))}"

    def _preview(self) -> bytes | None:
        """Return a PNG shown where no JavaScript runs, such as on code-hosting sites."""
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._summary()})"

    def _ipython_display_(self) -> None:
        """Show the widget and, in an output of its own, the still picture.

        Of one output a page made from a notebook has one form only, the widget's, which shows
        nothing without a network or a kernel. The picture stands in for it then.
        """
        bundle = self._repr_mimebundle_()
        if bundle is None:
            return
        data, metadata = bundle
        png = data.pop("image/png", None)
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
        if png is not None:
            still = {"text/html": self._still_html(png), "image/png": png}
            display(still, raw=True)  # type: ignore[no-untyped-call]

    def _still_html(self, png: str) -> str:
        return (
            f'<img class="slw-still slw-still-{self._still}" alt="{html.escape(repr(self))}" '
            f'style="max-width: 100%" src="data:image/png;base64,{png}">'
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle: tuple[dict[str, Any], dict[str, Any]] | None = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        try:
            png = self._preview()
        except Exception:  # the still picture must not keep the widget from its cell
            logger.warning("%s has no still picture", type(self).__name__, exc_info=True)
            png = None
        if png is not None:
            data = {**data, "image/png": base64.b64encode(png).decode("ascii")}
        return data, metadata
