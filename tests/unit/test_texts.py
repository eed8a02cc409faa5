"""What a text encoder loses of labels is named."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import semlens_widgets as slw
from semlens_widgets.lens.texts import TextCheck, alike_rows
from tests.colour_world import ColourFoundation

LONG = "a star " * 40


@pytest.fixture(scope="module")
def clip():
    return slw.demo.foundation()


class Deaf(ColourFoundation):
    """Embeds a text by its length alone."""

    def encode_text(self, texts):
        return normalize(torch.tensor([[len(text), 1.0, 0.0] for text in texts]), dim=1)


class Reading(Deaf):
    """Reads nine characters."""

    def kept_text(self, texts):
        return [text[:9] for text in texts]


@pytest.mark.parametrize("text", ["", "star", "a red star " * 4, "é" * 9, "🦊" * 5])
def test_what_fits_is_kept_whole(clip, text):
    assert clip.kept_text([text]) == [text]


@pytest.mark.parametrize(
    "text",
    [LONG, "🦊" * 60, "x" * 500, "zq " * 100, "striped\n" * 90, "日本語の" * 30, "&amp;" * 99],
)
def test_what_is_cut_is_kept_up_to_the_last_token_that_fits(clip, text):
    (kept,) = clip.kept_text([text])
    assert 0 < len(kept) < len(text)
    assert text.startswith(kept)
    tokenizer = clip._tokenizer
    tokens = [len(tokenizer.encode(part)) for part in (kept, text[: len(kept) + 1], text)]
    room = tokenizer.context_length - 2  # but for start and end
    assert tokens[0] <= room < tokens[2]
    assert tokens[1] > room or tokenizer.encode(text[: len(kept) + 1]) == tokenizer.encode(kept)


def test_the_longest_text_that_fits_is_not_cut(clip):
    room = clip._tokenizer.context_length - 2
    fits, more = " ".join(["star"] * room), " ".join(["star"] * (room + 1))
    assert clip.kept_text([fits, more]) == [fits, fits + " "]


def test_texts_that_read_the_same_embed_the_same_to_the_last_bit(clip):
    texts = [LONG + "on grass", "red", "Star", LONG + "in a ring", "star", "  STAR "]
    vectors = clip.encode_text(texts)
    assert torch.equal(vectors[0], vectors[3])
    assert torch.equal(vectors[2], vectors[4])
    assert torch.equal(vectors[2], vectors[5])


def test_each_way_to_ask_warns_of_what_is_cut_and_what_is_alike(colour_lens):
    lens = colour_lens(foundation=Reading()).run()
    names = ["red and green", "blue and grey", "red"]
    for ask in (
        lambda: lens.label(names, templates=["{}"]),
        lambda: lens.scores("seen", 0, names, templates=["{}"]),
        lambda: lens.search(names, templates=["{}"]),
    ):
        with pytest.warns(UserWarning, match="cuts long texts") as caught:
            ask()
        said = str(caught[0].message)
        assert "'red and green' is read up to 'red and g'" in said
        assert "'red and green' = 'blue and grey'" in said
        assert caught[0].filename == __file__
    check = lens.check_texts(names, ["{}"])
    assert dict(check.cut) == {"red and green": "red and g", "blue and grey": "blue and "}
    assert check.alike == (("red and green", "blue and grey"),)


def test_the_sentence_around_a_label_takes_room_too(colour_lens):
    lens = colour_lens(foundation=Reading()).run()
    # The longest is "an image of a closeup of {}".
    assert lens.check_texts(["red"], slw.CSP_TEMPLATES).cut == {"red": ""}
    assert lens.check_texts(["red", "green"], ["{}", "see {}"]).cut == {}
    assert lens.check_texts(["red", "greener"], ["{}", "see {}"]).cut == {"greener": "green"}


def test_a_panel_that_asks_at_every_key_warns_once(colour_lens):
    lens = colour_lens(foundation=Deaf()).run()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for neuron in range(3):
            lens.scores("seen", neuron, ["red", "sky"])
    assert len(caught) == 1


def test_nothing_is_said_of_labels_that_are_read(colour_lens):
    lens = colour_lens().run()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lens.label(["red", "green", "blue"])
        lens.search("red")
    assert str(lens.check_texts(["red", "green", "blue"])) == ""


def test_case_blanks_and_unknown_signs_of_a_real_tokenizer(clip, colour_lens):
    lens = colour_lens(foundation=clip).run()
    names = ["star", "Star", "red  star", "red star", "ring", "ﬁsh", "fish"]
    assert lens.check_texts(names).alike == (
        ("star", "Star"),
        ("red  star", "red star"),
        ("ﬁsh", "fish"),
    )


def test_many_losses_are_said_in_a_few_words():
    check = TextCheck({f"{i} " * 99: f"{i} " * 9 for i in range(30)}, (("a", "b"),) * 40)
    assert len(str(check)) < 1500
    assert "and 25 more" in str(check)
    assert "and 35 more" in str(check)


@pytest.mark.parametrize("label", ["\u200b", "\u2060\u00ad", "\ufeff ", "\x07"])
def test_labels_that_show_nothing_are_refused(colour_lens, label):
    lens = colour_lens().run()
    for ask in (lens.search, lambda text: lens.label([text])):
        with pytest.raises(ValueError, match="invisible"):
            ask(label)


def test_half_a_character_is_refused_before_anything_is_kept(colour_lens):
    lens = colour_lens().run()
    with pytest.raises(ValueError, match="half a character"):
        lens.set_label("seen", 0, "fox \ud83e")
    assert lens.neurons["label"][0] == ""


def test_rows_that_are_alike_are_found_among_many():
    generator = torch.Generator().manual_seed(0)
    vectors = normalize(torch.randn(4000, 64, generator=generator), dim=1)
    vectors[3999] = vectors[7] + 4e-7
    vectors[100] = vectors[50] = vectors[3000]
    vectors[20] = vectors[21] + 1e-4  # another word
    expected = np.abs(vectors[:, None, :8].numpy() - vectors[None, :, :8].numpy()).max(2) <= 1e-6
    groups = alike_rows(vectors)
    assert groups == [[7, 3999], [50, 100, 3000]]
    assert expected.sum() == 4000 + 2 + 6  # all pairs compared, for what it is worth


def test_alike_rows_may_be_all_or_none():
    assert alike_rows(torch.ones(3000, 4)) == [list(range(3000))]
    assert alike_rows(torch.eye(5)) == []
    assert alike_rows(torch.ones(1, 4)) == []
    assert alike_rows(torch.empty(0, 4)) == []
