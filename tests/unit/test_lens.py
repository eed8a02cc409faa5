"""The whole path on a world known by heart."""

from __future__ import annotations

import io
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable, StoreError
from semlens_widgets.labels.scorers import SCORERS, scorer_of
from tests.colour_world import COLOURS, ColourFoundation, ColourNet, colour_images, to_tensor


def test_concept_examples_are_the_most_activating_images(colour_lens):
    lens = colour_lens().run()
    pixels = np.stack([np.asarray(image, np.float64) / 255 for image in colour_images()])
    mean = pixels.mean((1, 2))  # (images, colours)
    for neuron in range(3):
        examples = lens.examples("seen", neuron)
        truth = np.argsort(-mean[:, neuron], kind="stable")[:6]
        assert examples["sample"].tolist() == truth.tolist()
        assert examples["activation"].to_numpy() == pytest.approx(mean[truth, neuron], abs=1e-5)
        assert examples["class_name"].eq(["red", "green", "blue"][neuron]).all()
        quiet = mean[:, neuron] < mean[:, neuron].mean()
        assert quiet[examples["contrast_sample"]].all()
        assert np.allclose(lens.activations("seen", neuron), mean[:, neuron], atol=1e-5)


def test_statistics_are_those_of_the_activations(colour_lens):
    lens = colour_lens().run()
    for row in lens.neurons.itertuples():
        values = lens.activations(row.layer, row.neuron).astype(np.float64)
        expected = [values.mean(), values.max(), *np.quantile(values, [0.5, 0.9, 0.99])]
        assert [row.mean, row.max, row.q50, row.q90, row.q99] == pytest.approx(expected, abs=1e-6)
        assert row.firing_rate == pytest.approx((values > 0).mean())
        assert row.dead == ((values > 0).sum() < 6)


def test_a_text_an_image_and_a_neuron_find_the_same_neuron(colour_lens):
    lens = colour_lens().run()
    for index, colour in enumerate(["red", "green", "blue"]):
        patch = Image.new("RGB", (8, 8), tuple(255 * c for c in COLOURS[colour]))
        for query in (colour, patch, ("seen", index), [colour, patch]):
            for centred in (True, False):
                found = lens.search(query, layer="seen", centred=centred)
                assert (found["layer"][0], found["neuron"][0]) == ("seen", index)
                assert len(found) == 3
                assert found["score"].is_monotonic_decreasing
    assert len(lens.search("red", top=2)) == 2


def test_texts_are_searched_by_correlation_and_other_queries_by_cosine(colour_lens):
    lens = colour_lens().run()
    images = np.stack(
        [lens.foundation.encode_images(to_tensor(one)[None])[0] for one in colour_images()]
    )
    red, green = lens.foundation.encode_text(["red", "green"]).numpy()
    found = lens.search("red").sort_index()
    for row in found.itertuples():
        values = lens.activations(row.layer, row.neuron)
        expected = np.corrcoef(values, images @ red)[0, 1]
        assert row.score == pytest.approx(expected, abs=1e-3, nan_ok=True)  # kept as float16
    both = lens.search(["red", "green"], layer="mixed").sort_values("neuron")["score"]
    expected = [
        np.mean(
            [np.corrcoef(lens.activations("mixed", at), images @ one)[0, 1] for one in (red, green)]
        )
        for at in range(4)
    ]
    np.testing.assert_allclose(both, expected, atol=1e-3)
    for asked in ({"scorer": None}, {"minus_empty": True}, {"centred": False}):
        cosine = lens.search("red", **asked).sort_index()
        assert cosine["score"].max() != pytest.approx(found["score"].max(), abs=1e-3)
    near = lens.search(("seen", 0), centred=False).iloc[0]
    assert near["score"] == pytest.approx(1, abs=1e-5)  # the cosine to itself


def test_labels_are_kept_and_a_person_may_overrule_them(colour_lens):
    lens = colour_lens().run()
    lens.label(["red", "green", "blue"], scorer="correlation")
    seen = lens.neurons.query("layer == 'seen'")
    assert seen["label"].tolist() == ["red", "green", "blue"]
    lens.set_label("seen", 1, "grass")
    again = colour_lens()
    assert again.neurons["label"].iloc[:3].tolist() == ["red", "grass", "blue"]
    assert again.vocabulary == ("red", "green", "blue")


def test_how_labels_were_scored_is_kept_with_them(colour_lens, tmp_path):
    lens = colour_lens().run()
    assert lens.labelled_by == {}
    settings = {"scorer": "csp", "gamma": 0.5, "centred": True, "templates": ("a {}", "{}")}
    scorer = slw.Csp(gamma=0.5, centred=True)
    lens.label(["red", "green"], scorer=scorer, templates=settings["templates"])
    lens.set_label("seen", 1, "grass")
    settings |= {"weights": "raw", "neighbours": 1, "embedding": "analysed"}
    settings |= {"candidates": "vocabulary", "back_off": False}
    assert lens.labelled_by == settings
    assert slw.open(tmp_path / "analysis").labelled_by == settings
    lens.label(["red", "green"])
    assert colour_lens().labelled_by["share"] == 0.02


