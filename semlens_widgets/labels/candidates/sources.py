"""The candidate sources by name. To add one, write its file and name its class here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semlens_widgets.labels.candidates.compositions import CaptionTemplates
from semlens_widgets.labels.candidates.source import CandidateSource
from semlens_widgets.labels.candidates.vocabulary import ClassNames, Everyday, Vocabulary, Wide

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Those that need no arguments.
SOURCES: dict[str, Callable[[], CandidateSource]] = {
    source.name: source for source in (Everyday, Wide, ClassNames, CaptionTemplates)
}


def source_of(given: CandidateSource | Sequence[str] | str | None) -> CandidateSource:
    """Return a source, given itself, its name, words, or nothing for the default.

    Raises
    ------
    TypeError
        If it is one string that names no source.
    """
    if given is None:
        return Everyday()
    if isinstance(given, CandidateSource):
        return given
    if not isinstance(given, str):
        return Vocabulary(given)
    if given not in SOURCES:
        raise TypeError(
            f"candidates: expected a sequence of labels, got the string {given!r}; "
            f"sources by name are {', '.join(map(repr, SOURCES))}. The words of a file: "
            "Vocabulary.from_file(path)."
        )
    return SOURCES[given]()
