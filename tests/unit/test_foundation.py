"""CLIP models from directories, checkpoints and names; prompts; mistakes."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn.functional import normalize

import semlens_widgets as slw
from semlens_widgets.errors import WeightsUnavailable
from semlens_widgets.inputs.foundation import (
    CSP_TEMPLATES,
    FoundationModel,
    OpenClip,
    embed_prompts,
)

DIM = 12
MERGES = ["c a", "ca t</w>", "d o", "do g</w>"]
CONFIG = {
    "model_cfg": {
        "embed_dim": DIM,
        "vision_cfg": {
            "image_size": 16,
            "layers": 1,
            "width": 16,
            "head_width": 8,
            "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 10,
            "vocab_size": 512 + len(MERGES) + 2,
            "width": 16,
            "heads": 2,
            "layers": 1,
        },
    },
    "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bilinear"},
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A tiny CLIP with random weights, as a directory."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    path.mkdir()
    torch.manual_seed(0)
    network = open_clip.model.CLIP(**CONFIG["model_cfg"])
    save_file(network.state_dict(), path / "open_clip_model.safetensors")
    (path / "open_clip_config.json").write_text(json.dumps(CONFIG))
    with gzip.open(path / "bpe.txt.gz", "wt") as file:
        file.write("\n".join(["#version", *MERGES]))
    return path


@pytest.fixture
def clip(directory):
    return OpenClip(directory)


def pictures(count, seed=0):
    values = np.random.default_rng(seed).integers(0, 255, (count, 20, 30, 3), np.uint8)
    return [Image.fromarray(value) for value in values]


def test_images_are_embedded_as_open_clip_does(clip, directory):
    network, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{directory}")
    images = torch.stack([preprocess(picture) for picture in pictures(5)])
    with torch.no_grad():
        expected = normalize(network.eval().encode_image(images), dim=-1)
    ours = torch.stack([clip.transform(picture) for picture in pictures(5)])
    assert torch.equal(ours, images)  # the directory's own mean and interpolation
    torch.testing.assert_close(clip.encode_images(ours), expected)


def test_batch_size_changes_nothing(directory):
    images = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    whole = OpenClip(directory).encode_images(images)
    parts = OpenClip(directory, batch_size=2).encode_images(images)
    torch.testing.assert_close(parts, whole)
    assert OpenClip(directory).encode_images(images[:0]).shape == (0, DIM)


def test_half_precision_is_close_and_still_unit_float32(directory):
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    exact = OpenClip(directory).encode_images(images)
    rounded = OpenClip(directory, autocast=True).encode_images(images)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded.norm(dim=1), torch.ones(4))
    assert not torch.equal(rounded, exact)
    assert (rounded * exact).sum(1).min() > 0.99


def test_texts_are_unit_vectors_in_the_order_given(clip):
    both = clip.encode_text(["cat", "dog", "cat"])
    assert both.shape == (3, DIM)
    torch.testing.assert_close(both.norm(dim=1), torch.ones(3))
    assert torch.equal(both[0], both[2])
    torch.testing.assert_close(clip.encode_text(["dog"])[0], both[1])
    assert clip.encode_text([]).shape == (0, DIM)


def test_known_texts_are_not_embedded_again(clip, monkeypatch):
    tokenised = []
    tokenizer = clip._tokenizer
    monkeypatch.setattr(
        clip, "_tokenizer", lambda texts: tokenised.extend(texts) or tokenizer(texts)
    )
    first = clip.encode_text(["cat", "dog", "cat"])
    expected = first.clone()
    first.zero_()  # a caller's change must not reach the memory
    again = clip.encode_text(["dog", "bird", "cat"])
    assert tokenised == ["cat", "dog", "bird"]
    torch.testing.assert_close(again[[2, 0]], expected[:2])


def test_least_recently_used_texts_are_forgotten(clip, monkeypatch):
    monkeypatch.setattr("semlens_widgets.inputs.foundation._TEXTS_KEPT", 2)
    clip.encode_text(["a", "b"])
    clip.encode_text(["a"])
    clip.encode_text(["c"])
    assert list(clip._texts) == ["a", "c"]
    assert clip.encode_text(list("wxyz")).shape == (4, DIM)  # more than are kept


def test_vocabulary_and_context_length_come_from_the_directory(clip):
    assert clip._tokenizer.context_length == 10
    tokens = clip._tokenizer(["cat"])[0]
    assert int((tokens > 0).sum()) == 3  # start, one merged word, end


def test_name_is_that_of_folder_and_weights_wherever_it_lies(clip, directory, tmp_path):
    moved = shutil.copytree(directory, tmp_path / "elsewhere" / "tiny")
    assert OpenClip(f"local-dir:{moved}").name == clip.name
    assert clip.name.startswith("tiny-")
    assert "/" not in clip.name
    torch.manual_seed(1)
    network = open_clip.model.CLIP(**CONFIG["model_cfg"])
    save_file(network.state_dict(), moved / "open_clip_model.safetensors")
    assert OpenClip(str(moved)).name != clip.name


def test_a_checkpoint_of_a_known_architecture(tmp_path, monkeypatch):
    """Loads a file without touching the network, and is named after it."""
    small = json.loads(json.dumps(CONFIG["model_cfg"])) | {
        "text_cfg": {"width": 16, "heads": 2, "layers": 1}
    }
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", small)
    network = open_clip.create_model("ViT-B-32", load_weights=False)
    save_file(network.state_dict(), tmp_path / "mine.safetensors")
    clip = OpenClip("ViT-B-32", pretrained=tmp_path / "mine.safetensors")
    assert clip.name.startswith("ViT-B-32/mine-")
    assert clip.dim == DIM


def test_is_a_foundation_model(clip):
    assert isinstance(clip, FoundationModel)
    assert clip.dim == DIM


def test_prompts_are_laid_out_by_template_then_text(clip):
    texts = ["cat", "{dog}", ""]
    prompts = embed_prompts(clip, texts, CSP_TEMPLATES)
    assert prompts.shape == (6, 3, DIM)
    assert len(set(CSP_TEMPLATES)) == 6
    for t, template in enumerate(CSP_TEMPLATES):
        expected = clip.encode_text([template.replace("{}", text) for text in texts])
        assert torch.equal(prompts[t], expected)
    torch.testing.assert_close(embed_prompts(clip, texts)[0], clip.encode_text(texts))


@pytest.mark.parametrize(
    ("texts", "templates", "error", "words"),
    [
        (["cat"], ["a photo"], ValueError, "'a photo', which has no {}"),
        (["cat"], [], ValueError, "templates is empty"),
        ("cat", ["{}"], TypeError, "texts must be a list"),
        (["cat"], "a {}", TypeError, "templates must be a list"),
    ],
)
def test_wrong_prompts_are_refused(clip, texts, templates, error, words):
    with pytest.raises(error, match=words):
        embed_prompts(clip, texts, templates)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ("ViT-B32", {}, "neither an open_clip architecture.*Did you mean.*'ViT-B-32'"),
        ("ViT-B-32", {}, "pretrained is missing.*'laion2b_s34b_b79k'"),
        ("ViT-B-32", {"pretrained": "laion3b"}, "pretrained='laion3b'.*'laion2b_s34b_b79k'"),
        ("hf-hub:a/b", {"pretrained": "x"}, "no meaning beside 'hf-hub:a/b'"),
        (Path("nowhere"), {}, "directory 'nowhere' does not exist"),
        ("local-dir:nowhere", {}, "directory 'nowhere' does not exist"),
        ("ViT-B-32", {"tokenizer_path": "no.gz"}, "tokenizer_path='no.gz' does not exist"),
        ("ViT-B-32", {"batch_size": 0}, "batch_size=0"),
    ],
)
def test_mistakes_are_named_without_any_download(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        OpenClip(arguments, **options)


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("create_model_and_transforms", RuntimeError("Failed to download weights")),
        ("create_model_and_transforms", ConnectionError("no route to host")),
        ("get_tokenizer", FileNotFoundError("not in the cache, and offline")),
    ],
)
def test_without_a_network_it_is_said_what_to_do(monkeypatch, function, error):
    def fail(*_, **__):
        raise error

    made = (torch.nn.Identity(), None, None)
    monkeypatch.setattr(open_clip, "create_model_and_transforms", lambda *_, **__: made)
    monkeypatch.setattr(open_clip, function, fail)
    with pytest.raises(WeightsUnavailable, match=r"slw\.demo\.foundation\(\)") as caught:
        OpenClip("RN50", pretrained="openai")
    assert str(error) in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_what_fails_on_this_machine_is_no_matter_of_the_network(directory, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("size mismatch")

    monkeypatch.setattr(open_clip, "create_model_and_transforms", fail)
    with pytest.raises(RuntimeError, match="size mismatch"):
        OpenClip(directory)


def test_the_demo_has_a_foundation_model():
    model = slw.demo.foundation()
    assert isinstance(model, FoundationModel)
    red, blue, crimson = model.encode_text(["a red star", "a blue ring", "a crimson star"])
    assert red @ crimson > red @ blue


def test_incomplete_directories_are_refused(directory, tmp_path):
    copy = shutil.copytree(directory, tmp_path / "copy")
    with pytest.raises(ValueError, match="pretrained='x' has no meaning beside a directory"):
        OpenClip(copy, pretrained="x")
    (copy / "bpe.txt.gz").unlink()
    with pytest.raises(ValueError, match=r"49408 entries.*518.*bpe\.txt\.gz"):
        OpenClip(copy)
    assert OpenClip(copy, tokenizer_path=directory / "bpe.txt.gz").dim == DIM
    (copy / "open_clip_model.safetensors").unlink()
    with pytest.raises(ValueError, match="holds no weights"):
        OpenClip(copy)
    (copy / "open_clip_config.json").unlink()
    with pytest.raises(ValueError, match=r"holds no open_clip_config\.json"):
        OpenClip(copy)


def test_text_given_as_one_string_is_refused(clip):
    with pytest.raises(TypeError, match=r"\['cat'\]"):
        clip.encode_text("cat")
    with pytest.raises(ValueError, match=r"images has shape \(3, 16, 16\)"):
        clip.encode_images(torch.zeros(3, 16, 16))


def test_a_trained_clip_recognises_photographs(real_data):
    from semlens_widgets.inputs.images import ImageDataset

    clip = OpenClip(real_data / "clip")
    images = ImageDataset.from_folder(real_data / "photos")
    some = range(0, len(images), 10)
    chosen = ImageDataset.from_list([images.load(i) for i in some])
    inputs = [clip.transform(chosen.load(i)) for i in range(len(chosen))]
    embedded = torch.cat([clip.encode_images(part) for part in torch.stack(inputs).split(64)])
    words = embed_prompts(clip, images.classes, CSP_TEMPLATES).mean(0)
    right = (embedded @ words.T).argmax(1) == torch.tensor([images.labels[i] for i in some])
    assert right.float().mean() > 0.7
