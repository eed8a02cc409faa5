"""What fails for some images is refused or named, and a folder is never stuck with it."""

from __future__ import annotations

import copy
import errno
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import semlens_widgets as slw
from semlens_widgets.errors import (
    EmbeddingError,
    ModelError,
    StoreError,
    TransformError,
    UnreadableImage,
)
from semlens_widgets.inputs.foundation import embed_prompts
from semlens_widgets.pipeline import layout, loading
from semlens_widgets.pipeline import plan as loop
from semlens_widgets.pipeline.collect import collect, write_classes
from semlens_widgets.pipeline.contrasts import select_contrasts
from semlens_widgets.pipeline.embed import embed
from semlens_widgets.pipeline.examples import select_examples
from semlens_widgets.pipeline.relevance import collect_relevance
from semlens_widgets.pipeline.settings import Plan, left_to_chance
from semlens_widgets.pipeline.thumbnails import write_thumbnails
from semlens_widgets.store.store import AnalysisStore
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor


class Data:
    """Thirty pictures; those in `failing` time out, as on a network drive."""

    def __init__(self, failing=(), error=None):
        self.pictures = colour_images(30)
        self.failing = set(failing)
        self.error = error or TimeoutError("timed out")
        self.loads = 0

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        self.loads += 1
        if i in self.failing:
            raise self.error
        return self.pictures[i], i % 3


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(loading, "_PAUSES", (0, 0))


def made(path, data, foundation=None, model=None, transform=to_tensor, **options):
    """A lens on the colour world; run by `passes`, without the slow stages at the end."""
    target = slw.TargetModel(model or ColourNet(), ["seen"], transform=transform)
    images = slw.ImageDataset.from_dataset(data, labels=[0] * len(data), classes=["one"])
    return slw.SemanticLens(
        target,
        images,
        foundation or ColourFoundation(),
        path=path,
        n_examples=3,
        batch_size=8,
        **options,
    )


def passes(lens, monkeypatch):
    monkeypatch.setattr(layout, "lay_out", lambda _: None)
    with lens.store.writing():
        loop.run(lens.store, lens._plan)
    return lens.store


def embeddings(store):
    return store.matrix("embeddings", "embedding").astype(np.float32)


class Broken(ColourFoundation):
    def __init__(self, value, image=17):
        self.value, self.image, self.batches = value, image, 0

    def encode_images(self, images):
        found = super().encode_images(images)
        first = 8 * self.batches
        self.batches += 1
        if first <= self.image < first + len(images):
            found[self.image - first] *= self.value
        return found


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
@pytest.mark.parametrize("on_change", ["refuse", "recompute"])
def test_embeddings_that_are_none_are_refused_and_the_folder_leads_out(
    tmp_path, monkeypatch, value, on_change
):
    data = Data()
    with pytest.raises(EmbeddingError, match="'item-000017'") as caught:
        passes(made(tmp_path / "a", data, Broken(value)), monkeypatch)
    assert "item-000016" not in str(caught.value)
    store = passes(made(tmp_path / "a", data, on_change=on_change), monkeypatch)
    whole = passes(made(tmp_path / "whole", data), monkeypatch)
    np.testing.assert_array_equal(embeddings(store), embeddings(whole))


def test_embeddings_of_another_size_or_kind_are_refused(tmp_path, monkeypatch):
    for n, (found, words) in enumerate(
        [
            (lambda x: torch.ones(len(x), 4), r"shape \(8, 4\).*expected.*\(8, 3\)"),
            (lambda x: torch.ones(len(x) - 1, 3), r"shape \(7, 3\)"),
            (lambda x: torch.ones(len(x), 3, 1), r"shape \(8, 3, 1\)"),
            (lambda x: torch.ones(len(x), 3).long(), "int64"),
            (lambda x: np.ones((len(x), 3)), "returned ndarray"),
        ]
    ):
        foundation = ColourFoundation()
        foundation.encode_images = found
        with pytest.raises(EmbeddingError, match=words):
            passes(made(tmp_path / str(n), Data(), foundation), monkeypatch)


