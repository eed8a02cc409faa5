"""What a view has done in threads of their own, while the kernel answers its other questions."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import SemlensError

if TYPE_CHECKING:
    from collections.abc import Callable


class Stopped(SemlensError):  # noqa: N818 - it names a state, not a mistake
    """A person, or a view that asks something else by now, stopped what was being done."""


class Work:
    """The actions of a view that are under way, by what the browser calls them."""

    def __init__(self) -> None:
        self._under_way: dict[Any, Event] = {}

    def begin(self, name: Any, do: Callable[[Event], None]) -> None:
        """Do something in a thread that ends with the kernel; it looks whether it is to stop."""
        stop = self._under_way[name] = Event()

        def run() -> None:
            try:
                do(stop)
            finally:
                self._under_way.pop(name, None)

        Thread(target=run, name=f"semlens {name}", daemon=True).start()

    def stop(self, name: Any) -> None:
        """Have something stopped; what is done or unknown needs no stopping."""
        if (stop := self._under_way.get(name)) is not None:
            stop.set()

    def end(self) -> None:
        """Have everything stopped."""
        for stop in tuple(self._under_way.values()):
            stop.set()
