"""The scene world: pictures follow from their scenes, and words are true of them."""

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from semlens_widgets import demo
from semlens_widgets.demo.captions import OFF_WORLD, off_world_captions
from semlens_widgets.demo.images import SCENES, SceneImages
from semlens_widgets.demo.pool import render_pool
from semlens_widgets.demo.world import (
    ARTEFACTS,
    ATTRIBUTES,
    BACKGROUNDS,
    COLOURS,
    SHAPES,
    TEXTURES,
    Scene,
    concept_matrix,
    concept_slice,
)

PLAIN = Scene("circle", "plain", "red", "sky", "large", seed=3)
TEXTURE_WORDS = {
    "plain": ("no pattern", "solid colour"),
    "striped": ("stripes", "bands"),
    "dotted": ("dots", "spots"),
    "checkered": ("checks",),
    "speckled": ("speckles", "grain"),
}


def scenes(count: int, seed: int = 0, artefact_probability: float = 0.3) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [demo.sample_scene(rng, artefact_probability) for _ in range(count)]


def changed(before: Scene, after: Scene, tolerance: int = 1) -> np.ndarray:
    """Tell which pixels differ by more than rounding."""
    difference = demo.render(before).astype(int) - demo.render(after)
    return np.abs(difference).max(2) > tolerance


