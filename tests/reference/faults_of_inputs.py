"""Faults of what a person brings: images, models, foundation models."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable, ModelChanged, ModelError, StoreError
from semlens_widgets.widgets import ConceptGallery
from tests.colour_world import ColourFoundation, ColourNet, colour_images
from tests.reference.faults_of_the_store import WORDS, lens_on, same

HTML = "<img src=x onerror=alert(1)>"


def odd_images(tmp_path, finished, monkeypatch):
    """A folder of everything that is odd: what can be decoded counts, the rest is named."""
    plain = colour_images(1)[0].crop((0, 0, 16, 16))
    folder = tmp_path / "pictures"
    folder.mkdir()
    plain.save(folder / "plain.png")
    raw = (folder / "plain.png").read_bytes()
    plain.save(folder / "cut.jpg")
    jpeg = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "cut.png").write_bytes(raw[: len(raw) // 2])
    (folder / "zero.png").write_bytes(b"")
    Image.new("RGB", (200, 200)).save(folder / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    for name in (b"no\xffutf8.png", b"two\nlines.png", HTML.encode() + b".png"):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:  # noqa: PTH118, PTH123
            file.write(raw)
    wanted = {}
    plain.convert("CMYK").save(folder / "cmyk.tif")
    wanted["cmyk.tif"] = plain.convert("CMYK").convert("RGB")
    palette = plain.convert("P")
    palette.save(folder / "palette.png")
    wanted["palette.png"] = palette.convert("RGB")
    palette.save(folder / "moving.gif", save_all=True, append_images=[palette.rotate(180)])
    wanted["moving.gif"] = palette.convert("RGB")  # the first frame
    grey = (np.arange(256).reshape(16, 16) * 200).astype(np.uint16)
    Image.fromarray(grey).save(folder / "deep.png")
    wanted["deep.png"] = Image.fromarray(np.round(grey / 257).astype(np.uint8)).convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by a quarter, clockwise
    plain.save(folder / "turned.png", exif=turned)
    wanted["turned.png"] = plain.transpose(Image.Transpose.ROTATE_270)

    images = slw.ImageDataset.from_folder(folder)
    for name, picture in wanted.items():
        found = np.asarray(images.load(images.uris.index(name)))
        np.testing.assert_array_equal(found, np.asarray(picture), err_msg=name)
    lens = lens_on(tmp_path / "a", images=images)
    with pytest.warns(UserWarning, match=r"4 of 13 images could not be read.*bomb\.png.*recompute"):
        lens.run()
    assert lens.unreadable == ["bomb.png", "cut.jpg", "cut.png", "zero.png"]
    shown = set(lens.store.frame("samples")["uri"])
    assert {HTML + ".png", r"no\xffutf8.png", r"two\x0alines.png"} <= shown
    result, _ = ConceptGallery(lens)._requests["neuron"](
        ConceptGallery(lens), {"layer": "seen", "neuron": 0}
    )
    assert all(one["uri"].isprintable() for one in result["examples"])


def mode_is_left(tmp_path, finished, monkeypatch):
    model = ColourNet().train()
    model.relu.eval()
    lens_on(tmp_path / "a", model).run().heatmap("seen", 0, 0)
    assert (model.training, model.relu.training, model.seen.training) == (True, False, True)
    same(tmp_path / "a", finished)


def mode_is_changed_between(tmp_path, finished, monkeypatch):
    lens_on(finished, ColourNet().train()).run()
    lens_on(finished, ColourNet().eval()).run()


class InADictionary(ColourNet):
    def forward(self, x):
        return {"logits": super().forward(x), "input": x}


def outputs_in_a_dictionary(tmp_path, finished, monkeypatch):
    """The analysis is that of the bare model, and so is the relevance for a class."""
    lens, bare = lens_on(tmp_path / "a", InADictionary()).run(), lens_on(finished)
    same(tmp_path / "a", finished)
    ours, theirs = (one.audit("red", ["red"], ["blue"]).neurons for one in (lens, bare))
    np.testing.assert_allclose(ours["relevance_share"], theirs["relevance_share"], atol=1e-6)


def on_the_meta_device(tmp_path, finished, monkeypatch):
    with pytest.raises(ModelError, match=r"'seen' lies on the meta device.*load its weights"):
        lens_on(tmp_path / "a", ColourNet().to("meta"))
    assert not (tmp_path / "a").exists()


def on_a_gpu(tmp_path, finished, monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    model = ColourNet().cuda()
    lens = lens_on(tmp_path / "a", model).run()
    assert all(one.is_cuda for one in model.parameters())
    found = lens.store.matrix("vectors", "vector")
    np.testing.assert_allclose(
        found, lens_on(finished).store.matrix("vectors", "vector"), atol=1e-3
    )


def edited_between_runs(tmp_path, finished, monkeypatch):
    model = ColourNet()
    with torch.no_grad():
        model.seen.weight.mul_(2)
    with pytest.raises(StoreError, match=r"weights: recorded.*[\s\S]*Nothing was changed") as said:
        lens_on(finished, model)
    assert 'on_change="recompute"' in str(said.value)
    assert lens_on(finished).neurons["label"].iloc[1] == "mine"


def edited_in_the_same_kernel(tmp_path, finished, monkeypatch):
    model = ColourNet()
    lens = lens_on(tmp_path / "a", model)
    weight = model.seen.weight.detach().clone()
    with torch.no_grad():
        model.seen.weight.mul_(2)
    with pytest.raises(ModelChanged, match=r"'seen\.weight' are others.*or undo the change"):
        lens.run()
    with torch.no_grad():
        model.seen.weight.copy_(weight)
    lens.run()
    same(tmp_path / "a", finished)


class ImagesAlone:
    """A foundation model without a text tower."""

    name = "colours"
    dim = 3
    transform = ColourFoundation.transform
    encode_images = ColourFoundation.encode_images


class TextsOfNone(ColourFoundation):
    encode_text = None


def no_text_tower(foundation):
    def fault(tmp_path, finished, monkeypatch):
        lens = lens_on(tmp_path / "a", foundation=foundation()).run()
        same(tmp_path / "a", finished)
        for what in (
            lambda: lens.search("red"),
            lambda: lens.label(WORDS),
            lambda: lens.scores("seen", 0, WORDS),
            lambda: lens.audit("red", ["red"], ["blue"]),
            lambda: slw.open(tmp_path / "a", foundation=foundation()).search("red"),
        ):
            with pytest.raises(
                LensUnavailable, match=r"no text tower.*Search by a picture"
            ) as said:
                what()
            assert "OpenClip" in str(said.value)
        assert "no text tower" in str(lens.domain_check())
        red = Image.new("RGB", (8, 8), (255, 0, 0))
        by_picture, by_word = lens.search(red), lens_on(finished).search("red", scorer=None)
        np.testing.assert_allclose(by_picture["score"], by_word["score"], atol=1e-3)
        assert len(lens.search(("seen", 0)))
        lens.set_label("seen", 0, "mine")

    return fault


def numbers_that_are_none(value):
    """Activations of one image: refused, with the image's name and the way out."""

    def fault(tmp_path, finished, monkeypatch):
        model = ColourNet()

        def broken(_, args, out):
            white = (args[0] > 0.99).all(1, keepdim=True)
            return out.masked_fill(white, value)

        model.seen.register_forward_hook(broken)
        pictures = [*colour_images(23), Image.new("RGB", (20, 16), "white")]
        images = slw.ImageDataset.from_list(pictures, [i % 3 for i in range(24)], WORDS)
        with pytest.raises(ModelError, match=r"image-000023") as said:
            lens_on(tmp_path / "a", model, images=images).run()
        assert "not numbers" in str(said.value) or "infinite" in str(said.value)

    return fault