def test_embeddings_are_brought_to_unit_length(tmp_path, monkeypatch):
    foundation = ColourFoundation()
    foundation.encode_images = lambda x: 1e6 * ColourFoundation.encode_images(foundation, x)
    store = passes(made(tmp_path / "a", Data(), foundation), monkeypatch)
    np.testing.assert_allclose(np.linalg.norm(embeddings(store), axis=1), 1, atol=2e-3)


def test_texts_that_become_no_embeddings_are_named():
    foundation = ColourFoundation()
    foundation.encode_text = lambda _: torch.tensor([[1.0, 0, 0], [float("nan"), 0, 0]])
    with pytest.raises(EmbeddingError, match="zero for 'green'"):
        embed_prompts(foundation, ["red", "green"])


def test_activations_that_are_no_numbers_are_refused_with_the_images_names(tmp_path, monkeypatch):
    data = Data()
    marked = lambda image: to_tensor(image) + 9 * (image == data.pictures[11])  # noqa: E731
    lens = made(tmp_path / "a", data, model=Infinite(), transform=marked)
    with pytest.raises(ModelError, match=r"'seen'.*not numbers for 'item-000011'\."):
        passes(lens, monkeypatch)
    passes(made(tmp_path / "a", data, model=Infinite(), on_change="recompute"), monkeypatch)


class Infinite(ColourNet):
    """Overflows where an image is brighter than any."""

    def __init__(self):
        super().__init__()
        self.seen = nn.Sequential(self.seen, Overflow())


class Overflow(nn.Module):
    def forward(self, x):
        return x + torch.where(x > 5, torch.inf, 0.0)


def test_an_image_that_fails_in_the_second_pass_is_tried_again(tmp_path, monkeypatch):
    data = Data()

    class Flaky(ColourFoundation):
        batches = 0

        def encode_images(self, images):
            Flaky.batches += 1
            data.failing = {10, 11, 12} if Flaky.batches == 1 else set()
            return super().encode_images(images)

    store = passes(lost_after(tmp_path, data, [], Flaky()), monkeypatch)
    whole = passes(made(tmp_path / "whole", Data()), monkeypatch)
    np.testing.assert_allclose(embeddings(store), embeddings(whole), atol=1e-3)


def lost_after(tmp_path, data, failing, foundation=None):
    """A lens whose activations are collected, and whose data set then loses images."""
    lens = made(tmp_path / "a", data, foundation)
    with lens.store.writing():
        facts = collect(lens.store, lens.target, lens.images, batch_size=8)
        lens.store.finish("collect", **facts)
        lens.store.finish("classes", **write_classes(lens.store, lens.images))
    data.failing = set(failing)
    return lens


def test_images_lost_between_two_passes_are_named_and_found_again(tmp_path, monkeypatch):
    data = Data()
    lens = lost_after(tmp_path, data, range(10, 17))
    with pytest.raises(UnreadableImage, match=r"7 of 30 images.*'item-000010'.* and 2 more"):
        passes(lens, monkeypatch)
    data.failing = set()
    loads = data.loads
    store = passes(lens, monkeypatch)
    examples = 30  # each may be made a thumbnail
    assert data.loads - loads <= 7 + examples  # the others are not embedded again
    whole = passes(made(tmp_path / "whole", Data()), monkeypatch)
    np.testing.assert_allclose(embeddings(store), embeddings(whole), atol=1e-3)


def test_images_lost_for_good_are_left_out_by_recomputing(tmp_path, monkeypatch):
    data = Data()
    lens = lost_after(tmp_path, data, [4])
    for _ in range(2):
        with pytest.raises(UnreadableImage, match="'item-000004'"):
            passes(lens, monkeypatch)
    with pytest.raises(UnreadableImage):  # nothing is given up without consent
        passes(made(tmp_path / "a", data), monkeypatch)
    lens = made(tmp_path / "a", data, on_change="recompute")
    store = passes(lens, monkeypatch)
    readable = store.frame("samples")["readable"].tolist()
    assert [i for i, there in enumerate(readable) if not there] == [4]
    assert store.doubts == {}
    assert 4 not in store.frame("examples")["sample"].tolist()


