"""Labels that must stay and labels that must go, in a world where it is known which is which."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import semlens_widgets as slw
from semlens_widgets.analysis.robustness import averaged, labels_kept, vectors_kept
from semlens_widgets.errors import LensUnavailable, UnreadableImage
from semlens_widgets.inputs.changed import CHANGES, ChangedImages
from semlens_widgets.labels.scorers import SCORERS
from tests.colour_world import ColourFoundation, to_tensor

COLOURS = ["red", "green", "blue"]
SIDE = 32
#: Too faint and too fine for a JPEG of quality 50.
CHECKS = 5 * (1 - 2 * (np.indices((SIDE, SIDE)).sum(0) % 2))[..., None]


class Artefact(nn.Module):
    """Neuron 0: how red. Neuron 1: a fine pattern, and a little of blue. Neuron 2: dead."""

    def __init__(self):
        super().__init__()
        self.seen = nn.Identity()
        self.calls = 0
        self.register_buffer("checks", torch.from_numpy(np.sign(CHECKS[..., 0])).float())

    def forward(self, x):
        self.calls += 1
        fine = (x.mean(1) * self.checks).mean((1, 2)).abs()
        red, _, blue = x.mean((2, 3)).T
        return self.seen(torch.stack([red, 50 * fine + blue, 0 * red], dim=1))


def plain(n=60, seed=0):
    """Images of one colour each; the green ones have the pattern."""
    rng = np.random.default_rng(seed)
    images = []
    for i in range(n):
        pixels = np.full((SIDE, SIDE, 3), 40.0) + rng.integers(0, 20, 3)
        pixels[..., i % 3] += 80 + rng.integers(0, 40)
        pixels += CHECKS * (i % 3 == 1)
        images.append(Image.fromarray(pixels.astype(np.uint8)))
    return images


@pytest.fixture
def model():
    return Artefact()


@pytest.fixture
def lens(colour_lens, model):
    found = colour_lens(
        target=slw.TargetModel(model, ["seen"], transform=to_tensor, name="artefact"),
        images=slw.ImageDataset.from_list(plain()),
    ).run()
    found.label(COLOURS, scorer="correlation")
    return found


def nothing(image, _lots):
    return image


def test_a_neuron_of_an_artefact_flips_and_one_of_colour_stays(lens):
    assert lens.neurons["label"].tolist()[:2] == ["red", "green"]
    found = lens.robustness(["jpeg", "brightness", "shift"]).neurons
    assert found["jpeg_becomes"].tolist()[:2] == ["red", "blue"]
    assert found["jpeg_label"].tolist()[:2] == [1, 0]
    assert found["jpeg_cosine"][0] > 0.99
    assert found["jpeg_cosine"][1] < 0.8  # from green to blue
    for change in ("brightness", "shift"):  # neither takes the pattern away
        assert found[f"{change}_label"].tolist()[:2] == [1, 1]
        assert (found[f"{change}_cosine"][:2] > 0.99).all()
    for half in ("half", "halves"):
        assert found[f"{half}_label"].tolist()[:2] == [1, 1]


def test_dead_neurons_are_not_judged(lens):
    found = lens.robustness(["jpeg"])
    assert found.neurons.filter(regex="label_|_label|_cosine").iloc[2].isna().all()
    assert (found.summary["neurons"] == 2).all()
    assert "1 of 3 neurons are dead; they were not judged." in found.said


def test_no_change_changes_nothing_to_the_last_digit(lens):
    found = lens.robustness({"nothing": nothing}, halves=0).neurons
    assert found["nothing_becomes"].tolist() == lens.neurons["label"].tolist()
    assert found["nothing_label"].tolist()[:2] == [1, 1]
    np.testing.assert_allclose(found["nothing_cosine"][:2], 1, atol=1e-6)


def test_a_table_of_formulas(lens):
    """The cosine after a JPEG, computed image by image."""
    found = lens.robustness(["jpeg"], halves=0).neurons
    images = [CHANGES["jpeg"](one, np.random.default_rng(0)) for one in plain()]
    inputs = torch.stack([to_tensor(one) for one in images])
    values = Artefact()(inputs).numpy()
    means = np.stack([np.asarray(one).mean((0, 1)) for one in images])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    after = np.stack([means[np.argsort(-values[:, k], kind="stable")[:6]].mean(0) for k in (0, 1)])
    before = lens.store.matrix("vectors", "vector")[:2].astype(float)
    cosine = before @ after.T
    cosine /= np.linalg.norm(before, axis=1)[:, None] * np.linalg.norm(after, axis=1)
    np.testing.assert_allclose(found["jpeg_cosine"][:2], np.diag(cosine), atol=2e-3)
    np.testing.assert_allclose(found["jpeg_cosine_random"][:2], cosine.mean(0), atol=2e-3)
    # Of two neurons, shuffled, each keeps its label half of the time or never.
    assert found["jpeg_label_random"].tolist()[:2] == [0.5, 0]


@pytest.mark.parametrize("scorer", SCORERS)
def test_labels_are_chosen_as_label_chooses_them(colour_lens, scorer):
    lens = colour_lens().run()
    lens.label([*COLOURS, "grey"], scorer=scorer, threshold=-100)  # a bar for each and every one
    found = lens.robustness({"nothing": nothing}, halves=1)
    assert found.neurons["label"].tolist() == lens.neurons["label"].tolist()
    assert found.neurons["nothing_becomes"].tolist() == lens.neurons["label"].tolist()
    assert not any("labels in force" in said for said in found.said)


def test_labels_of_noise_are_no_better_kept_than_by_chance(colour_lens):
    """Planted truth: what neurons do has nothing to do with the images."""

    class Lots(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = nn.Identity()

        def forward(self, x):
            at = (x[:, 0, 0, 0] * 255).round().long() + 256 * (x[:, 1, 0, 0] * 255).round().long()
            rows = [np.random.default_rng(int(one)).random(64) for one in at]
            return self.seen(torch.from_numpy(np.stack(rows)).float())

    rng = np.random.default_rng(1)
    images = []
    for i in range(300):
        pixels = np.full((16, 16, 3), rng.integers(0, 256, 3), np.uint8)
        pixels[0, 0] = i % 256, i // 256, 0  # its number
        images.append(Image.fromarray(pixels))
    lens = colour_lens(
        target=slw.TargetModel(Lots(), ["seen"], transform=to_tensor, name="lots"),
        images=slw.ImageDataset.from_list(images),
    ).run()
    lens.label(COLOURS, threshold=0)
    found = lens.robustness([]).neurons
    for measure, by_chance in (("halves", True), ("half", False)):
        over = found[f"{measure}_label"] - found[f"{measure}_label_random"]
        errors = over.mean() / over.sem()
        assert (abs(errors) < 3) == by_chance  # a half is part of all images, and agrees with them


def test_chance_is_what_permutations_reach():
    before, after = np.array([0, 0, 1, -1, 2]), np.array([0, 1, 1, 2, -1])
    found = labels_kept(before, after, [slice(0, 5)])
    np.testing.assert_array_equal(found.own, [1, 0, 1, np.nan, 0])
    known = [0, 1, 2, 4]
    dealt = np.array([[before[known[to]] for to in order] for order in permutations(range(4))])
    np.testing.assert_allclose(found.random[known], (dealt == after[known]).mean(0))
    rng = np.random.default_rng(0)
    one, other = (rng.normal(size=(4, 3)) for _ in range(2))
    cosines = vectors_kept(one, other, np.array([True, True, False, True]), [slice(0, 4)])
    known = [0, 1, 3]
    dealt = np.array([[one[known[to]] for to in order] for order in permutations(range(3))])
    np.testing.assert_allclose(cosines.random[known], (dealt * other[known]).sum(2).mean(0))
    np.testing.assert_allclose(cosines.own[known], (one * other).sum(1)[known])
    assert np.isnan(cosines.own[2])
    assert np.isnan(cosines.random[2])


def test_an_average_is_over_what_is_known():
    first = labels_kept(np.array([0, -1, -1]), np.array([0, 1, 1]), [slice(0, 3)])
    second = labels_kept(np.array([0, 1, -1]), np.array([1, 1, 1]), [slice(0, 3)])
    np.testing.assert_array_equal(averaged([first, second]).own, [0.5, 1, np.nan])


def test_the_same_seed_gives_the_same(lens):
    one, same, other = (lens.robustness(["noise"], seed=seed).neurons for seed in (3, 3, 4))
    assert one.equals(same)
    assert not one.equals(other)


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_small_and_the_same_each_time(name):
    images = slw.ImageDataset.from_list([one.resize((40, 24)) for one in plain(9)])
    changed = ChangedImages(images, [4, 7], CHANGES[name], seed=1)
    again = ChangedImages(images, [7], CHANGES[name], seed=1)
    assert changed.uris == [images.uris[4], images.uris[7]]
    assert changed.load(1).tobytes() == again.load(0).tobytes()
    for at, sample in enumerate((4, 7)):
        was, now = (
            np.asarray(one).astype(float) for one in (images.load(sample), changed.load(at))
        )
        assert was.shape == now.shape
        assert 0 < np.abs(was - now).mean() < 40


def test_noise_differs_from_image_to_image():
    grey = slw.ImageDataset.from_list([Image.new("RGB", (8, 8), (128, 128, 128))] * 2)
    one, other = (ChangedImages(grey, [0, 1], CHANGES["noise"]).load(at) for at in (0, 1))
    assert one.tobytes() != other.tobytes()


def test_fewer_images_are_said_to_be_fewer(lens):
    found = lens.robustness([], most=30)
    assert "By 30 of 60 images." in found.said


def test_what_a_person_said_is_said_to_be_another_label(lens):
    lens.set_label("seen", 0, "blood")
    found = lens.robustness([], halves=1)
    assert found.neurons["label"][0] == "red"
    assert any(said.startswith("1 of 3 labels in force are not") for said in found.said)


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        (["jpg"], {}, "unknown 'jpg'; did you mean 'jpeg'"),
        ("jpeg", {}, r"a list: \['jpeg'\]"),
        ([], {"halves": 0}, "Nothing to ask"),
        (["jpeg"], {"most": 5, "halves": 0}, "fewer than the 6 examples"),
        (["jpeg"], {"most": 11}, "A half of the 11 images would be fewer than the 6 examples"),
        (["jpeg"], {"halves": -1}, "halves=-1"),
        (["jpeg"], {"most": 2.5}, r"most=2\.5"),
        ({"half": nothing}, {}, "cannot be a change's name"),
        ({"mine": "jpeg"}, {}, r"changes\['mine'\] is no function"),
        ({"mine": lambda image: image}, {}, r"changes\['mine'\] fails on"),
        ({"mine": lambda image, _lots: np.asarray(image)}, {}, "not ndarray"),
        ({"mine": lambda image, _lots: image.convert("L")}, {}, "not L"),
    ],
)
def test_what_makes_no_sense_is_said_before_a_model_is_asked(lens, model, changes, options, said):
    model.calls = 0
    with pytest.raises((ValueError, TypeError), match=said):
        lens.robustness(changes, **options)
    assert model.calls == 0


def test_without_labels_there_is_nothing_to_judge(colour_lens):
    with pytest.raises(ValueError, match="call label"):
        colour_lens().run().robustness()


def test_without_the_model_halves_can_still_be_asked(lens):
    opened = slw.open(lens.store.path, foundation=ColourFoundation())
    assert opened.robustness([]).neurons["halves_label"].tolist()[:2] == [1, 1]
    with pytest.raises(LensUnavailable, match="Changed images"):
        opened.robustness()
    with pytest.raises(LensUnavailable):
        slw.open(lens.store.path).robustness([])


def test_an_image_that_is_gone_is_named(lens, monkeypatch):
    real = slw.ImageDataset.load

    def load(self, i):
        if i == 7:
            raise UnreadableImage("'image-000007': it is gone.")
        return real(self, i)

    monkeypatch.setattr(slw.ImageDataset, "load", load)
    with pytest.raises(UnreadableImage, match=r"image-000007.*Nothing was judged"):
        lens.robustness(["jpeg"])
