"""What has changed in what an analysis is made with, and how to say so."""

from __future__ import annotations

from reprlib import Repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from semlens_widgets.store.stages import Stage

_BRIEF = Repr()  # of a thousand outputs' names, a few
_BRIEF.maxdict = _BRIEF.maxlist = 12
_BRIEF.maxstring = 80
_brief = _BRIEF.repr


def known(value: Any, other: Mapping[str, Any], key: str) -> Any:
    """Fill the gaps of a list, None for what could not be known, by those of another record."""
    found = other.get(key)
    if isinstance(value, list) and isinstance(found, list) and len(value) == len(found):
        return [b if a is None else a for a, b in zip(value, found, strict=True)]
    return value


def refusal(
    path: Path,
    settings: Mapping[str, Any],
    recorded: Mapping[str, Any],
    changed: Sequence[str],
    lost: Sequence[Stage],
) -> str:
    """Say why an analysis is not given up, and what to do.

    Parameters
    ----------
    path
        Its folder.
    settings, recorded
        What it is to be made with, and was.
    changed
        Names of the settings that differ.
    lost
        What depends on them.
    """
    lines = ["  no analysis.json says what its tables were made with"]
    if recorded:
        lines = [
            f"  {key}: recorded {_brief(recorded[key])}, given {_brief(settings[key])}"
            for key in changed
        ]
    return "\n".join(
        [
            f"The analysis in {str(path)!r} was made with other inputs:",
            *lines,
            f"What depends on them: {', '.join(stage.result for stage in lost)}.",
            "Nothing was changed. Use the recorded inputs or another path, or have these",
            'results replaced by new ones: SemanticLens(..., on_change="recompute").',
        ]
    )
