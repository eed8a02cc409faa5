"""Paths, images and models that cannot be used are refused in words, or warned of."""

from __future__ import annotations

import os
import pickle
import random

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

import semlens_widgets as slw
from semlens_widgets.attribution.neuron import localise
from semlens_widgets.attribution.output import output_relevance
from semlens_widgets.errors import ModelError, StoreError, TransformError
from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.inputs.layers import suggest_layers
from semlens_widgets.inputs.paths import local_path
from semlens_widgets.inputs.transforms import transformed
from semlens_widgets.pipeline import fingerprint
from semlens_widgets.store.store import AnalysisStore
from tests.colour_world import colour_images

PIXELS = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


# -- paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("C:\\runs\\a", "path of Windows"),
        ("D:/runs", "path of Windows"),
        ("\\\\server\\share", "path of Windows"),
        ("$PLACE/runs", "'/data/runs'"),
        ("${PLACE}/runs", "'/data/runs'"),
        ("a\0b", "zero byte"),
        ("data:image/png;base64,AAAA", "is an address"),
        ("file:/tmp/a%20b", "'/tmp/a b'"),
        ("file://localhost/tmp/a", "'/tmp/a'"),
        ("file:///tmp/a", "'/tmp/a'"),
    ],
)
def test_paths_of_elsewhere_are_refused(tmp_path, monkeypatch, path, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLACE", "/data")
    with pytest.raises(StoreError) as refused:
        AnalysisStore(path)
    assert words in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_called_like_a_variable_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLACE", "/data")
    (tmp_path / "$PLACE").mkdir()
    assert local_path("$PLACE", "path") == tmp_path / "$PLACE"


def test_a_working_directory_that_is_gone_is_named(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(StoreError, match="working directory, which has been deleted"):
        AnalysisStore("runs")


@pytest.mark.parametrize("name", [b"run\xff", b"run\nline"])
def test_a_folder_where_no_table_can_lie_is_refused_before_the_run(tmp_path, name):
    with pytest.raises(StoreError, match="tables cannot lie there"):
        AnalysisStore(os.fsdecode(os.fsencode(tmp_path / "x")[:-1] + name))


def test_a_pipe_among_the_images_is_unreadable_and_blocks_nothing(tmp_path):
    for name in ("a.png", "c.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    os.mkfifo(tmp_path / "b.png")
    images = ImageDataset.from_folder(tmp_path)
    assert images.uris == ["a.png", "b.png", "c.png"]
    with pytest.raises(slw.errors.UnreadableImage, match=r"'b.png': a pipe"):
        images.load(1)


def test_a_path_in_place_of_a_list_of_images(tmp_path):
    with pytest.raises(TypeError, match="must be a list"):
        ImageDataset.from_list(str(tmp_path / "a.png"))


@pytest.mark.parametrize("extensions", [[], [""], [5], None])
def test_extensions_that_name_nothing(tmp_path, extensions):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="must name the extensions of files"):
        ImageDataset.from_folder(tmp_path, extensions=extensions)


def test_extensions_may_be_given_as_patterns(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.JPG")
    assert ImageDataset.from_folder(tmp_path, extensions=["*.jpg"]).uris == ["a.JPG"]


# -- images and transforms -----------------------------------------------------------------------


def test_values_are_scaled_by_their_type_in_either_byte_order():
    swapped = np.array([[0, 257 * 9], [65_535, 0]], ">u2")
    found = np.asarray(ImageDataset.from_list([swapped]).load(0))[:, :, 0]
    assert found.tolist() == [[0, 9], [255, 0]]


@pytest.mark.parametrize("kind", ["meta", "sparse"])
def test_tensors_without_pixels(kind):
    plain = torch.rand(3, 8, 8)
    tensor = plain.to("meta") if kind == "meta" else plain.to_sparse()
    with pytest.raises(TransformError, match=kind):
        transformed(lambda _: tensor, Image.new("RGB", (8, 8)), "x")
    with pytest.raises(ValueError, match="give a plain one"):
        ImageDataset.from_list([tensor])


def test_a_random_crop_that_cannot_take_small_pictures_is_random():
    assert fingerprint.of_transform(v2.Compose([v2.RandomCrop(48), PIXELS])).startswith("random")
    assert not fingerprint.of_transform(v2.Compose([v2.CenterCrop(48), PIXELS])).startswith(
        "random"
    )


@pytest.mark.parametrize("wrong", range(8))
def test_a_data_set_that_is_random_in_one_image_is_random(wrong):
    class Flips:
        def __len__(self):
            return 8

        def __getitem__(self, i):
            shade = random.SystemRandom().randrange(1 << 24) if i == wrong else i
            return Image.new("RGB", (4, 4), (shade % 256, shade // 256 % 256, shade // 65_536)), 0

    assert fingerprint.of_pictures(ImageDataset.from_dataset(Flips())) == "random"


def test_a_data_set_can_be_sent_to_another_process():
    images = ImageDataset.from_list(colour_images()[:4], ["a", "b", "a", "c"])
    sent = pickle.loads(pickle.dumps(images))  # noqa: S301 - our own
    assert (sent.labels, sent.classes, sent.uris) == ([0, 1, 0, 2], ("a", "b", "c"), images.uris)
    assert sent.load(2) == images.load(2)


# -- models --------------------------------------------------------------------------------------


def small(model, **options):
    return slw.TargetModel(model, ["0"], transform=PIXELS, poles="positive", **options)


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_frozen_torchscript_is_named_as_such():
    with pytest.raises(ModelError, match="TorchScript"):
        small(torch.jit.freeze(torch.jit.script(net())))


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99"])
def test_devices_that_cannot_be_used(device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used here"):
        small(net(), device=device)


class Cut(nn.Sequential):
    """Its results have no way back to the image."""

    def __init__(self, how):
        super().__init__(*net())
        self.how = how
        self.eval()

    def forward(self, x):
        mode = {"no_grad": torch.no_grad, "inference": torch.inference_mode}.get(self.how)
        if mode:
            with mode():
                return super().forward(x)
        return torch.from_numpy(super().forward(x).detach().numpy())


@pytest.mark.parametrize("how", ["no_grad", "inference", "numpy"])
def test_a_model_without_a_way_back_is_refused_for_relevance_alone(how):
    target = small(Cut(how))
    images = torch.rand(2, 3, 16, 16)
    assert target.units(images)["0"].shape == (2, 4)
    with pytest.raises(ModelError, match="detached on the way"):
        output_relevance(target, images)
    if how != "numpy":  # which is behind the layer
        with pytest.raises(ModelError, match="detached on the way"):
            localise(target, images, "0", [0, 1])


class Draws(nn.Module):
    """Draws random numbers in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        return self.last(nn.functional.dropout(self.first(x).relu().mean((2, 3))))


def test_a_model_that_draws_random_numbers_is_said_to():
    images = torch.rand(2, 3, 16, 16)
    target = slw.TargetModel(Draws().eval(), ["last"], transform=PIXELS)
    with pytest.warns(UserWarning, match="draws random numbers in evaluation mode"):
        target.units(images)
    with pytest.raises(ModelError, match="draws random numbers in evaluation mode"):
        localise(target, images, "last", [0, 1])


def test_layers_of_a_wide_choice_are_on_all_paths():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3, padding=1)
            self.left, self.right = (nn.Conv2d(4, 4, 3, 2, 1) for _ in range(2))
            self.join = nn.Conv2d(8, 4, 1)

        def forward(self, x):
            x = self.stem(x)
            return self.join(torch.cat([self.left(x), self.right(x).relu()], 1)).mean((2, 3))

    assert suggest_layers(Branches()) == ["stem", "join"]
