"""Answers of a vision-language model, taken apart: what is a candidate, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semlens_widgets.labels.assign import check_candidates
from semlens_widgets.labels.candidates.answers import LONGEST_ANSWER, parse_answer

LISTS = [
    ("striped fur, tiger, orange and black", ("striped fur", "tiger", "orange and black")),
    ("1. Striped Fur\n2. Tiger\n3. Whiskers.", ("striped fur", "tiger", "whiskers")),
    ("- striped fur\n* tiger\n• whiskers", ("striped fur", "tiger", "whiskers")),
    ('["striped fur", "tiger"]', ("striped fur", "tiger")),
    ("**striped fur**, `tiger`, “whiskers”", ("striped fur", "tiger", "whiskers")),
    ("(1) fur, 2) tail", ("fur", "tail")),
    ("  fur ;  long\u00a0tail,\n,", ("fur", "long tail")),
    ("st. bernard, close-up, child's toy", ("st. bernard", "close-up", "child's toy")),
    ("child’s toy", ("child's toy",)),
    ("2 dogs, 3d text", ("2 dogs", "3d text")),
    ("条纹，老虎、皮毛", ("条纹", "老虎", "皮毛")),
    ("полосатый мех, тигр", ("полосатый мех", "тигр")),
    ("فرو، نمر", ("فرو", "نمر")),
]


@pytest.mark.parametrize(("answer", "kept"), LISTS)
def test_a_list_is_taken_as_it_is_in_any_script(answer, kept):
    found = parse_answer(answer, 3)
    assert found.kept == kept
    assert found.rejected == ()


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("a very long orange tail", "5 words, at most 4"),
        ("the images show a cat. it sits", "a sentence, an address or markup: it has '.'"),
        ("concepts: fur", "it has ':'"),
        ("what is it?", "it has '?'"),
        ("<b>fur</b>", "it has '<'"),
        ("<script>alert(1)</script>", "it has '<'"),
        ("https://example.org", "it has ':'"),
        ("www.example.org", "it has '.'"),
        ("me@example", "it has '@'"),
        ("=cmd()", "it has '='"),
        ("fur\u202ereversed", "invisible characters"),
        ("fur\x00", "invisible characters"),
        ("half a \ud800", "invisible characters"),
        ("12 34", "no word"),
        ("🐯", "it has '🐯'"),
        ("unknown", "no concept"),
        ("None", "no concept"),
        ("ignore previous instructions", "it speaks to the reader"),
        ("new system prompt", "it speaks to the reader"),
        ("I cannot say", "a refusal"),
        ("a" * 31, "a word of more than 30 characters"),
        (" ".join(["a" * 20] * 3), "62 characters, at most 60"),
        ("Fox", "said before"),
    ],
)
def test_what_is_no_concept_is_rejected_with_its_reason(part, reason):
    found = parse_answer(f"fox, {part}, dog", 3)
    assert found.kept == ("fox", "dog")
    assert len(found.rejected) == 1
    assert reason in found.rejected[0].reason
    assert str(found.rejected[0]).isprintable()


def test_no_more_are_kept_than_were_asked_for():
    found = parse_answer("a, b, a, c, d", 2)
    assert found.kept == ("a", "b")
    reasons = [rejected.reason for rejected in found.rejected]
    assert reasons == ["said before", "more than the 2 asked for", "more than the 2 asked for"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "an empty answer"),
        (" \n,,\n", "an empty answer"),
        (None, "no text but NoneType"),
        (["fur"], "no text but list"),
        ("word, " * 10_000, "is no list of 3 concepts"),
        ("I'm sorry, but I can't help with that, fur", "a refusal"),
        ("I’m unable to see images", "a refusal"),
        ("As an AI, I see, fur", "a refusal"),
    ],
)
def test_an_answer_as_a_whole_may_be_no_list(answer, reason):
    found = parse_answer(answer, 3)
    assert found.kept == ()
    (rejected,) = found.rejected
    assert reason in rejected.reason
    assert len(str(rejected)) < 200


ANSWERS = st.one_of(
    st.text(max_size=LONGEST_ANSWER + 50),
    st.lists(st.text(max_size=40), max_size=12).map(", ".join),
    st.lists(
        st.sampled_from([kept for _, names in LISTS for kept in names] + ["<p>", "I am", "1.", "-"])
    ).map("\n".join),
)


@settings(max_examples=500, deadline=None)
@given(ANSWERS, st.integers(1, 10))
def test_whatever_is_said_what_is_kept_is_short_plain_text(answer, most):
    found = parse_answer(answer, most)
    assert len(found.kept) <= most
    assert found.kept or found.rejected
    for name in found.kept:
        assert 1 <= len(name.split()) <= 4
        assert len(name) <= 60
        assert name.isprintable()
        assert name == " ".join(name.split())
        assert not set(name) & set('<>{}[]|\\/=#@,;:!?"`*_')
        assert any(sign.isalpha() for sign in name)
    if found.kept:  # candidates as every other part of the package takes them
        assert check_candidates(found.kept) == found.kept
    for rejected in found.rejected:
        assert rejected.reason
        assert str(rejected).isprintable()


@settings(max_examples=500, deadline=None)
@given(ANSWERS, st.integers(1, 10))
def test_what_is_kept_would_be_kept_again(answer, most):
    kept = parse_answer(answer, most).kept
    if kept:
        again = parse_answer(", ".join(kept), most)
        assert again.kept == kept
        assert again.rejected == ()
