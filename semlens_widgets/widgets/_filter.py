"""The map's filter: what is shown, column by column. The other side is ``js/src/map/filter.ts``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import traitlets

from semlens_widgets.widgets._columns import readable, title
from semlens_widgets.widgets._requests import close_matches

#: The names of each column that can be filtered, in the order of its legend; None for numbers.
Known = Mapping[str, Callable[[], list[str] | None]]


def shown(name: str, wanted: Any, known: Known) -> list[Any]:
    """Return one entry of a filter as it travels: names, or (low, high) with None for open.

    Raises
    ------
    TraitError
        With what the column takes, if it does not take this.
    """
    if name not in known:
        raise traitlets.TraitError(
            f"filter: there is no column {name!r}.{close_matches(name, list(known))}"
        )
    names = known[name]()
    if names is None:
        return _bounds(name, wanted)
    chosen = _names(name, wanted)
    for one in chosen:
        if one not in names and one != "":
            raise traitlets.TraitError(
                f"filter: {name!r} shows no {one!r}.{close_matches(one, names)}"
            )
    return chosen


def still_shown(wanted: Mapping[str, Any], known: Known) -> tuple[dict[str, list[Any]], list[str]]:
    """Return what of a filter there still is, and in words what is gone."""
    kept: dict[str, list[Any]] = {}
    gone: list[str] = []
    for name, one in wanted.items():
        if one is None:
            continue
        try:
            kept[name] = shown(name, one, known)
        except traitlets.TraitError:
            names = known[name]() if name in known else None
            chosen = [] if names is None else _texts(name, one)
            lost = [text for text in chosen if text not in (*(names or ()), "")]
            gone += [f"“{text}” ({title(name)})" for text in lost] or [title(name)]
            if len(lost) < len(chosen):
                kept[name] = [text for text in chosen if text not in lost]
    return kept, gone


def _texts(name: str, wanted: Any) -> list[str]:
    try:
        return _names(name, wanted)
    except traitlets.TraitError:
        return []


def _bounds(name: str, wanted: Any) -> list[float | None]:
    try:
        low, high = (None if edge is None else float(edge) for edge in wanted)
    except (TypeError, ValueError, OverflowError):
        raise traitlets.TraitError(
            f"filter: {name!r} holds numbers and takes (low, high), not {wanted!r}."
        ) from None
    lowest, highest = -np.inf if low is None else low, np.inf if high is None else high
    if np.isnan(lowest) or np.isnan(highest):
        raise traitlets.TraitError(
            f"filter: a bound of {name!r} is NaN. Give numbers, or None for an open bound."
        )
    if lowest > highest or lowest == np.inf or highest == -np.inf:
        raise traitlets.TraitError(
            f"filter: no number of {name!r} lies between {low} and {high}. Give (low, high)."
        )
    return [float(edge) if np.isfinite(edge) else None for edge in (lowest, highest)]


def _names(name: str, wanted: Any) -> list[str]:
    """Return names; flags may be given as True and False."""
    many = isinstance(wanted, Iterable) and not isinstance(wanted, str | bytes)
    chosen = list(wanted) if many else [wanted]
    for one in chosen:
        if not isinstance(one, str | bool | np.bool_):
            raise traitlets.TraitError(
                f"filter: {name!r} takes names, such as ['a', 'b'], not {wanted!r}."
            )
    return [readable(one) if isinstance(one, str) else "yes" if one else "no" for one in chosen]
