"""Folders, data sets and lists of images, whole and broken."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Subset
from torchvision.datasets import FakeData, ImageFolder

from semlens_widgets.errors import UnreadableImage
from semlens_widgets.inputs.images import ImageDataset


def save(path, colour=(200, 30, 30), size=(8, 6), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


def to_tensor(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2.png", "b/10.PNG", "a/deep/1.jpg", "a/0.jpg"):
        save(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "a" / "._0.jpg").write_text("left by another system")
    save(tmp_path / ".cache" / "x.png")
    return tmp_path


def test_subfolders_are_classes_in_stable_order(folder):
    images = ImageDataset.from_folder(folder)
    assert images.uris == ["a/0.jpg", "a/deep/1.jpg", "b/10.PNG", "b/2.png"]
    assert images.labels == [0, 0, 1, 1]
    assert images.classes == ("a", "b")
    assert len(images) == 4
    assert images.load(3).size == (8, 6)


def test_folder_agrees_with_torchvision(folder):
    expected = ImageFolder(folder, allow_empty=True)
    images = ImageDataset.from_folder(folder)
    shown = dict(zip(images.uris, images.labels, strict=True))
    for path, _ in expected.samples:
        uri = path.removeprefix(f"{folder}/")
        if "/." not in f"/{uri}":
            assert images.classes[shown[uri]] == uri.split("/")[0]


def test_flat_folder_has_no_classes(tmp_path):
    save(tmp_path / "x.png")
    images = ImageDataset.from_folder(str(tmp_path))
    assert (images.labels, images.classes, images.uris) == (None, (), ["x.png"])


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "no image.*no file"),
        (["a.txt", "b.txt"], r"no image.*2 × \.txt"),
        (["a.png", "c/b.png"], "1 images directly and 1 in sub-folders"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, files, words):
    for name in files:
        if name.endswith("png"):
            save(tmp_path / name)
        else:
            (tmp_path / name).write_text("x")
    with pytest.raises(ValueError, match=words):
        ImageDataset.from_folder(tmp_path)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"'.*nowhere' does not exist"):
        ImageDataset.from_folder(tmp_path / "nowhere")


def grey16():
    return Image.fromarray(np.full((4, 4), 257 * 100, np.uint16))


def palette_with_transparency():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.info["transparency"] = 1
    return image


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.new("L", (4, 4), 100), (100, 100, 100)),
        (Image.new("1", (4, 4), 1), (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 128)), (127, 127, 127)),
        (Image.new("LA", (4, 4), (0, 255)), (0, 0, 0)),
        (Image.new("CMYK", (4, 4), (0, 255, 255, 0)), (255, 0, 0)),
        (palette_with_transparency(), (255, 255, 255)),
        (grey16(), (100, 100, 100)),
        (Image.fromarray(np.full((4, 4), 0.5, np.float32)), (128, 128, 128)),
    ],
)
def test_every_mode_becomes_rgb(image, colour):
    loaded = ImageDataset.from_list([image]).load(0)
    assert loaded.mode == "RGB"
    assert loaded.getpixel((1, 1)) == pytest.approx(colour, abs=1)


def test_every_mode_survives_a_file(tmp_path):
    grey16().save(tmp_path / "grey16.png")
    palette_with_transparency().save(tmp_path / "palette.gif")
    images = ImageDataset.from_folder(tmp_path)
    assert images.load(0).getpixel((0, 0)) == (100, 100, 100)
    assert images.load(1).getpixel((0, 0)) == (255, 255, 255)


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    save(tmp_path / "x.jpg", size=(8, 6), exif=exif)
    assert ImageDataset.from_folder(tmp_path).load(0).size == (6, 8)


def broken_folder(tmp_path):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8))
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG")
    for i in range(7):
        save(tmp_path / f"{i}.png", colour=(i, i, i))
    (tmp_path / "1.png").write_bytes(b"")
    (tmp_path / "4.png").write_bytes(buffer.getvalue()[:800])
    return ImageDataset.from_folder(tmp_path)


def test_broken_files_are_named_without_the_machines_path(tmp_path):
    images = broken_folder(tmp_path)
    for i, words in ((1, "'1.png': not an image"), (4, "'4.png'.*truncated")):
        with pytest.raises(UnreadableImage, match=words) as caught:
            images.load(i)
        assert str(tmp_path) not in str(caught.value)
    (tmp_path / "0.png").unlink()
    with pytest.raises(UnreadableImage, match=r"'0\.png': no such file"):
        images.load(0)
    with pytest.raises(IndexError, match="i=7"):
        images.load(7)


def test_list_of_paths_and_pictures(tmp_path):
    save(tmp_path / "a" / "x.png")
    save(tmp_path / "b" / "x.png")
    images = ImageDataset.from_list(
        [tmp_path / "a" / "x.png", str(tmp_path / "b" / "x.png"), Image.new("RGB", (2, 2))],
        labels=["cat", "dog", "cat"],
    )
    assert images.uris == ["a/x.png", "b/x.png", "image-000002"]
    assert (images.labels, images.classes) == ([0, 1, 0], ("cat", "dog"))


@pytest.mark.parametrize(
    ("labels", "classes", "words"),
    [
        ([0], None, "labels has 1 entries for 2"),
        ([0, 2], ["a", "b"], "labels holds 2, outside the 2 classes"),
        (["a", "c"], ["a", "b"], "labels holds 'c'"),
    ],
)
def test_wrong_labels_are_refused(labels, classes, words):
    with pytest.raises(ValueError, match=words):
        ImageDataset.from_list([Image.new("RGB", (2, 2))] * 2, labels, classes)


def test_empty_or_strange_lists_are_refused():
    with pytest.raises(ValueError, match="images is empty"):
        ImageDataset.from_list([])
    with pytest.raises(TypeError, match=r"images\[1\] is of type int"):
        ImageDataset.from_list([Image.new("RGB", (2, 2)), 3])


def test_torchvision_folder_and_subset(folder):
    data = ImageFolder(folder, allow_empty=True)
    images = ImageDataset.from_dataset(Subset(data, [3, 0]))
    assert [images.labels[0], images.labels[1]] == [data.targets[3], data.targets[0]]
    assert images.classes == tuple(data.classes)
    whole = ImageDataset.from_dataset(data)
    assert all(not uri.startswith("/") for uri in whole.uris)


def test_labels_are_read_from_items_where_the_data_set_does_not_tell():
    data = FakeData(size=5, image_size=(3, 8, 8), num_classes=3, random_offset=1)
    images = ImageDataset.from_dataset(data, classes=["x", "y", "z"])
    assert images.labels == [int(data[i][1]) for i in range(5)]
    assert images.load(0).size == (8, 8)


class Rows(list):
    """The part of a Hugging Face data set that matters here."""

    column_names = ("image", "label")

    def __getitem__(self, key):
        if isinstance(key, str):
            return [row[key] for row in self]
        return super().__getitem__(key)


def test_hugging_face_rows():
    rows = Rows({"image": Image.new("RGB", (3, 3), (i, 0, 0)), "label": i % 2} for i in range(4))
    images = ImageDataset.from_dataset(rows)
    assert images.labels == [0, 1, 0, 1]
    assert images.classes == ("0", "1")
    assert images.load(3).getpixel((0, 0)) == (3, 0, 0)


@pytest.mark.parametrize("scale", [1, 255])
def test_tensors_are_pictures(scale):
    tensor = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    given = tensor if scale == 1 else (tensor * 255).round().to(torch.uint8)
    image = ImageDataset.from_dataset([(given, 0)]).load(0)
    np.testing.assert_array_equal(
        np.asarray(image), (tensor * 255).round().permute(1, 2, 0).to(torch.uint8)
    )


@pytest.mark.parametrize(
    ("dataset", "error", "words"),
    [
        ([], ValueError, "dataset is empty"),
        (iter([1]), TypeError, "must have a length"),
        ([(torch.randn(3, 4, 4) * 3, 0)], ValueError, "before normalisation"),
        ([{"picture": 1}], ValueError, "keys.*picture"),
        ([("text", 0)], ValueError, "type str is no image"),
    ],
)
def test_unusable_data_sets_are_refused_at_once(dataset, error, words):
    with pytest.raises(error, match=words):
        ImageDataset.from_dataset(dataset)
