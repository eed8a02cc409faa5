"""Numbers that a person gives, checked before anything long starts."""

from __future__ import annotations

from numbers import Integral, Real


def whole(name: str, value: object, least: int) -> int:
    """Return a whole number of `least` or more.

    Raises
    ------
    ValueError
        If it is none; the message begins with the argument's name.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name}={value!r} must be a whole number of {least} or more.")
    return int(value)


def number(name: str, value: object) -> float:
    """Return a number, as which infinity and NaN count too.

    Raises
    ------
    TypeError, ValueError
        If it is none, or too large; the message begins with the argument's name.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}={value!r} must be a number.")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large a number.") from None