def test_one_neuron_scores_as_it_does_among_all(colour_lens):
    lens = colour_lens().run()
    names = ["red", "green", "blue", "grey"]
    for name in SCORERS:
        for centred in (False, True):
            scorer = scorer_of(name, {"centred": centred})
            everyone = lens.label(names, scorer=scorer, threshold=-1e9)
            for row in everyone.itertuples():
                own = lens.scores(row.layer, row.neuron, names, scorer=scorer)
                best = own.loc[own["score"].idxmax()]
                assert best["candidate"] == row.label
                assert best["score"] == pytest.approx(row.score, abs=1e-5)


def test_a_folder_is_explored_without_model_or_images(colour_lens, tmp_path):
    lens = colour_lens().run()
    lens.heatmaps("seen", 0, lens.examples("seen", 0)["sample"].tolist())
    read = slw.open(tmp_path / "analysis")
    pd.testing.assert_frame_equal(read.neurons, lens.neurons)
    pd.testing.assert_frame_equal(read.examples("mixed", 2), lens.examples("mixed", 2))
    sample = int(read.examples("seen", 0)["sample"][0])
    (stored,) = read.thumbnail_jpegs([sample])
    assert stored.startswith(b"\xff\xd8")
    assert np.array_equal(read.thumbnail(sample), Image.open(io.BytesIO(stored)))
    assert np.array_equal(
        read.heatmap("seen", 0, sample).values, lens.heatmap("seen", 0, sample).values
    )
    with pytest.raises(LensUnavailable, match="model and the images"):
        read.heatmap("mixed", 0, sample)
    with pytest.raises(LensUnavailable, match="foundation"):
        read.search("red")
    with pytest.raises(LensUnavailable, match="run again"):
        read.run()
    with_words = slw.open(tmp_path / "analysis", foundation=ColourFoundation())
    assert with_words.search("blue", layer="seen")["neuron"][0] == 2
    with_words.set_label("seen", 0, "mine")
    assert with_words.neurons["label"][0] == "mine"
    assert slw.open(tmp_path / "analysis").neurons["label"][0] == ""


def test_a_finished_analysis_is_opened_not_computed(colour_lens):
    colour_lens().run()

    class Deaf(ColourFoundation):
        def encode_images(self, images):
            raise AssertionError("embedded again")

    colour_lens(foundation=Deaf()).run()


