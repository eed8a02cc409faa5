"""What is said of labels: their scores, how far to trust these, and who gets which."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict  # which keeps its bases, also before Python 3.12

from semlens_widgets.widgets._messages.kinds import Action, Neuron, Nothing, Question


class Scoring(TypedDict):
    """How labels are scored, and which."""

    candidates: list[str]
    scorer: str
    settings: dict[str, bool | float]
    templates: Literal["csp", "plain"]


class NeuronScoring(Neuron, Scoring):
    """Labels to score for a neuron, without the pairs of some ranks."""

    exclude: list[int]


class Scores(TypedDict):
    """Scores, whose parts the buffer holds, and the neuron's own label as it is among them."""

    scores: list[tuple[str, float | None]]
    explained: list[str]
    own: str


class Beside(Neuron):
    """Scores by a second scorer, and what random words score by it: median, 95th percentile."""

    scorer: str
    scores: list[tuple[str, float | None]]
    chance: tuple[float, float] | None


class Vocabulary(TypedDict):
    """The labels that the lens knows, and how many those are that are not sent."""

    words: list[str]
    total: int


class IntervalsAsked(NeuronScoring):
    """Labels whose intervals are wanted, and what the best was chosen from.

    Without any: from what the lens knows.
    """

    among: list[str]


class Intervals(TypedDict):
    """By label the ends of its score's interval; what the best of ``among`` labels has by chance.

    One shuffled neuron in twenty reaches ``by_chance``.
    """

    intervals: list[tuple[str, float | None, float | None]]
    by_chance: float | None
    among: int


class Accepted(Neuron):
    """A label that a person accepted."""

    label: str
    score: float | None


class LabelledAll(TypedDict):
    """How many neurons have a label now."""

    labelled: int


QUESTIONS = {
    "scores": Question(NeuronScoring, Scores),
    "beside": Question(NeuronScoring, Beside),
    "chance": Question(NeuronScoring, tuple[float, float] | None),
    "vocabulary": Question(Nothing, Vocabulary),
}
ACTIONS = {
    "accept": Action(Accepted, Accepted, limit=30),
    "intervals": Action(IntervalsAsked, Intervals, limit=600, long=True),
    "label_all": Action(Scoring, LabelledAll, limit=600, long=True),
}
