"""Widgets that look at a lens: each a file here, and a folder of its name in ``js/src``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from semlens_widgets.widgets.audit import AuditView
    from semlens_widgets.widgets.compare import CompareView
    from semlens_widgets.widgets.contrast import ContrastPanel
    from semlens_widgets.widgets.evolution import EvolutionView
    from semlens_widgets.widgets.explorer import Explorer
    from semlens_widgets.widgets.gallery import ConceptGallery
    from semlens_widgets.widgets.intervene import InterveneView
    from semlens_widgets.widgets.map import NeuronMap
    from semlens_widgets.widgets.review import LabelTable
    from semlens_widgets.widgets.trace import TraceView

__all__ = [
    "AuditView",
    "CompareView",
    "ConceptGallery",
    "ContrastPanel",
    "EvolutionView",
    "Explorer",
    "InterveneView",
    "LabelTable",
    "NeuronMap",
    "TraceView",
]

_HOMES = {
    "AuditView": "audit",
    "CompareView": "compare",
    "ConceptGallery": "gallery",
    "ContrastPanel": "contrast",
    "EvolutionView": "evolution",
    "Explorer": "explorer",
    "InterveneView": "intervene",
    "LabelTable": "review",
    "NeuronMap": "map",
    "TraceView": "trace",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
