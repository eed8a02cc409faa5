"""Contrasts that a function makes: accepted only below the level, asked for again, noticed."""

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import semlens_widgets as slw
from semlens_widgets.demo.contrasts import CHANGES, changes
from semlens_widgets.demo.world import CONCEPTS, concepts
from semlens_widgets.errors import StoreError
from semlens_widgets.labels.contrasts.generator import Block
from tests.colour_world import ColourNet, to_tensor


def darker(request):
    """Half as bright with each attempt; nothing at the first."""
    if request.attempt == 0:
        return None
    return Image.fromarray(np.asarray(request.picture) // 2**request.attempt)


def same(request):
    return request.picture


@pytest.fixture
def seen_lens(colour_lens):
    """A lens on the layer whose neurons are quiet in the dark."""
    target = slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor)
    return lambda **changes: colour_lens(target=target, **changes)


def test_the_first_picture_below_the_level_is_kept(seen_lens):
    lens = seen_lens(contrasts=slw.Synthesise(darker)).run()
    for neuron in range(3):
        level = lens.activations("seen")[:, neuron].astype(np.float64).mean()
        for row in lens.examples("seen", neuron).itertuples():
            before = np.asarray(lens.images.load(row.sample))
            tries = [before // 2**attempt for attempt in range(1, 8)]
            means = [one[..., neuron].mean() / 255 for one in tries]
            at = next(i for i, mean in enumerate(means) if mean < level)
            assert np.array_equal(np.asarray(lens.original(row.contrast_sample)), tries[at])
            assert row.contrast_origin == "made"
            assert np.isnan(row.changed)
            assert row.contrast_activation == pytest.approx(means[at], abs=1e-6)


def test_what_stays_loud_is_not_accepted_and_counted(colour_lens):
    asked = []

    def loud(request):
        asked.append((request.layer, request.neuron, request.rank, request.attempt))
        assert request.activation >= request.level
        return request.picture

    with pytest.warns(UserWarning, match=r"(\d+) of \1 concept examples that activate"):
        lens = colour_lens(contrasts=slw.Synthesise(loud, tries=3)).run()
    assert lens.examples("seen", 0)["contrast_sample"].eq(-1).all()
    mine = [one for one in asked if one[:2] == ("seen", 0)]
    assert sorted(mine) == [("seen", 0, rank, at) for rank in range(6) for at in range(3)]


def test_another_maker_is_noticed(seen_lens):
    lens = seen_lens(contrasts=slw.Synthesise(darker)).run()
    again = seen_lens(contrasts=slw.Synthesise(darker))
    assert again.store.is_finished("contrasts")
    for other in (slw.Synthesise(same), slw.Synthesise(darker, tries=9)):
        with pytest.raises(StoreError, match="contrasts: recorded"):
            seen_lens(contrasts=other)
    assert lens.store.settings["contrasts"]["make"].startswith("darker ")


def test_what_is_no_picture_is_refused(colour_lens):
    lens = colour_lens(contrasts=slw.Synthesise(lambda request: np.asarray(request.picture)))
    with pytest.raises(TypeError, match="make returned a ndarray for attempt 0"):
        lens.run()


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"make": "stable diffusion"}, TypeError, "make is a str"),
        ({"make": same, "tries": 0}, ValueError, "tries=0"),
        ({"make": same, "tries": 2.5}, ValueError, "tries=2.5"),
        ({"make": same, "below": "none"}, ValueError, "below='none'"),
    ],
)
def test_nonsense_is_refused(settings, error, said):
    with pytest.raises(error, match=said):
        slw.Synthesise(**settings)


# -- a pipeline of diffusers -----------------------------------------------------------------------


class Pipeline:
    """What a pipeline of diffusers is called with, and how it answers."""

    def __init__(self):
        self.calls = []

    def __call__(self, prompt, image=None, strength=None, generator=None, **options):
        self.calls.append((prompt, strength, generator.initial_seed(), options))
        if image is None:
            return SimpleNamespace(images=[Image.new("RGB", (20, 16))])
        pixels = np.asarray(image) * (1 - strength)
        return SimpleNamespace(images=[Image.fromarray(pixels.astype(np.uint8))])