def test_importing_the_demo_does_not_import_torch():
    code = (
        "import sys; from semlens_widgets import demo; demo.scene_images(2)[0];"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_exists():
    assert all(getattr(demo, name) is not None for name in demo.__all__)


def test_pictures_are_rgb_of_the_size_asked_for():
    for size in (16, 64, 97):
        picture = demo.render(PLAIN, size)
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8


def test_a_scene_always_looks_the_same():
    for scene in scenes(20):
        np.testing.assert_array_equal(demo.render(scene), demo.render(replace(scene)))


def test_another_process_draws_the_same():
    drawn = scenes(20)
    apart = render_pool(drawn, demo.render, workers=2)
    here = np.stack([demo.render(scene).transpose(2, 0, 1) for scene in drawn])
    np.testing.assert_array_equal(apart, here)


def test_another_seed_looks_different():
    assert changed(PLAIN, replace(PLAIN, seed=4)).mean() > 0.2


def from_afar(scene: Scene, size: int) -> np.ndarray:
    """Render at some size and look from where the finest noise cannot be seen."""
    picture = Image.fromarray(demo.render(scene, size))
    return np.asarray(picture.resize((32, 32), Image.Resampling.BOX)).astype(float)


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("texture", TEXTURES)
def test_a_scene_looks_the_same_at_every_size(background, texture):
    for index, shape in enumerate(SHAPES):
        scene = Scene(shape, texture, COLOURS[index], background, "large", seed=index)
        small, large = from_afar(scene, 64), from_afar(scene, 192)
        another = from_afar(replace(scene, seed=index + 100), 64)
        assert np.abs(small - large).mean() < 5  # of 255
        assert np.abs(small - large).mean() < np.abs(small - another).mean() / 3


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_artefacts_look_the_same_at_every_size(artefact):
    for seed in range(5):
        scene = replace(PLAIN, seed=seed, artefacts=(artefact,))
        assert np.abs(from_afar(scene, 64) - from_afar(scene, 192)).mean() < 5


@pytest.mark.parametrize(
    ("attribute", "values"), [("texture", TEXTURES), ("colour", COLOURS), ("shape", SHAPES)]
)
def test_changing_the_object_leaves_the_ground_alone(attribute, values):
    scene = replace(PLAIN, size="small")
    for value in values[1:]:
        difference = changed(scene, replace(scene, **{attribute: value}))
        assert 0 < difference.mean() < 0.4
        rows, columns = np.nonzero(difference)  # all within the object's square and its shadow
        assert max(np.ptp(rows), np.ptp(columns)) < 48


def test_changing_the_texture_leaves_the_outline_alone():
    ground = replace(PLAIN, background="grass")
    for shape in SHAPES:
        plain = replace(ground, shape=shape)
        silhouette = changed(plain, replace(plain, colour="blue"), tolerance=12)
        for texture in TEXTURES[1:]:
            inside = changed(plain, replace(plain, texture=texture), tolerance=12)
            assert not (inside & ~silhouette).any()


def test_changing_the_ground_leaves_the_object_alone():
    silhouette = changed(PLAIN, replace(PLAIN, colour="blue"), tolerance=40)
    for background in BACKGROUNDS[1:]:
        difference = changed(PLAIN, replace(PLAIN, background=background))
        assert difference[~silhouette].mean() > 0.8
        assert difference[silhouette].mean() < 0.15  # the anti-aliased edge


@pytest.mark.parametrize("artefact", ["watermark", "timestamp"])
def test_writing_changes_only_the_pixels_it_covers(artefact):
    for scene in scenes(10, artefact_probability=0.0):
        assert 0 < changed(scene, scene.with_artefact(artefact)).mean() < 0.4


def test_artefacts_do_not_disturb_each_other():
    both = replace(PLAIN, artefacts=("watermark", "timestamp"))
    stamp = changed(PLAIN, PLAIN.with_artefact("timestamp"))
    removed = changed(both, both.without_artefact("timestamp"))
    assert not (removed & ~stamp).any()


def test_every_value_has_a_look_of_its_own():
    for attribute, values in ATTRIBUTES.items():
        pictures = [demo.render(replace(PLAIN, **{attribute: value})) for value in values]
        assert len({picture.tobytes() for picture in pictures}) == len(values)


def test_scenes_refuse_what_the_world_does_not_have():
    with pytest.raises(ValueError, match="shape must be one of"):
        replace(PLAIN, shape="hexagon")
    with pytest.raises(ValueError, match="artefacts must be among"):
        PLAIN.with_artefact("scratch")


def test_artefacts_are_kept_in_order_and_once():
    scene = replace(PLAIN, artefacts=("ruler", "watermark", "ruler"))
    assert scene.artefacts == ("watermark", "ruler")
    assert scene.without_artefact("ruler") == PLAIN.with_artefact("watermark")


def test_concepts_are_what_the_scene_says():
    for scene in scenes(50):
        present = {demo.CONCEPTS[index] for index in np.flatnonzero(demo.concepts(scene))}
        values = {getattr(scene, attribute) for attribute in ATTRIBUTES}
        assert present == values | set(scene.artefacts)


def test_attributes_and_artefacts_share_out_the_concepts():
    names = [*ATTRIBUTES, "artefacts"]
    columns = [i for name in names for i in range(len(demo.CONCEPTS))[concept_slice(name)]]
    assert columns == list(range(len(demo.CONCEPTS)))


def test_class_names_match_class_indices():
    assert len(set(demo.CLASSES)) == 40
    assert all(demo.CLASSES[scene.class_index] == scene.class_name for scene in scenes(50))


def test_sampling_covers_the_world_evenly():
    share = concept_matrix(scenes(4000)).mean(0)
    for attribute, values in ATTRIBUTES.items():
        np.testing.assert_allclose(share[concept_slice(attribute)], 1 / len(values), atol=0.03)
    np.testing.assert_allclose(share[concept_slice("artefacts")], 0.3, atol=0.03)


def test_no_word_belongs_to_two_concepts():
    words = [word for synonyms in demo.SYNONYMS.values() for word in synonyms]
    assert len(words) == len(set(words))
    assert all(words[0] == concept for concept, words in demo.SYNONYMS.items())


def test_captions_are_true_and_say_what_they_require():
    rng = np.random.default_rng(1)
    for scene in scenes(3000):
        text, requirement = demo.caption(scene, rng)
        assert not (requirement & ~demo.concepts(scene)).any(), text
        for index in np.flatnonzero(requirement):
            concept = demo.CONCEPTS[index]
            stems = [*demo.SYNONYMS[concept], *TEXTURE_WORDS.get(concept, ())]
            assert any(stem in text for stem in stems), (text, concept)


def test_captions_reach_every_concept():
    rng = np.random.default_rng(2)
    said = np.any([demo.caption(scene, rng)[1] for scene in scenes(2000)], axis=0)
    assert said.all()


def test_descriptions_name_everything():
    for scene in scenes(100):
        text = demo.describe(scene)
        for index in np.flatnonzero(demo.concepts(scene)):
            assert demo.CONCEPTS[index] in text


def test_distractors_are_foreign_to_the_world_and_to_training():
    world = {part for words in demo.SYNONYMS.values() for word in words for part in word.split()}
    assert not world & {*demo.DISTRACTORS, *OFF_WORLD}
    assert not set(demo.DISTRACTORS) & set(OFF_WORLD)
    assert len(set(demo.DISTRACTORS)) == len(demo.DISTRACTORS) >= 60


def test_off_world_captions_name_foreign_things():
    captions = off_world_captions(np.random.default_rng(0), 24)
    assert len(captions) == 24
    assert all(caption.split()[-1] in OFF_WORLD for caption in captions)


def test_the_vocabulary_holds_every_name_once():
    vocabulary = demo.vocabulary()
    assert len(vocabulary) == len(set(vocabulary))
    assert {*demo.CONCEPTS, *demo.DISTRACTORS} <= set(vocabulary)


def test_scene_images_are_a_data_set_with_its_truth():
    images = demo.scene_images(30)
    picture, label = images[-1]
    assert len(images) == 30
    assert picture.size == (64, 64)
    assert picture.mode == "RGB"
    assert label == images.targets[29]
    assert images.classes[label] == images.scenes[29].class_name
    np.testing.assert_array_equal(images.concepts[7], demo.concepts(images.scenes[7]))
    assert len(list(images)) == 30
    assert images[5:8].scenes == images.scenes[5:8]


def test_a_picture_is_drawn_once_and_handed_out_anew(monkeypatch):
    drawn = []
    real = demo.render
    spied = replace(SCENES, draw=lambda *given: drawn.append(given) or real(*given))
    monkeypatch.setattr(SceneImages, "world", spied)
    images = demo.scene_images(4)
    first, _ = images[-1]
    first.paste((0, 0, 0), (0, 0, 64, 64))  # what a reader does to its copy stays with it
    again, label = images[3]
    np.testing.assert_array_equal(again, real(images.scenes[3]))
    assert label == images.targets[3]
    assert len(drawn) == 1
    apart = pickle.loads(pickle.dumps(images))  # noqa: S301
    assert apart.scenes == images.scenes
    assert len(pickle.dumps(images)) == len(pickle.dumps(demo.scene_images(4)))


def test_more_scene_images_begin_with_the_same_ones():
    assert demo.scene_images(40).scenes[:20] == demo.scene_images(20).scenes


def test_watermarks_are_independent_of_the_class_in_scene_images():
    images = demo.scene_images(5000)
    marked = images.concepts[:, demo.CONCEPTS.index("watermark")]
    planted = np.array(images.targets) == demo.CLASSES.index(demo.SHORTCUT_CLASS)
    assert marked.mean() == pytest.approx(0.12, abs=0.02)
    assert marked[planted].mean() == pytest.approx(0.12, abs=0.08)
