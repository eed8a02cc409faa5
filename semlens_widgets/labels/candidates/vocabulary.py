"""Candidates that are the same for all neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semlens_widgets.labels.candidates.source import Candidates, CandidateSource
from semlens_widgets.labels.hypernyms import parents
from semlens_widgets.labels.words import class_words, default_vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semlens_widgets.labels.candidates.source import Looked


class Vocabulary(CandidateSource):
    """A list of words or phrases."""

    name = "vocabulary"

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words

    def candidates(self, looked: Looked) -> Candidates:  # noqa: ARG002 - whatever they are
        """Return the list."""
        return Candidates(self.words)


class Everyday(CandidateSource):
    """The names of the images' classes that are words, and common words for what pictures show."""

    name = "everyday"

    def candidates(self, looked: Looked) -> Candidates:
        """Return :func:`semlens_widgets.labels.words.default_vocabulary`."""
        return Candidates(default_vocabulary(looked.classes))


class Wide(CandidateSource):
    """The names of the images' classes that are words, and some four thousand packaged words."""

    name = "wide"

    def candidates(self, looked: Looked) -> Candidates:
        """Return these names, and the words of :func:`semlens_widgets.labels.hypernyms.parents`."""
        return Candidates((*class_words(looked.classes), *parents()))


class ClassNames(CandidateSource):
    """The names of the images' classes, as they are."""

    name = "classes"

    def candidates(self, looked: Looked) -> Candidates:
        """Return the names.

        Raises
        ------
        ValueError
            If the images have no classes.
        """
        if not looked.classes:
            raise ValueError("candidates: the images have no classes to take the names of.")
        return Candidates(looked.classes)
