"""Conditions that an audit must meet, as a test in a team's pipeline asks them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from semlens_widgets.analysis.audit import Measured

Outcome = Literal["pass", "warn", "fail", "not run"]


@dataclass(frozen=True)
class Condition:
    """One condition and how it came out.

    Attributes
    ----------
    name
        What is asked, such as ``"spurious <= 0.050"``.
    outcome
        ``"pass"``; ``"warn"`` where the figure itself misses the bound and its interval does not;
        ``"fail"`` where all of the interval misses it; ``"not run"`` where it cannot be told.
    found
        The figure, or why there is none.
    """

    name: str
    outcome: Outcome
    found: str

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return self.outcome in {"pass", "warn"}


@dataclass(frozen=True)
class CheckResult:
    """All conditions of a check; as a text, a table that is the same for the same inputs."""

    subject: str
    conditions: tuple[Condition, ...]

    @property
    def passed(self) -> bool:
        """Whether every condition holds."""
        return all(condition.holds for condition in self.conditions)

    def __str__(self) -> str:
        wide = max((len(one.name) for one in self.conditions), default=0)
        rows = [
            f"  {one.outcome:<8} {one.name:<{wide}}  {one.found}".rstrip()
            for one in self.conditions
        ]
        return "\n".join([self.subject, *rows])


def at_most(name: str, found: Measured, bound: float) -> Condition:
    """Ask that a figure is no more than a bound."""
    missed, surely = found.value > bound, found.low > bound
    outcome: Outcome = "fail" if surely else "warn" if missed else "pass"
    return _told(f"{name} <= {bound:.3f}", outcome, found)


def at_least(name: str, found: Measured, bound: float) -> Condition:
    """Ask that a figure is no less than a bound."""
    missed, surely = found.value < bound, found.high < bound
    outcome: Outcome = "fail" if surely else "warn" if missed else "pass"
    return _told(f"{name} >= {bound:.3f}", outcome, found)


def _told(name: str, outcome: Outcome, found: Measured) -> Condition:
    """Return how a condition came out; no comparison with what is no number tells anything."""
    if not all(map(math.isfinite, (found.value, found.low, found.high))):
        return not_run(name, f"no figure: {found}")
    return Condition(name, outcome, str(found))


def not_run(name: str, why: str) -> Condition:
    """Say that a condition cannot be told, and why."""
    return Condition(name, "not run", why)
