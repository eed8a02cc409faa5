"""A finished analysis, opened for reading."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from semlens_widgets.errors import StoreError
from semlens_widgets.pipeline.plan import STAGES
from semlens_widgets.pipeline.progress import progress_of
from semlens_widgets.pipeline.settings import check_foundation
from semlens_widgets.store.store import AnalysisStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.lens.reader import AnalysisReader

_NEEDED = ("model", "foundation", "foundation_dim", "embedding", "examples_by", "images")


def finished_store(path: str | Path, foundation: FoundationModel | None) -> AnalysisStore:
    """Open the folder of an analysis for reading, and check that `foundation` made it.

    Raises
    ------
    StoreError
        If the folder holds no analysis, or `foundation` is another model.
    """
    store = AnalysisStore(path, STAGES, read_only=True)
    recorded = store.settings
    if any(name not in recorded for name in _NEEDED):
        raise StoreError(
            f"{str(path)!r} does not say what the analysis was made with: no SemanticLens has "
            "begun it, or its analysis.json is damaged."
        )
    if foundation is None:
        return store
    check_foundation(foundation)
    made_with = recorded["foundation"], recorded["foundation_dim"]
    if (foundation.name, foundation.dim) != made_with:
        raise StoreError(
            f"foundation is {foundation.name!r} with {foundation.dim} dimensions; the analysis "
            f"was made with {recorded['foundation']!r} and {recorded['foundation_dim']}. "
            "Words and images must be embedded by the same model."
        )
    return store


def state_of(store: AnalysisStore, reader: Callable[[], AnalysisReader]) -> str:
    """Say in a line how far an analysis is, or what is in it."""
    so_far = progress_of(store)
    if so_far.stage:
        stages = f"{so_far.finished} of {so_far.stages} stages"
        begun = f"run unfinished: {stages}, {so_far}" if so_far.begun else "not run yet"
        return f"{begun}; call run()"
    read = reader()
    widths = ", ".join(f"{layer}: {b - a}" for layer, (a, b) in read.spans.items())
    unfit = "" if fits(store) else "; the foundation model does not fit: see domain_check()"
    return f"{len(read.samples)} images; neurons {widths}{unfit}"


def fits(store: AnalysisStore) -> bool:
    """Whether nothing was found against the foundation model on these images."""
    return bool(store.stages.get("domain", {}).get("ok", True))


def unfit(store: AnalysisStore) -> str:
    """Say of a foundation model that it was found to be no good on these images; else nothing."""
    if fits(store):
        return ""
    return f"The foundation model {store.settings['foundation']!r} does not fit these images."


def tell_unfit(store: AnalysisStore) -> None:
    """Warn of a foundation model that was found to be no good on these images."""
    if said := unfit(store):
        found = " ".join(store.stages["domain"]["said"])
        warnings.warn(f"{said} {found} More: lens.domain_check().", stacklevel=4)


def tell_unreadable(names: Sequence[str], total: int) -> None:
    """Warn of images that a run could not read."""
    if names:
        some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        warnings.warn(
            f"{len(names)} of {total} images could not be read and were skipped: {some} (all of "
            'them: lens.unreadable). Once they are mended, on_change="recompute" takes them in.',
            stacklevel=5,
        )
