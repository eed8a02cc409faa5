"""What is said of a neuron through training."""

from __future__ import annotations

from typing_extensions import TypedDict

from semlens_widgets.widgets._messages.kinds import Neuron, Question
from semlens_widgets.widgets._messages.neurons import Shown  # noqa: TC001 - read


class Moment(TypedDict):
    """A neuron at one step: the first of its concept examples there."""

    examples: list[Shown]


class Through(TypedDict):
    """A neuron at every step, in order."""

    moments: list[Moment]


QUESTIONS = {"through": Question(Neuron, Through)}