def test_a_pipeline_redraws_more_with_each_attempt(seen_lens):
    pipeline = Pipeline()
    maker = slw.Diffusion(
        pipeline, "a/model", "a photo", (0.1, 0.3, 0.9), seed=5, options={"guidance_scale": 2.0}
    )
    lens = seen_lens(contrasts=slw.Synthesise(maker)).run()
    assert lens.examples("seen", 1)["contrast_origin"].eq("made").all()
    told = {strength: seed for _, strength, seed, _ in pipeline.calls}
    assert told == {0.1: 5, 0.3: 6, 0.9: 7}
    assert {prompt for prompt, *_ in pipeline.calls} == {"a photo"}
    assert all(options == {"guidance_scale": 2.0} for *_, options in pipeline.calls)
    # A pipeline changes while it works; its name and settings stand for it.
    assert seen_lens(contrasts=slw.Synthesise(maker)).store.is_finished("contrasts")
    other = slw.Diffusion(Pipeline(), "another/model", "a photo")
    with pytest.raises(StoreError, match="contrasts: recorded"):
        seen_lens(contrasts=slw.Synthesise(other))


def test_a_pipeline_from_text_alone_gets_no_picture():
    pipeline = Pipeline()
    maker = slw.Diffusion(pipeline, "a/model", "a beach", strengths=())
    request = slw.Request(Image.new("RGB", (4, 4)), 0, "layer", 0, 0, 1.0, 0.5, attempt=3)
    assert maker(request).size == (20, 16)
    assert pipeline.calls == [("a beach", None, 3, {})]


@pytest.mark.parametrize("strengths", [(0.0,), (0.5, 1.5)])
def test_strengths_out_of_range_are_refused(strengths):
    with pytest.raises(ValueError, match="strengths="):
        slw.Diffusion(Pipeline(), "a/model", "", strengths)


# -- the renderer ----------------------------------------------------------------------------------


def differing(one, other):
    """Fields of two scenes that are not the same."""
    return [f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name)]


@pytest.mark.parametrize("sample", range(6))
def test_exactly_one_attribute_is_changed_the_smallest_change_first(sample):
    images = slw.demo.scene_images(6, artefact_probability=0.4)
    scene = images.scenes[sample]
    offered = changes(scene, 64)
    assert len(offered) == len(set(offered)) == CHANGES == 31
    for other in offered:
        (field,) = differing(scene, other)
        flipped = [CONCEPTS[at] for at in np.flatnonzero(concepts(scene) != concepts(other))]
        assert field != "seed"
        assert len(flipped) == (1 if field == "artefacts" else 2)
    before = np.asarray(images[sample][0]).astype(float)
    distances = [np.abs(slw.demo.render(other) - before).mean() for other in offered]
    assert distances == sorted(distances)


def test_the_maker_draws_the_scene_that_quietens_and_no_earlier_one():
    images = slw.demo.scene_images(80)
    target = slw.TargetModel(
        slw.demo.classifier(), ["layer4"], transform=slw.demo.preprocess, outputs=slw.demo.CLASSES
    )

    def units(pictures):
        with torch.no_grad():
            return target.units(torch.stack([slw.demo.preprocess(one) for one in pictures]))

    activations = units([images[at][0] for at in range(80)])["layer4"][:, :2]
    block = Block(
        layer="layer4",
        neurons=range(2),
        activations=activations,
        images=torch.zeros(80, 4),
        examples=activations.topk(3, dim=0).indices.T,
        anchors=None,
        picture=lambda sample: images[sample][0],
        respond=lambda pictures, neurons: units(pictures)["layer4"][
            torch.arange(len(pictures)), torch.tensor(neurons)
        ],
        relevance=list,
        layer_activations=lambda: activations,
    )
    maker = slw.demo.one_attribute_changed(images)
    found = slw.Synthesise(maker, tries=CHANGES).contrasts(block)
    assert len(found.pictures) >= 4
    levels = activations.double().mean(0)
    for (neuron, rank), picture in found.pictures.items():
        scene = images.scenes[int(block.examples[neuron, rank])]
        drawn = [Image.fromarray(slw.demo.render(other)) for other in changes(scene, 64)]
        quiet = units(drawn)["layer4"][:, neuron] < levels[neuron]
        first = int(quiet.nonzero()[0])
        assert np.array_equal(np.asarray(picture.image), np.asarray(drawn[first]))
        assert picture.origin == "made"
    assert maker(slw.Request(images[0][0], 0, "layer4", 0, 0, 1.0, 0.5, attempt=CHANGES)) is None
