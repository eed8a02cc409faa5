"""What is said of changes of the model."""

from __future__ import annotations

from typing_extensions import TypedDict

from semlens_widgets.widgets._messages.kinds import Action, Question


class ChangeAsked(TypedDict):
    """Which neurons are changed (rows of the table), how, and of which class it is asked.

    Without a class, it is of the one that moves most.
    """

    rows: list[int]
    how: str
    amount: float
    of: str


class EffectFigure(TypedDict):
    """A figure of the model as it is, changed, and changed at random, where 95 % of draws lie.

    ``up`` is whether more is better; ``images`` are those it is over.
    """

    name: str
    up: bool
    images: int
    before: float | None
    after: float | None
    control: float | None
    low: float | None
    high: float | None


class ChangedAnswer(TypedDict):
    """An image, what the model says of it before and after, and the logits of the class asked."""

    sample: int
    class_name: str
    before: str
    after: str
    logit_before: float
    logit_after: float


class EffectsSaid(ChangeAsked):
    """What a change does, on some of all images of known class."""

    images: int
    total: int
    draws: int
    changed: int
    classes: list[str]
    figures: list[EffectFigure]
    answers: list[ChangedAnswer]


QUESTIONS = {"effects": Question(ChangeAsked, EffectsSaid)}
ACTIONS = {"effects_of_all": Action(ChangeAsked, EffectsSaid, limit=600)}
