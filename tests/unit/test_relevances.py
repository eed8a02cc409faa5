"""Relevance for classes and examples within a class, on a world known by heart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable, StoreError
from semlens_widgets.pipeline.relevance import output_relevance
from tests.colour_world import colour_images


def test_relevance_of_a_layer_before_a_dense_layer(colour_lens):
    """ColourNet's head adds up what ``mixed`` sees: relevance is the mean positive activation."""
    lens = colour_lens().run()
    samples = [3, 0, 7]
    found = lens.relevance(0, samples=samples).query("layer == 'mixed'")
    pixels = np.stack([np.asarray(colour_images()[i], np.float64) / 255 for i in samples])
    red, green, blue = np.moveaxis(pixels, 3, 0)
    mixed = np.stack([red - green, green - blue, blue - red, -red - green - blue])
    expected = np.maximum(mixed, 0).mean(axis=(2, 3))  # (neurons, images)
    assert found["relevance_mean"].to_numpy() == pytest.approx(expected.mean(1), abs=1e-4)
    assert found["relevance_max"].to_numpy() == pytest.approx(expected.max(1), abs=1e-4)
    share = expected / expected.sum(0)
    assert found["share_mean"].to_numpy() == pytest.approx(share.mean(1), abs=1e-4)
    assert found["share_max"].to_numpy() == pytest.approx(share.max(1), abs=1e-4)


def test_it_is_kept_and_read_without_the_model(colour_lens, tmp_path):
    lens = colour_lens().run()
    first = lens.relevance("red")
    read = slw.open(tmp_path / "analysis")
    assert read.relevance("red").equals(first)
    assert not lens.relevance("green").equals(first)
    with pytest.raises(LensUnavailable, match="Relevances"):
        read.relevance("red", samples=[1])
    with pytest.raises(ValueError, match="'pink' is not the name of an output"):
        lens.relevance("pink")


def test_examples_within_a_class(colour_lens):
    lens = colour_lens().run()
    activations = lens.activations("seen", 0)
    found = lens.class_examples("seen", 0, "green", top=5)
    members = np.arange(1, 60, 3)
    truth = members[np.argsort(-activations[members], kind="stable")[:5]]
    assert found["sample"].tolist() == truth.tolist()
    assert found["activation"].to_numpy() == pytest.approx(activations[truth])
    assert len(lens.class_examples("seen", 0, "blue", top=100)) == 20


def test_examples_by_relevance(colour_lens, tmp_path):
    """RelMax: ranked by relevance for the model's own prediction, with the activation beside."""
    lens = colour_lens(examples_by="relevance").run()
    target, images = lens.target, lens.images
    inputs = torch.stack([target.transform(images.load(i)) for i in range(len(images))])
    relevance, outputs = output_relevance(target, inputs)
    assert lens.store.frame("predictions")["output"].tolist() == outputs.tolist()
    for layer in ("seen", "mixed"):
        for neuron in range(relevance[layer].shape[1]):
            examples = lens.examples(layer, neuron)
            values = relevance[layer][:, neuron].numpy()
            assert values[examples["sample"]] == pytest.approx(np.sort(values)[::-1][:6], abs=1e-5)
            activations = lens.activations(layer, neuron)
            assert np.allclose(examples["activation"], activations[examples["sample"]])
    with pytest.raises(StoreError, match="examples_by"):
        colour_lens()
    with pytest.raises(ValueError, match="examples_by"):
        colour_lens(path=tmp_path / "other", examples_by="magic")
