"""The how-to pages do what they say: their code runs, page by page, on small stand-ins.

What is downloaded on a person's machine is made from a seed here; the code is the page's.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import open_clip
import pytest
import timm
import torch
import transformers
from torchvision.models import ResNet18_Weights, resnet18

import semlens_widgets as slw
from semlens_widgets.pipeline import layout
from tests.unit.page_file import PageFile

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def blocks(page: str, language: str = "python") -> list[str]:
    """The code of a page, block by block, in the order of reading."""
    text = (DOCS / page).read_text("utf-8")
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [dedent(block) for block in found]


def run(page: str) -> dict[str, object]:
    """Run a page as a person would who copies its blocks into one notebook."""
    names: dict[str, object] = {"__name__": page}
    for at, block in enumerate(blocks(page), 1):
        exec(compile(block, f"{page}, block {at}", "exec"), names)  # noqa: S102
    return names


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with photographs of two classes; nothing is downloaded, and no map is laid out."""
    monkeypatch.chdir(tmp_path)
    pictures = slw.demo.scene_images(12)
    for at in range(12):
        file = tmp_path / "photos" / ("cat" if at % 2 else "dog") / f"{at // 2 + 1}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        slw.ImageDataset.from_dataset(pictures).load(at).save(file)
    packaged = slw.OpenClip
    monkeypatch.setattr(
        slw,
        "OpenClip",
        lambda name, **_: packaged(slw.demo.clip_dir() if name == "ViT-B-32" else name),
        raising=False,
    )
    monkeypatch.setattr(layout, "umap_layout", lambda vectors: torch.zeros(len(vectors), 2).numpy())
    monkeypatch.setattr(
        ResNet18_Weights, "get_state_dict", lambda *_, **__: resnet18().state_dict()
    )
    torch.manual_seed(0)


def loads(monkeypatch, name, stand_in) -> None:
    """Let a class of transformers load what is given, whatever it is asked for."""
    kind = getattr(transformers, name)
    monkeypatch.setattr(kind, "from_pretrained", staticmethod(lambda _: stand_in))


@pytest.fixture
def others(tmp_path, monkeypatch):
    """Models of other libraries, small and untrained, and the file of an autoencoder."""
    made = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, **_: made(name))
    clip = open_clip.create_model_and_transforms

    def untrained(name, pretrained=None, **options):
        if pretrained != "openai":
            return clip(name, pretrained=pretrained, **options)
        return clip(name.replace("B-16", "S-32"), **options)

    monkeypatch.setattr(open_clip, "create_model_and_transforms", untrained)
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64
    )
    config.num_labels = 3
    for name, stand_in in {
        "AutoModelForImageClassification": transformers.ViTForImageClassification(config),
        "AutoImageProcessor": transformers.ViTImageProcessor(),
    }.items():
        loads(monkeypatch, name, stand_in)
    weights = {"W_enc": (512, 96), "b_enc": (96,), "W_dec": (96, 512), "b_dec": (512,)}
    torch.save({key: torch.randn(shape) for key, shape in weights.items()}, tmp_path / "sae.pt")


@pytest.mark.slow
def test_models_of_every_library_are_looked_into(others):
    names = run("own-model.md")
    done = {path.name: slw.open(path) for path in sorted(Path("runs").iterdir())}
    assert sorted(done) == ["clip", "resnet18", "sae", "transformers", "vit"]
    neurons = {name: lens.neurons.groupby("layer").size() for name, lens in done.items()}
    widths = {name: sorted(set(counts)) for name, counts in neurons.items()}
    assert widths["resnet18"] == [256, 512]
    assert widths["vit"] == [2 * 192]  # both poles of each channel of a token
    assert widths["transformers"] == [2 * 32]
    assert widths["clip"] == [2 * 384]
    assert widths["sae"] == [96]
    assert names["target"].outputs is None or not names["target"].outputs


def test_images_come_from_anywhere():
    names = run("own-images.md")
    assert len(names["images"]) == 20
    assert len(names["images"].classes) == 4


def test_any_model_with_two_towers_is_a_foundation(monkeypatch):
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    small["intermediate_size"] = 16
    config = transformers.SiglipConfig(
        text_config={**small, "vocab_size": 300, "projection_size": 16},
        vision_config={**small, "image_size": 32, "patch_size": 8},
    )

    def processor(images=None, text=None, **_):
        if text is not None:
            codes = [list(one.encode())[:64] for one in text]
            return {"input_ids": torch.tensor([code + [1] * (64 - len(code)) for code in codes])}
        pixels = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
        return pixels(images=images, return_tensors="pt")

    for name, stand_in in {
        "AutoModel": transformers.SiglipModel(config),
        "AutoProcessor": processor,
    }.items():
        loads(monkeypatch, name, stand_in)
    foundation = run("own-foundation.md")["foundation"]
    assert isinstance(foundation, slw.FoundationModel)
    assert foundation.dim == 16
    texts = foundation.encode_text(["cat", "dog"])
    assert torch.allclose(texts.norm(dim=1), torch.ones(2))


def test_open_clip_knows_the_names_of_the_table():
    text = (DOCS / "own-foundation.md").read_text("utf-8")
    named = re.findall(r'^\| general \| `"([^"]+)", pretrained="([^"]+)"`', text, re.MULTILINE)
    assert len(named) > 2
    assert set(named) <= set(open_clip.list_pretrained())


def test_a_gpu_is_an_option(monkeypatch):
    """On a machine without one, the same code on the CPU."""
    text = blocks("gpus.md")[0].replace('"cuda"', '"cpu"')
    names: dict[str, object] = {}
    exec(text, names)  # noqa: S102
    assert len(names["lens"].neurons) == 512


class Small(torch.nn.Sequential):
    """Two neurons more than the page writes the second time."""

    def __init__(self):
        super().__init__(
            torch.nn.Conv2d(3, 12, 4, stride=4),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(12, 2),
        )


@pytest.mark.slow
def test_a_folder_is_opened_and_pages_written():
    target = slw.TargetModel(Small(), ["1"], transform=slw.demo.preprocess)
    images = slw.ImageDataset.from_folder("photos")
    lens = slw.SemanticLens(
        target, images, slw.demo.foundation(), path="runs/resnet18", n_examples=5
    )
    lens.run().localise()
    run("sharing.md")
    whole, part = (PageFile(Path(name)) for name in ("explorer.html", "interesting.html"))
    assert len(part.text) < len(whole.text)
    assert shown(whole) == [5] * 12
    assert shown(part) == [4] * 10
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', whole.text)
    assert Path("site/index.html").is_file()


def shown(page):
    """How many examples of each neuron travel with a page."""
    asked = [one for one in page.questions if one[0] == "neuron"]
    return [len(page.answer(*one)[0]["examples"]) for one in asked]
