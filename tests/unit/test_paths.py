"""Paths are those meant when they were given, and names of files are shown whatever they hold."""

from __future__ import annotations

import json
import os
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

import semlens_widgets as slw
from semlens_widgets.errors import StoreError
from semlens_widgets.inputs.foundation import OpenClip
from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.inputs.paths import local_path, shown
from semlens_widgets.pipeline import fingerprint
from semlens_widgets.pipeline.collect import collect, write_classes
from semlens_widgets.store.store import AnalysisStore
from tests.colour_world import ColourNet, to_tensor


def save(path, shade=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), (shade, shade, shade)).save(path)


@pytest.mark.parametrize("how", ["relative", "home", "dots"])
def test_a_store_stays_where_it_was_made(tmp_path, monkeypatch, how):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    given = {"relative": "runs/a", "home": "~/runs/a", "dots": "elsewhere/../runs/a"}[how]
    store = AnalysisStore(given)
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    with store.writing():
        store.finish("s")
    assert json.loads((tmp_path / "runs" / "a" / "analysis.json").read_text())["stages"] == {
        "s": {}
    }
    assert not list((tmp_path / "elsewhere").iterdir())


def test_images_stay_where_they_were_found(tmp_path, monkeypatch):
    save(tmp_path / "photos" / "a.png", 7)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    sets = [
        ImageDataset.from_folder("photos"),
        ImageDataset.from_folder("~/photos"),
        ImageDataset.from_list(["photos/a.png"]),
        ImageDataset.from_list(["~/photos/a.png"]),
    ]
    monkeypatch.chdir(tmp_path / "elsewhere")
    for images in sets:
        assert images.uris == ["a.png"]
        assert images.load(0).getpixel((0, 0)) == (7, 7, 7)


ADDRESSES = [
    "s3://bucket/run",
    "gs://bucket/a",
    "https://x.org/a.png",
    "hf://datasets/a",
    "az:/b/c",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_are_refused_by_name(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    for make, error in [
        (AnalysisStore, StoreError),
        (slw.open, StoreError),
        (ImageDataset.from_folder, ValueError),
        (lambda path: ImageDataset.from_list([path]), ValueError),
        (OpenClip, ValueError),
        (lambda path: OpenClip("ViT-B-32", pretrained=path), ValueError),
        (lambda path: OpenClip("local-dir:" + path), ValueError),
    ]:
        with pytest.raises(error, match=r"is an address.*path on this machine"):
            make(address)
    assert not list(tmp_path.iterdir())


def test_an_address_of_a_file_or_of_a_hub_says_what_to_give():
    with pytest.raises(StoreError, match="give the path itself, '/data/run'"):
        AnalysisStore("file:///data/run")
    with pytest.raises(ValueError, match="'hf-hub:org/clip'"):
        OpenClip("https://huggingface.co/org/clip/tree/main")


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("", StoreError, "path is empty"),
        (None, TypeError, "path must be a path, not NoneType"),
        (7, TypeError, "not int"),
        ("~nobody-of-this-name/runs", StoreError, "no such home"),
    ],
)
def test_what_is_no_path_is_named(path, error, words):
    with pytest.raises(error, match=words):
        AnalysisStore(path)


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "a").write_text("x")
    with pytest.raises(StoreError, match=r"a' cannot be made: File exists"):
        AnalysisStore(tmp_path / "a")
    with pytest.raises(StoreError, match=r"b' cannot be made: Not a directory"):
        AnalysisStore(tmp_path / "a" / "b")


def test_names_with_a_colon_are_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "C:" / "photos").mkdir(parents=True)  # else it is a path of Windows
    assert local_path("C:/photos", "path").name == "photos"
    assert local_path("a:b", "path").name == "a:b"


def classes(root):
    for name in ("cat", "dog"):
        for i in range(3):
            save(root / name / f"{i}.png")
    return root


def counted(images):
    return {
        (images.classes[label], uri.split("/")[0])
        for label, uri in zip(images.labels, images.uris, strict=True)
    }


