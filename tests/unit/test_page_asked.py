"""What a page is asked to hold: odd wishes are understood, or refused before anything is done."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from semlens_widgets.widgets import ConceptGallery, NeuronMap
from semlens_widgets.widgets._page import asked
from tests.unit.panel_world import Lens


@pytest.fixture
def gallery():
    return ConceptGallery(Lens(), "layer3", 0)


def test_neurons_are_numbers_of_any_kind_once_and_in_the_order_of_the_table(gallery):
    table = gallery.lens.neurons
    given = [(np.str_("layer4"), np.int64(0)), ("layer3", "0"), ("layer4", 0)]
    assert asked.chosen_neurons(gallery, given) == [("layer3", 0), ("layer4", 0)]
    assert asked.chosen_neurons(gallery, iter(given)) == [("layer3", 0), ("layer4", 0)]
    rows = table[["neuron", "layer"]].iloc[::-1]
    assert asked.chosen_neurons(gallery, rows) == asked.known_neurons(gallery)
    assert asked.chosen_neurons(gallery, None) == [("layer3", 0)]


def test_a_negative_pole_is_called_as_people_call_it(gallery):
    # Of 2 neurons the second is the negative pole of the only channel.
    gallery.lens.poles = {"layer3": 1}
    gallery.lens.neurons = pd.DataFrame({"layer": ["layer3", "layer3"], "neuron": [0, 1]})
    assert asked.chosen_neurons(gallery, [("layer3", "0-")]) == [("layer3", 1)]
    assert asked.chosen_neurons(gallery, [("layer3", "0")]) == [("layer3", 0)]
    with pytest.raises(TypeError, match=r"\('layer3', '1-'\) is no neuron"):
        asked.chosen_neurons(gallery, [("layer3", "1-")])


@pytest.mark.parametrize(
    ("neurons", "error", "message"),
    [
        ([], ValueError, "there are none"),
        (pd.DataFrame({"layer": [], "neuron": []}), ValueError, "there are none"),
        (pd.DataFrame({"layer": ["layer3"], "unit": [0]}), ValueError, "no column 'neuron'"),
        ("layer3", TypeError, "list of"),
        (5, TypeError, "list of"),
        (["layer3/0"], TypeError, "'layer3/0' is no neuron"),
        (("layer3", 0), TypeError, "'layer3' is no neuron"),
        ([("layer3", 0, 1)], TypeError, "is no neuron"),
        ([("layer3", 0.9)], TypeError, "is no neuron"),
        ([("layer3", float("nan"))], TypeError, "is no neuron"),
        ([("layer3", True)], TypeError, "is no neuron"),
        ([("layer3", "0-")], TypeError, "is no neuron"),
        ([None], TypeError, "is no neuron"),
        ([("layer3", -1)], ValueError, "no neuron -1 in layer 'layer3'"),
    ],
)
def test_what_is_no_neuron_is_named(gallery, neurons, error, message):
    with pytest.raises(error, match=message):
        asked.chosen_neurons(gallery, neurons)


def test_examples_are_whole_numbers():
    assert asked.checked_examples(np.int64(3)) == 3
    for wrong in (0, -1, True, 2.0, None, "3"):
        with pytest.raises(ValueError, match="whole number of 1 or more"):
            asked.checked_examples(wrong)


def test_texts_are_a_list_of_texts():
    assert asked.checked_texts(pd.Series(["a", "b"])) == ["a", "b"]
    assert asked.checked_texts(word for word in ("a",)) == ["a"]
    for wrong in ("red", None, 5, [1], [None]):
        with pytest.raises(TypeError, match="texts"):
            asked.checked_texts(wrong)
    with pytest.raises(ValueError, match="half a character"):
        asked.checked_texts(["\ud800"])


def test_texts_that_nothing_reads_are_not_dropped_without_a_word(colour_lens, tmp_path):
    lens = colour_lens().run()
    page = tmp_path / "page.html"
    with pytest.raises(ValueError, match="No view of it searches or scores"):
        lens.gallery("seen", 0).to_html(page, texts=["red"])
    with pytest.raises(ValueError, match="several analyses"):
        NeuronMap({"a": lens, "b": lens}).to_html(page, texts=["red"])
    assert not page.exists()


def test_a_place_for_no_page_is_refused_before_anything_is_asked(gallery, tmp_path, monkeypatch):
    def never(*_of):
        raise AssertionError("asked before the place was looked at")

    monkeypatch.setattr(ConceptGallery, "_record", never)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="no page"):
        gallery.to_html(tmp_path / "mine", folder=True)
    with pytest.raises(FileExistsError, match="folder=True"):
        gallery.to_html(tmp_path / "mine")
    monkeypatch.setattr(os, "access", lambda *_of: False)
    with pytest.raises(PermissionError, match="Choose another folder"):
        gallery.to_html(tmp_path / "page.html")
