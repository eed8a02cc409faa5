"""What the widgets may be given by name: their public traits, for editors to complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from semlens_widgets.labels.candidates.source import CandidateSource
    from semlens_widgets.labels.scorer import Scorer

Neuron = tuple[str, int] | None


class MapOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.NeuronMap`, which says what they mean."""

    active: Neuron
    color_by: str
    size_by: str | None
    opacity_by: str | None
    filter: Mapping[str, Any]
    contours: bool
    region_labels: bool
    tool: Literal["pan", "lasso", "box"]
    height: int
    selection: bytes
    highlight: bytes


class GalleryOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.ConceptGallery`, which says what they mean."""

    overlay: bool
    opacity: float
    colormap: Literal["ember", "viridis", "ice", "grey"]
    threshold: float
    outline: bool
    crop: bool
    side_by_side: bool
    sort_by: Literal["activation", "class", "file"]
    group_by: Literal["class", "cluster"] | None


class ContrastOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.ContrastPanel`, which says what they mean."""

    candidates: Sequence[str]
    scorer: str | Scorer
    second: str
    settings: Mapping[str, Any]
    templates: Literal["plain", "csp", "clip"] | Sequence[str]
    sources: Mapping[str, CandidateSource | Sequence[str]]
    excluded: Sequence[int]


class ReviewOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.LabelTable`, which says what they mean."""

    active: Neuron
    selection: bytes
    layer: str | None
    show: Literal["all", "unknown", "close", "people", "none", "changed", "selected"]
    sort_by: Literal["neuron", "label", "score", "lead"]


class AuditOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.AuditView`, which says what they mean."""

    active: Neuron
    selection: bytes
    layer: str | None
    sort_by: Literal["share", "neuron", "verdict", "valid", "spurious"]


class InterveneOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.InterveneView`, which says what they mean."""

    active: Neuron
    selection: bytes
    how: Literal["zero", "mean", "scale", "clamp", "project"]
    amount: float
    of: str


class TraceOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.TraceView`, which says what they mean."""

    active: Neuron
    target: str
    keep: float
    threshold: float
    pinned: Sequence[Mapping[str, Any] | tuple[str, int]]
    groups: Mapping[str, Sequence[Mapping[str, Any] | tuple[str, int]]]


class ExplorerOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.Explorer`, which says what they mean."""

    active: Neuron
    query: str
    query_layer: str | None
    like: Neuron
    tab: Literal["gallery", "contrast", "review", "audit", "intervene", "trace"]
    state: Mapping[str, Any] | None


class CompareOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.CompareView`, which says what they mean."""

    active: Neuron
    a: str
    b: str
    layer_a: str
    layer_b: str
    mode: Literal["overlay", "split"]
    matching: Literal["nearest", "assigned"]
    show: Literal["matches", "only_a", "only_b", "changes"]


class EvolutionOptions(TypedDict, total=False):
    """Options of :class:`semlens_widgets.EvolutionView`, which says what they mean."""

    active: Neuron
    selection: bytes
    step: str
    color_by: str
