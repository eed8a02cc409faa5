"""Are phrases truer than words, and do hypernyms say less that is false?

On the clean twin of the embedded default, whose pictures' truth is known. Labels are judged on
3,000 pictures that the analysis has not seen.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.images import scene_images
from semlens_widgets.demo.models import preprocess
from semlens_widgets.demo.world import ATTRIBUTES, CLASSES, CONCEPTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The text encoder"),  # it was not taught the hypernyms
]
PICTURES = 3_000
SCORERS = ["recognition", "correlation", "csp"]
LIKE = [word for name in ("colour", "texture", "size") for word in ATTRIBUTES[name]]
SHAPES, GROUNDS = list(ATTRIBUTES["shape"]), list(ATTRIBUTES["background"])


@pytest.fixture(scope="module")
def lens(scenes):
    return scenes(planted=False)


@pytest.fixture(scope="module")
def unseen(lens):
    """Activations ``(pictures, neurons)`` on other pictures, and what these show."""
    scenes = scene_images(PICTURES, seed=777)
    found = []
    with torch.no_grad():
        for start in range(0, PICTURES, 250):
            some = [preprocess(scenes[at][0]) for at in range(start, start + 250)]
            units = lens.target.units(torch.stack(some))
            found.append(torch.cat([units[layer].cpu() for layer in lens.target.layers], dim=1))
    return torch.cat(found).numpy(), scenes.concepts


def shown(label: str, concepts: np.ndarray) -> np.ndarray:
    """Whether each picture shows all that a label names; a label names what is in its words."""
    named = [at for at, name in enumerate(CONCEPTS) if f" {name} " in f" {label} "]
    return concepts[:, named].all(1) if named else np.zeros(len(concepts), bool)


def truth_of(labels, unseen) -> float:
    """Return the mean AUROC of each neuron for what its label names; .5 where that is nothing."""
    activations, concepts = unseen
    names = list(dict.fromkeys(labels))
    found = auroc(activations, np.stack([shown(name, concepts) for name in names], axis=1))
    each = [found[row, names.index(label)] for row, label in enumerate(labels)]
    return float(np.nan_to_num(each, nan=0.5).mean())


class Unclassed(slw.CandidateSource):
    """Another source, as if the images had no classes."""

    def __init__(self, source):
        self.source = source

    def candidates(self, looked):
        looked.example_classes = lambda _row: []
        return self.source.candidates(looked)


@pytest.mark.parametrize("scorer", SCORERS)
def test_phrases_are_truer_than_words(lens, unseen, scorer):
    captions = slw.CaptionTemplates(
        ["{attribute} {object}", "{object} on {scene}"],
        words={"attribute": LIKE, "object": SHAPES, "scene": GROUNDS},
    )
    asked = {
        "attributes and shapes": [*LIKE, *SHAPES],
        "compositions of them": slw.Compositions(LIKE, SHAPES),
        "with backgrounds": [*LIKE, *SHAPES, *GROUNDS],
        "captions of them": Unclassed(captions),
        "and classes": [*LIKE, *SHAPES, *GROUNDS, *CLASSES],
        "captions and classes": captions,
    }
    found = {
        name: truth_of(lens.label(candidates, scorer=scorer, threshold=-np.inf)["label"], unseen)
        for name, candidates in asked.items()
    }
    print(scorer, {name: round(value, 3) for name, value in found.items()})
    words, composed, more, captioned, *_ = found.values()
    assert composed > words
    assert captioned > more


def tree(synonyms: bool) -> dict[str, str]:
    """Names below the attribute whose value they are, and what else they are called below them."""
    found = {value: attribute for attribute, values in ATTRIBUTES.items() for value in values}
    if synonyms:
        others = {
            other: name for name in found for other in demo.SYNONYMS[name] if other not in found
        }
        found |= others
    return found | dict.fromkeys(ATTRIBUTES, "")


@pytest.mark.parametrize("synonyms", [False, True], ids=["names", "synonyms"])
@pytest.mark.parametrize("scorer", SCORERS)
def test_a_hypernym_says_less_that_is_false(lens, unseen, scorer, synonyms):
    activations, concepts = unseen
    parents = tree(synonyms)
    places = [at for at, name in enumerate(CONCEPTS) if parents.get(name)]
    best = auroc(activations, concepts[:, places]).argmax(1)
    truth = [list(CONCEPTS)[places[at]] for at in best]
    words = slw.Vocabulary(list(parents), parents)
    # Which neurons are unknown is another question: here what is above chance by nature counts.
    threshold = {"recognition": 0.5, "correlation": 0.0, "csp": -np.inf}[scorer]
    lens.label(words, scorer=scorer, threshold=threshold)
    plain = lens.granularity(parents, truth=truth)
    frame = lens.label(words, scorer=scorer, back_off=True, threshold=threshold)
    backed = lens.granularity(parents, truth=truth)
    count = int(frame["source"].str.endswith("backed off").sum())
    columns = ["depth", "others", "recall", "recall_random", "precision", "precision_random"]
    for name, one in (("best", plain), (f"{count} backed off", backed)):
        print(scorer, name, one[columns].mean().round(3).to_dict())
    assert count
    assert backed["precision"].mean() > plain["precision"].mean()
    assert backed["depth"].mean() < plain["depth"].mean()
    assert (backed["recall"] <= plain["recall"] + 1e-9).mean() > 0.9
