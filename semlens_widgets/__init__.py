"""Look inside vision models from Jupyter: what each neuron stands for, and the proof.

Everything public is imported on first use, so that ``import semlens_widgets`` is instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semlens_widgets import demo, errors
    from semlens_widgets.inputs.foundation import FoundationModel, OpenClip
    from semlens_widgets.inputs.images import ImageDataset
    from semlens_widgets.inputs.target import TargetModel
    from semlens_widgets.lens.lens import SemanticLens, open
    from semlens_widgets.widgets import ConceptGallery, ContrastPanel, Explorer, NeuronMap

__version__ = "0.1.0"

_ROOMS = ("demo", "errors")
_HOMES = {
    "SemanticLens": "lens.lens",
    "open": "lens.lens",
    "TargetModel": "inputs.target",
    "ImageDataset": "inputs.images",
    "FoundationModel": "inputs.foundation",
    "OpenClip": "inputs.foundation",
    "NeuronMap": "widgets",
    "ConceptGallery": "widgets",
    "ContrastPanel": "widgets",
    "Explorer": "widgets",
}

__all__ = [
    "ConceptGallery",
    "ContrastPanel",
    "Explorer",
    "FoundationModel",
    "ImageDataset",
    "NeuronMap",
    "OpenClip",
    "SemanticLens",
    "TargetModel",
    "demo",
    "errors",
    "open",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"semlens_widgets.{name}")
    if name in _HOMES:
        return getattr(import_module(f"semlens_widgets.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'semlens_widgets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
