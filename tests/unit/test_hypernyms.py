"""The packaged vocabulary: what is in it, and what is a kind of what."""

from __future__ import annotations

import re

import pytest

from semlens_widgets.labels.assign import check_candidates
from semlens_widgets.labels.hypernyms import ancestors, parents, parsed
from semlens_widgets.labels.words import VISUAL_WORDS


def test_it_holds_some_thousand_short_phrases():
    words = list(parents())
    assert len(words) >= 3_000
    assert check_candidates(words) == tuple(words)  # none is blank, padded or named twice
    odd = [word for word in words if not re.fullmatch(r"[a-z][a-z' -]*", word)]
    assert not odd
    assert not [word for word in words if len(word.split()) > 4]


def test_every_word_leads_up_to_a_root():
    tree = parents()
    roots = [word for word, parent in tree.items() if not parent]
    for word in tree:
        assert (ancestors(word)[-1] if ancestors(word) else word) in roots
        assert word not in ancestors(word)
    kinds = {"animal", "plant", "food", "vehicle", "colour", "pattern", "texture", "material"}
    assert kinds | {"scene", "artefact", "part", "action", "shape"} <= set(roots)


@pytest.mark.parametrize(
    ("word", "above"),
    [
        ("beagle", ("hound", "dog", "mammal", "animal")),
        ("granny smith", ()),
        ("strawberry", ("fruit", "food")),
        ("polka dots", ("pattern",)),
        ("watermark", ("artefact",)),
        ("animal", ()),
    ],
)
def test_what_a_word_is_a_kind_of(word, above):
    assert ancestors(word) == above


def test_most_everyday_words_are_among_them():
    missing = [word for word in VISUAL_WORDS if word not in parents()]
    assert len(missing) < len(VISUAL_WORDS) / 10, missing


def test_a_damaged_tree_is_refused():
    assert parsed("# said\n: a, b\na: c,\n    d e\n") == {"a": "", "b": "", "c": "a", "d e": "a"}
    for text, said in [
        (": a\nb: c", "'b' has children"),
        (": a\na: a", "named twice"),
        (": a,", "empty"),
    ]:
        with pytest.raises(ValueError, match=said):
            parsed(text)


def test_a_lens_chooses_from_them(colour_lens):
    lens = colour_lens().run()
    with pytest.warns(UserWarning, match="cannot tell these apart"):  # it knows three colours
        lens.label("wide")
    assert set(parents()) <= set(lens.vocabulary)
    assert lens.vocabulary[:3] == ("red", "green", "blue")  # the classes come first
