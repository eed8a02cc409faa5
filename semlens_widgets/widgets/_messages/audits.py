"""What the browser asks of an audit, and what the kernel answers."""

from __future__ import annotations

from typing_extensions import TypedDict  # which keeps its bases, also before Python 3.12

from semlens_widgets.widgets._messages.kinds import Action, Neuron, Nothing, Question


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
    """What of a layer's relevance lies on the neurons of a verdict, and the interval of that.

    A single image has no interval.
    """

    verdict: str
    share: float
    low: float | None
    high: float | None
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
    neurons: int
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
    """What an audit found of one neuron, a row of the lens's table.

    Nulls are how probable so good a fit is by chance.
    """

    row: int
    neuron: int
    label: str
    verdict: str
    share: float
    low: float | None
    high: float | None
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


QUESTIONS = {
    "classes": Question(Nothing, list[str]),
    "audit": Question(AuditMade, AuditSaid),
    "audit_rows": Question(AuditAt, AuditRows),
    "decisions": Question(AuditMade, Decisions),
    "class_images": Question(Neuron, ClassImages),
}
ACTIONS = {
    "make_audit": Action(AuditAsked, AuditMade, limit=600),
    "decide": Action(Decide, Decided, limit=30),
}
