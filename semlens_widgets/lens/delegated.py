"""One line on the façade for a method of one of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

P = ParamSpec("P")
R = TypeVar("R")


class delegated(Generic[P, R]):  # noqa: N801 - it stands where a decorator would
    """A method that a part of a lens has.

    On the class it is the part's function, with its documentation and signature; on a lens it is
    the method of the part that the lens holds now.

    Parameters
    ----------
    part
        Name of the part in `_parts`.
    method
        The function, as its class has it.
    """

    def __init__(self, part: str, method: Callable[Concatenate[Any, P], R]) -> None:
        self._part = part
        self._method = method

    @overload
    def __get__(self, whole: None, owner: type) -> Self: ...
    @overload
    def __get__(self, whole: object, owner: type) -> Callable[P, R]: ...
    def __get__(self, whole: Any, owner: type) -> Any:
        if whole is None:
            return self._method
        return getattr(getattr(whole._parts, self._part), self._method.__name__)  # noqa: SLF001
