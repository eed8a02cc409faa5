"""Look inside vision models from Jupyter: what each neuron stands for, and the proof.

Everything public is imported on first use, so that ``import semlens_widgets`` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from semlens_widgets import demo, errors
    from semlens_widgets.errors import (
        CheckFailed,
        EmbeddingError,
        LabelsClash,
        LensUnavailable,
        ModelChanged,
        ModelError,
        RunStopped,
        SemlensError,
        StoreError,
        TransformError,
        UnreadableImage,
        VlmUnavailable,
        WeightsUnavailable,
    )
    from semlens_widgets.inputs.foundation import (
        CLIP_TEMPLATES,
        CSP_TEMPLATES,
        FoundationModel,
        OpenClip,
    )
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.labels.candidates.chat import ChatVLM
    from semlens_widgets.labels.candidates.compositions import CaptionTemplates, Compositions
    from semlens_widgets.labels.candidates.local import TransformersVLM
    from semlens_widgets.labels.candidates.source import Candidates, CandidateSource
    from semlens_widgets.labels.candidates.vocabulary import Vocabulary
    from semlens_widgets.labels.contrasts.below import OfMaximum, Quantile
    from semlens_widgets.labels.contrasts.diffusion import Diffusion
    from semlens_widgets.labels.contrasts.generator import ContrastGenerator, Contrasts, Picture
    from semlens_widgets.labels.contrasts.nearest import Nearest
    from semlens_widgets.labels.contrasts.perturb import Perturb
    from semlens_widgets.labels.contrasts.synthesise import Request, Synthesise
    from semlens_widgets.labels.correlation import Correlation
    from semlens_widgets.labels.csp import Csp
    from semlens_widgets.labels.difference import Difference
    from semlens_widgets.labels.dissect import Dissect
    from semlens_widgets.labels.recognition import Recognition
    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.labels.semantic import Semantic
    from semlens_widgets.lens.compare import Comparison, compare
    from semlens_widgets.lens.domain import DomainCheck, domain_check
    from semlens_widgets.lens.evolution import Evolution, evolution
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.library import Library
    from semlens_widgets.lens.stability import Stability
    from semlens_widgets.lens.traced import Trace
    from semlens_widgets.widgets import (
        AuditView,
        CompareView,
        ConceptGallery,
        ContrastPanel,
        EvolutionView,
        Explorer,
        InterveneView,
        LabelTable,
        NeuronMap,
        TraceView,
    )

__version__ = "0.1.0"

_ROOMS = ("demo", "errors")
_HOMES = {
    "CheckFailed": "errors",
    "EmbeddingError": "errors",
    "LabelsClash": "errors",
    "LensUnavailable": "errors",
    "ModelChanged": "errors",
    "ModelError": "errors",
    "RunStopped": "errors",
    "SemlensError": "errors",
    "StoreError": "errors",
    "TransformError": "errors",
    "UnreadableImage": "errors",
    "VlmUnavailable": "errors",
    "WeightsUnavailable": "errors",
    "SemanticLens": "lens.lens",
    "Comparison": "lens.compare",
    "compare": "lens.compare",
    "DomainCheck": "lens.domain",
    "domain_check": "lens.domain",
    "Stability": "lens.stability",
    "Evolution": "lens.evolution",
    "evolution": "lens.evolution",
    "Library": "lens.library",
    "Trace": "lens.traced",
    "TargetModel": "inputs.target",
    "ImageDataset": "inputs.images",
    "CLIP_TEMPLATES": "inputs.foundation",
    "CSP_TEMPLATES": "inputs.foundation",
    "FoundationModel": "inputs.foundation",
    "OpenClip": "inputs.foundation",
    "CandidateSource": "labels.candidates.source",
    "Candidates": "labels.candidates.source",
    "Vocabulary": "labels.candidates.vocabulary",
    "CaptionTemplates": "labels.candidates.compositions",
    "Compositions": "labels.candidates.compositions",
    "ChatVLM": "labels.candidates.chat",
    "TransformersVLM": "labels.candidates.local",
    "ContrastGenerator": "labels.contrasts.generator",
    "Contrasts": "labels.contrasts.generator",
    "Picture": "labels.contrasts.generator",
    "Nearest": "labels.contrasts.nearest",
    "Quantile": "labels.contrasts.below",
    "OfMaximum": "labels.contrasts.below",
    "Perturb": "labels.contrasts.perturb",
    "Synthesise": "labels.contrasts.synthesise",
    "Request": "labels.contrasts.synthesise",
    "Diffusion": "labels.contrasts.diffusion",
    "Correlation": "labels.correlation",
    "Csp": "labels.csp",
    "Difference": "labels.difference",
    "Dissect": "labels.dissect",
    "Recognition": "labels.recognition",
    "Scorer": "labels.scorer",
    "Semantic": "labels.semantic",
    "CompareView": "widgets",
    "NeuronMap": "widgets",
    "AuditView": "widgets",
    "TraceView": "widgets",
    "ConceptGallery": "widgets",
    "ContrastPanel": "widgets",
    "EvolutionView": "widgets",
    "Explorer": "widgets",
    "InterveneView": "widgets",
    "LabelTable": "widgets",
}

__all__ = [
    "CLIP_TEMPLATES",
    "CSP_TEMPLATES",
    "AuditView",
    "CandidateSource",
    "Candidates",
    "CaptionTemplates",
    "ChatVLM",
    "CheckFailed",
    "CompareView",
    "Comparison",
    "Compositions",
    "ConceptGallery",
    "ContrastGenerator",
    "ContrastPanel",
    "Contrasts",
    "Correlation",
    "Csp",
    "Difference",
    "Diffusion",
    "Dissect",
    "DomainCheck",
    "EmbeddingError",
    "Evolution",
    "EvolutionView",
    "Explorer",
    "FoundationModel",
    "ImageDataset",
    "InterveneView",
    "LabelTable",
    "LabelsClash",
    "LensUnavailable",
    "Library",
    "ModelChanged",
    "ModelError",
    "Nearest",
    "NeuronMap",
    "OfMaximum",
    "OpenClip",
    "Perturb",
    "Picture",
    "Quantile",
    "Recognition",
    "Request",
    "RunStopped",
    "Scorer",
    "Semantic",
    "SemanticLens",
    "SemlensError",
    "Stability",
    "StoreError",
    "Synthesise",
    "TargetModel",
    "Trace",
    "TraceView",
    "TransformError",
    "TransformersVLM",
    "UnreadableImage",
    "VlmUnavailable",
    "Vocabulary",
    "WeightsUnavailable",
    "compare",
    "demo",
    "domain_check",
    "errors",
    "evolution",
    "open",
]


def open(path: str | Path, *, foundation: FoundationModel | None = None) -> SemanticLens:
    """Open a finished analysis for reading, without model and images.

    Parameters
    ----------
    path
        Folder of the analysis.
    foundation
        The foundation model it was made with, if new words or images are to be searched or scored.

    Raises
    ------
    StoreError
        If the folder holds no analysis, or `foundation` is another model.
    """
    from semlens_widgets.lens.lens import SemanticLens

    return SemanticLens.open(path, foundation=foundation)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"semlens_widgets.{name}")
    if name in _HOMES:
        return getattr(import_module(f"semlens_widgets.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'semlens_widgets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
