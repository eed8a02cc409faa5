"""What all messages between browser and kernel are made of; see ``_messages``."""

from __future__ import annotations

from typing import Any, NamedTuple

from typing_extensions import TypedDict  # which keeps its bases, also before Python 3.12


class Neuron(TypedDict):
    """A neuron as the trait ``active`` carries it, too."""

    layer: str
    neuron: int


class Nothing(TypedDict):
    """No more than the buffers, or no parameters."""


class Question(NamedTuple):
    """Something read, which may be asked again."""

    params: Any
    result: Any


class Action(NamedTuple):
    """Something done, which is asked once; it may tell how far it is.

    ``limit`` is how many seconds may pass without a sign of life before it counts as lost. One that
    is ``long`` is done in a thread of its own: the kernel answers questions meanwhile, and the
    browser may have it stopped.
    """

    params: Any
    result: Any
    limit: int
    long: bool = False
