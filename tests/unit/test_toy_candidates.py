"""A candidate source of one's own: one class, and a line of registration."""

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.labels.candidates.sources import SOURCES


class OfTheExamples(slw.CandidateSource):
    """For each neuron, the classes of its own concept examples."""

    name = "own classes"

    def candidates(self, looked):
        own = {row: looked.example_classes(row) for row in range(len(looked.neurons))}
        return slw.Candidates(looked.classes, own)


def test_a_source_names_candidates_and_for_whom_each_counts(colour_lens, monkeypatch):
    monkeypatch.setitem(SOURCES, "own classes", OfTheExamples)
    lens = colour_lens().run()
    for scorer in ("csp", "clip-dissect", "recognition"):
        lens.label("own classes", scorer=scorer, threshold=-np.inf)
        for one in lens.neurons.itertuples():
            own = set(lens.examples(one.layer, one.neuron)["class_name"])
            scores = lens.scores(one.layer, one.neuron, lens.classes, scorer=scorer)
            scores = scores[scores["candidate"].isin(own)].set_index("candidate")["score"]
            assert one.label == scores.idxmax()
            assert one.score == pytest.approx(scores.max(), abs=1e-4)
    assert lens.vocabulary == lens.classes


class OfPictures(slw.CandidateSource):
    """What the pictures of a neuron look like, as one who can name two colours says."""

    def candidates(self, looked):
        said = {}
        for row in range(len(looked.neurons)):
            pictures = looked.example_pictures(row)
            assert all(image.mode == "RGB" for image in looked.contrast_pictures(row))
            mean = np.mean([np.asarray(image) for image in pictures], axis=(0, 1, 2))
            said[row] = ["red"] if mean.argmax() == 0 else ["green "] if mean.argmax() == 1 else []
        return slw.Candidates(["red", "green"], said)


def test_a_source_may_look_at_pictures_and_leave_a_neuron_without_candidates(colour_lens):
    lens = colour_lens().run()
    found = lens.label(OfPictures(), threshold=-np.inf).iloc[:3]
    assert found["label"].tolist() == ["red", "green", "unknown"]
    assert found["score"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("candidates", "words"),
    [
        (slw.Candidates(["red"], {3: ["pink"]}), "neuron 3 has 'pink', which is no name"),
        (slw.Candidates([]), "list is empty"),
        (slw.Candidates(["red", "a\ud800"]), "half a character"),
    ],
)
def test_what_a_source_returns_is_checked(colour_lens, candidates, words):
    class Wrong(slw.CandidateSource):
        def candidates(self, looked):
            return candidates

    with pytest.raises(ValueError, match=words):
        colour_lens().run().label(Wrong())


@pytest.mark.filterwarnings("ignore:The text encoder")  # this one knows four colours
def test_sources_by_name(colour_lens):
    lens = colour_lens().run()
    lens.label("classes")
    assert lens.vocabulary == lens.classes
    lens.label()
    default = lens.vocabulary
    lens.label("everyday")
    assert lens.vocabulary == default
    with pytest.raises(TypeError, match="got the string 'red'; sources by name are 'everyday'"):
        lens.label("red")
