"""Relevance for classes and examples within a class, on a world known by heart."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.errors import LensUnavailable, ModelError, StoreError
from tests.colour_world import ColourNet, colour_images, to_tensor


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
    relevance, outputs, _ = output_relevance(target, inputs)
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


def by_number(lens, number, samples):
    return lens.relevance(number, samples=samples).drop(columns=["layer", "neuron"])


def named_lens(colour_lens, path, labels, classes, count, **options):
    """A lens whose images have classes of their own, and whose model has ``count`` outputs."""
    torch.manual_seed(0)
    model = ColourNet()
    model.head = torch.nn.Linear(4, count)
    return colour_lens(
        target=slw.TargetModel(
            model, ["seen", "mixed"], transform=to_tensor, poles="positive", **options
        ),
        images=slw.ImageDataset.from_list(colour_images(24), labels, classes),
        path=path,
    ).run()


def test_a_class_is_the_output_of_its_name_wherever_it_stands(colour_lens, tmp_path):
    labels = [i % 3 for i in range(24)]
    names = ["ox", "zebra", "cat", "ant"]
    for outputs in (names, dict(zip(names, range(4), strict=True)), {"ox": 0, "zebra": 1}):
        lens = named_lens(
            colour_lens, tmp_path / f"{outputs}", labels, ["cat", "ox", "zebra"], 4, outputs=outputs
        )
        found = lens.relevance("zebra").drop(columns=["layer", "neuron"])
        assert found.equals(by_number(lens, 1, range(2, 24, 3)))
        assert found.equals(by_number(lens, np.int64(1), list(range(2, 24, 3))))
        assert lens.relevance(np.uint8(1)).equals(lens.relevance("zebra"))
        read = slw.open(tmp_path / f"{outputs}")
        assert read.relevance("zebra").equals(lens.relevance("zebra"))
    with pytest.raises(ValueError, match="'cat' is not the name of an output"):
        lens.relevance("cat")  # a class of the images, but no output that has this name
    with pytest.raises(ValueError, match="'ant' is not the name of an output"):
        lens.relevance("ant")
    lens = named_lens(colour_lens, tmp_path / "a", labels, ["cat", "ox", "zebra"], 4, outputs=names)
    with pytest.raises(ValueError, match="no images of a class of this name; give samples"):
        lens.relevance("ant")
    assert lens.class_examples("seen", 0, "ox").equals(lens.class_examples("seen", 0, 0))


def test_a_class_without_a_name_among_the_outputs_is_not_guessed(colour_lens, tmp_path):
    for count in (3, 1000):  # also where there are as many outputs as classes
        lens = named_lens(
            colour_lens, tmp_path / str(count), [i % 3 for i in range(24)], ["a", "b", "c"], count
        )
        with pytest.raises(ValueError, match=r"outputs=images\.classes if the model was trained"):
            lens.relevance("b")
        assert len(lens.class_examples("seen", 0, "b")) == 6
        with pytest.raises(ValueError, match="there are no images of this class"):
            lens.class_examples("seen", 0, 1)
        assert len(lens.relevance(1)) == 7


def test_a_class_called_by_a_number_is_the_output_of_that_number(colour_lens, tmp_path):
    classes = sorted(map(str, range(12)))  # "0", "1", "10", "11", "2"
    lens = named_lens(colour_lens, tmp_path / "n", [i % 12 for i in range(24)], classes, 12)
    assert classes[2] == "10"
    found = lens.relevance("10").drop(columns=["layer", "neuron"])
    assert found.equals(by_number(lens, 10, [2, 14]))
    assert lens.relevance(10).equals(lens.relevance("10"))
    for odd in ("010", "1.0", "-1"):
        with pytest.raises(ValueError, match="not known which output"):
            lens.relevance(odd)


@pytest.mark.parametrize("of", [True, np.True_, 1.0, None, ("red",)])
def test_only_numbers_and_names_are_outputs(colour_lens, of):
    lens = colour_lens().run()
    with pytest.raises(TypeError, match="must be the number of an output or its name"):
        lens.relevance(of)


def test_samples_may_be_a_mask_and_nothing_that_only_looks_like_numbers(colour_lens):
    lens = colour_lens().run()
    mask = np.zeros(60, bool)
    mask[[3, 7]] = True
    expected = lens.relevance(0, samples=[3, 7])
    for samples in (mask, mask.tolist(), torch.tensor([7, 3]), range(3, 8, 4)):
        assert lens.relevance(0, samples=samples).equals(expected)
    for samples in ([True, False], [1.7, 3.2], ["3"]):
        with pytest.raises(TypeError, match="samples must be numbers of images"):
            lens.relevance(0, samples=samples)


def test_outputs_and_samples_that_do_not_exist_are_refused(colour_lens, tmp_path):
    lens = colour_lens().run()
    for number in (2, -1):
        with pytest.raises(ValueError, match="The model's outputs are 0 to 1"):
            lens.relevance(number, samples=[0])
    for samples in ([60], [-1, 3]):
        with pytest.raises(ValueError, match="samples must lie in 0 to 59"):
            lens.relevance(0, samples=samples)
    lens = named_lens(colour_lens, tmp_path / "x", [0] * 24, ["a"], 4, outputs=["a", "b"])
    with pytest.raises(ModelError, match="outputs names 2 outputs, and the model has 4"):
        lens.relevance("a")
    for outputs in ("ab", [1, 2], {"a": "b"}, {"a": True}, {"a": -1}):
        with pytest.raises(TypeError, match="outputs"):
            slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor, outputs=outputs)


def test_a_name_of_two_outputs_is_not_guessed(colour_lens, tmp_path):
    names = ["crane", "ox", "crane", "cat"]
    lens = named_lens(colour_lens, tmp_path / "c", [0] * 24, ["crane"], 4, outputs=names)
    with pytest.raises(ValueError, match=r"'crane' is the name of outputs \[0, 2\]; give a number"):
        lens.relevance("crane")
    assert lens.relevance(2, samples=[0]).equals(lens.relevance(2, samples=[0, 0]))


def test_two_threads_on_one_lens(colour_lens):
    """Heatmaps, relevance and labels from two threads at once: exact, and nobody is refused."""
    lens = colour_lens().run()
    keys = [(layer, neuron) for layer in ("seen", "mixed") for neuron in range(3)]
    alone = colour_lens(path=lens.store.path.parent / "alone").run()
    errors = []

    def heatmaps():
        for layer, neuron in keys:
            for sample in range(6):
                found = lens.heatmap(layer, neuron, sample)
                wanted = maps[layer, neuron, sample]
                assert np.array_equal(found.values, wanted.values)
                assert found.method == wanted.method

    def rest():
        for sample in range(12):
            lens.set_label("seen", sample % 3, f"label {sample}")
            assert lens.relevance(sample % 2, samples=[sample]).equals(relevances[sample])

    def watched(work):
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    maps = {(*key, s): alone.heatmap(*key, s) for key in keys for s in range(6)}
    relevances = [alone.relevance(sample % 2, samples=[sample]) for sample in range(12)]
    threads = [
        threading.Thread(target=watched, args=(work,)) for work in (heatmaps, rest, heatmaps)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    labels = slw.open(lens.store.path).neurons["label"].tolist()
    assert labels[:3] == ["label 9", "label 10", "label 11"]
