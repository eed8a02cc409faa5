"""Candidates that are the same for all neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from semlens_widgets.analysis.granularity import circle
from semlens_widgets.labels.candidates.source import Candidates, CandidateSource
from semlens_widgets.labels.candidates.word_file import read_word_file
from semlens_widgets.labels.hypernyms import parents
from semlens_widgets.labels.words import class_words, default_vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from semlens_widgets.labels.candidates.source import Looked


class Vocabulary(CandidateSource):
    """A list of words or phrases.

    Parameters
    ----------
    words
        The candidates.
    parents
        By word, what it is a kind of, "" for none. By default as in the packaged vocabulary,
        :func:`semlens_widgets.labels.hypernyms.parents`.

    Raises
    ------
    ValueError
        If words are kinds of each other.
    """

    name = "vocabulary"

    def __init__(self, words: Sequence[str], parents: Mapping[str, str] | None = None) -> None:
        if parents is not None and (turn := circle(parents)):
            raise ValueError(f"parents: {' < '.join(turn)} is a circle.")
        self.words = words
        self.parents = parents

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a word file: a list, an indented tree, or a table.

        Parameters
        ----------
        path
            A text in UTF-8 with one word or phrase per line, where one that is indented further
            than the line before is a kind of that; or, if its name ends in ``.csv``, a table with
            the column ``label`` and, if there is one, ``parent``. Lines that begin with ``#`` say
            nothing. In a file that says of no word what it is a kind of, that is as in the packaged
            vocabulary.

        Raises
        ------
        ValueError
            If the file makes no sense, naming the line.
        """
        read = read_word_file(path)
        return cls(tuple(read), read if any(read.values()) else None)

    def candidates(self, looked: Looked) -> Candidates:  # noqa: ARG002 - whatever they are
        """Return the list."""
        return Candidates(self.words, parents=self.parents)


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
