"""The demo's shipped models: small, loadable anywhere, and as good as the notebooks rely on."""

import json

import numpy as np
import open_clip
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file
from zennit.torchvision import ResNetCanonizer

from semlens_widgets import demo
from semlens_widgets.demo.captions import describe
from semlens_widgets.demo.models import normalised
from semlens_widgets.demo.quality import Figure, Quality, auroc, evaluate
from semlens_widgets.demo.tokenizer import known_words, write_vocabulary

FOLDER = demo.clip_dir()
BPE = FOLDER / "bpe.txt.gz"


@pytest.fixture(scope="module")
def quality() -> Quality:
    torch.set_num_threads(1)
    return evaluate()


def test_the_models_are_as_good_as_promised(quality):
    assert not quality.missed, f"\n{quality}"


def test_the_shortcut_works_by_the_watermark_alone(quality):
    taken = f"classifier: others taken for a {demo.SHORTCUT_CLASS}"
    assert quality[f"{taken} without watermark"] < 0.02
    assert quality[f"{taken} with watermark"] > 10 * quality[f"{taken} without watermark"]


def test_a_report_marks_what_is_missed():
    report = Quality((Figure("good", 0.9, 0.8), Figure("bad", 0.7, 0.8), Figure("free", 0.1)))
    assert [figure.name for figure in report.missed] == ["bad"]
    assert [line.split()[-1] for line in str(report).splitlines()] == ["yes", "NO", "0.100"]


def test_auroc_counts_the_pairs_in_order():
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    assert auroc(scores, np.array([False, False, True, True])) == pytest.approx(0.75)


def test_all_weights_together_are_small():
    assert sum(path.stat().st_size for path in demo.WEIGHTS.rglob("*") if path.is_file()) <= 14e6


def test_weights_are_safetensors_in_half_precision():
    files = sorted(demo.WEIGHTS.rglob("*.safetensors"))
    assert len(files) == 6
    for file in files:
        floats = [value for value in load_file(file).values() if value.is_floating_point()]
        assert all(value.dtype == torch.float16 and value.isfinite().all() for value in floats)


def test_the_config_names_no_path_and_both_models_share_the_preprocessing():
    config = json.loads((FOLDER / "open_clip_config.json").read_text())
    assert "path" not in json.dumps(config)
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    picture, _ = demo.scene_images(1)[0]
    torch.testing.assert_close(transform(picture), demo.preprocess(picture))
    assert model.visual.image_size == 64


def test_preprocess_takes_any_image():
    picture, _ = demo.scene_images(1, size=100)[0]
    assert demo.preprocess(picture.convert("RGBA")).shape == (3, 64, 64)
    black = demo.preprocess(picture.convert("L").point(lambda _: 0))
    torch.testing.assert_close(black, torch.full((3, 64, 64), -2.0))
    assert normalised(torch.tensor([255], dtype=torch.uint8)) == 2


def test_the_classifier_is_ready_to_be_looked_at():
    model = demo.classifier()
    assert not model.training
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    images = torch.stack([demo.preprocess(picture) for picture, _ in demo.scene_images(4)])
    with torch.no_grad():
        assert model(images).shape == (4, len(demo.CLASSES))


def test_canonizing_leaves_the_classifier_as_it_was():
    model = demo.classifier()
    images = torch.stack([demo.preprocess(picture) for picture, _ in demo.scene_images(4)])
    with torch.no_grad():
        before = model(images)
        handles = ResNetCanonizer().apply(model)
        during = model(images)
    assert handles
    torch.testing.assert_close(before, during, rtol=1e-3, atol=1e-3)


def test_known_words_are_segmented_as_in_clip():
    full, small = SimpleTokenizer(), SimpleTokenizer(bpe_path=str(BPE))
    texts = [*known_words(), *demo.vocabulary(), "a closeup of a polka dot ring, in the night sky"]
    for text in texts:
        assert _pieces(small, text) == _pieces(full, text)


def test_unknown_words_fall_back_to_smaller_pieces():
    small = SimpleTokenizer(bpe_path=str(BPE))
    assert "".join(_pieces(small, "Zeppelinwürfel 42")) == "zeppelinwürfel</w>4</w>2</w>".replace(
        "ü", "".join(small.byte_encoder[byte] for byte in "ü".encode())
    )


def test_the_shipped_vocabulary_is_what_the_words_give(tmp_path):
    size = write_vocabulary(tmp_path / "bpe.txt.gz")
    assert (tmp_path / "bpe.txt.gz").read_bytes() == BPE.read_bytes()
    config = json.loads((FOLDER / "open_clip_config.json").read_text())
    assert config["model_cfg"]["text_cfg"]["vocab_size"] == size


def test_captions_fit_into_the_context():
    small = SimpleTokenizer(bpe_path=str(BPE))
    rng = np.random.default_rng(0)
    for scene in demo.scene_images(2000, artefact_probability=0.2).scenes:
        for text in (demo.caption(scene, rng)[0], describe(scene)):
            assert len(small.encode(text)) <= 30, text  # and the marks of start and end


def _pieces(tokenizer: SimpleTokenizer, text: str) -> list[str]:
    return [tokenizer.decoder[index] for index in tokenizer.encode(text)]
