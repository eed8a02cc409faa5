"""What the browser asks a widget, and what the kernel answers: one declaration for both sides.

``js/messages.py`` writes ``js/src/source/messages.ts`` from this file. What travels beside an
answer as binary buffers, the handlers say.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, NotRequired

from typing_extensions import TypedDict  # which keeps its bases, also before Python 3.12


class Neuron(TypedDict):
    """A neuron as the trait ``active`` carries it, too."""

    layer: str
    neuron: int


class Facts(Neuron):
    """What is known of a neuron; an empty label is none."""

    label: str
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
    """A concept example and a look-alike; their similarity is a cosine."""

    contrast: Shown | None
    similarity: float | None


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


class Vocabulary(TypedDict):
    """The labels that the lens knows, and how many those are that are not sent."""

    words: list[str]
    total: int


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
    """What the hover card says; ``unsure`` labels fit no better than random words do."""

    label: str
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


class Accepted(Neuron):
    """A label that a person accepted."""

    label: str
    score: float | None


class LabelledAll(TypedDict):
    """How many neurons have a label now."""

    labelled: int


class AuditAsked(TypedDict):
    """What is to be audited, as a person typed it: the class, and a side's concepts each."""

    target: str
    valid: str
    spurious: str


class AuditMade(TypedDict):
    """Which of a view's audits this is: the number that the trait ``_audits`` has then."""

    audit: int


class Concept(TypedDict):
    """A concept with the phrases that say it."""

    name: str
    phrases: list[str]


class VerdictShare(TypedDict):
    """What of a layer's relevance lies on the neurons of a verdict, and the interval of that."""

    verdict: str
    share: float
    low: float
    high: float
    neurons: int


class AuditLayer(TypedDict):
    """A layer in an audit: its sums, and the fit to either side that chance reaches."""

    name: str
    verdicts: list[VerdictShare]
    valid: float | None
    spurious: float | None


class AuditSaid(AuditMade):
    """What an audit is about and found on the whole; ``at`` is the layer nearest the output."""

    target: str
    images: int
    method: str
    scorer: str
    at: str
    layers: list[AuditLayer]
    valid: list[Concept]
    spurious: list[Concept]
    unchecked: list[str]


class AuditAt(AuditMade):
    """A layer in an audit."""

    layer: str


class AuditRow(TypedDict):
    """What an audit found of one neuron; nulls are how probable so good a fit is by chance."""

    neuron: int
    label: str
    verdict: str
    share: float
    low: float
    high: float
    valid: float | None
    spurious: float | None
    valid_concept: str
    spurious_concept: str
    valid_phrase: str
    spurious_phrase: str
    valid_null: float | None
    spurious_null: float | None
    reliance: float | None


class AuditRows(AuditAt):
    """All neurons of a layer, largest share first."""

    rows: list[AuditRow]


class Decision(Neuron):
    """What a person decided of a neuron; empty: nothing."""

    decision: str
    note: str


class Decide(Decision, AuditMade):
    """What is to be kept of a neuron in an audit."""


class Decided(Decision):
    """What is kept, with the moment (ISO 8601, UTC)."""

    decided: str


class Decisions(AuditMade):
    """All that is decided in an audit."""

    decisions: list[Decided]


class Carried(TypedDict):
    """An image of the class, and a neuron's share of its layer's relevance on it."""

    sample: int
    share: float
    class_name: str
    uri: str


class ClassImages(Neuron, AuditMade):
    """Where in the class a neuron speaks, largest share first."""

    images: list[Carried]


class Nothing(TypedDict):
    """No more than the buffers, or no parameters."""


class Question(NamedTuple):
    """Something read, which may be asked again."""

    params: Any
    result: Any


class Action(NamedTuple):
    """Something done, which is asked once; it may tell how far it is.

    ``limit`` is how many seconds may pass without a sign of life before it counts as lost.
    """

    params: Any
    result: Any
    limit: int


QUESTIONS = {
    "neuron": Question(Neuron, ExamplesOfNeuron),
    "clusters": Question(Neuron, list[int]),
    "pairs": Question(Neuron, PairsOfNeuron),
    "original": Question(Samples, Nothing),
    "thumbnails": Question(Samples, Thumbnails),
    "heatmaps": Question(NeuronSamples, list[HeatmapSaid | Refusal]),
    "scores": Question(NeuronScoring, Scores),
    "chance": Question(NeuronScoring, tuple[float, float] | None),
    "vocabulary": Question(Nothing, Vocabulary),
    "column": Question(ColumnName, Legend | Bare),
    "labels": Question(Nothing, CodedLabels),
    "hover": Question(Row, Hovered),
    "search": Question(Sought, Hits),
    "classes": Question(Nothing, list[str]),
    "audit": Question(AuditMade, AuditSaid),
    "audit_rows": Question(AuditAt, AuditRows),
    "decisions": Question(AuditMade, Decisions),
    "class_images": Question(Neuron, ClassImages),
}
ACTIONS = {
    "accept": Action(Accepted, Accepted, limit=30),
    "label_all": Action(Scoring, LabelledAll, limit=600),
    "make_audit": Action(AuditAsked, AuditMade, limit=600),
    "decide": Action(Decide, Decided, limit=30),
}
