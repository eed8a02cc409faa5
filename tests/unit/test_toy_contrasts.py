"""A contrast generator of one's own: one class, and a line of registration."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageOps

import semlens_widgets as slw
from semlens_widgets.errors import StoreError
from semlens_widgets.labels.contrasts.generators import GENERATORS
from semlens_widgets.widgets import ContrastPanel
from tests.colour_world import ColourFoundation, ColourNet, to_tensor
from tests.unit.panel_world import Asker


@dataclass(frozen=True)
class Grey(slw.ContrastGenerator):
    """The example without its colours; where that does not quiet the neuron, nothing."""

    name = "grey"
    most: float = 1.0  # of the neuron's activation on the example

    def contrasts(self, block):
        pictures = {}
        for neuron, samples in enumerate(block.examples.tolist()):
            for rank, sample in enumerate(samples):
                grey = ImageOps.grayscale(block.picture(sample)).convert("RGB")
                before = block.activations[sample, neuron]
                if block.respond([grey], [neuron])[0] < self.most * before:
                    pictures[neuron, rank] = slw.Picture(grey, "edited")
        return slw.Contrasts(torch.full_like(block.examples, -1), pictures=pictures)


class Nothing(slw.ContrastGenerator):
    name = "nothing"

    def contrasts(self, block):
        return slw.Contrasts(torch.full_like(block.examples, -1))


@pytest.fixture
def lens(colour_lens, monkeypatch):
    monkeypatch.setitem(GENERATORS, "grey", Grey)
    return colour_lens(contrasts="grey").run()


def grey(image):
    return ImageOps.grayscale(image).convert("RGB")


def embedded(images):
    foundation = ColourFoundation()
    return foundation.encode_images(torch.stack([foundation.transform(one) for one in images]))


def test_pictures_are_stored_with_what_the_models_make_of_them(lens):
    target = slw.TargetModel(ColourNet(), ["seen", "mixed"], transform=to_tensor, poles="positive")
    found = 0
    for layer, neuron in lens.neurons[["layer", "neuron"]].itertuples(index=False):
        examples = lens.examples(layer, neuron)
        for row in examples.itertuples():
            picture = grey(lens.images.load(row.sample))
            activation = target.units(to_tensor(picture)[None])[layer][0, neuron].item()
            if row.contrast_sample < 0:
                assert row.contrast_origin == ""
                assert activation >= row.activation
                continue
            found += 1
            assert row.contrast_origin == "edited"
            assert row.contrast_uri == f"edited, for {row.uri}"
            assert np.array_equal(lens.original(row.contrast_sample), picture)
            assert lens.thumbnail(row.contrast_sample).size == picture.size
            assert row.contrast_activation == pytest.approx(activation, abs=1e-6)
            one, other = embedded([lens.images.load(row.sample), picture])
            assert row.similarity == pytest.approx(float(one @ other), abs=2e-3)
    assert found > 20


def test_scorers_take_them_as_they_take_images(lens):
    words = ["red", "green", "blue"]
    texts = ColourFoundation().encode_text(words)
    examples = lens.examples("seen", 1)
    pictures = [lens.images.load(sample) for sample in examples["sample"]]
    positives, negatives = embedded(pictures), embedded(map(grey, pictures))
    expected = (positives @ texts.T).mean(0) - (negatives @ texts.T).mean(0)
    found = lens.scores("seen", 1, words, scorer=slw.Difference(centred=False))["score"]
    assert found.to_numpy() == pytest.approx(expected.numpy(), abs=2e-3)
    assert lens.label(words, scorer="correlation")["label"].iloc[:3].tolist() == words


def test_panels_show_them_and_heatmaps_are_computed(lens, monkeypatch):
    sample = int(lens.examples("seen", 0)["contrast_sample"][0])
    panel = ContrastPanel(lens, "seen", 0)
    pairs, _ = Asker(panel, monkeypatch)("pairs", layer="seen", neuron=0)
    assert pairs["pairs"][0]["contrast"]["sample"] == sample
    assert pairs["pairs"][0]["contrast"]["uri"].startswith("edited, for ")
    _, (jpeg,) = Asker(panel, monkeypatch)("thumbnails", samples=[sample])
    assert Image.open(BytesIO(jpeg)).size == (20, 16)
    assert lens.heatmap("seen", 0, sample).values.max() > 0


def test_another_reader_finds_them_and_another_generator_replaces_them(lens, colour_lens, tmp_path):
    read = slw.open(tmp_path / "analysis")
    assert read.examples("seen", 0).equals(lens.examples("seen", 0))
    with pytest.raises(StoreError, match="contrasts: recorded"):
        colour_lens()
    with pytest.warns(UserWarning, match="36 of 36 concept examples that activate"):
        again = colour_lens(contrasts=Nothing(), on_change="recompute").run()
    assert again.examples("seen", 0)["contrast_sample"].eq(-1).all()
    assert not again.store.has("pictures")
    samples = again.store.frame("thumbnails")["sample"]
    assert (samples < 60).all()  # no picture outlives its number
    mined = colour_lens(on_change="recompute").run()
    assert mined.examples("seen", 0)["contrast_origin"].eq("data set").all()


def test_an_interrupted_stage_goes_on_and_makes_nothing_twice(lens, colour_lens, tmp_path):
    calls = []

    @dataclass(frozen=True)
    class Stops(Grey):
        def contrasts(self, block):
            calls.append(block.layer)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return super().contrasts(block)

    other = colour_lens(path=tmp_path / "other", contrasts=Stops())
    with pytest.raises(KeyboardInterrupt, match="stage 'contrasts'"):
        other.run()
    other.run()
    assert calls == ["seen", "mixed", "mixed"]
    for table in ("contrasts", "pictures"):
        pd.testing.assert_frame_equal(other.store.frame(table), lens.store.frame(table))


def test_crops_are_cut_from_them(colour_lens):
    with pytest.warns(UserWarning, match="all that the model sees"):
        lens = colour_lens(contrasts=Grey(), embedding="crop").run()
    assert lens.store.matrix("contrast_crops", "embedding").any(axis=1).sum() > 20


@pytest.mark.parametrize(("given", "error"), [("gray", ValueError), (Grey, TypeError)])
def test_what_is_no_generator_is_refused(colour_lens, given, error):
    with pytest.raises(error, match="contrasts: "):
        colour_lens(contrasts=given)


def test_analyses_of_earlier_releases_are_of_mined_contrasts(colour_lens):
    lens = colour_lens().run()
    del lens.store._manifest.settings["contrasts"]
    lens.store._manifest.save()
    again = colour_lens()
    assert again.store.is_finished("contrasts")
    del again.store._manifest.settings["contrasts"]
    again.store._manifest.save()
    with pytest.raises(StoreError, match="contrasts: recorded"):
        colour_lens(contrasts=Grey())
