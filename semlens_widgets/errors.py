"""What a person may catch: one class for each family of things that go wrong.

Every message says what was wrong and what to do about it. A class also derives from the built-in
exception that such a mistake would raise elsewhere in Python, so that ``except ValueError`` works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED = 5  # of many


class SemlensError(Exception):
    """Anything that this package refuses or cannot do."""


class StoreError(SemlensError, RuntimeError):
    """The analysis folder cannot serve what was asked of it."""


class LensUnavailable(SemlensError, RuntimeError):  # noqa: N818 - it names a state, not a mistake
    """The analysis was opened without something that this needs."""


class UnreadableImage(SemlensError, ValueError):  # noqa: N818 - names the thing it is about
    """An image that cannot be decoded; the message names it.

    Attributes
    ----------
    samples : tuple of int
        Which images of the data set these are, where that is known.
    """

    samples: tuple[int, ...] = ()


class TransformError(SemlensError, TypeError, ValueError):
    """A transform does not turn an image into what a model takes."""


class ModelError(SemlensError, ValueError):
    """A model, a layer or an output that cannot be looked into, or not in this way."""


class ModelChanged(SemlensError, RuntimeError):  # noqa: N818 - it names a state, not a mistake
    """The model is no longer the one that the analysis was made with."""


class WeightsUnavailable(SemlensError, OSError):  # noqa: N818 - it names a state, not a mistake
    """A model's weights, or what belongs to them, could not be downloaded."""


class VlmUnavailable(SemlensError, OSError):  # noqa: N818 - it names a state, not a mistake
    """A vision-language model gives no answer."""


class EmbeddingError(SemlensError, ValueError):
    """A foundation model returned something that is no embedding."""


class LabelsClash(SemlensError, ValueError):  # noqa: N818 - it names a state, not a mistake
    """Labels that people gave would be replaced, and nobody said that they may be.

    Attributes
    ----------
    neurons : tuple of (str, int)
        Of which neurons, by layer and number.
    """

    def __init__(self, message: str, neurons: tuple[tuple[str, int], ...]) -> None:
        super().__init__(message)
        self.neurons = neurons


class CheckFailed(SemlensError, AssertionError):  # noqa: N818 - a test fails by it
    """A condition of an audit fails, or cannot be told; the message is the table of all.

    Attributes
    ----------
    result : semlens_widgets.analysis.conditions.CheckResult
        All conditions.
    """

    def __init__(self, result: Any) -> None:
        super().__init__(str(result))
        self.result = result


class RunStopped(KeyboardInterrupt):
    """A person stopped a run; the message says where, and what goes on from there."""

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in IPython: where Python was does not matter to anybody."""
        return [str(self)]


def named(names: Sequence[str]) -> str:
    """List names for a message, a few of many."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + more


def holds_half(text: str) -> bool:
    """Return whether a text holds half a character, such as of an emoji: no file can keep it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
