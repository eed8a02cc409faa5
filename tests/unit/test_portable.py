"""A page's own scores and searches, against what the kernel answers to the same questions."""

from __future__ import annotations

import warnings
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.labels.scorers import SCORERS
from semlens_widgets.labels.words import RANDOM_WORDS
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
        assert isinstance(found, dict) and found.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_same(found[key], value, f"{where} {key}")
    elif isinstance(expected, (list, tuple)):
        assert isinstance(found, list) and len(found) == len(expected), (where, found, expected)
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
    """Draw questions about scores, each of a neuron, ten labels and settings."""
    questions = []
    table = lens.neurons
    for _ in range(count):
        row = table.iloc[int(rng.integers(len(table)))]
        scorer = TRAVELLING[rng.integers(len(TRAVELLING))]
        method = ["scores", "scores", "beside", "chance"][rng.integers(4)]
        exclude = sorted({int(rank) for rank in rng.integers(ranks, size=rng.integers(3))})
        names = [str(name) for name in rng.choice(words, 10, replace=False)]
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
        for own, other in zip(one["buffers"], buffers, strict=True):
            own, other = (np.frombuffer(data, np.float32) for data in (own, other))
            np.testing.assert_allclose(own, other, atol=1e-4, rtol=0, err_msg=where)
        scores += len(result["scores"]) if "scores" in result else 2
    return scores


TEMPLATES = ("plain", "csp", "clip", OWN)


def test_scores_are_those_of_the_kernel_whatever_the_settings(lens, page):
    meta, arrays = portable(lens, range(NEURONS), sentences=OWN)
    assert set(WORDS) <= set(meta["texts"])
    rng = np.random.default_rng(1)
    questions = drawn(
        rng, lens, WORDS, 300, ranks=EXAMPLES, neighbours=3, templates=TEMPLATES
    )
    panel = ContrastPanel(lens)
    assert compare(page, lens, meta, arrays, panel, questions) > 2000


def test_crops_are_compared_as_the_kernel_does(colour_lens, page):
    lens = colour_lens(embedding="crop", contrasts=slw.Nearest(neighbours=2)).run()
    words = ["red", "green", "blue", "grey", *WORDS[:8]]
    lens.label(words)
    meta, arrays = portable(lens, range(len(lens.neurons)))
    rng = np.random.default_rng(2)
    questions = drawn(rng, lens, words, 120, ranks=6, crops=True, neighbours=2)
    compare(page, lens, meta, arrays, ContrastPanel(lens), questions)
