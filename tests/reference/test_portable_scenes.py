"""A page of the embedded default answers as the kernel does, in the size and time it may take."""

from __future__ import annotations

import numpy as np
import pytest

from semlens_widgets import demo
from semlens_widgets.lens.portable import portable
from semlens_widgets.widgets import ContrastPanel, NeuronMap
from tests.unit.page_answers import PageAnswers
from tests.unit.page_questions import TRAVELLING, compare, drawn, of_the_kernel

#: Bytes that all 296 neurons may take.
MOST = 3_000_000
#: Scores that differ by less are equal, but for rounding: cosines are divided by a small spread.
TIE = 1e-5
#: Milliseconds: between two pictures on a screen.
FRAME = 16


@pytest.fixture(scope="module")
def world(scenes, tmp_path_factory):
    lens = scenes()
    lens.label([*demo.vocabulary(), *demo.DISTRACTORS])
    page = PageAnswers(tmp_path_factory.mktemp("page"))
    return lens, page, *portable(lens, range(len(lens.neurons)))


def test_scores_are_those_of_the_kernel(world):
    lens, page, meta, arrays = world
    assert sum(values.nbytes for values in arrays.values()) <= MOST
    questions = drawn(
        np.random.default_rng(3),
        lens,
        meta["texts"],
        320,
        ranks=lens.n_examples,
        templates=("plain", "csp", "clip"),
    )
    assert compare(page, meta, arrays, ContrastPanel(lens), questions) > 2000


def test_hits_come_in_the_order_of_the_kernel(world):
    lens, page, meta, arrays = world
    asked = [{"query": word, "like": None, "layer": None} for word in meta["texts"]]
    asked += [
        {"query": "", "like": {"layer": "layer4", "neuron": neuron}, "layer": "layer3"}
        for neuron in range(128)
    ]
    questions = [("search", params) for params in asked]
    found = page.ask(meta, arrays, questions)
    for one, (result, _), question in zip(
        found, of_the_kernel(NeuronMap(lens), questions), questions, strict=True
    ):
        own, kernel = (
            {(hit["layer"], hit["neuron"]): hit["score"] for hit in hits}
            for hits in (one["result"]["hits"], result["hits"])
        )
        # Scores that differ by rounding alone may change places, also with what is just not listed.
        for mine, its in zip(own, kernel, strict=True):
            assert own[mine] == pytest.approx(kernel[its], abs=TIE if mine != its else 1e-4), (
                question
            )


def test_a_slider_that_moves_is_answered_between_two_pictures(world):
    _, page, meta, arrays = world
    scoring = {"layer": "layer4", "candidates": meta["texts"][:12], "templates": "plain"}
    for scorer in TRAVELLING:
        questions = [
            (
                method,
                scoring
                | {
                    "neuron": step % 128,
                    "scorer": scorer,
                    "settings": {"gamma": step % 20 / 20} if scorer == "csp" else {},
                    "exclude": [],
                },
            )
            for step in range(100)
            for method in ("scores", "chance")
        ]
        taken = [one["milliseconds"] for one in page.ask(meta, arrays, questions)]
        assert np.median(taken) < FRAME, scorer
