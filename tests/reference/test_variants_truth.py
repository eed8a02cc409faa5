"""Do weights, more contrasts, or sentences make labels truer? On worlds that no default rests on.

The clean twin of the embedded default, judged on 3,000 pictures that the analysis has not seen, and
a network on photographs, judged by their ten classes.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.bench_labels import NAMES, WORDS, planted_truth
from semlens_widgets.demo.images import scene_images
from semlens_widgets.demo.truth import MEANING
from tests.reference.test_real_photographs import lens as photographs_as_mined  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:The text encoder")]

PICTURES, SEED = 3_000, 8_101
NEIGHBOURS = (1, 2, 3, 5, 8)
WEIGHTS = ("none", "raw", "log", "rank")
SENTENCES = {
    "label alone": None,
    "six of CSP": slw.CSP_TEMPLATES,
    "seven of CLIP": slw.CLIP_TEMPLATES,
}
SCORERS = {"SemanticLens": slw.Semantic, "difference": slw.Difference, "CSP": slw.Csp}
USUAL = {"SemanticLens": "none", "difference": "none", "CSP": "raw"}


def variants():
    """What is compared, by table: (scorer, variant, object, sentences); the usual one first."""
    for name, kind in SCORERS.items():
        for weights in sorted(WEIGHTS, key=lambda one: one != USUAL[name]):
            yield "weights", name, weights, kind(weights=weights), None
        for sentences, templates in SENTENCES.items():
            yield "sentences", name, sentences, kind(), templates
    for weights, neighbours in product(("raw", "rank"), NEIGHBOURS):
        name = "CSP" if weights == "raw" else "CSP, rank"
        yield (
            "neighbours",
            name,
            str(neighbours),
            slw.Csp(weights=weights, neighbours=neighbours),
            None,
        )
    for neighbours in NEIGHBOURS:
        scorer = slw.Csp(gamma=0.5, neighbours=neighbours)
        yield "neighbours", "CSP, γ = 0.5", str(neighbours), scorer, None
    for gamma in (1.0, 0.75, 0.5, 0.25):
        yield "gamma", "CSP", f"{gamma:g}", slw.Csp(gamma=gamma), None
    for sentences, templates in SENTENCES.items():
        yield "sentences", "recognition", sentences, slw.Recognition(), templates


def measured(lens, candidates, truth_of):
    """Mean AUROC of the labels of every variant, and its gain over the usual one, by neuron."""
    rows, usual = [], {}
    draws = None
    for table, name, variant, scorer, templates in variants():
        labels = lens.label(candidates, scorer=scorer, templates=templates, threshold=-np.inf)
        values = np.array([truth_of(row, label) for row, label in enumerate(labels["label"])])
        base = usual.setdefault((table, name), values)
        if draws is None:
            draws = np.random.default_rng(0).integers(len(values), size=(1_000, len(values)))
        gain = values - base
        low, high = np.quantile(gain[draws].mean(1), [0.025, 0.975])
        rows.append((table, name, variant, values.mean(), gain.mean(), low, high))
    found = pd.DataFrame(
        rows, columns=["table", "scorer", "variant", "auroc", "gain", "low", "high"]
    )
    print(f"\n{len(values)} neurons\n{found.round(3).to_string(index=False)}")
    return found.set_index(["table", "scorer", "variant"]).sort_index()


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    target = slw.TargetModel(
        demo.classifier(planted=False),
        ["layer1", "layer2", "layer3", "layer4"],
        transform=demo.preprocess,
    )
    lens = slw.SemanticLens(
        target,
        slw.ImageDataset.from_dataset(scene_images(PICTURES, seed=SEED)),
        demo.foundation(),
        path=tmp_path_factory.mktemp("twin") / "analysis",
        contrasts=slw.Nearest(neighbours=max(NEIGHBOURS)),
    ).run()
    truth = planted_truth(target, PICTURES, SEED + 500)

    def truth_of(row, label):
        name = MEANING.get(label, label)
        return truth[row, NAMES.index(name)] if name in NAMES else 0.5

    return measured(lens, WORDS["and for nothing"], truth_of)


@pytest.fixture(scope="module")
def photographs(photographs_as_mined, tmp_path_factory):  # noqa: F811
    first = photographs_as_mined
    lens = slw.SemanticLens(
        first.target,
        first.images,
        first.foundation,
        path=tmp_path_factory.mktemp("photos") / "further",
        contrasts=slw.Nearest(neighbours=max(NEIGHBOURS)),
    ).run()
    shows = torch.nn.functional.one_hot(torch.tensor(lens.images.labels)).numpy().astype(bool)
    neurons = lens.neurons[["layer", "neuron"]].to_records(index=False)
    activations = np.stack([lens.activations(layer, k) for layer, k in neurons.tolist()], axis=1)
    truth = auroc(activations, shows)
    return measured(lens, lens.classes, lambda row, label: truth[row, lens.classes.index(label)])


#: Mean AUROC of what is usual, and how much more some others have, as docs/labels.md says.
SCENES = {
    ("weights", "SemanticLens", "none"): 0.906,
    ("weights", "difference", "none"): 0.855,
    ("weights", "CSP", "raw"): 0.902,
    ("weights", "CSP", "rank"): 0.898,
    ("neighbours", "CSP", "3"): 0.885,
    ("neighbours", "CSP", "8"): 0.859,
    ("neighbours", "CSP, γ = 0.5", "3"): 0.914,
    ("gamma", "CSP", "0.75"): 0.917,
    ("sentences", "recognition", "seven of CLIP"): 0.934,
}
PHOTOGRAPHS = {
    ("weights", "SemanticLens", "none"): 0.805,
    ("weights", "difference", "none"): 0.614,
    ("weights", "CSP", "raw"): 0.704,
    ("weights", "CSP", "rank"): 0.685,
    ("neighbours", "CSP", "3"): 0.645,
    ("neighbours", "CSP", "8"): 0.628,
    ("neighbours", "CSP, γ = 0.5", "3"): 0.804,
    ("gamma", "CSP", "0.75"): 0.807,
    ("sentences", "recognition", "seven of CLIP"): 0.815,
}


@pytest.fixture(params=["twin", "photographs"])
def world(request):
    expected = {"twin": SCENES, "photographs": PHOTOGRAPHS}[request.param]
    return request.getfixturevalue(request.param), expected


def test_labels_are_as_true_as_measured(world):
    found, expected = world
    for variant, auroc_of in expected.items():
        assert found.loc[variant, "auroc"] == pytest.approx(auroc_of, abs=0.01), variant


def test_more_contrasts_taken_out_whole_make_labels_less_true(world):
    found, _ = world
    assert (found.loc[("neighbours", "CSP")].drop("1")["high"] < 0).all()
    assert found.loc[("neighbours", "CSP, γ = 0.5"), "gain"].abs().max() < 0.01


def test_leaving_some_of_the_contrast_in_makes_them_truer(world):
    found, _ = world
    assert found.loc[("gamma", "CSP", "0.75"), "low"] > 0


def test_no_weights_are_better_than_the_usual_ones_on_both(twin, photographs):
    both = pd.concat([one.loc["weights", "low"] for one in (twin, photographs)], axis=1)
    assert not (both > 0).all(axis=1).any()
