"""What a person did to labels, step by step, and what undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = tuple[str, int]
#: What people say of a neuron: a label, empty for none that fits; None where they say nothing.
Word = str | None


@dataclass(frozen=True)
class Step:
    """One change of labels.

    Attributes
    ----------
    title
        What was done, for people.
    before, after
        What people said of the neurons it changed.
    """

    title: str
    before: Mapping[Key, Word]
    after: Mapping[Key, Word]


class Steps:
    """The steps that were done, and those that were undone since."""

    def __init__(self) -> None:
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def titles(self) -> tuple[str, str]:
        """What can be undone, and what done again; empty if nothing."""
        done, undone = (steps[-1].title if steps else "" for steps in (self._done, self._undone))
        return done, undone

    @property
    def changed(self) -> set[Key]:
        """The neurons that steps in force have changed."""
        return {key for step in self._done for key in step.after}

    def own(self, key: Key, word: Word) -> bool:
        """Return whether what is said of a neuron is what these steps made of it."""
        last = next((step for step in reversed(self._done) if key in step.after), None)
        return last is not None and last.after[key] == word

    def did(self, step: Step) -> None:
        """Keep a step; what was undone before is gone."""
        self._done.append(step)
        self._undone.clear()

    def to_say(self, now: Mapping[Key, Word], *, back: bool) -> dict[Key, Word]:
        """Return what undoes the last step, or does it again, where nobody changed it since.

        Raises
        ------
        ValueError
            If there is none.
        """
        step = self._last(back=back)
        was, wanted = (step.after, step.before) if back else (step.before, step.after)
        return {key: word for key, word in wanted.items() if now.get(key) == was[key]}

    def stepped(self, *, back: bool) -> int:
        """Count the last step as undone, or done again; return how many neurons it is about."""
        step = self._last(back=back)
        one, other = (self._done, self._undone) if back else (self._undone, self._done)
        other.append(one.pop())
        return len(step.after)

    def _last(self, *, back: bool) -> Step:
        steps = self._done if back else self._undone
        if not steps:
            raise ValueError(f"There is nothing to {'undo' if back else 'do again'}.")
        return steps[-1]
