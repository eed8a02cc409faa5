"""A page's own scores and searches, against what the kernel answers to the same questions."""

from __future__ import annotations

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.labels.words import default_vocabulary
from semlens_widgets.lens.portable import MOST_TEXTS, portable
from semlens_widgets.widgets import ContrastPanel, NeuronMap
from semlens_widgets.widgets._scoring import as_in_page, offered_alone
from tests.colour_world import TableFoundation, TableNet, numbered_images, to_tensor
from tests.unit.page_answers import PageAnswers
from tests.unit.page_questions import (
    ALL,
    TRAVELLING,
    assert_same,
    compare,
    drawn,
    of_the_kernel,
)

DIM, IMAGES, NEURONS, EXAMPLES = 512, 300, 40, 8
WORDS = [f"word {number}" for number in range(60)]
OWN = ["a drawing of a {}", "{}"]
#: Numbers that a page reads.
KINDS = {"float16", "float32", "uint16", "uint32"}


class Foundation(TableFoundation):
    """As most text encoders, it reads no capital letters."""

    def encode_text(self, texts):
        return super().encode_text([text.lower() for text in texts])


def made(path, **options):
    """Forty neurons, one of them dead and two the same, and a text encoder of 512 dimensions."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(IMAGES, DIM))
    images[:, :20] *= 4  # some directions matter more
    sees = np.maximum(images @ rng.normal(size=(DIM, NEURONS)) / 20, 0)
    sees[:, 3] = 0
    sees[:, 8] = sees[:, 7]
    sees[5:, 11] = 0  # fewer examples than wanted
    lens = slw.SemanticLens(
        slw.TargetModel(TableNet(sees.astype("float32")), ["table"], transform=to_tensor),
        slw.ImageDataset.from_list(numbered_images(IMAGES)),
        Foundation(images),
        path=path,
        n_examples=EXAMPLES,
        **options,
    ).run()
    lens.label(WORDS)
    return lens


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    return made(tmp_path_factory.mktemp("portable") / "lens", contrasts=slw.Nearest(neighbours=3))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return PageAnswers(tmp_path_factory.mktemp("page"))


TEMPLATES = ("plain", "csp", "clip", OWN)


def test_scores_are_those_of_the_kernel_whatever_the_settings(lens, page):
    meta, arrays = portable(lens, range(NEURONS), sentences=OWN)
    assert set(WORDS) <= set(meta["texts"])
    rng = np.random.default_rng(1)
    questions = drawn(rng, lens, WORDS, 300, ranks=EXAMPLES, neighbours=3, templates=TEMPLATES)
    panel = ContrastPanel(lens)
    assert compare(page, meta, arrays, panel, questions) > 2000


@pytest.mark.filterwarnings("ignore:.*crops are all that the model sees")
def test_crops_are_compared_as_the_kernel_does(colour_lens, page):
    lens = colour_lens(embedding="crop", contrasts=slw.Nearest(neighbours=2)).run()
    words = ["red", "green", "blue", "grey"]
    lens.label(words)
    meta, arrays = portable(lens, range(len(lens.neurons)))
    rng = np.random.default_rng(2)
    questions = drawn(rng, lens, words, 120, ranks=6, crops=True, neighbours=2)
    compare(page, meta, arrays, ContrastPanel(lens), questions)


def test_of_pairs_that_do_not_travel_the_sums_count(lens, page):
    assert portable(lens, range(NEURONS), examples=3)[0]["kept"] == EXAMPLES  # no more to carry
    meta, arrays = portable(lens, range(5), examples=3)
    assert meta["kept"] == 3
    assert meta["weights"] == ["none", "raw"]
    some = {"ranks": 3, "neurons": 5}
    rng = np.random.default_rng(4)
    questions = [
        (method, params)
        for method, params in drawn(rng, lens, WORDS, 200, neighbours=3, weights=ALL[:2], **some)
        if method != "scores" or params["scorer"] in {"recognition", "correlation"}
    ]
    compare(page, meta, arrays, ContrastPanel(lens), questions)
    drawn_anew = drawn(rng, lens, WORDS, 40, weights=("raw",), **some)
    explained = [(method, params | {"scorer": "csp"}) for method, params in drawn_anew]
    found = page.ask(meta, arrays, explained)
    for one, (result, buffers) in zip(
        found, of_the_kernel(ContrastPanel(lens), explained), strict=True
    ):
        assert_same(one["result"], result, "")
        for own, whole in zip(one["buffers"], buffers, strict=True):
            texts = len(result["explained"])
            first = np.frombuffer(whole, np.float32).reshape(texts, -1)[:, :3]
            np.testing.assert_allclose(
                np.frombuffer(own, np.float32).reshape(texts, -1), first, atol=1e-4, rtol=0
            )


def test_hits_are_those_of_the_kernel_in_its_order(lens, page):
    meta, arrays = portable(lens, range(NEURONS))
    words = [*WORDS[:40], WORDS[3].upper(), "  word   5 "]
    assert lens.scores("table", 7, WORDS).equals(lens.scores("table", 8, WORDS))  # a tie
    asked = [{"query": word, "layer": layer} for word in words for layer in (None, "table")]
    asked += [{"like": {"layer": "table", "neuron": neuron}} for neuron in range(NEURONS)]
    questions = [("search", {"query": "", "like": None, "layer": None} | one) for one in asked]
    found = page.ask(meta, arrays, questions)
    for one, (result, buffers), question in zip(
        found, of_the_kernel(NeuronMap(lens), questions), questions, strict=True
    ):
        assert_same(one["result"], result, str(question))
        (own,), (whole,) = one["buffers"], buffers
        assert len(own) == len(whole), question
        rows = 0 if len(whole) == 4 * NEURONS else len(whole) // 2  # with whether each is unsure
        assert own[:rows] == whole[:rows], question
        scores = (np.frombuffer(data[rows:], np.float32) for data in (own, whole))
        np.testing.assert_allclose(*scores, atol=1e-4, rtol=0, err_msg=str(question))


def test_what_does_not_travel_is_refused_and_says_what_is_near(lens, page):
    meta, arrays = portable(lens, range(5), ["striped fabric"], examples=3)
    scoring = {
        "layer": "table",
        "neuron": 0,
        "candidates": ["word 1"],
        "scorer": "csp",
        "settings": {},
        "templates": "plain",
        "exclude": [],
    }
    cases = [
        ("search", {"query": "stripd", "like": None, "layer": None}, "Near it: “striped”"),
        ("scores", scoring | {"candidates": ["wrod 1", "word 2"]}, "“wrod 1” does not travel"),
        ("scores", scoring | {"candidates": ["zyx", "xyz"]}, "“zyx”, “xyz” do not travel"),
        ("scores", scoring | {"neuron": 7}, "Neuron 7 of table does not travel"),
        ("chance", scoring | {"scorer": "clip-dissect"}, "CLIP-Dissect needs all neurons"),
        ("chance", scoring | {"scorer": "recognition", "settings": {"share": 0.1}}, "share 0.02"),
        ("chance", scoring | {"templates": ["no {}"]}, "sentences around labels do not travel"),
        ("chance", scoring | {"exclude": [3]}, "cannot leave out pair 4"),
        ("chance", scoring | {"settings": {"weights": "log"}}, "no sum by the weights “log”"),
        ("chance", scoring | {"settings": {"embedding": "crop"}}, "the analysis has none"),
        ("beside", scoring | {"settings": {"neighbours": 4}}, "the analysis holds 3"),
    ]
    found = page.ask(meta, arrays, [(method, params) for method, params, _ in cases])
    for one, (_, params, said) in zip(found, cases, strict=True):
        assert said in one.get("error", {}).get("message", ""), (params, one)


def test_words_that_travel_are_those_asked_for_the_labels_and_what_fits_best(lens):
    meta, arrays = portable(lens, range(NEURONS), ["  my   word "])
    labels = {label for label in lens.neurons["label"] if label not in {"", "unknown"}}
    assert meta["texts"][0] == "my word"
    assert {*labels, *WORDS} <= set(meta["texts"])
    assert meta["vocabulary"] == {"words": WORDS, "total": len(WORDS)}
    assert len(meta["texts"]) == MOST_TEXTS
    # The packaged words that are left out are nobody's best.
    packaged = [word for word in default_vocabulary(()) if word not in {"my word", *WORDS}]
    scores = np.array(
        [
            lens.scores("table", neuron, packaged, scorer="correlation")["score"]
            for neuron in range(NEURONS)
        ]
    )
    best = {packaged[at] for at in np.nanargmax(scores[~np.isnan(scores).all(1)], axis=1)}
    assert best <= set(meta["texts"])
    assert {values.dtype.name for values in arrays.values()} <= KINDS


def test_capital_letters_are_told_apart_where_the_text_encoder_does(lens, page, monkeypatch):
    ask = [("search", {"query": "WORD 1", "like": None, "layer": None})]
    (folded,) = page.ask(*portable(lens, range(NEURONS)), ask)
    assert "error" not in folded
    monkeypatch.setattr(Foundation, "encode_text", TableFoundation.encode_text)
    again = slw.open(lens.store.path, foundation=lens.foundation)
    (told,) = page.ask(*portable(again, range(NEURONS)), ask)
    assert "“WORD 1” does not travel" in told["error"]["message"]


def test_a_panel_of_a_page_offers_what_travels(lens):
    meta, _ = portable(lens, range(3), examples=2)
    scorers = {one["name"]: one for one in offered_alone(lens, meta)}
    assert list(scorers) == TRAVELLING
    assert scorers["recognition"]["controls"] == []
    assert scorers["recognition"]["note"] == (
        "Here with share 0.02, wider on alone. In the notebook: other words, other settings, "
        "CLIP-Dissect."
    )
    controls = {one["name"]: one for one in scorers["csp"]["controls"]}
    assert list(controls) == ["gamma", "centred", "weights", "neighbours"]
    assert controls["weights"]["options"] == ["none", "raw"]
    assert scorers["csp"]["note"].startswith("The first 2 pairs may be left out one by one.")


def test_a_panel_that_stands_on_what_does_not_travel_says_so_in_its_page(lens):
    meta, _ = portable(lens, range(3), examples=2)
    panel = ContrastPanel(lens, scorer="clip-dissect", settings={"weights": "rank", "share": 0.1})
    traits = as_in_page(lens, panel.get_state(), meta)
    assert traits["scorer"] == "recognition"
    assert traits["settings"] == {"share": 0.02, "wider": True}
    assert all("stands on CLIP-Dissect" in one["note"] for one in traits["_scorers"])