def test_mended_images_are_taken_in_by_recomputing_and_not_without(tmp_path, monkeypatch):
    data = Data(failing=[3])
    passes(made(tmp_path / "a", data), monkeypatch)
    data.failing = set()
    store = passes(made(tmp_path / "a", data), monkeypatch)
    assert not store.frame("samples")["readable"][3]
    store = passes(made(tmp_path / "a", data, on_change="recompute"), monkeypatch)
    assert store.frame("samples")["readable"].all()
    assert embeddings(store).any(axis=1).all()


def test_recomputing_after_an_outage_gives_nothing_up(tmp_path, monkeypatch):
    data = Data()
    lens = lost_after(tmp_path, data, [4])
    with pytest.raises(UnreadableImage):
        passes(lens, monkeypatch)
    data.failing = set()
    assert made(tmp_path / "a", data, on_change="recompute").store.is_finished("collect")


def test_the_relevance_pass_and_thumbnails_name_what_was_lost(tmp_path):
    data = Data()
    lens = lost_after(tmp_path, data, [])
    store, images = lens.store, lens.images
    with store.writing():
        store.finish("embed", **embed(store, lens.foundation, images))
        data.failing = {5}
        target = slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor)
        with pytest.raises(UnreadableImage, match="'item-000005'"):
            collect_relevance(store, target, images, batch_size=8)
        data.failing = set()
        collect_relevance(store, target, images, batch_size=8)
        outputs = store.frame("predictions")["output"]
        assert (outputs >= 0).all()
        store.finish("examples", **select_examples(store, 30))
        select_contrasts(store, "image")
        data.failing = {5}
        with pytest.raises(UnreadableImage, match="'item-000005'"):
            write_thumbnails(store, images)


def test_embeddings_follow_activations_that_were_collected_anew(tmp_path, monkeypatch):
    """An image that only the first collection could not read gets its embedding then."""
    data = Data(failing=[6])
    passes(made(tmp_path / "a", data), monkeypatch)
    data.failing = set()
    other = ColourNet()
    with torch.no_grad():
        other.seen.weight.mul_(2)
    store = passes(made(tmp_path / "a", data, model=other, on_change="recompute"), monkeypatch)
    assert store.frame("samples")["readable"].all()
    assert embeddings(store).any(axis=1).all()


def test_the_first_reason_is_shown_when_none_can_be_read(tmp_path, monkeypatch):
    data = Data(failing=range(30))
    with pytest.raises(UnreadableImage, match=r"None of the images.*'item-000000': timed out"):
        passes(made(tmp_path / "a", data), monkeypatch)
    data.failing = set()
    passes(made(tmp_path / "a", data), monkeypatch)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("out"), OSError(errno.EMFILE, "too many open files")],
)
def test_a_machine_that_runs_out_is_not_an_unreadable_image(error):
    images = slw.ImageDataset.from_dataset(Data([2], error), labels=[0] * 30)
    with pytest.raises(type(error)) as caught:
        images.load(2)
    assert not isinstance(caught.value, UnreadableImage)
    assert "item-000002" in caught.value.__notes__[-1]


def test_a_decompression_bomb_is_named(tmp_path, monkeypatch):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadableImage, match=r"'a\.png': too many pixels"):
        slw.ImageDataset.from_folder(tmp_path).load(0)


