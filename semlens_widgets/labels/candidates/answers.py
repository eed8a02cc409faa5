"""What counts as a candidate label in the answer of a model, and what is wrong with the rest."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

#: A concept has no more words than this (as in the prompts of arXiv 2604.22477).
MOST_WORDS = 4
#: Characters of an answer that can be a list of concepts.
LONGEST_ANSWER = 1000
_LONGEST = 60  # characters of a concept
_LONGEST_WORD = 30
_LONGEST_SHOWN = 40

_BETWEEN = re.compile(r"[,;\n\r\v\f\x85\u2028\u2029،、，；]")  # the marks of other scripts as well
_BULLET = re.compile(r"^\s*(?:(?:[-–—*•·‣]+|\(?\d{1,2}[.):])\s+)+")
_WRAPPING = " \t\"'`*_[]“”„‘’«»「」『』-–—"
_ABBREVIATION = re.compile(r"\b\w{1,2}\.(?= )")  # st. bernard
_REFUSAL = re.compile(
    r"(?:i'm|i am|i can(?:no|')?t|i do(?:n't| not)|i(?:'ve| have)|sorry|unfortunately|"
    r"as an ai|unable to|cannot|can't)\b"
)
_TO_THE_READER = re.compile(r"\b(?:instructions?|prompts?|ignore|disregard)\b")
_NO_CONCEPT = {"concept", "concepts", "n/a", "na", "no concept", "none", "nothing", "null"}
_NO_CONCEPT |= {"unknown"}  # which is how a neuron without a label is called
_APOSTROPHES = str.maketrans("’‘", "''")


@dataclass(frozen=True)
class Rejected:
    """A part of an answer that is no candidate label.

    Attributes
    ----------
    text
        The part, cut if it is long; only what can be printed.
    reason
        Why not, in a few words.
    """

    text: str
    reason: str

    def __str__(self) -> str:
        """Say both."""
        return f"{self.text!r}: {self.reason}"


@dataclass(frozen=True)
class Parsed:
    """An answer taken apart.

    Attributes
    ----------
    kept
        The candidate labels, in the order of the answer.
    rejected
        The rest.
    """

    kept: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def parse_answer(answer: object, most: int) -> Parsed:
    """Take an answer apart: concepts separated by commas or lines, quoted or numbered if need be.

    A concept is one to four words of letters, digits, hyphens and apostrophes, in any script; it
    is given in lower case. What is longer, a sentence, markup, an address, invisible, said before,
    beyond the number asked for, a refusal, or speaks to the reader, is rejected. So is an answer as
    a whole that is longer than such a list can be.

    Parameters
    ----------
    answer
        What the model said; untrusted.
    most
        How many concepts were asked for.
    """
    if not isinstance(answer, str):
        return Parsed(rejected=(Rejected("", f"no text but {type(answer).__name__}"),))
    plain = answer.strip()
    if reason := _fault_of_all(plain, most):
        return Parsed(rejected=(Rejected(_shown(plain), reason),))
    kept: dict[str, None] = {}
    rejected: list[Rejected] = []
    for part in _BETWEEN.split(plain):
        concept = _bare(part)
        if not concept:  # between two separators
            continue
        reason = _fault(concept)
        if not reason and concept in kept:
            reason = "said before"
        if not reason and len(kept) == most:
            reason = f"more than the {most} asked for"
        if reason:
            rejected.append(Rejected(_shown(part.strip()), reason))
        else:
            kept[concept] = None
    return Parsed(tuple(kept), tuple(rejected))


def _fault_of_all(answer: str, most: int) -> str:
    """Say why an answer as a whole is no list of concepts; empty if it may be one."""
    if len(answer) > LONGEST_ANSWER:
        return f"an answer of more than {LONGEST_ANSWER} characters is no list of {most} concepts"
    if _REFUSAL.match(answer.translate(_APOSTROPHES).casefold()):
        return "a refusal"
    return "" if any(map(_bare, _BETWEEN.split(answer))) else "an empty answer"


def _bare(part: str) -> str:
    """Return a part without numbering, quotes and full stop, in lower case."""
    before, text = None, part
    while text != before:  # one may stand within the other
        before = text
        text = _BULLET.sub("", unicodedata.normalize("NFKC", text)).strip(_WRAPPING)
        text = text.removesuffix(".").removesuffix("。").strip(_WRAPPING)
        text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES).lower())
        text = " ".join(text.split())
    return text


def _fault(concept: str) -> str:
    """Say why a text is no concept; empty if it is one."""
    words = concept.split()
    odd = next((sign for sign in _ABBREVIATION.sub("", concept) if not _may_be(sign)), "")
    faults = (
        (not concept.isprintable(), "invisible characters"),
        (bool(odd), f"a sentence, an address or markup: it has {odd!r}"),
        (not any(sign.isalpha() for sign in concept), "no word"),
        (concept in _NO_CONCEPT, "no concept"),
        (bool(_TO_THE_READER.search(concept)), "it speaks to the reader"),
        (bool(_REFUSAL.match(concept)), "a refusal"),
        (len(words) > MOST_WORDS, f"{len(words)} words, at most {MOST_WORDS}"),
        (len(concept) > _LONGEST, f"{len(concept)} characters, at most {_LONGEST}"),
        (max(map(len, words)) > _LONGEST_WORD, f"a word of more than {_LONGEST_WORD} characters"),
    )
    return next((reason for faulty, reason in faults if faulty), "")


def _may_be(sign: str) -> bool:
    """Whether a character may stand in a concept: letters, marks, digits, and what joins them."""
    return unicodedata.category(sign)[0] in "LMN" or sign in " -'"


def _shown(text: str) -> str:
    """Return a text as it may be shown: of one line, without what is invisible, and not long."""
    start = text[: _LONGEST_SHOWN + 1]
    plain = "".join(sign if sign.isprintable() else " " for sign in start)
    return plain if len(plain) <= _LONGEST_SHOWN else f"{plain[:_LONGEST_SHOWN]} ..."
