"""Whether a foundation model fits images: each measure by a formula, verdicts, and what is said."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import semlens_widgets as slw
from semlens_widgets.analysis.domain import (
    CHANCE,
    GOOD,
    effective_rank,
    mean_cosines,
    of_classes,
    of_copies,
    of_texts,
)
from tests.colour_world import COLOURS, ColourFoundation, colour_images

NAMES = ["red", "green", "blue"]


class Deaf(ColourFoundation):
    """Names of colours have lost their order: each means the next one."""

    name = "deaf"

    def encode_text(self, texts):
        following = dict(zip(COLOURS, [*list(COLOURS)[1:3], "red", "grey"], strict=True))
        return super().encode_text([following.get(text, text) for text in texts])


def units(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=generator), dim=-1).numpy()


def test_mean_cosine_is_that_of_pairs_of_different_vectors():
    vectors = units(7, 5).astype(np.float64)
    pairs = [vectors[i] @ vectors[j] for i in range(7) for j in range(7) if i != j]
    assert mean_cosines(vectors, np.ones((1, 7)))[0] == pytest.approx(np.mean(pairs))
    drawn = np.array([[2, 0, 3, 1, 1, 0, 0]])
    again = np.repeat(np.arange(7), drawn[0])
    pairs = [vectors[i] @ vectors[j] for i in again for j in again if i != j]
    taken = sum(1 for i in again for j in again if i != j)
    # Copies of one image are no pair.
    assert mean_cosines(vectors, drawn)[0] == pytest.approx(sum(pairs) / taken)


@pytest.mark.parametrize("directions", [1, 4, 9])
def test_effective_rank_counts_directions_of_equal_variance(directions):
    axes = np.eye(12)[:directions]
    assert effective_rank(np.concatenate([axes, -axes])) == pytest.approx(directions)


def test_class_names_are_judged_beside_the_names_of_other_classes():
    labels = np.arange(200) % 5
    images = normalize(torch.eye(8)[torch.from_numpy(labels)] + torch.from_numpy(units(200, 8)))
    images, texts = images.numpy(), np.eye(8, dtype=np.float32)[:5]
    area, hits = of_classes(images, texts, labels)
    mine = []
    for name in range(5):
        similar = images @ texts[name]
        own, other = similar[labels == name], similar[labels != name]
        mine.append(((own[:, None] > other) + 0.5 * (own[:, None] == other)).mean())
    assert area.value == pytest.approx(np.mean(mine))
    assert area.verdict == GOOD
    assert hits.value == pytest.approx(((images @ texts.T).argmax(1) == labels).mean())
    assert hits.value > hits.chance
    moved, _ = of_classes(images, np.roll(texts, 1, axis=0), labels)
    assert moved.verdict == CHANCE
    assert moved.value <= moved.chance < area.value


def test_a_hub_is_the_text_that_most_images_are_nearest_to():
    images, texts = units(120, 16), units(12, 16, seed=1)
    found = {one.name: one.value for one in of_texts(images, texts)}
    nearest = np.bincount((images @ texts.T).argmax(1), minlength=12)
    assert found["largest_hub"] == pytest.approx(nearest.max() / 120)
    centred = nearest - nearest.mean()
    skewness = (centred**3).mean() / (centred**2).mean() ** 1.5
    assert found["image_to_text_hubness"] == pytest.approx(skewness)
    shifted = images + 3 * texts[3]
    shifted /= np.linalg.norm(shifted, axis=1, keepdims=True)
    assert {one.name: one.value for one in of_texts(shifted, texts)}["largest_hub"] == 1


def test_copies_are_found_where_they_are_the_nearest():
    images = units(120, 16)
    of = np.arange(0, 120, 3)
    assert of_copies(images[of], images, of).value == 1
    assert of_copies(images[of], images, of + 1).value == 0


def test_a_model_that_knows_the_images_fits_and_says_so():
    images = slw.ImageDataset.from_list(colour_images(120), [i % 3 for i in range(120)], NAMES)
    check = slw.domain_check(ColourFoundation(), images)
    assert check.ok
    assert check["class_auroc"] == 1
    assert check["zero_shot"] == 1
    assert "Class names tell their classes" in repr(check)


def test_a_model_whose_names_mean_other_things_does_not_fit():
    images = slw.ImageDataset.from_list(colour_images(120), [i % 3 for i in range(120)], NAMES)
    check = slw.domain_check(Deaf(), images)
    assert not check.ok
    assert check["zero_shot"] == 0
    assert any("no better than chance" in one for one in check.said)


def test_what_could_not_be_asked_is_said():
    bare = slw.domain_check(ColourFoundation(), colour_images(120))
    assert bare.ok
    assert any("only a gross failure" in one for one in bare.said)
    numbers = slw.ImageDataset.from_list(colour_images(120), [i % 3 for i in range(120)])
    assert any("no words" in one for one in slw.domain_check(ColourFoundation(), numbers).said)
    with pytest.raises(KeyError, match="class_auroc"):
        bare["class_auroc"]


def test_bad_input_is_refused_by_name():
    images = slw.ImageDataset.from_list(colour_images(60), [i % 3 for i in range(60)], NAMES)
    with pytest.raises(ValueError, match="texts holds 2 names"):
        slw.domain_check(ColourFoundation(), images, ["red", "green"])
    with pytest.raises(TypeError, match="texts must be a list"):
        slw.domain_check(ColourFoundation(), images, "red")
    with pytest.raises(ValueError, match="10 or more"):
        slw.domain_check(ColourFoundation(), colour_images(4))


def test_a_run_warns_once_and_the_lens_goes_on_saying_it(colour_lens):
    images = slw.ImageDataset.from_list(colour_images(120), [i % 3 for i in range(120)], NAMES)
    lens = colour_lens(images=images, foundation=Deaf())
    with pytest.warns(UserWarning, match="does not fit these images") as told:
        lens.run()
    assert len(told) == 1
    assert told[0].filename == __file__
    lens.run()  # says it no more: a warning would be an error
    assert "does not fit" in repr(lens)
    assert "does not fit" in repr(slw.open(lens.store.path))
    assert not lens.domain_check().ok
    alone = slw.open(lens.store.path).domain_check()
    assert any("could not be asked" in one for one in alone.said)


def test_a_run_with_a_model_that_fits_warns_of_nothing(colour_lens):
    images = slw.ImageDataset.from_list(colour_images(120), [i % 3 for i in range(120)], NAMES)
    lens = colour_lens(images=images).run()
    assert "fit" not in repr(lens)
    assert lens.store.stages["domain"]["ok"]
    assert lens.domain_check()["copies_found"] >= 0