class BatchFeature(dict):
    """What image processors of transformers return."""


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (lambda image: image, "returns Image, not a tensor.*ToImage"),
        (np.asarray, "returns ndarray, not a tensor.*from_numpy"),
        (lambda _: BatchFeature(pixel_values=[1]), "BatchFeature.*pixel_values.*0"),
        (lambda image: (to_tensor(image), 1), "returns tuple"),
        (lambda _: None, "returns NoneType"),
        (lambda image: to_tensor(image)[None], r"a batch \(1, 3, 16, 20\)"),
        (lambda image: to_tensor(image)[0], r"shape \(16, 20\)"),
        (lambda image: to_tensor(image)[:, :0], r"shape \(3, 0, 20\)"),
        (lambda image: (to_tensor(image) * 255).byte(), "uint8 values"),
        (lambda image: to_tensor(image) / 0 * 0, "not numbers"),
        (lambda image: image.nothing, "fails on 'item-000000': AttributeError"),
    ],
)
@pytest.mark.parametrize("whose", ["model", "foundation"])
def test_transforms_of_no_use_are_refused_before_any_work(tmp_path, transform, words, whose):
    foundation = ColourFoundation()
    options = {"transform": transform} if whose == "model" else {}
    if whose == "foundation":
        foundation.transform = transform
    with pytest.raises(TransformError, match=words) as caught:
        made(tmp_path / "a", Data(), foundation, **options)
    assert f"The {whose}" in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_different_sizes_are_named_with_the_images(tmp_path, monkeypatch):
    data = Data()
    data.pictures[9] = data.pictures[9].resize((31, 16))
    with pytest.raises(TransformError, match=r"'item-000008'.*\(3, 16, 31\) for 'item-000009'"):
        passes(made(tmp_path / "a", data), monkeypatch)


def test_a_transform_of_the_wrong_channels_is_told_with_the_images(tmp_path, monkeypatch):
    grey = lambda image: to_tensor(image)[:1]  # noqa: E731
    with pytest.raises(ModelError, match=r"item-000000.*given as \(1, 1, 16, 20\)"):
        passes(made(tmp_path / "a", Data(), transform=grey), monkeypatch)


class Restless(Data):
    def __getitem__(self, i):
        noise = np.random.randint(0, 256, (16, 20, 3))  # noqa: NPY002
        return Image.fromarray(noise.astype(np.uint8)), 0


def test_what_is_left_to_chance_is_said_and_can_be_opened_again(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_run", lambda *_: None)
    lens = made(tmp_path / "a", Restless(), transform=lambda i: to_tensor(i) + torch.rand(()))
    said = left_to_chance(lens.store.settings)
    assert len(said) == 2
    assert "data set gives another picture" in said[0]
    assert "transform gives different results" in said[1]
    again = made(tmp_path / "a", Restless(), transform=lambda i: to_tensor(i) + torch.rand(()))
    assert again.store.settings == lens.store.settings
    assert left_to_chance(made(tmp_path / "b", Data()).store.settings) == []


def test_tables_without_a_manifest_are_not_taken_for_ones_own(tmp_path, monkeypatch):
    passes(made(tmp_path / "a", Data()), monkeypatch)
    (tmp_path / "a" / "analysis.json").unlink()
    with pytest.raises(StoreError, match=r"no analysis\.json says"):
        made(tmp_path / "a", Data())
    lens = made(tmp_path / "a", Data(), on_change="recompute")
    assert not lens.store.has("activations")


def test_a_table_that_is_gone_or_damaged_is_named_and_made_anew(tmp_path, monkeypatch):
    store = passes(made(tmp_path / "a", Data()), monkeypatch)
    vectors = store.matrix("vectors", "vector")
    for file in (tmp_path / "a" / "vectors.lance" / "data").iterdir():
        file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(StoreError, match=r"'vectors'.*delete the folder vectors\.lance"):
        AnalysisStore(tmp_path / "a").matrix("vectors", "vector")
    shutil.rmtree(tmp_path / "a" / "vectors.lance")
    lens = made(tmp_path / "a", Data())
    np.testing.assert_array_equal(passes(lens, monkeypatch).matrix("vectors", "vector"), vectors)


def test_a_plan_is_checked_before_the_folder_is_made(tmp_path):
    target = slw.TargetModel(ColourNet(), ["seen"], transform=np.asarray)
    images = slw.ImageDataset.from_list(colour_images(3))
    with pytest.raises(TransformError):
        Plan(target, images, ColourFoundation(), 3, "image", 8)


def test_a_lens_says_how_to_be_sent(tmp_path):
    lens = made(tmp_path / "a", Data())
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(slw.errors.LensUnavailable, match=r"semlens_widgets\.open"):
            way(lens)
