"""The models of the lesion world: loadable, and as good as the notebook relies on."""

import json

import numpy as np
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer

from semlens_widgets import demo
from semlens_widgets.demo.models import clip_dir
from semlens_widgets.demo.skin.captions import all_words, caption, describe, vocabulary
from semlens_widgets.demo.skin.models import LESION_WEIGHTS
from semlens_widgets.demo.skin.quality import concept_aurocs, evaluate
from semlens_widgets.demo.skin.world import ARTEFACTS, sample_lesion
from semlens_widgets.demo.tokenizer import known_words, write_vocabulary

FOLDER = clip_dir(LESION_WEIGHTS)
BPE = FOLDER / "bpe.txt.gz"


@pytest.fixture(scope="module")
def quality():
    torch.set_num_threads(1)
    return evaluate(count=1000)


def test_the_models_are_as_good_as_promised(quality):
    assert not quality.missed, f"\n{quality}"


def test_ink_alone_makes_a_melanoma_and_not_for_the_twin(quality):
    taken = {
        kind: quality[f"{kind}: others taken for a melanoma with ink"]
        - quality[f"{kind}: others taken for a melanoma without ink"]
        for kind in ("classifier", "clean twin")
    }
    assert taken["classifier"] > 0.3
    assert taken["clean twin"] < 0.05


def test_the_domains_model_knows_far_more_of_it_than_the_other():
    rng = np.random.default_rng(314)  # of lesions that nothing was chosen on
    lesions = [sample_lesion(rng) for _ in range(1000)]
    domain, general = (
        concept_aurocs(model(), lesions) for model in (demo.lesion_foundation, demo.foundation)
    )
    means = [float(np.mean([*areas.values()])) for areas in (domain, general)]
    print({name: (round(domain[name], 2), round(general[name], 2)) for name in domain}, means)
    assert means[0] >= 0.92
    assert means[0] >= means[1] + 0.2
    assert min(domain[name] for name in ARTEFACTS) > 0.9


def test_the_classifier_is_ready_to_be_looked_at():
    images = torch.stack([demo.preprocess(picture) for picture, _ in demo.lesion_images(4)])
    for planted in (True, False):
        model = demo.lesion_classifier(planted=planted)
        assert not model.training
        assert {value.dtype for value in model.parameters()} == {torch.float32}
        with torch.no_grad():
            assert model(images).shape == (4, 2)


def test_known_words_are_segmented_as_in_clip_and_captions_fit():
    full, small = SimpleTokenizer(), SimpleTokenizer(bpe_path=str(BPE))

    def pieces(tokenizer: SimpleTokenizer, text: str) -> list[str]:
        return [tokenizer.decoder[index] for index in tokenizer.encode(text)]

    for text in [*known_words(all_words()), *vocabulary()]:
        assert pieces(small, text) == pieces(full, text)
    rng = np.random.default_rng(0)
    for lesion in (sample_lesion(rng, 0.3) for _ in range(2000)):
        assert len(small.encode(caption(lesion, rng)[0])) <= 30  # and the marks of start and end
        assert describe(lesion)


def test_the_shipped_vocabulary_is_what_the_words_give(tmp_path):
    size = write_vocabulary(tmp_path / "bpe.txt.gz", all_words())
    assert (tmp_path / "bpe.txt.gz").read_bytes() == BPE.read_bytes()
    config = json.loads((FOLDER / "open_clip_config.json").read_text())
    assert config["model_cfg"]["text_cfg"]["vocab_size"] == size
    assert "path" not in json.dumps(config)
