"""A page's own scores and searches, against what the kernel answers to the same questions."""

from __future__ import annotations

import warnings
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.labels.scorers import SCORERS
from semlens_widgets.lens.portable import portable
from semlens_widgets.widgets import ContrastPanel, NeuronMap
from tests.colour_world import TableFoundation, TableNet, numbered_images, to_tensor
from tests.unit.page_answers import PageAnswers

DIM, IMAGES, NEURONS, EXAMPLES = 512, 300, 40, 8
WORDS = [f"word {number}" for number in range(60)]
OWN = ["a drawing of a {}", "{}"]
TRAVELLING = [name for name in SCORERS if name != "clip-dissect"]


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


def of_the_kernel(widget, questions):
    answers = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method, params in questions:
            result, buffers = widget._requests[method](widget, params)
            answers.append((result, [bytes(one) for one in buffers]))
    return answers


def assert_same(found: Any, expected: Any, where: str) -> None:
    """Numbers to 1e-4, all else exactly."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where} {key}")
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), (where, found, expected)
        for at, value in enumerate(expected):
            assert_same(found[at], value, f"{where} {at}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-4, rel=0), where
    else:
        assert found == expected, (where, found, expected)


def settings_of(rng, scorer, *, crops, neighbours):
    """Draw settings that a page has."""
    choices = {
        "gamma": [0.0, 0.35, 1.0],
        "centred": [True, False],
        "weights": ["none", "raw", "log", "rank"],
        "neighbours": list(range(1, neighbours + 1)),
        "embedding": ["analysed", "image", "crop"] if crops else ["analysed", "image"],
    }
    return {
        one.name: choices[one.name][rng.integers(len(choices[one.name]))]
        for one in fields(SCORERS[scorer])
        if one.name in choices
    }


def drawn(rng, lens, words, count, *, ranks, crops=False, neighbours=1, templates=("plain",)):
    """Draw questions about scores, each of a neuron, some labels and settings."""
    questions = []
    table = lens.neurons
    for _ in range(count):
        row = table.iloc[int(rng.integers(len(table)))]
        scorer = TRAVELLING[rng.integers(len(TRAVELLING))]
        method = ["scores", "scores", "beside", "chance"][rng.integers(4)]
        exclude = sorted({int(rank) for rank in rng.integers(ranks, size=rng.integers(3))})
        names = [str(name) for name in rng.choice(words, min(10, len(words)), replace=False)]
        if method == "scores" and rng.random() < 0.2:
            names = []
        questions.append(
            (
                method,
                {
                    "layer": row["layer"],
                    "neuron": int(row["neuron"]),
                    "candidates": names,
                    "scorer": scorer,
                    "settings": settings_of(rng, scorer, crops=crops, neighbours=neighbours),
                    "templates": templates[rng.integers(len(templates))],
                    "exclude": exclude,
                },
            )
        )
    return questions


def compare(page, lens, meta, arrays, widget, questions):
    """Ask both, and return how many scores were compared."""
    scores = 0
    found = page.ask(meta, arrays, questions)
    for one, (result, buffers), (method, params) in zip(
        found, of_the_kernel(widget, questions), questions, strict=True
    ):
        where = f"{method} {params}"
        assert "error" not in one, (where, one)
        assert_same(one["result"], result, where)
        for pair in zip(one["buffers"], buffers, strict=True):
            own, other = (np.frombuffer(data, np.float32) for data in pair)
            np.testing.assert_allclose(own, other, atol=1e-4, rtol=0, err_msg=where)
        scores += len(result["scores"]) if "scores" in result else 2
    return scores


TEMPLATES = ("plain", "csp", "clip", OWN)


def test_scores_are_those_of_the_kernel_whatever_the_settings(lens, page):
    meta, arrays = portable(lens, range(NEURONS), sentences=OWN)
    assert set(WORDS) <= set(meta["texts"])
    rng = np.random.default_rng(1)
    questions = drawn(rng, lens, WORDS, 300, ranks=EXAMPLES, neighbours=3, templates=TEMPLATES)
    panel = ContrastPanel(lens)
    assert compare(page, lens, meta, arrays, panel, questions) > 2000


@pytest.mark.filterwarnings("ignore:.*crops are all that the model sees")
def test_crops_are_compared_as_the_kernel_does(colour_lens, page):
    lens = colour_lens(embedding="crop", contrasts=slw.Nearest(neighbours=2)).run()
    words = ["red", "green", "blue", "grey"]
    lens.label(words)
    meta, arrays = portable(lens, range(len(lens.neurons)))
    rng = np.random.default_rng(2)
    questions = drawn(rng, lens, words, 120, ranks=6, crops=True, neighbours=2)
    compare(page, lens, meta, arrays, ContrastPanel(lens), questions)


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
        half = len(buffers[0]) // 2  # rows, and whether each is unsure, before scores
        assert len(one["buffers"][0]) == len(buffers[0])
        if half != 4 * NEURONS // 2 or buffers[0] == one["buffers"][0]:
            assert one["buffers"][0][:half] == buffers[0][:half]


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
        ("chance", scoring | {"exclude": [3]}, "pair 4 cannot be left out"),
        ("chance", scoring | {"exclude": [0], "settings": {"weights": "log"}}, "by “log”"),
        ("chance", scoring | {"settings": {"embedding": "crop"}}, "the analysis has none"),
        ("beside", scoring | {"settings": {"neighbours": 4}}, "the analysis holds 3"),
    ]
    found = page.ask(meta, arrays, [(method, params) for method, params, _ in cases])
    for one, (_, params, said) in zip(found, cases, strict=True):
        assert said in one.get("error", {}).get("message", ""), (params, one)
