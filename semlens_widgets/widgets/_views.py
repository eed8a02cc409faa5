"""The views beside the map of an explorer. To add one, write its widget and name it here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semlens_widgets.widgets.audit import AuditView
from semlens_widgets.widgets.contrast import ContrastPanel
from semlens_widgets.widgets.gallery import ConceptGallery
from semlens_widgets.widgets.intervene import InterveneView
from semlens_widgets.widgets.review import LabelTable
from semlens_widgets.widgets.trace import TraceView

if TYPE_CHECKING:
    from semlens_widgets.widgets._base import LensWidget

#: By name, in order. Each takes a lens and ``active``, and says `view_title` and `view_traits`.
VIEWS: dict[str, type[LensWidget]] = {
    "gallery": ConceptGallery,
    "contrast": ContrastPanel,
    "review": LabelTable,
    "audit": AuditView,
    "intervene": InterveneView,
    "trace": TraceView,
}
