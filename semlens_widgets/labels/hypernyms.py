"""Which words are kinds of which: the packaged vocabulary as a tree."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from semlens_widgets.analysis.granularity import lineage


@cache
def parents() -> dict[str, str]:
    """Return the packaged words, each with the word it is a kind or a part of; "" for the roots.

    About four thousand: animals, plants, food, people, things and their parts, buildings, scenes,
    colours, patterns, textures, materials, shapes, actions, and what does not belong to the thing
    that a picture shows, such as watermarks, rulers and borders. In the order of the file.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    file = files("semlens_widgets.labels.candidates") / "vocabulary.txt"
    return parsed(file.read_text(encoding="utf-8"))


def parsed(text: str) -> dict[str, str]:
    """Read a tree of words, each by its parent; "" for the roots.

    Parameters
    ----------
    text
        Lines of ``parent: child, child``. One that begins with blanks goes on with the line before;
        one that begins with ``#`` says nothing. A parent stands among the children before.

    Raises
    ------
    ValueError
        If a word is named twice, or a parent is not named before.
    """
    found: dict[str, str] = {}
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    for entry in re.split(r"\n(?! )", "\n".join(lines)):
        parent, _, children = " ".join(entry.split()).partition(":")
        if parent and parent not in found:
            raise ValueError(f"vocabulary: {parent!r} has children before it is named.")
        for child in (word.strip() for word in children.split(",")):
            if not child or child in found:
                raise ValueError(f"vocabulary: {child!r} below {parent!r} is empty or named twice.")
            found[child] = parent
    return found


def ancestors(word: str) -> tuple[str, ...]:
    """Return what a packaged word is a kind of, the nearest first; empty for roots and others."""
    return lineage(word, parents())[1:]


def kinds_of(*words: str) -> tuple[str, ...]:
    """Return the packaged words that are kinds or parts of some, in the order of the file.

    The words themselves are not among them.
    """
    wanted = set(words)
    return tuple(word for word in parents() if not wanted.isdisjoint(ancestors(word)))
