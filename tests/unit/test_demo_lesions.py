"""The lesion world: pictures follow from their lesions, and words are true of them."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from semlens_widgets import demo
from semlens_widgets.demo.captions import DISTRACTORS
from semlens_widgets.demo.drawing import render as render_scene
from semlens_widgets.demo.skin.captions import (
    OFF_WORLD,
    SYNONYMS,
    all_words,
    caption,
    describe,
    vocabulary,
)
from semlens_widgets.demo.skin.drawing import extent, render
from semlens_widgets.demo.skin.world import (
    ARTEFACTS,
    ATTRIBUTES,
    CLASSES,
    CONCEPTS,
    RULE,
    SIGN_PROBABILITY,
    SIGNS,
    STRUCTURES,
    Lesion,
    concept_matrix,
    concepts,
    sample_lesion,
)

PLAIN = Lesion("symmetric", "regular border", "single colour", "large diameter", seed=3)
SEEDS = range(12)
INSIDE = ("several colours", "pigment network", "globules", "blue-white veil", "regression")


def lesions(count: int, seed: int = 0, artefact_probability: float = 0.3) -> list[Lesion]:
    rng = np.random.default_rng(seed)
    return [sample_lesion(rng, artefact_probability) for _ in range(count)]


def changed(before: Lesion, after: Lesion, tolerance: int = 2) -> np.ndarray:
    """Tell which pixels differ by more than rounding."""
    difference = render(before).astype(int) - render(after)
    return np.abs(difference).max(2) > tolerance


def from_afar(lesion: Lesion, size: int) -> np.ndarray:
    """Render at some size and look from where the finest noise cannot be seen."""
    picture = Image.fromarray(render(lesion, size))
    return np.asarray(picture.resize((32, 32), Image.Resampling.BOX)).astype(float)


def outline(lesion: Lesion) -> np.ndarray:
    return extent(lesion, 96) > 0.5


# -- pictures --------------------------------------------------------------------------------------


def test_drawing_lesions_does_not_import_torch():
    code = (
        "import sys; from semlens_widgets import demo; demo.lesion_images(2)[0];"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_lesion_always_looks_the_same_and_another_seed_does_not():
    for lesion in lesions(20):
        np.testing.assert_array_equal(render(lesion), render(replace(lesion)))
    assert changed(PLAIN, replace(PLAIN, seed=4)).mean() > 0.2


def test_pictures_are_rgb_of_the_size_asked_for_and_look_the_same():
    for index, lesion in enumerate(lesions(30)):
        assert render(lesion, 97).shape == (97, 97, 3)
        small, large = from_afar(lesion, 64), from_afar(lesion, 192)
        another = from_afar(replace(lesion, seed=index + 100), 64)
        assert np.abs(small - large).mean() < 6  # of 255
        assert np.abs(small - large).mean() < np.abs(small - another).mean() / 2


@pytest.mark.parametrize("feature", INSIDE)
@pytest.mark.parametrize("diameter", ATTRIBUTES["diameter"])
def test_what_lies_in_the_lesion_leaves_the_skin_alone(feature, diameter):
    for seed in SEEDS:
        lesion = replace(PLAIN, seed=seed, diameter=diameter)
        difference = changed(lesion, lesion.with_feature(feature))
        assert difference.any()
        assert not (difference & (extent(lesion) == 0)).any()


def test_streaks_lie_around_the_outline():
    y, x = np.mgrid[:64, :64]
    for seed in SEEDS:
        lesion = replace(PLAIN, seed=seed)
        body = extent(lesion) > 0.5
        middle, radius = np.argwhere(body).mean(0), np.sqrt(body.sum() / np.pi)
        away = np.hypot(y - middle[0], x - middle[1]) / radius
        difference = changed(lesion, lesion.with_feature("streaks"))
        assert (difference & (away > 1)).any()
        assert 0.6 < away[difference].min() < away[difference].max() < 1.9


def test_changing_the_shape_leaves_the_skin_far_from_it_alone():
    for seed in SEEDS:
        lesion = replace(PLAIN, seed=seed)
        for sign in ("asymmetric", "irregular border"):
            other = lesion.with_feature(sign)
            far = (extent(lesion) == 0) & (extent(other) == 0)
            assert not (changed(lesion, other) & far).any()


def test_an_artefact_changes_only_its_part():
    y, x = (np.mgrid[:64, :64] + 0.5) / 32 - 1
    edge, away = 1 - np.maximum(np.abs(x), np.abs(y)), np.hypot(x, y)
    for seed in SEEDS:
        lesion = replace(PLAIN, seed=seed)
        body = extent(lesion)
        difference = {name: changed(lesion, lesion.with_artefact(name)) for name in ARTEFACTS}
        assert all(pixels.mean() > 0.005 for pixels in difference.values())
        assert edge[difference["ruler"]].max() < 0.26
        assert away[difference["vignette"]].min() > 0.9
        assert not (difference["ink"] & (body > 0.5)).any()  # it is drawn around
        assert not (difference["red skin"] & (body > 0.97)).any()  # it lies below
        assert difference["red skin"][body == 0].mean() > 0.99
        assert away[difference["band-aid"]].min() > 0.6
        assert 0.05 < difference["hair"].mean() < 0.6


def test_artefacts_do_not_disturb_each_other():
    for first, second in (("ruler", "hair"), ("ink", "ruler"), ("vignette", "ink")):
        both = replace(PLAIN, artefacts=(first, second))
        alone = changed(PLAIN, PLAIN.with_artefact(second))
        assert not (changed(both, both.without_artefact(second)) & ~alone).any()


def test_asymmetry_is_what_turning_the_outline_by_half_shows():
    """How much of the outline and of itself turned about its centre are in common."""

    def overlap(lesion: Lesion) -> float:
        body = outline(lesion)
        rows, columns = np.nonzero(body)
        turned = np.zeros((192, 192), bool)
        centre = 48 + np.round(2 * np.array([rows.mean(), columns.mean()])).astype(int)
        turned[centre[0] - rows, centre[1] - columns] = True
        whole = np.pad(body, 48)
        return (whole & turned).sum() / (whole | turned).sum()

    twins = [replace(PLAIN, seed=seed) for seed in SEEDS]
    before = np.array([overlap(lesion) for lesion in twins])
    after = np.array([overlap(lesion.with_feature("asymmetric")) for lesion in twins])
    assert before.min() > 0.9
    assert (after < before).all()
    assert (1 - after).mean() > 3 * (1 - before).mean()


def test_an_irregular_border_is_longer_for_the_same_area():
    def length(lesion: Lesion) -> float:
        body = np.pad(outline(lesion), 1).astype(int)
        steps = np.abs(np.diff(body, axis=0)).sum() + np.abs(np.diff(body, axis=1)).sum()
        return float(steps / np.sqrt(body.sum()))

    for seed in SEEDS:
        for lesion in (
            replace(PLAIN, seed=seed),
            replace(PLAIN, seed=seed, asymmetry="asymmetric"),
        ):
            assert length(lesion.with_feature("irregular border")) > 1.1 * length(lesion)


def test_several_colours_spread_and_a_large_diameter_covers_more():
    for seed in SEEDS:
        lesion = replace(PLAIN, seed=seed)
        within = extent(lesion) > 0.9
        spread = [
            render(one)[within].std(0).mean()
            for one in (lesion, lesion.with_feature("several colours"))
        ]
        assert spread[1] > 2 * spread[0]
        small = lesion.with_feature("large diameter", shown=False)
        assert outline(lesion).sum() > 1.9 * outline(small).sum()


# -- truth -----------------------------------------------------------------------------------------


def test_the_diagnosis_counts_signs():
    for lesion in lesions(300):
        shows = concepts(lesion)
        count = sum(bool(shows[CONCEPTS.index(sign)]) for sign in SIGNS)
        assert lesion.class_name == ("melanoma" if count >= 3 else "nevus")
        assert shows[CONCEPTS.index(lesion.class_name)]
        assert CLASSES[lesion.class_index] == lesion.class_name
        shown = {*lesion.features, *lesion.artefacts, lesion.class_name}
        assert {CONCEPTS[at] for at in np.flatnonzero(shows)} == shown


def test_one_sign_more_or_less_is_all_that_changes():
    for lesion in lesions(50):
        for feature in (*SIGNS, *STRUCTURES):
            shown, hidden = (lesion.with_feature(feature, shown=some) for some in (True, False))
            assert lesion in {shown, hidden}
            names = set(shown.features) ^ set(hidden.features)
            assert feature in names
            assert len(names) == (1 if feature in STRUCTURES else 2)


def test_signs_and_artefacts_are_independent_and_as_frequent_as_said():
    shown = concept_matrix(lesions(6000))
    share = dict(zip(CONCEPTS, shown.mean(0), strict=True))
    for name in (*SIGNS, *STRUCTURES):
        assert share[name] == pytest.approx(SIGN_PROBABILITY, abs=0.03)
    for name in ARTEFACTS:
        assert share[name] == pytest.approx(0.3, abs=0.03)
    # Seven signs, three or more: the binomial distribution.
    p, few = SIGN_PROBABILITY, 0.0
    for count, ways in enumerate((1, 7, 21)):
        few += ways * p**count * (1 - p) ** (7 - count)
    assert share["melanoma"] == pytest.approx(1 - few, abs=0.03)
    columns = [CONCEPTS.index(name) for name in (*SIGNS, *ARTEFACTS)]
    together = np.corrcoef(shown[:, columns].T)
    assert np.abs(together - np.eye(len(columns))).max() < 0.06


def test_an_audit_is_told_all_signs_and_no_others():
    assert sorted(word for words in RULE.values() for word in words) == sorted(SIGNS)


def test_lesions_refuse_what_the_world_does_not_have():
    with pytest.raises(ValueError, match="border must be one of"):
        replace(PLAIN, border="blurred")
    with pytest.raises(ValueError, match="structures must be among"):
        replace(PLAIN, structures=("dots",))
    with pytest.raises(ValueError, match="artefacts must be among"):
        PLAIN.with_artefact("watermark")
    with pytest.raises(ValueError, match="'symmetric' is none of"):
        PLAIN.with_feature("symmetric")


def test_lesion_images_are_a_data_set_with_its_truth():
    images = demo.lesion_images(30)
    picture, label = images[-1]
    assert picture.size == (64, 64)
    assert images.classes[label] == images.lesions[29].class_name
    np.testing.assert_array_equal(images.concepts[7], concepts(images.lesions[7]))
    assert images[5:8].lesions == demo.lesion_images(40).lesions[5:8]
    assert render_scene is not render


def test_annotations_say_of_every_word_which_pictures_show_it():
    images = demo.lesion_images(60)
    table = demo.annotate(images)
    for name in CONCEPTS:
        for word in SYNONYMS[name]:
            assert table[word].tolist() == [name in _shown(one) for one in images.lesions]


def _shown(lesion: Lesion) -> set[str]:
    return {lesion.class_name, *lesion.features, *lesion.artefacts}


# -- words -----------------------------------------------------------------------------------------


def test_no_word_belongs_to_two_concepts():
    assert set(SYNONYMS) == set(CONCEPTS)
    words = [word for synonyms in SYNONYMS.values() for word in synonyms]
    assert len(words) == len(set(words))
    assert all(words[0] == concept for concept, words in SYNONYMS.items())


def test_captions_are_true_and_say_what_they_require():
    rng = np.random.default_rng(1)
    said = np.zeros(len(CONCEPTS), bool)
    for lesion in lesions(3000):
        text, requirement = caption(lesion, rng)
        assert not (requirement & ~concepts(lesion)).any(), text
        for index in np.flatnonzero(requirement):
            assert any(word in text for word in SYNONYMS[CONCEPTS[index]]), text
        said |= requirement
    assert said.all()


def test_descriptions_name_everything():
    for lesion in lesions(100):
        assert all(name in describe(lesion) for name in _shown(lesion))


def test_the_vocabulary_holds_every_name_once_and_nothing_foreign_is_true():
    assert len(vocabulary()) == len(set(vocabulary()))
    assert {*CONCEPTS, *DISTRACTORS} == set(vocabulary())
    world = {part for words in SYNONYMS.values() for word in words for part in word.split()}
    assert not world & {*DISTRACTORS, *OFF_WORLD}
    assert set(vocabulary()) <= set(all_words())
