"""Candidates that are put together from words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.labels.assign import assign
from semlens_widgets.labels.hypernyms import ancestors, kinds_of, parents


class Planted:
    """Neurons whose examples are alike to words as said."""

    def __init__(self, likeness: list[dict[str, float]], classes: list[list[str]]) -> None:
        self._likeness = likeness
        self._classes = classes
        self.neurons = [("layer", row) for row in range(len(likeness))]

    def likeness(self, words):
        return torch.tensor([[one.get(word, -1.0) for word in words] for one in self._likeness])

    def example_classes(self, row):
        return self._classes[row]


def test_every_attribute_goes_with_every_object():
    found = slw.Compositions(["red", "big", "red"], ["ball", "dog"]).candidates(None)
    assert found.names == (
        *("red", "big", "ball", "dog"),
        *("red ball", "big ball", "red dog", "big dog"),
    )
    assert found.of_neuron is None
    assert found.parents["red dog"] == "dog"
    assert found.parents["dog"] == "mammal"


def test_a_word_does_not_go_with_itself_and_many_phrases_are_refused():
    assert slw.Compositions(["orange"], ["orange", "lime"]).candidates(None).names == (
        *("orange", "lime"),
        "orange lime",
    )
    with pytest.raises(ValueError, match="300 attributes and 400 objects make 120,000 phrases"):
        slw.Compositions([f"a{n}" for n in range(300)], [f"b{n}" for n in range(400)])
    with pytest.raises(ValueError, match="list is empty"):
        slw.Compositions([], ["ball"])


def test_a_phrase_is_the_label_where_it_is_more_than_its_words():
    found = slw.Compositions(["red"], ["ball"]).candidates(None)
    scores = torch.tensor([[0.9, 0.2, 0.8], [0.5, 0.5, 0.6], [0.7, 0.1, 0.7]])
    assert assign(scores, found.names).labels == ("red", "red ball", "red")


def test_a_lens_chooses_among_compositions(colour_lens):
    lens = colour_lens().run()
    with pytest.warns(UserWarning, match="cannot tell these apart"):  # it knows colours alone
        frame = lens.label(
            slw.Compositions(["red", "green", "blue"], ["grey"]), scorer="correlation"
        )
    seen = frame[frame["layer"] == "seen"]["label"].tolist()
    assert seen == ["red", "green", "blue"]  # "red grey" is red to this model: the first wins


WORDS = {"attribute": ["red", "blue", "dark"], "object": ["ball", "dog"], "scene": ["beach", "sky"]}


def test_captions_are_made_of_the_words_nearest_to_the_examples():
    looked = Planted(
        [
            {"red": 0.5, "dark": 0.4, "dog": 0.3, "beach": 0.1},
            {"blue": 0.5, "red": 0.5, "dark": 0.5, "ball": 0.2, "sky": 0.9},
        ],
        [["poodle", "n0123", "my_pug", "poodle", "7", "cat", ""], [""]],
    )
    found = slw.CaptionTemplates(words=WORDS, each=2).candidates(looked)
    first, second = found.of_neuron[0], found.of_neuron[1]
    objects = ["poodle", "dog", "ball"]  # a class of several words is a caption already
    assert first[:8] == ("poodle", "my pug", "red", "dark", "dog", "ball", "beach", "sky")
    assert first[8:] == (
        *(f"{attribute} {thing}" for attribute in ("red", "dark") for thing in objects),
        *(f"{thing} in {scene}" for thing in objects for scene in ("beach", "sky")),
    )
    assert second[:2] == ("red", "blue")  # of equals, the first
    assert set(found.names) == {*first, *second}
    assert found.parents["red dog"] == found.parents["dog in sky"] == "dog"
    assert found.parents["red poodle"] == "poodle"


def test_templates_and_parts_of_ones_own():
    looked = Planted([{"x": 1.0, "y": 0.5}], [["poodle"]])
    words = {"what": ["x", "y", "z"], "object": ["ball"]}
    found = slw.CaptionTemplates(["a {what} {what}", "{what}"], words=words, each=2)
    assert found.candidates(looked).names == ("poodle", "x", "y", "a x x", "a y y")


def test_a_neuron_without_examples_gets_no_caption():
    looked = Planted([{word: np.nan for words in WORDS.values() for word in words}], [[]])
    found = slw.CaptionTemplates(words=WORDS).candidates(looked)
    assert found.of_neuron == {0: ()}


@pytest.mark.parametrize(
    ("templates", "options", "said"),
    [
        (["{colour} ball"], {}, "some of {attribute}, {object}, {scene} in it"),
        (["ball"], {}, "'ball' must be a caption with some of"),
        (["{}"], {}, "'{}' must be a caption with some of"),
        (["{object!r}"], {}, "must be a caption with some of"),
        (["{object"], {}, "'{object' makes no sense"),
        (["{object}"], {"words": {"attribute": ["red"]}}, "some of {attribute} in it"),
        (["{object}"], {"words": {"object": []}}, "list is empty"),
        (["{object}"], {"each": 0}, "each=0 must be a whole number from 1 to 10"),
    ],
)
def test_what_makes_no_caption_is_refused(templates, options, said):
    with pytest.raises(ValueError, match=said):
        slw.CaptionTemplates(templates, **options)


def test_one_template_is_a_list_too():
    with pytest.raises(TypeError, match="must be a list of captions"):
        slw.CaptionTemplates("{object}")


def test_likeness_is_the_centred_cosine_of_the_mean_example(colour_lens):
    lens = colour_lens().run()
    found = lens.looked.likeness(["red", "blue"]).numpy()
    expected = [
        lens.scores(one.layer, one.neuron, ["red", "blue"], scorer="semanticlens")["score"]
        for one in lens.neurons.itertuples()
    ]
    np.testing.assert_allclose(found, np.array(expected), atol=1e-6)


def test_a_lens_chooses_captions_for_each_neuron(colour_lens):
    lens = colour_lens().run()
    captions = slw.CaptionTemplates(
        ["{attribute} {object}"],
        words={"attribute": ["red", "green", "blue"], "object": ["grey"]},
        each=1,
    )
    with pytest.warns(UserWarning, match="cannot tell these apart"):
        frame = lens.label(captions, scorer="csp", threshold=-1.0)
    assert frame["label"].tolist()[:3] == ["red", "green", "blue"]


def test_the_packaged_words_fill_the_parts():
    words = slw.CaptionTemplates().words
    assert {"red", "striped", "wood"} - set(words["attribute"]) == {"striped"}  # it has "stripes"
    assert {"beagle", "car", "guitar", "circle"} <= set(words["object"])
    assert {"beach", "kitchen"} <= set(words["scene"])
    assert "animal" not in words["object"]  # too general to be part of a caption
    for word in kinds_of("dog"):
        assert "dog" in ancestors(word)
    assert len(kinds_of("dog")) == sum("dog" in ancestors(word) for word in parents())
