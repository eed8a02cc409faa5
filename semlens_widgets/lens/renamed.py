"""Names that a person may remember, and what they are called now."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def formerly(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse arguments that a method once had, and say what takes their place.

    Parameters
    ----------
    **renamed
        Old argument to advice.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in renamed.keys() & kwargs.keys():
                raise TypeError(f"{method.__name__}() has no {name}= any more: {renamed[name]}.")
            return method(*args, **kwargs)

        return checked

    return decorate