def test_an_unreadable_image_is_skipped_counted_and_listed(colour_lens, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, image in enumerate(colour_images(30)):
        image.save(folder / f"{i:02d}.png")
    for name in ("00.png", "17.png"):
        (folder / name).write_bytes(b"not a picture")
    lens = colour_lens(images=slw.ImageDataset.from_folder(folder), batch_size=1)
    with pytest.warns(UserWarning, match=r"2 of 30 images .*00\.png, 17\.png"):
        lens.run()
    assert lens.unreadable == ["00.png", "17.png"]
    for layer, neuron in zip(lens.neurons["layer"], lens.neurons["neuron"], strict=True):
        examples = lens.examples(layer, neuron)
        assert not examples["sample"].isin([0, 17]).any()
        assert not examples["contrast_sample"].isin([0, 17]).any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        colour_lens(images=slw.ImageDataset.from_folder(folder)).run()


def test_only_unreadable_images_end_with_a_clear_error(colour_lens, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match="None of the images could be read"):
        colour_lens(images=slw.ImageDataset.from_folder(folder)).run()


@pytest.mark.parametrize("stage", ["collect", "embed"])
def test_an_interrupted_pass_goes_on_where_it_stopped(colour_lens, tmp_path, stage):
    whole = colour_lens(path=tmp_path / "whole", batch_size=7).run()
    seen = []

    class Stops(ColourFoundation):
        def encode_images(self, images):
            if stage == "embed" and len(seen) == 3:
                raise KeyboardInterrupt
            if stage == "embed":
                seen.append(len(images))
            return super().encode_images(images)

    class StopsToo(ColourNet):
        def forward(self, x):
            if stage == "collect" and len(seen) == 3:
                raise KeyboardInterrupt
            if stage == "collect":
                seen.append(len(x))
            return super().forward(x)

    def make():
        target = slw.TargetModel(
            StopsToo(), ["seen", "mixed"], transform=to_tensor, poles="positive"
        )
        return colour_lens(foundation=Stops(), target=target, batch_size=7)

    with pytest.raises(KeyboardInterrupt):
        make().run()
    stage, lens = "", make()
    lens.run()
    pd.testing.assert_frame_equal(lens.neurons, whole.neurons)
    for table in ("activations", "embeddings", "examples", "contrasts", "vectors"):
        assert lens.store.read(table).equals(whole.store.read(table))


def test_other_inputs_are_refused_before_work_starts(colour_lens):
    colour_lens().run()

    class Wider(ColourFoundation):
        dim = 5

    with pytest.raises(StoreError, match="foundation_dim: recorded 3, given 5"):
        colour_lens(foundation=Wider())
    with pytest.raises(StoreError, match="n_examples"):
        colour_lens(n_examples=7)
    other = ColourNet()
    with torch.no_grad():
        other.seen.weight.mul_(2)
    with pytest.raises(StoreError, match="weights"):
        colour_lens(
            target=slw.TargetModel(
                other, ["seen", "mixed"], transform=to_tensor, poles="positive", name="ColourNet"
            )
        )
    assert colour_lens().run().search("red", layer="seen")["neuron"][0] == 0


def test_bad_arguments_are_named(colour_lens):
    lens = colour_lens()
    with pytest.raises(StoreError, match="run\\(\\) first"):
        _ = lens.neurons
    lens.run()
    with pytest.raises(KeyError, match="Did you mean 'mixed'"):
        lens.examples("mixd", 0)
    with pytest.raises(IndexError, match=r"neuron=3 is outside 0\.\.2"):
        lens.examples("seen", 3)
    for ask in (lens.label, lens.label_chance, partial(lens.scores, "seen", 0)):
        with pytest.raises(TypeError, match=r"has no gamma= any more: give scorer=.*Csp\(gamma"):
            ask(["red"], gamma=1.5)
        with pytest.raises(TypeError, match="has no method= any more"):
            ask(["red"], method="csp")
    with pytest.raises(ValueError, match="empty"):
        lens.label(["red", " "])
    with pytest.raises(ValueError, match="empty"):
        lens.set_label("seen", 0, "")
    with pytest.raises(TypeError, match=r"has no correction= any more: give centred=True"):
        lens.search("red", correction="centred")
    with pytest.raises(TypeError, match="query"):
        lens.search(3)
    options = ({"n_examples": 1}, {"embedding": "box"}, {"batch_size": 0}, {"crop_threshold": 0})
    for option in options:
        with pytest.raises(ValueError, match=next(iter(option))):
            colour_lens(**option)


def test_a_higher_threshold_crops_closer(colour_lens, tmp_path):
    """A bright square inside a dim one; the box follows the threshold, and so does the store."""
    images = []
    for i in range(12):
        pixels = np.zeros((24, 24, 3), np.uint8)
        pixels[4:20, 4:20, 0] = 60 + i
        pixels[10:14, 10:14, 0] = 250
        images.append(Image.fromarray(pixels))
    made = {"images": slw.ImageDataset.from_list(images), "path": tmp_path / "crops"}
    wide = colour_lens(**made).run().heatmap("seen", 0, 3).box
    assert wide == pytest.approx((4 / 24, 4 / 24, 20 / 24, 20 / 24), abs=2 / 24)
    with pytest.raises(StoreError, match=r"crop_threshold: recorded 0\.01, given 0\.6"):
        colour_lens(crop_threshold=0.6, **made)
    lens = colour_lens(crop_threshold=0.6, on_change="recompute", **made).run()
    close = lens.heatmap("seen", 0, 3).box
    assert close == pytest.approx((10 / 24, 10 / 24, 14 / 24, 14 / 24), abs=1 / 24)


def test_crops_are_embedded_alike_on_both_sides(colour_lens, tmp_path):
    """A patch of colour in the corner: cropped to it, the example is that colour alone."""
    rng = np.random.default_rng(0)
    images = []
    for i in range(30):
        pixels = rng.integers(0, 30, (32, 32, 3))
        pixels[..., 0] = 0
        pixels[..., 2] += 100
        if i % 2:
            pixels[4:12, 18:26] = (250, 0, 0)
        images.append(Image.fromarray(pixels.astype(np.uint8)))
    dataset = slw.ImageDataset.from_list(images)
    whole = colour_lens(images=dataset, path=tmp_path / "whole").run()
    with pytest.warns(UserWarning, match="30 of 42 crops are all"):  # blue and none are everywhere
        crop = colour_lens(images=dataset, path=tmp_path / "crop", embedding="crop").run()
    red = crop._read.row("seen", 0)
    assert crop.vectors[red, 0] > whole.vectors[red, 0] + 0.3
    box = crop.heatmap("seen", 0, int(crop.examples("seen", 0)["sample"][0])).box
    assert box == pytest.approx((18 / 32, 4 / 32, 26 / 32, 12 / 32), abs=3 / 32)
    negatives = crop._read.evidence.negatives[red]  # no red in the same place of quiet images
    assert (negatives[:, 2] > 0.9).all()
