"""What is said of two analyses side by side."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from semlens_widgets.widgets._messages.kinds import Neuron, Question


class Analyses(TypedDict):
    """Two analyses by name."""

    a: str
    b: str


class Layers(Analyses):
    """A layer of each of two analyses."""

    layer_a: str
    layer_b: str


class Interval(TypedDict):
    """A mean with its 95 % interval."""

    mean: float | None
    low: float | None
    high: float | None


class Alike(Interval):
    """How much of a layer the other knows; ``without`` are neurons that have no examples."""

    neurons: int
    without: int


class Side(TypedDict):
    """One of two layers: its neurons' labels, and what its analysis has of images."""

    labels: list[str]
    originals: bool
    crops: bool


class MeasuredTwice(TypedDict):
    """A measure of both layers."""

    title: str
    a: Interval
    b: Interval


class Compared(TypedDict):
    """Two layers side by side; the buffers hold x and y of either's neurons.

    With ``change`` neuron for neuron one may be the other after a change of the model.
    """

    forth: Alike
    back: Alike
    side_a: Side
    side_b: Side
    measures: list[MeasuredTwice]
    change: bool


class Matching(Layers):
    """How the neurons of A are matched; ``same`` compares each with itself."""

    how: Literal["nearest", "assigned", "same"]


class Matches(TypedDict):
    """By neuron of A its match in B (-1: none), their cosine, and the share of examples kept."""

    match: list[int]
    similarity: list[float | None]
    kept: list[float]
    changed: list[bool]


class KnownLabel(Neuron):
    """A label with the neuron that fits it best, and how many have it."""

    label: str
    score: float | None
    neurons: int


class OnlyLabels(TypedDict):
    """Labels that one of two analyses has alone, the best known first, and how many each has."""

    a: list[KnownLabel]
    b: list[KnownLabel]
    total_a: int
    total_b: int
    shared: int


QUESTIONS = {
    "compared": Question(Layers, Compared),
    "matches": Question(Matching, Matches),
    "only_labels": Question(Analyses, OnlyLabels),
}
