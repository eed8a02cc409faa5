"""What the toolkit says of the embedded classifier, against the truth that was planted in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc

LAST = "layer4"


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    return demo.scenes(tmp_path_factory.mktemp("scenes") / "analysis")


@pytest.fixture(scope="module")
def truth(lens):
    """AUROC of each neuron of the last stage for each concept, ``(neurons, concepts)``."""
    neurons = (lens.neurons["layer"] == LAST).sum()
    activations = np.stack([lens.activations(LAST, neuron) for neuron in range(neurons)], axis=1)
    return auroc(activations, demo.scene_images().concepts)


def label_auroc(labels: pd.Series, truth: np.ndarray) -> np.ndarray:
    """AUROC of each neuron for the concept that its label names; 0.5 if it names none."""
    concept_of = {word: c for c, name in enumerate(demo.CONCEPTS) for word in demo.SYNONYMS[name]}
    return np.array(
        [
            truth[neuron, concept_of[label]] if label in concept_of else 0.5
            for neuron, label in enumerate(labels)
        ]
    )


def test_a_search_finds_the_watermark_neurons(lens, truth):
    hits = lens.search("watermark", layer=LAST, top=5)
    found = truth[hits["neuron"], demo.CONCEPTS.index("watermark")]
    print(f"watermark: AUROC of the five best neurons {found.round(3)}, mean {found.mean():.3f}")
    assert found.mean() >= 0.75


SCORERS = {
    "SemanticLens": {"method": "semanticlens"},
    "SemanticLens, centred": {"method": "semanticlens", "centred": True},
    "difference": {"method": "difference"},
    "CLIP-Dissect": {"method": "clip-dissect"},
    "CLIP-Dissect, centred": {"method": "clip-dissect", "centred": True},
    "CSP γ = 0.5": {"method": "csp", "gamma": 0.5},
    "CSP γ = 1": {"method": "csp", "gamma": 1.0},
    "CSP γ = 1, centred": {"method": "csp", "gamma": 1.0, "centred": True},
}


def test_csp_labels_are_faithful(lens, truth):
    """The labels of every scorer against the truth, with and without words for nothing."""
    vocabularies = {
        "concepts": [word for name in demo.CONCEPTS for word in demo.SYNONYMS[name]],
        "with distractors": demo.vocabulary(),
    }
    table = pd.DataFrame(index=list(SCORERS), columns=list(vocabularies), dtype=float)
    for scorer, options in SCORERS.items():
        for name, words in vocabularies.items():
            labels = lens.label(words, threshold=-np.inf, **options)
            last = labels.loc[labels["layer"] == LAST, "label"]
            table.loc[scorer, name] = label_auroc(last, truth).mean()
    print("\nmean AUROC of the last stage's neurons for the concept their label names")
    print(table.round(3).to_string())
    print(f"best possible: {np.nanmax(truth, axis=1).mean():.3f}")
    for name in vocabularies:
        assert table.loc["CSP γ = 1", name] >= 0.85
        assert table.loc["CSP γ = 1", name] >= table.loc["SemanticLens", name] + 0.10
