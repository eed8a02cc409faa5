"""What is said of traces."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from semlens_widgets.widgets._messages.kinds import Action, Neuron, Nothing, Question
from semlens_widgets.widgets._messages.neurons import Example, Facts  # noqa: TC001 - read


class TraceNode(Neuron):
    """A node of a trace: what is traced, a kept neuron, or the rest of a layer, of neuron -1.

    Its share is of the layer's absolute relevance; ``drop`` is what the target loses without it.
    """

    kind: Literal["target", "neuron", "error"]
    label: str
    relevance: float | None
    traced: float | None
    share: float | None
    drop: float | None
    sample: int | None


class TraceEdge(TypedDict):
    """What a lower node gets through an upper one, by their places among the nodes."""

    upper: int
    lower: int
    relevance: float


class Agreed(TypedDict):
    """A rank correlation with the interval in which it lies, at 95 %."""

    value: float
    low: float
    high: float


class Ablated(TypedDict):
    """What ablation says of a trace: of all neurons, of the nodes; what the target loses."""

    neurons: int
    agreement: Agreed | None
    of_nodes: Agreed | None
    drop: float | None
    control: float | None


class Traced(TypedDict):
    """A trace: its layers from the target on, with how many neurons they have."""

    images: int
    method: str
    keep: float
    top: int
    layers: list[str]
    sizes: dict[str, int]
    nodes: list[TraceNode]
    edges: list[TraceEdge]
    ablated: Ablated | None


class Below(Neuron):
    """What a node gets through itself from a neuron of the layer below it, kept or not."""

    label: str
    relevance: float
    kept: bool


class NodeOfTrace(TypedDict):
    """What is shown of a neuron beside a trace."""

    facts: Facts
    examples: list[Example]
    below: list[Below]


class ToTrace(TypedDict):
    """What to trace: a class by its name, or a neuron."""

    target: str
    neuron: Neuron | None
    keep: float


QUESTIONS = {
    "traceable": Question(Nothing, list[str]),
    "traced": Question(Nothing, Traced | None),
    "node": Question(Neuron, NodeOfTrace),
}
ACTIONS = {
    "trace": Action(ToTrace, Nothing, limit=600),
    "verify": Action(Nothing, Nothing, limit=600),
}
