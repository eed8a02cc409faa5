"""Who hears of changed labels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, eq=False)
class _Listener:
    """A callback by itself: the same function may listen twice, and end once."""

    call: Callable[[], None]


class Listeners:
    """Who hears of changed labels."""

    def __init__(self) -> None:
        self._all: list[_Listener] = []

    def on_labels(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever labels have changed, in the thread that changed them.

        Returns
        -------
        callable
            Ends it; more than once does no harm.
        """
        listener = _Listener(callback)
        self._all.append(listener)

        def end() -> None:
            if listener in self._all:
                self._all.remove(listener)

        return end

    def tell(self) -> None:
        """Call them all; one that fails does not keep the others from hearing."""
        for listener in tuple(self._all):
            try:
                listener.call()
            except Exception as error:  # noqa: BLE001 - the labels are kept; a view is not all views
                warnings.warn(
                    f"The labels are kept, but a view could not follow: {error!r}", stacklevel=4
                )
