"""Candidates from a model of the transformers library: a tiny one, drawn at random and taught."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import semlens_widgets as slw
from semlens_widgets.labels.candidates import local
from tests.unit.chat_server import COLOURS

transformers = pytest.importorskip("transformers")

pytestmark = [
    pytest.mark.filterwarnings("ignore:The text encoder"),  # this one knows four colours
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %} answer"
)
WORDS = ["<unk>", "<pad>", "<end>", "<image>", "answer", "grid", "lacks", ",", *COLOURS]


def processor():
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    unknown, blank, end, picture = WORDS[:4]
    words = Tokenizer(WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token=unknown))
    words.pre_tokenizer = Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token=unknown,
        pad_token=blank,
        eos_token=end,
        additional_special_tokens=[picture],
    )
    size = {"height": 16, "width": 16}
    pictures = transformers.CLIPImageProcessor(
        size={"shortest_edge": 16}, crop_size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return transformers.LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )


def tiny(seed=0):
    """A LLaVA of two layers of 32 units."""
    torch.manual_seed(seed)
    small = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**small, image_size=16, patch_size=8),
        text_config=transformers.LlamaConfig(
            **small, vocab_size=len(WORDS), max_position_embeddings=512, eos_token_id=2
        ),
        image_token_index=WORDS.index("<image>"),
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        eos_token_id=2,
        pad_token_id=1,
    )
    return transformers.LlavaForConditionalGeneration(config).eval()


def given(eye, looked, row):
    """The inputs for a neuron, by the processor's own call rather than by messages."""
    (question,) = [one for at, one in eye._questions(looked) if at == row]
    text = f"{question.system}<image>{question.text} answer"
    return eye.processor(text=text, images=[question.grids[0]], return_tensors="pt")


@pytest.fixture(scope="module")
def taught():
    """A model that has learnt, from other pictures, to name what colour a grid has."""
    model = tiny().train()
    rng = np.random.default_rng(1)
    eye = slw.TransformersVLM(model, processor())
    batches = []
    for colour in range(3):
        pixels = rng.uniform(0, 90, (9, 16, 20, 3))
        pixels[..., colour] += 130
        shown = [Image.fromarray(one.astype(np.uint8)) for one in pixels]
        inputs = given(eye, Neurons([shown]), 0)
        answer = torch.tensor([[WORDS.index(COLOURS[colour]), WORDS.index("<end>")]])
        ids = torch.cat([inputs["input_ids"], answer], 1)
        labels = torch.cat([torch.full_like(inputs["input_ids"], -100), answer], 1)
        batches.append((ids, labels, inputs["pixel_values"]))
    ids, labels, pixels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    steps = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        loss = model(
            input_ids=ids,
            labels=labels,
            pixel_values=pixels,
            attention_mask=torch.ones_like(ids),
        ).loss
        if loss < 1e-3:
            break
        steps.zero_grad()
        loss.backward()
        steps.step()
    assert loss < 0.05
    return model.eval()


class Neurons:
    """Some neurons by themselves."""

    def __init__(self, pictures):
        self.pictures = pictures
        self.neurons = [("layer", row) for row in range(len(pictures))]
        self.answers = {}

    def example_pictures(self, row):
        return self.pictures[row]

    def contrast_pictures(self, row):
        return self.pictures[row]

    def tell(self, done, total):
        pass


def colours():
    return Neurons([[Image.new("RGB", (20, 16), name)] for name in ("red", "lime", "blue")])


