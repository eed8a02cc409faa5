"""Names of layers given as patterns."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def layers_like(pattern: str, names: Iterable[str]) -> list[str]:
    """Return the names that a pattern stands for, in their order.

    A name stands for itself. In a pattern ``*``, ``?`` and ``[...]`` are as in a shell, between
    one dot and the next: ``"layer4.*"`` are the blocks of layer4 and not what is inside them.
    """
    known = list(names)
    if pattern in known:
        return [pattern]
    parts = pattern.split(".")

    def fits(name: str) -> bool:
        own = name.split(".")
        return len(own) == len(parts) and all(map(fnmatchcase, own, parts))

    return [name for name in known if fits(name)]
