"""What is said of labels: their scores, how far to trust these, and who gets which."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict  # which keeps its bases, also before Python 3.12

from semlens_widgets.widgets._messages.kinds import Action, Neuron, Nothing, Question

#: Sentences around a label by name, or themselves.
Sentences = Literal["clip", "csp", "plain"] | list[str]


class Scoring(TypedDict):
    """How labels are scored, and which."""

    candidates: list[str]
    scorer: str
    settings: dict[str, bool | float | str]
    templates: Sentences


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
    """By label the ends of its score's interval, and the bar of chance.

    The luckiest of ``among`` labels reaches it for one shuffled neuron in twenty.
    """

    intervals: list[tuple[str, float | None, float | None, float | None]]
    among: int


class Accepted(Neuron):
    """A label that a person accepted."""

    label: str
    score: float | None


class ExplainAsked(Neuron):
    """A neuron to explain by several of the labels; without any by those that the lens knows."""

    candidates: list[str]
    templates: Sentences


class PartConcept(TypedDict):
    """One of several concepts; ``together`` is the correlation of these so far with the neuron.

    Its weight says by how many standard deviations the activation rises with it.
    """

    concept: str
    weight: float
    together: float | None


class Explained(TypedDict):
    """The concepts that together predict a neuron's activation, as they were found."""

    concepts: list[PartConcept]


class SourceAsked(TypedDict):
    """Where candidates are to come from, by name."""

    source: str


class Preview(TypedDict):
    """What asking a model would take: how many questions, and in words."""

    calls: int
    said: str


class AllScoring(Scoring, SourceAsked):
    """How all neurons are to be labelled; from no source: by the candidates named, or known."""

    back_off: bool


class LabelledAll(TypedDict):
    """How many neurons have a label now, and what is to be said of the others."""

    labelled: int
    said: str


QUESTIONS = {
    "scores": Question(NeuronScoring, Scores),
    "beside": Question(NeuronScoring, Beside),
    "chance": Question(NeuronScoring, tuple[float, float] | None),
    "vocabulary": Question(Nothing, Vocabulary),
}
ACTIONS = {
    "accept": Action(Accepted, Accepted, limit=30),
    "intervals": Action(IntervalsAsked, Intervals, limit=600, long=True),
    "explain": Action(ExplainAsked, Explained, limit=600, long=True),
    "preview": Action(SourceAsked, Preview, limit=600, long=True),
    "label_all": Action(AllScoring, LabelledAll, limit=600, long=True),
}
