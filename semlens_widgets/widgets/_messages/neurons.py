"""What is said of neurons and their images, their labels and their places on a map."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict  # which keeps its bases, also before Python 3.12

from semlens_widgets.widgets._messages.kinds import Neuron, Nothing, Question


class Facts(Neuron):
    """What is known of a neuron; an empty label is none, ``rejected`` where none fits."""

    label: str
    rejected: bool
    dead: bool
    score: float | None
    clarity: float | None
    polysemanticity: float | None
    redundancy: float | None
    mean: float | None
    max: float | None
    firing_rate: float | None


class Shown(TypedDict):
    """One image as it appears for a neuron."""

    sample: int
    activation: float | None
    class_name: str
    uri: str


class Example(Shown):
    """A concept example."""

    rank: int


class Pair(Example):
    """A concept example and its contrast; their similarity is a cosine.

    ``origin`` is where the contrast is from: ``"data set"``, ``"edited"``, ``"made"``, or empty
    without one; ``changed`` the share of an edited example's pixels that are other ones.
    """

    contrast: Shown | None
    similarity: float | None
    origin: str
    changed: float | None


class Histogram(TypedDict):
    """How often which activation occurs, in bins of one width."""

    counts: list[int]
    low: float
    high: float


class ExamplesOfNeuron(TypedDict):
    """What the gallery shows of a neuron."""

    facts: Facts
    examples: list[Example]
    histogram: Histogram


class PairsOfNeuron(TypedDict):
    """What the contrast panel shows of a neuron."""

    facts: Facts
    pairs: list[Pair]


class Samples(TypedDict):
    """Images by their number."""

    samples: list[int]


class NeuronSamples(Neuron, Samples):
    """Images for one neuron."""


class Thumbnails(TypedDict):
    """Per image null, and one JPEG buffer in order; or why there is none."""

    errors: list[str | None]


class Problem(TypedDict):
    """An exception: its class and what it says."""

    type: str
    message: str


class Refusal(TypedDict):
    """Why one thing of many cannot be had."""

    error: Problem


class HeatmapSaid(TypedDict):
    """A heatmap beside its values: rows and columns, the box in fractions of the image."""

    shape: tuple[int, int]
    box: tuple[float, float, float, float] | None
    method: str
    arrived: float | None
    side: float | None


class ColumnName(TypedDict):
    """A column of the neurons."""

    name: str


class Legend(TypedDict):
    """What a column says beside its numbers: categories in the order of their codes, or a range.

    With ``rest`` the last category is all those that have no colour of their own; ``missing``
    counts the neurons without a value.
    """

    kind: Literal["category", "number"]
    name: str
    title: str
    missing: int
    names: NotRequired[list[str]]
    counts: NotRequired[list[int]]
    rest: NotRequired[bool]
    min: NotRequired[float]
    max: NotRequired[float]


class Bare(TypedDict):
    """A column without a legend."""

    kind: Literal["place", "index", "flags"]


class CodedLabels(TypedDict):
    """The labels that the buffer holds codes of."""

    kind: Literal["labels"]
    names: list[str]


class Row(TypedDict):
    """A row of the neurons."""

    row: int


class Measure(TypedDict):
    """A number with its name."""

    title: str
    value: float


class Hovered(TypedDict):
    """What the hover card says; ``unsure`` labels fit no better than random words do.

    With ``rejected`` a person said that none fits.
    """

    label: str
    rejected: bool
    unsure: bool
    score: float | None
    measures: list[Measure]
    examples: list[str]


class Sought(TypedDict):
    """What is searched: words, or neurons like one; in one layer or in all."""

    query: str
    like: Neuron | None
    layer: str | None


class Hit(Neuron):
    """A neuron found; 95 % of random words stay below ``chance``."""

    label: str
    score: float | None
    chance: float | None


class Hits(TypedDict):
    """What was found, best first."""

    hits: list[Hit]


QUESTIONS = {
    "neuron": Question(Neuron, ExamplesOfNeuron),
    "clusters": Question(Neuron, list[int]),
    "pairs": Question(Neuron, PairsOfNeuron),
    "original": Question(Samples, Nothing),
    "thumbnails": Question(Samples, Thumbnails),
    "heatmaps": Question(NeuronSamples, list[HeatmapSaid | Refusal]),
    "column": Question(ColumnName, Legend | Bare),
    "labels": Question(Nothing, CodedLabels),
    "hover": Question(Row, Hovered),
    "search": Question(Sought, Hits),
}
