"""The widgets of a page as its browser part gets them: their traits, code and style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anywidget import AnyWidget

from semlens_widgets.widgets._base import is_built

if TYPE_CHECKING:
    from semlens_widgets.widgets._base import LensWidget
    from semlens_widgets.widgets._page.chunks import Chunks

#: What the machinery of notebooks keeps in a widget's state, and a page has no use for.
_PLUMBING = {*AnyWidget.class_trait_names(sync=True), "_esm", "_css", "_anywidget_id"}
_REFERENCE = "anywidget:"


def family(root: LensWidget) -> list[LensWidget]:
    """Return a widget and all those inside it, which are shown in one page."""
    found = [root]
    for one in found:
        found.extend(one._inner())  # noqa: SLF001 -- of this family
    return found


def described(widgets: list[LensWidget], chunks: Chunks) -> list[dict[str, Any]]:
    """Return the traits, the code and the style of each widget, the binary ones kept in chunks.

    References to other widgets are numbers in this list.

    Raises
    ------
    FileNotFoundError
        If the browser part of one is not built.
    """
    numbers = {f"{_REFERENCE}{one.model_id}": f"{_REFERENCE}{at}" for at, one in enumerate(widgets)}
    return [_described(one, numbers, chunks) for one in widgets]


def _described(widget: LensWidget, numbers: dict[str, str], chunks: Chunks) -> dict[str, Any]:
    code, style = _assets(widget)
    bare: dict[str, Any] = {}
    buffers: list[tuple[list[str], Any]] = []
    for name, value in widget.get_state().items():
        if name in _PLUMBING:
            continue
        bare[name] = _bare(value, [name], buffers, numbers, chunks)
    bare["_still"] = ""
    return {
        "name": type(widget).__name__,
        "traits": bare,
        "buffers": buffers,
        "code": chunks.add(code.encode("utf-8"), "code"),
        "style": chunks.add(style.encode("utf-8"), "code"),
    }


def _assets(widget: LensWidget) -> tuple[str, str]:
    code, style = str(widget._esm), str(getattr(widget, "_css", ""))  # noqa: SLF001
    if not is_built(code) or ("_css" in vars(type(widget)) and not style.strip()):
        raise FileNotFoundError(
            f"The browser part of {type(widget).__name__} is not built, so no page can hold it. "
            "Run: pip install -e ."
        )
    return code, style


def _bare(
    value: Any,
    path: list[str],
    buffers: list[tuple[list[str], Any]],
    numbers: dict[str, str],
    chunks: Chunks,
) -> Any:
    """Return a trait's value as JSON, and note where bytes belong."""
    if isinstance(value, dict):
        return {
            name: _bare(one, [*path, str(name)], buffers, numbers, chunks)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            _bare(one, [*path, str(at)], buffers, numbers, chunks) for at, one in enumerate(value)
        ]
    if isinstance(value, bytes | memoryview | bytearray):
        buffers.append((path, chunks.add(bytes(value), "traits")))
        return None
    return numbers.get(value, value) if isinstance(value, str) else value
