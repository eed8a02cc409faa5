"""What the toolkit says of the embedded classifier, against the truth that was planted in it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc

LAST = "layer4"


@pytest.fixture(scope="module")
def lens(scenes):
    return scenes()


@pytest.fixture(scope="module")
def truth(lens):
    """AUROC of each neuron of the last stage for each of `NAMES`, ``(neurons, names)``."""
    pictures = demo.scene_images()
    kinds = np.eye(len(demo.CLASSES), dtype=bool)[pictures.targets]
    neurons = (lens.neurons["layer"] == LAST).sum()
    activations = np.stack([lens.activations(LAST, neuron) for neuron in range(neurons)], axis=1)
    return auroc(activations, np.concatenate([pictures.concepts, kinds], axis=1))


NAMES = (*demo.CONCEPTS, *demo.CLASSES)  # what a picture can truly be said to show
MEANING = {word: name for name in demo.CONCEPTS for word in demo.SYNONYMS[name]} | {
    kind: kind for kind in demo.CLASSES
}


def label_auroc(labels: pd.Series, truth: np.ndarray) -> np.ndarray:
    """AUROC of each neuron for what its label names; 0.5 if it names nothing of this world."""
    return np.array(
        [
            truth[neuron, NAMES.index(MEANING[label])] if label in MEANING else 0.5
            for neuron, label in enumerate(labels)
        ]
    )


def test_a_search_finds_the_watermark_neurons(lens, truth):
    hits = lens.search("watermark", layer=LAST, top=5)
    found = truth[hits["neuron"], NAMES.index("watermark")]
    print(f"watermark: AUROC of the five best neurons {found.round(3)}, mean {found.mean():.3f}")
    assert found.mean() >= 0.75


SCORERS = {
    "SemanticLens": slw.Semantic(centred=False),
    "SemanticLens, centred": slw.Semantic(centred=True),
    "difference": slw.Difference(centred=False),
    "CLIP-Dissect": slw.Dissect(centred=False),
    "CLIP-Dissect, centred": slw.Dissect(centred=True),
    "CSP γ = 0.5": slw.Csp(gamma=0.5, centred=False),
    "CSP γ = 1": slw.Csp(centred=False),
    "CSP γ = 1, centred": slw.Csp(centred=True),
    "correlation": slw.Correlation(),
    "recognition": slw.Recognition(),
    "recognition, 2 %": slw.Recognition(wider=False),
    "recognition, 5 %": slw.Recognition(share=0.05, wider=False),
}


VOCABULARIES = {
    "single concepts": [word for name in demo.CONCEPTS for word in demo.SYNONYMS[name]],
    "and kinds": list(MEANING),
    "and distractors": [*MEANING, *demo.DISTRACTORS],
}


def test_csp_labels_are_faithful(lens, truth):
    """The labels of every scorer against the truth.

    The last stage of a classifier of 40 kinds tells kinds apart, so the names of the kinds must be
    among the candidates: without them the best possible labels are far from perfect.
    """
    table = pd.DataFrame(index=list(SCORERS), columns=list(VOCABULARIES), dtype=float)
    for name_of_scorer, scorer in SCORERS.items():
        for name, words in VOCABULARIES.items():
            labels = lens.label(words, threshold=-np.inf, scorer=scorer)
            last = labels.loc[labels["layer"] == LAST, "label"]
            table.loc[name_of_scorer, name] = label_auroc(last, truth).mean()
    singles = len(demo.CONCEPTS)
    best = truth[:, :singles].max(axis=1).mean(), *2 * [truth.max(axis=1).mean()]
    table.loc["best possible"] = best
    print("\nmean AUROC of the last stage's neurons for what their label names, by candidates")
    print(table.round(3).to_string())
    for name in ("and kinds", "and distractors"):
        assert table.loc["CSP γ = 1", name] >= 0.85
        assert table.loc["CSP γ = 1", name] >= table.loc["SemanticLens", name] + 0.10
    assert table.loc["CSP γ = 1", "single concepts"] > table.loc["SemanticLens", "single concepts"]
