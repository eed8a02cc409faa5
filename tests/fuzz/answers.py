"""What a vision-language model answers, taken for a list of concepts."""

from __future__ import annotations

from hypothesis import strategies as st

from semlens_widgets.labels.assign import check_candidates
from semlens_widgets.labels.candidates.answers import MOST_WORDS, parse_answer
from tests.fuzz.texts import TEXTS

_SEPARATED = st.lists(st.tuples(TEXTS, st.sampled_from([",", ";", "\n", "，", "\u2028", ""])))
ANSWERS = st.one_of(
    TEXTS,
    _SEPARATED.map(lambda parts: "".join(text + mark for text, mark in parts)),
    st.none() | st.integers() | st.binary() | st.lists(TEXTS),
)
CASES = st.tuples(ANSWERS, st.integers(1, 12))


def check(case):
    """Candidates are few, short, plain, all different, and the same when they are read again."""
    answer, most = case
    found = parse_answer(answer, most)
    assert len(found.kept) <= most
    assert len(set(found.kept)) == len(found.kept)
    for concept in found.kept:
        assert concept.isprintable()
        assert concept == concept.lower()
        assert 1 <= len(concept.split()) <= MOST_WORDS
        assert not set(concept) & set('<>&"`=@:/\\{}$,;')
        concept.encode("utf-8")
    if found.kept:
        assert tuple(check_candidates(list(found.kept))) == found.kept
        assert parse_answer(", ".join(found.kept), most) == type(found)(found.kept)
    for rejected in found.rejected:
        assert str(rejected).isprintable()
        assert len(str(rejected)) < 250
        str(rejected).encode("utf-8")
