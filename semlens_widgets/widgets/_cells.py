"""Widgets that a cell made when it was last run: closed when it has made new ones.

Running a cell again replaces its output, but the widgets of the old output would stay in the
kernel and in the page until the kernel ends.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets

_MADE: dict[str, list[tuple[int, weakref.ref[ipywidgets.Widget]]]] = {}


def replace_those_of_the_last_run(widget: ipywidgets.Widget) -> None:
    """Remember that the running cell made this widget; after it, close what it made before."""
    shell = _shell()
    cell = _running_cell(shell)
    if cell is None:
        return
    run = int(shell.execution_count)
    made = _MADE.setdefault(cell, [])
    stale = [reference for when, reference in made if when != run]
    made[:] = [(when, reference) for when, reference in made if when == run]
    made.append((run, weakref.ref(widget)))
    if not stale:
        return

    def close(*_: object) -> None:
        shell.events.unregister("post_run_cell", close)
        for reference in stale:
            old = reference()
            if old is None:
                continue
            if _kept(old, shell.user_ns):
                made.append((-1, reference))
                continue
            layout = getattr(old, "layout", None)
            old.close()
            if layout is not None and not _kept(layout, shell.user_ns, but=old):
                layout.close()

    shell.events.register("post_run_cell", close)


def _shell() -> Any:
    interactive = sys.modules.get("IPython.core.getipython")
    return interactive.get_ipython() if interactive else None


def _running_cell(shell: Any) -> str | None:
    parent = shell.get_parent() if hasattr(shell, "get_parent") else None
    if not isinstance(parent, Mapping):
        return None
    cell = (parent.get("metadata") or {}).get("cellId")
    return str(cell) if cell else None


def _kept(
    widget: ipywidgets.Widget, names: Mapping[str, Any], but: ipywidgets.Widget | None = None
) -> bool:
    """Return whether a variable, a collection in one, or a widget other than `but` holds it."""
    held = [value for name, value in names.items() if not name.startswith("_") and name != "Out"]
    for value in held:
        if value is widget:
            return True
        parts = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict | list | tuple | set) and any(part is widget for part in parts):
            return True
    known = getattr(sys.modules.get("ipywidgets.widgets.widget"), "_instances", {})
    others = [other for other in known.values() if other is not widget and other is not but]
    return any(
        value is widget
        for other in others
        for value in getattr(other, "_trait_values", {}).values()
    )