def test_a_model_names_what_it_sees_and_is_asked_once(colour_lens, taught, monkeypatch):
    lens = colour_lens().run()
    eye = slw.TransformersVLM(taught, processor(), n=1)
    asked = []
    generate = taught.generate
    monkeypatch.setattr(taught, "generate", lambda **g: asked.append(1) or generate(**g))
    assert (eye.preview(lens).calls, eye.preview(lens).bytes_per_call) == (6, 0)
    assert not asked
    found = lens.label(eye, threshold=-np.inf)
    assert found["label"].tolist()[:3] == list(COLOURS)
    assert eye.report["candidates"].tolist()[:3] == [(colour,) for colour in COLOURS]
    assert len(asked) == 6
    again = colour_lens()
    assert again.label(slw.TransformersVLM(taught, processor(), n=1))["label"].notna().all()
    assert len(asked) == 6
    with torch.no_grad():
        taught.lm_head.weight[5, 0] += 1e-3  # another model
    assert eye.preview(lens).calls == 6
    with torch.no_grad():
        taught.lm_head.weight[5, 0] -= 1e-3


@pytest.mark.parametrize(
    ("seed", "expected"), [(0, "without text"), (1, "cut off after 100 tokens"), (7, "")]
)
def test_a_model_drawn_at_random_says_what_is_most_likely_word_by_word(seed, expected):
    looked, eye = colours(), slw.TransformersVLM(tiny(seed), processor(), n=5)
    with torch.no_grad():
        eye.model.lm_head.weight *= 20
    for row, (_, question) in enumerate(eye._questions(looked)):
        inputs = given(eye, looked, row)
        ids = inputs["input_ids"]
        for _ in range(100):  # without a cache, and without generate
            with torch.no_grad():
                logits = eye.model(
                    input_ids=ids,
                    pixel_values=inputs["pixel_values"],
                    attention_mask=torch.ones_like(ids),
                ).logits
            ids = torch.cat([ids, logits[:, -1:].argmax(-1)], 1)
            if ids[0, -1] == WORDS.index("<end>"):
                break
        words = [WORDS[token] for token in ids[0, inputs["input_ids"].shape[1] :]]
        said = eye._answer(question)
        assert expected in said.error
        if not expected:
            assert words.pop() == "<end>"
            assert said.text.split() == words
            assert len(set(words)) > 3


def test_both_grids_are_put_before_the_question(taught):
    looked = colours()
    eye = slw.TransformersVLM(taught, processor(), contrast=True)
    seen = []
    apply = eye.processor.apply_chat_template

    def watched(messages, **options):
        found = apply(messages, **options)
        seen.append(found)
        return found

    eye.processor.apply_chat_template = watched
    next(iter(eye._ask((one for _, one in eye._questions(looked)), lambda *_: None)))
    assert len(seen[0]["pixel_values"]) == 2
    tokens = [WORDS[token] for token in seen[0]["input_ids"][0]]
    assert tokens.count("<image>") == 2 * 5
    assert "lacks" in tokens


def test_an_answer_without_its_end_is_none(taught, monkeypatch):
    monkeypatch.setattr(local, "_MOST_TOKENS", 1)
    looked, eye = colours(), slw.TransformersVLM(taught, processor())
    with pytest.raises(slw.VlmUnavailable, match="cut off after 1 tokens"):
        eye.candidates(looked)
    assert looked.answers == {}


def test_a_folder_is_read_and_nothing_is_downloaded(taught, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    taught.save_pretrained(tmp_path / "model")
    processor().save_pretrained(tmp_path / "model")
    loaded = slw.TransformersVLM.load(tmp_path / "model", n=1)
    found = loaded.candidates(colours())
    assert found.of_neuron == {row: [name] for row, name in enumerate(COLOURS)}
    own = slw.TransformersVLM(taught, processor(), n=1)._identity()
    assert loaded._identity()["weights"] == own["weights"]
    for nowhere in (tmp_path / "none", str(tmp_path / "none"), "./none/model", "none"):
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            slw.TransformersVLM.load(nowhere)
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save(taught.state_dict(), tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        slw.TransformersVLM.load(tmp_path / "model")


def test_a_processor_must_know_how_to_put_a_question(taught):
    dumb = processor()
    dumb.chat_template = None
    with pytest.raises(ValueError, match="has no chat template"):
        slw.TransformersVLM(taught, dumb)
