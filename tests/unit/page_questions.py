"""Questions about labels, drawn by lot, and what page and kernel answer to them."""

from __future__ import annotations

import warnings
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from semlens_widgets.labels.scorers import SCORERS

if TYPE_CHECKING:
    from semlens_widgets.widgets._base import LensWidget
    from tests.unit.page_answers import PageAnswers

Questions = list[tuple[str, dict[str, Any]]]

ALL = ("none", "raw", "log", "rank")
TRAVELLING = [name for name in SCORERS if name != "clip-dissect"]


def of_the_kernel(widget: LensWidget, questions: Questions) -> list[tuple[Any, list[bytes]]]:
    """Return result and buffers of each question."""
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


def settings_of(rng, scorer, *, crops, neighbours, weights):
    """Draw settings that a page has."""
    choices = {
        "gamma": [0.0, 0.35, 1.0],
        "centred": [True, False],
        "weights": weights,
        "neighbours": list(range(1, neighbours + 1)),
        "embedding": ["analysed", "image", "crop"] if crops else ["analysed", "image"],
    }
    return {
        one.name: choices[one.name][rng.integers(len(choices[one.name]))]
        for one in fields(SCORERS[scorer])
        if one.name in choices
    }


def drawn(
    rng,
    lens,
    words,
    count,
    *,
    ranks,
    crops=False,
    neighbours=1,
    templates=("plain",),
    weights=ALL,
    neurons=None,
):
    """Draw questions about scores, each of a neuron, some labels and settings."""
    questions = []
    table = lens.neurons.head(neurons or len(lens.neurons))
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
                    "settings": settings_of(
                        rng, scorer, crops=crops, neighbours=neighbours, weights=weights
                    ),
                    "templates": templates[rng.integers(len(templates))],
                    "exclude": exclude,
                },
            )
        )
    return questions


def compare(
    page: PageAnswers,
    meta: dict[str, Any],
    arrays: dict[str, Any],
    widget: LensWidget,
    questions: Questions,
) -> int:
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