@pytest.mark.parametrize(
    "link",
    [("cat/all", "."), ("cat/self", "cat"), ("ant", "dog"), ("cat/up", ".."), ("cat/a", "dog")],
)
def test_links_to_folders_that_are_there_count_nothing_twice(tmp_path, link):
    root = classes(tmp_path / "photos")
    save(tmp_path / "beside" / "x.png")
    (root / link[0]).symlink_to(root / link[1], target_is_directory=True)
    images = ImageDataset.from_folder(root)
    assert len(images) == 6
    assert images.classes == ("cat", "dog")
    assert counted(images) == {("cat", "cat"), ("dog", "dog")}


def test_a_class_may_lie_elsewhere_and_loop_there(tmp_path):
    root = classes(tmp_path / "photos")
    save(tmp_path / "disk" / "birds" / "0.png")
    (tmp_path / "disk" / "birds" / "again").symlink_to(tmp_path / "disk" / "birds")
    (root / "bird").symlink_to(tmp_path / "disk" / "birds")
    images = ImageDataset.from_folder(root)
    assert images.classes == ("bird", "cat", "dog")
    assert images.uris[0] == "bird/0.png"
    assert len(images) == 7


def test_a_root_that_is_a_link(tmp_path):
    classes(tmp_path / "photos")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    assert len(ImageDataset.from_folder(tmp_path / "link")) == 6


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_of_files_may_be_anything(tmp_path):
    folder = os.fsencode(tmp_path / "photos" / "caf") + b"\xe9"
    os.makedirs(folder)  # noqa: PTH103
    picture = tmp_path / "x.png"
    save(picture, 9)
    names = [b"\xff\xfe.png", b"two\nlines.png", "\u202egnp.x.png".encode(), b"caf\xc3\xa9.png"]
    for name in names:
        with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(picture.read_bytes())
    images = ImageDataset.from_folder(tmp_path / "photos")
    assert images.classes == (r"caf\xe9",)
    assert sorted(uri.split("/")[1] for uri in images.uris) == sorted(
        [r"\xff\xfe.png", r"two\x0alines.png", r"\u202egnp.x.png", "café.png"]
    )
    assert all(images.load(i).getpixel((0, 0)) == (9, 9, 9) for i in range(4))
    store = AnalysisStore(tmp_path / "a")
    target = slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor)
    store.configure({"uris": fingerprint.of_uris(images), "names": images.uris})
    with store.writing():
        store.finish("collect", **collect(store, target, images))
        write_classes(store, images)
    again = AnalysisStore(tmp_path / "a", read_only=True)
    assert again.frame("samples")["uri"].tolist() == images.uris
    listed = ImageDataset.from_list([os.fsdecode(folder + b"/" + names[0])], ["\udce9"])
    assert listed.uris == [r"\xff\xfe.png"]
    assert listed.classes == (r"\xe9",)


def test_shown_names_are_plain_text():
    for text in ("a b", "日本語", "émile", "👩‍🔬.png"):
        assert shown(text) == text
    shown("\udcff\ud800\x00\r\n\u2028").encode()


def test_what_is_left_out_is_counted_and_pictures_are_named(tmp_path):
    for name in ("a.png", "b.JPG", "c.Jpeg"):
        save(tmp_path / name)
    for name in ("d.heic", "e.HEIC", "f.avif", "labels.csv", "README", ".hidden.png"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.warns(UserWarning, match=r"2 × \.heic, 1 × \.avif\. .*extensions="):
        images = ImageDataset.from_folder(tmp_path)
    assert images.uris == ["a.png", "b.JPG", "c.Jpeg"]
    assert repr(images) == (
        "ImageDataset(3 images; left out 2 × .heic, 1 × no extension, 1 × .avif, 1 × .csv)"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with_all = ImageDataset.from_folder(tmp_path, extensions=["png", ".jpg", "heic", "avif"])
    assert len(with_all) == 5


def test_a_foundation_model_in_the_home_directory(tmp_path, monkeypatch):
    (tmp_path / "clip").symlink_to(slw.demo.clip_dir())
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = OpenClip(slw.demo.clip_dir())
    for path in ("~/clip", "local-dir:~/clip"):
        found = OpenClip(path)
        assert found.name == expected.name
        np.testing.assert_array_equal(found.encode_text(["red"]), expected.encode_text(["red"]))
