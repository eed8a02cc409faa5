"""Every scorer and variant against one table, which is computed without the package."""

from __future__ import annotations

import itertools
import json
from dataclasses import fields

import numpy as np
import pytest
import torch

from semlens_widgets.analysis.contrasting import contrastive_neighbours
from semlens_widgets.labels.evidence import Evidence, HeldEmbeddings, without_pairs
from semlens_widgets.labels.scorer import Explaining, text_directions
from semlens_widgets.labels.scorers import SCORERS, scorer_of
from tests.reference.scorer_formulas import TABLE, concept_examples, mined, table, written

STORED = json.loads(TABLE.read_text())
ROWS = STORED["rows"]
#: Logarithms of small numbers lose more digits than cosines.
DIGITS = {"clip-dissect": 2e-4}


def named(row):
    settings = ",".join(f"{name}={value}" for name, value in row["settings"].items())
    return f"{row['scorer']}({settings})" + (f"-without{row['exclude']}" * bool(row["exclude"]))


def number(name, dtype=torch.float32):
    values = np.array(STORED["world"][name], dtype=float)
    return torch.from_numpy(values).to(dtype)


@pytest.fixture(scope="module")
def evidence():
    contrasts = number("contrasts", torch.int64)
    crops = (number("crops"), number("contrast_crops"))
    values = number("activations")
    readable = number("images").any(1)
    values[:, ~readable] = torch.nan
    return Evidence(
        HeldEmbeddings(number("images")),
        number("examples", torch.int64),
        contrasts[..., 0],
        number("example_activations"),
        number("top", torch.int64),
        crops=lambda start, stop: (crops[0][start:stop], crops[1][start:stop]),
        distribution=lambda start, stop: values[start:stop],
        further=contrasts[..., 1:],
    )


def test_the_stored_table_is_what_the_formulas_give():
    assert TABLE.read_text() == written(table()), "python -m tests.reference.scorer_formulas"


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_scores_and_parts_are_those_of_the_table(evidence, row):
    scorer = scorer_of(row["scorer"], row["settings"])
    seen = without_pairs(evidence, row["exclude"])
    texts = text_directions(number("prompts"))
    atol = DIGITS.get(row["scorer"], 2e-6)
    np.testing.assert_allclose(scorer.score(seen, texts), row["scores"], atol=atol)
    assert isinstance(scorer, Explaining) == (row["parts"] is not None)
    if isinstance(scorer, Explaining):
        np.testing.assert_allclose(scorer.parts(seen, texts), row["parts"], atol=atol)


def test_texts_are_the_mean_of_their_templates_at_unit_length():
    np.testing.assert_allclose(text_directions(number("prompts")), number("texts"), atol=1e-6)


def test_every_scorer_and_every_setting_is_in_the_table():
    asked = {(row["scorer"], *row["settings"].items()) for row in ROWS}
    assert {row["scorer"] for row in ROWS} == set(SCORERS)
    for name, kind in SCORERS.items():
        choices = {}
        for one in fields(kind):
            if one.name == "embedding":  # "analysed" is one of the others
                choices[one.name] = ["image", "crop"]
            elif "options" in one.metadata:
                choices[one.name] = one.metadata["options"]
            elif isinstance(one.default, bool):
                choices[one.name] = [False, True]
        for settings in itertools.product(*choices.values()):
            wanted = set(zip(choices, settings, strict=True))
            assert any(row[0] == name and wanted <= set(row[1:]) for row in asked), (name, wanted)
        assert {one.name for one in fields(kind)} == {
            setting for row in asked if row[0] == name for setting, _ in row[1:]
        }


def test_contrasts_are_mined_as_in_the_table():
    images, values = number("images"), number("activations")
    examples = torch.tensor([concept_examples(row) for row in values.numpy()])
    expected = [
        mined(images.double().numpy(), *pair)
        for pair in zip(values.double().numpy(), examples.tolist(), strict=True)
    ]
    values[:, ~images.any(1)] = torch.nan
    found, similarity = contrastive_neighbours(values.T, images, examples, neighbours=3)
    assert found.tolist() == expected
    assert (similarity.diff(dim=2) <= 1e-6).all()


@pytest.mark.parametrize("name", ["csp", "semanticlens", "difference"])
def test_as_analysed_is_crops_where_there_are_some(evidence, name):
    texts = number("texts")
    crop = scorer_of(name, {"embedding": "crop"}).score(evidence, texts)
    image = scorer_of(name, {"embedding": "image"}).score(evidence, texts)
    assert torch.equal(scorer_of(name).score(evidence, texts), crop)
    assert not torch.allclose(crop, image)


def test_what_there_is_not_is_refused():
    images = HeldEmbeddings(torch.eye(3))
    two = torch.tensor([[0, 1]])
    whole = Evidence(images, two, torch.tensor([[2, 2]]), torch.ones(1, 2), two)
    for name in ("csp", "semanticlens", "difference"):
        with pytest.raises(ValueError, match=r"the analysis has none.*embedding=\"crop\""):
            scorer_of(name, {"embedding": "crop"}).score(whole, torch.eye(3))
    with pytest.raises(ValueError, match="the analysis has none"):
        scorer_of("clip-dissect", {"cropped": True}).score(whole, torch.eye(3))
    with pytest.raises(ValueError, match=r"holds 1 for each example.*Nearest\(neighbours=2\)"):
        scorer_of("csp", {"neighbours": 2}).score(whole, torch.eye(3))
    with pytest.raises(ValueError, match="weights: expected one of 'none', 'raw', 'log', 'rank'"):
        scorer_of("csp", {"weights": "sqrt"})
    for neighbours in (0, 17, 1.5, True):
        with pytest.raises(ValueError, match="neighbours: expected a whole number from 1 to 16"):
            scorer_of("csp", {"neighbours": neighbours})
    with pytest.raises(ValueError, match=r"further: expected shape \(1, 2, 'more'\)"):
        Evidence(images, two, two, torch.ones(1, 2), further=torch.zeros(1, 1, 2))
