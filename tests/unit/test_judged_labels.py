"""Labels of the colour world, whose truth is known, judged by every kind of evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable, UnreadableImage
from tests.colour_world import ColourFoundation, colour_images

COLOURS = ["red", "green", "blue"]
#: Neurons of "seen" and of "mixed" (red - green, green - blue, blue - red, none).
TRUE = ["red", "green", "blue", "red", "green", "blue", "unknown"]
FALSE = ["green", "blue", "red", "green", "blue", "red", "unknown"]
OTHERS = colour_images(30, seed=5)
SHOWN = {name: OTHERS[at::3] for at, name in enumerate(COLOURS)}
SHOWS = pd.DataFrame({name: [i % 3 == at for i in range(30)] for at, name in enumerate(COLOURS)})


class Simulator(ColourFoundation):
    """The same colours in a space of its own."""

    name = "another"
    dim = 4

    def encode_images(self, images):
        return torch.nn.functional.pad(super().encode_images(images), (1, 0))

    def encode_text(self, texts):
        return torch.nn.functional.pad(super().encode_text(texts), (1, 0))


class Renamed(ColourFoundation):
    name = "the same by another name"


@pytest.fixture
def lens(colour_lens):
    return colour_lens().run()


def responses(lens, images):
    """What the neurons do, by the model itself."""
    inputs = torch.stack([lens.target.transform(image) for image in images])
    return torch.cat(list(lens.target.units(inputs).values()), dim=1).numpy()


def test_true_labels_are_found_true_and_false_ones_false(lens):
    true = lens.faithfulness(SHOWN, controls=OTHERS, labels=TRUE).neurons
    false = lens.faithfulness(SHOWN, controls=OTHERS, labels=FALSE).neurons
    assert (true["auc"][:6] > 0.8).all()
    assert (false["auc"][:6] < 0.5).all()
    assert (true["mad"][:6] > 0).all()
    assert (true[["auc", "mad", "dma"]].to_numpy()[:6] > false[["auc", "mad", "dma"]][:6]).all(None)
    assert true.loc[6, ["auc", "auc_random", "auc_constant"]].isna().all()


def test_figures_are_those_of_their_formulas(lens):
    found = lens.faithfulness(SHOWN, labels=TRUE).neurons
    stored = np.concatenate([lens.activations(layer) for layer in lens.layers], axis=1)
    values = responses(lens, OTHERS)
    for neuron, label in enumerate(TRUE[:6]):
        own, others = values[COLOURS.index(label) :: 3, neuron], stored[:, neuron]
        wins = [(a > b) + 0.5 * (a == b) for a in own for b in others]
        assert found["auc"][neuron] == pytest.approx(np.mean(wins))
        mad = (own.mean() - others.mean()) / others.std()
        assert found["mad"][neuron] == pytest.approx(mad, rel=1e-4)
        assert found["dma"][neuron] == pytest.approx(own.mean() / others.max(), rel=1e-4)


def test_annotated_images_and_images_of_labels_agree(lens):
    """Where the controls of a label are the images that do not show it, both are the same."""
    table = lens.faithfulness(annotations=SHOWS[["red"]], images=OTHERS, labels=["red"] * 7)
    rest = [image for i, image in enumerate(OTHERS) if i % 3]
    given = lens.faithfulness({"red": SHOWN["red"]}, controls=rest, labels=["red"] * 7)
    for name in ("auc", "mad", "dma"):
        np.testing.assert_allclose(table.neurons[name], given.neurons[name], rtol=1e-4)
    assert {"auprc", "f1", "iou"} < set(table.neurons)


def test_annotations_may_be_of_the_analysis_itself_without_the_model(lens):
    shows = pd.DataFrame({name: [i % 3 == k for i in range(60)] for k, name in enumerate(COLOURS)})
    labels = ["red", "green", "blue", *["grey"] * 4]
    reopened = slw.open(lens.store.path)
    found = reopened.faithfulness(annotations=shows, labels=labels)
    assert (found.neurons["auc"][:3] == 1).all()
    assert (found.neurons["f1"][:3] == 1).all()
    assert found.neurons["auc"][3:].isna().all()
    assert "annotations has no column for the labels 'grey'." in found.said
    with pytest.raises(LensUnavailable, match="Images of labels"):
        reopened.faithfulness(SHOWN, labels=labels)


def test_correlation_is_with_another_model_on_other_images(lens):
    found = lens.faithfulness(simulator=Simulator(), images=OTHERS, labels=TRUE).neurons
    means = np.stack([np.asarray(one).mean((0, 1)) for one in OTHERS])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    values = responses(lens, OTHERS)
    for neuron, label in enumerate(TRUE[:6]):
        expected = np.corrcoef(values[:, neuron], means[:, COLOURS.index(label)])[0, 1]
        assert found["correlation"][neuron] == pytest.approx(expected, abs=5e-3)
    assert (found["correlation"][:6] > found["correlation_random"][:6]).all()


@pytest.mark.parametrize("simulator", [ColourFoundation(), Renamed()])
def test_a_model_does_not_judge_its_own_labels(lens, simulator):
    with pytest.raises(ValueError, match="the model that the analysis was made with"):
        lens.faithfulness(simulator=simulator, images=OTHERS, labels=TRUE)


def test_images_of_the_analysis_are_left_out(lens):
    mixed = [*OTHERS, *colour_images()[:4]]
    found = lens.faithfulness(simulator=Simulator(), images=mixed, labels=TRUE)
    alone = lens.faithfulness(simulator=Simulator(), images=OTHERS, labels=TRUE)
    assert "4 of the images are in the analysis; they were left out." in found.said
    np.testing.assert_allclose(found.neurons["correlation"], alone.neurons["correlation"])
    with pytest.raises(ValueError, match="60 of 60 are images of the analysis"):
        lens.faithfulness(simulator=Simulator(), images=colour_images(), labels=TRUE)


def test_a_maker_of_images_is_asked_once_for_each_label(lens):
    asked = []

    def make(label):
        asked.append(label)
        return SHOWN.get(label, [])

    labels = ["red", "grey", "red", "red", "green", "green", ""]
    found = lens.faithfulness(make, labels=labels)
    assert asked == ["red", "grey", "green"]
    assert "shown has no images of the labels 'grey'." in found.said
    assert "1 of 7 neurons have no label, or are unknown." in found.said
    assert found.neurons["auc"].isna().tolist() == [False, True, *[False] * 4, True]
    assert found.summary.query("layer == 'all'")["neurons"].tolist() == [5, 5, 5]


def test_a_neuron_that_never_varies_is_at_chance(lens):
    found = lens.faithfulness(SHOWN, labels=[*TRUE[:6], "red"]).neurons
    stored = lens.activations("mixed", 3)
    assert found["dead"][6] == (stored <= 0).all()
    assert np.isnan(found["dma"][6]) == (stored.max() <= 0)


def test_labels_in_force_are_judged_and_figures_do_not_change(lens):
    lens.label(COLOURS)
    one, other = (lens.faithfulness(SHOWN) for _ in range(2))
    assert one.neurons["label"].tolist() == lens.neurons["label"].tolist()
    pd.testing.assert_frame_equal(one.neurons, other.neurons)
    pd.testing.assert_frame_equal(one.summary, other.summary)
    assert "auc" in repr(one)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "Nothing to judge labels by"),
        ({"simulator": Simulator()}, "simulator needs images="),
        ({"shown": SHOWN, "images": OTHERS}, "images are given without"),
        ({"annotations": SHOWS, "controls": OTHERS}, "controls are given without"),
        ({"annotations": SHOWS}, "annotations has 30 rows for 60 images"),
        ({"annotations": SHOWS.iloc[:4], "images": OTHERS}, "has 4 rows for 30 images"),
        ({"shown": {"red": OTHERS[:1]}}, "a single image of 'red'"),
        ({"shown": {"crimson": OTHERS}}, "images of none of the neurons' labels"),
        ({"shown": SHOWN, "labels": ["red"]}, "one label for each of the 7 neurons"),
        ({"shown": SHOWN, "controls": OTHERS[:1]}, "1 images say nothing"),
    ],
)
def test_what_does_not_fit_is_said_first(lens, asked, said):
    with pytest.raises(ValueError, match=said):
        lens.faithfulness(**({"labels": TRUE} | asked))


def test_annotations_are_truth_values(lens):
    with pytest.raises(TypeError, match="'red' must hold True and False"):
        lens.faithfulness(annotations=SHOWS.assign(red=0.5), images=OTHERS, labels=TRUE)
    with pytest.raises(TypeError, match="annotations is a dict"):
        lens.faithfulness(annotations={"red": [True]}, images=OTHERS, labels=TRUE)


def test_an_unreadable_image_is_named_with_its_label(lens, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    Image.new("RGB", (20, 16)).save(tmp_path / "whole.png")
    with pytest.raises(UnreadableImage, match=r"shown, 'red': 'broken.png' cannot be read"):
        lens.faithfulness({"red": [tmp_path / "broken.png", tmp_path / "whole.png"]}, labels=TRUE)
