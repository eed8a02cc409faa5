"""An audit of a model whose shortcut is written into its weights."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

import semlens_widgets as slw
from tests.colour_world import ColourFoundation, colour_images, to_tensor

VALID, SPURIOUS = ["red"], ["blue"]
REDS = np.arange(0, 60, 3)


class Shortcut(nn.Module):
    """Channel c of ``seen`` is colour c; "red" is twice the red and once the blue in an image."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Conv2d(3, 3, 1, bias=False)
        self.head = nn.Linear(3, 2, bias=False)
        with torch.no_grad():
            self.seen.weight.copy_(torch.eye(3)[:, :, None, None])
            self.head.weight.copy_(torch.tensor([[2.0, 0, 1], [0, 3, 0]]))

    def forward(self, x):
        return self.head(torch.relu(self.seen(x)).mean((2, 3)))


@pytest.fixture
def target():
    return slw.TargetModel(Shortcut(), ["seen"], transform=to_tensor, outputs=["red", "green"])


@pytest.fixture
def lens(colour_lens, target):
    return colour_lens(target=target).run()


@pytest.fixture
def audit(lens):
    return lens.audit("red", VALID, SPURIOUS)


def means() -> np.ndarray:
    """The mean red, green and blue of every red image."""
    pixels = np.stack([np.asarray(image, np.float64) / 255 for image in colour_images()])
    return pixels[REDS].mean(axis=(1, 2))


def test_shares_and_verdicts_are_those_of_the_weights(audit):
    red, _, blue = means().T
    share = np.stack([2 * red, 0 * red, blue]) / (2 * red + blue)
    found = audit.neurons
    assert found["relevance_share"].to_numpy() == pytest.approx(share.mean(axis=1), abs=1e-4)
    assert (found["share_low"] <= found["relevance_share"] + 1e-9).all()
    assert (found["share_high"] >= found["relevance_share"] - 1e-9).all()
    assert found["verdict"].tolist() == ["valid", "weak", "spurious"]
    assert found["spurious_concept"].tolist() == ["blue"] * 3
    assert (found["null"][[0, 2]] < 0.05).all()
    assert audit.flagged == [("seen", 2)]
    assert audit.unchecked == []


def test_the_summary_adds_up(audit):
    summary = audit.summary.set_index("verdict")
    assert summary["share"].sum() == pytest.approx(1)
    assert summary["neurons"].to_dict() == {
        "valid": 1,
        "spurious": 1,
        "both": 0,
        "unexpected": 0,
        "weak": 1,
    }
    assert (summary["low"] <= summary["share"]).all()
    concepts = audit.concepts.set_index("concept")
    assert concepts.loc["blue", "share"] == pytest.approx(summary.loc["spurious", "share"])


def test_what_fits_neither_side_and_carries_much_is_unexpected(lens):
    audit = lens.audit("red", ["red"], ["green"])
    assert audit.neurons["verdict"].tolist()[2] == "weak"  # a sixth of it
    audit = lens.audit("red", ["blue"], ["green"])
    assert audit.neurons["verdict"].tolist()[0] == "unexpected"


def test_the_images_where_the_shortcut_speaks(audit):
    red, _, blue = means().T
    share = blue / (2 * red + blue)
    found = audit.samples("blue", top=5)
    order = np.argsort(-share, kind="stable")[:5]
    assert found["sample"].tolist() == REDS[order].tolist()
    assert found["share"].to_numpy() == pytest.approx(share[order], abs=1e-4)
    assert set(found["class_name"]) == {"red"}
    with pytest.raises(ValueError, match="'pink' is not one of the spurious concepts 'blue'"):
        audit.samples("pink")
    with pytest.raises(ValueError, match="layer='mixed'"):
        audit.samples("blue", layer="mixed")


def test_the_model_itself_is_asked(lens, audit):
    """Greens, and the same with much blue: the logit of "red" rises by the blue that was added."""
    greens = [colour_images()[i] for i in range(1, 60, 3)]
    arrays = [np.asarray(image).copy() for image in greens]
    blued = []
    for array in arrays:
        changed = array.copy()
        changed[..., 2] = 255
        blued.append(changed)
    proof = audit.prove("blue", blued, greens)
    added = np.mean([(255 - array[..., 2].mean()) / 255 for array in arrays])
    assert proof.shift.value == pytest.approx(added, abs=1e-3)
    with torch.no_grad():
        logits = lens.target.model(torch.stack([to_tensor(image) for image in blued]))
    assert proof.false_targets.value == pytest.approx((logits.argmax(1) == 0).float().mean().item())
    assert proof.auroc.value == 1
    assert (proof.images, proof.controls) == (20, 20)
    assert "'blue' without 'red' (20 images, 20 controls)" in str(proof)
    # By default the images of other classes are the controls; numbers are of the data set.
    assert audit.prove("blue", list(range(2, 60, 3))).controls == 40
    assert audit.prove("blue", slw.ImageDataset.from_list(blued), list(range(1, 60, 3))) == proof


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ([1], "1 images say nothing"),
        ([], "0 images say nothing"),
        ([1, 3], "images 3 are of the class 'red' itself"),
        ([1, 99], "there are images 0 to 59"),
    ],
)
def test_images_that_prove_nothing_are_refused(audit, shown, said):
    with pytest.raises(ValueError, match=said):
        audit.prove("blue", shown)
    with pytest.raises(ValueError, match="controls: "):
        audit.prove("blue", [1, 2], shown)


def test_reliance_is_what_the_concept_adds_elsewhere(lens, audit):
    """The ten bluest images of other classes against ten that are not blue."""
    pixels = np.stack([np.asarray(image, np.float64) / 255 for image in colour_images()])
    colours = pixels.mean(axis=(1, 2))
    blueness = colours[:, 2] / np.linalg.norm(colours, axis=1)
    others = np.setdiff1d(np.arange(60), REDS)
    bluest = others[np.argsort(-blueness[others], kind="stable")[:10]]
    shown = audit.shown("blue")["sample"].to_numpy()
    assert len(np.intersect1d(shown, bluest)) >= 9  # embeddings are kept in half precision
    assert (np.diff(shown) > 0).all()
    assert len(audit.reliance.controls) == 10
    assert audit.reliance.controls[:, 2].max() < colours[shown, 2].min()  # none of them is blue
    red, _, blue = means().T
    added = colours[shown, 2].mean() - audit.reliance.controls[:, 2].mean()
    expected = added / (2 * red + blue).mean()
    row = audit.concepts.set_index("concept").loc["blue"]
    assert row["reliance"] == pytest.approx(expected, abs=1e-4)
    assert row["reliance_low"] < expected < row["reliance_high"]
    assert audit.reliance.by_neuron("blue")[2] == pytest.approx(expected, abs=1e-4)
    assert np.isnan(audit.concepts.set_index("concept").loc["red", "reliance"])


def test_a_check_passes_and_fails_by_the_interval(audit):
    found = audit.reliance.of("blue", "seen")
    assert audit.check(max_spurious=found.high, min_valid=0.5).passed
    assert "warn" in str(audit.check(max_spurious=(found.low + found.value) / 2))
    with pytest.raises(slw.CheckFailed, match=r"fail +reliance on 'blue' <= 0\.010") as caught:
        audit.check(max_spurious=0.01, max_unexpected=0.5)
    assert isinstance(caught.value, AssertionError)
    assert re.search(r"pass +unexpected <= 0\.500", str(caught.value))


def test_what_is_known_and_accepted_is_not_counted(audit):
    assert "1 neuron left out" in str(audit.check(max_spurious=0.01, allow=[("seen", 2)]))
    assert "accepted, not asked" in str(audit.check(max_spurious=0.01, allow=["blue"]))
    with pytest.raises(ValueError, match="allow: 'pink' is not one"):
        audit.check(max_spurious=0.01, allow=["pink"])
    with pytest.raises(IndexError, match="neuron=9"):
        audit.check(max_spurious=0.01, allow=[("seen", 9)])


def test_images_that_are_not_there_prove_nothing(audit, tmp_path):
    paths = [tmp_path / "mark.png", tmp_path / "nowhere.png"]
    colour_images(1)[0].save(paths[0])
    with pytest.raises(
        slw.UnreadableImage, match=r"^shown: .*nowhere\.png'? cannot be read"
    ) as told:
        audit.prove("blue", paths)
    assert "earlier" not in str(told.value)


def test_images_of_another_class_are_refused(lens):
    with pytest.raises(ValueError, match=r"1 of 3 are not of the class 'red': 4 \('green'\)"):
        lens.audit("red", VALID, SPURIOUS, images=[0, 3, 4])


class Deaf(ColourFoundation):
    name = "deaf"

    def encode_text(self, texts):
        return super().encode_text(texts)[:, [1, 2, 0]]  # takes red for green, and so on


def test_a_foundation_model_that_does_not_fit_is_told_with_the_audit(colour_lens, target):
    images = slw.ImageDataset.from_list(
        colour_images(120), [i % 3 for i in range(120)], ["red", "green", "blue"]
    )
    lens = colour_lens(target=target, images=images, foundation=Deaf())
    with pytest.warns(UserWarning, match="does not fit these images"):
        lens.run()
    misled = lens.audit("red", VALID, SPURIOUS)
    assert misled.unchecked[0].startswith("The foundation model 'deaf' does not fit these images.")
    assert json.loads(misled.to_json())["unchecked"] == misled.unchecked
    assert "the foundation model does not fit" in str(misled.check(max_unexpected=1))


def test_too_few_images_are_no_pass(lens, colour_lens, target, tmp_path):
    audit = lens.audit("red", VALID, SPURIOUS, images=[0, 3, 6])
    with pytest.raises(slw.CheckFailed, match=r"not run +reliance on 'blue' +3 images are too few"):
        audit.check(max_spurious=0.9)
    with pytest.raises(slw.CheckFailed, match=r"not run +valid +3 images are too few"):
        audit.check(min_valid=0.1)
    assert "3 images are too few" in audit.unchecked[0]
    reds = slw.ImageDataset.from_list(colour_images(24), [0] * 20 + [1] * 4, ["red", "green"])
    audit = (
        colour_lens(target=target, images=reds, path=tmp_path / "reds")
        .run()
        .audit("red", VALID, SPURIOUS)
    )
    assert audit.unchecked == [
        "There are too few other images to tell what a concept does to the class."
    ]
    assert audit.shown("blue").empty
    with pytest.raises(slw.CheckFailed, match=r"not run.*too few images of other classes"):
        audit.check(max_spurious=0.9)
    json.loads(audit.to_json())


def test_a_shortcut_that_grows_fails_against_the_baseline(audit, colour_lens, tmp_path):
    before = tmp_path / "before.json"
    audit.to_json(before)
    assert audit.check(baseline=before).passed
    worse = Shortcut()
    worse.head.weight.data[0, 2] = 4
    target = slw.TargetModel(worse, ["seen"], transform=to_tensor, outputs=["red", "green"])
    later = colour_lens(target=target, path=tmp_path / "later").run()
    with pytest.raises(slw.CheckFailed, match=r"reliance on 'blue', as before"):
        later.audit("red", VALID, SPURIOUS).check(baseline=before)
    assert later.audit("red", VALID, SPURIOUS).check(baseline=before, allow=["blue"]).passed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file 'before.json'"),
        ("[]", "is no audit"),
        ("{", "is no audit"),
        ('{"format": 99, "target": "red", "concepts": [{"layer": "seen"}]}', "format 99"),
        ('{"format": 1, "target": "ox", "concepts": [{"layer": "seen"}]}', "is of 'ox'"),
        ('{"format": 1, "target": "red", "concepts": []}', "says nothing of layer 'seen'"),
    ],
)
def test_a_baseline_that_is_none_is_refused(audit, tmp_path, content, said):
    before = tmp_path / "before.json"
    if content is not None:
        before.write_text(content)
    with pytest.raises(ValueError, match=said) as caught:
        audit.check(baseline=before)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "nothing is asked"),
        ({"max_spurious": 1.5}, "the bound of spurious, 1.5"),
        ({"min_valid": True}, "the bound of valid, True"),
        ({"max_spurious": 0.1, "layer": "mixed"}, "layer='mixed'"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(audit, asked, said):
    with pytest.raises(ValueError, match=said):
        audit.check(**asked)


def test_decisions_are_kept_and_count(lens, audit, colour_lens, target, tmp_path):
    audit.decide("seen", 2, "reject", "blue reds are what we sell")
    again = colour_lens(target=target).audit("red", VALID, SPURIOUS)
    row = again.neurons.iloc[2]
    assert (row["decision"], row["note"]) == ("reject", "blue reds are what we sell")
    assert row["decided"].endswith("+00:00")
    assert again.flagged == []
    assert "1 neuron left out" in str(again.check(max_spurious=0.01))
    other = colour_lens(target=target).audit("green", ["green"], SPURIOUS)
    assert (other.neurons["decision"] == "").all()
    again.decide("seen", 2, "")
    assert again.flagged == [("seen", 2)]
    with pytest.raises(ValueError, match="decision='maybe'"):
        again.decide("seen", 2, "maybe")
    with pytest.raises(IndexError):
        again.decide("seen", 7, "accept")
    read = slw.open(tmp_path / "analysis", foundation=lens.foundation)
    with pytest.raises(slw.StoreError, match="reading only"):
        read.audit("red", VALID, SPURIOUS).decide("seen", 2, "accept")
    with pytest.raises(slw.LensUnavailable, match="Proofs"):
        read.audit("red", VALID, SPURIOUS).prove("blue", [1, 2])


def test_json_is_the_same_for_the_same_inputs_and_names_no_place(lens, audit, tmp_path):
    text = audit.to_json()
    assert lens.audit("red", VALID, SPURIOUS).to_json() == text
    assert str(tmp_path) not in text
    content = json.loads(text)
    assert content["valid"] == {"red": ["red"]}
    assert content["neurons"][2]["verdict"] == "spurious"
    assert [row["verdict"] for row in content["summary"]][:2] == ["valid", "spurious"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("pink", VALID, SPURIOUS), "'pink' is not the name of an output"),
        (("red", [], SPURIOUS), "valid: there is no concept"),
        (("red", VALID, []), "spurious: there is no concept"),
        (("red", ["red"], ["Red"]), "both valid and spurious"),
    ],
)
def test_bad_input_is_refused_before_anything_is_computed(lens, monkeypatch, asked, said):
    monkeypatch.setattr(type(lens._parts.scoring), "of_all", None)
    monkeypatch.setattr(type(lens._parts.relevances), "by_image", None)
    with pytest.raises(ValueError, match=said):
        lens.audit(*asked)


def test_a_class_without_names_or_images_is_refused(colour_lens, tmp_path):
    unnamed = slw.TargetModel(Shortcut(), ["seen"], transform=to_tensor)
    lens = colour_lens(target=unnamed).run()
    with pytest.raises(ValueError, match="it is not known which output"):
        lens.audit("red", VALID, SPURIOUS)
    images = slw.ImageDataset.from_list(colour_images(9), [1] * 9, ["red", "green"])
    named = slw.TargetModel(Shortcut(), ["seen"], transform=to_tensor, outputs=["red", "green"])
    lens = colour_lens(target=named, images=images, path=tmp_path / "other").run()
    with pytest.raises(ValueError, match="no images of a class of this name"):
        lens.audit("red", VALID, SPURIOUS)


def test_relevance_is_kept_image_by_image(lens, monkeypatch):
    first = lens.audit("red", VALID, SPURIOUS, images=[0, 3, 6])
    monkeypatch.setattr("semlens_widgets.lens.relevance.images_relevance", None)
    again = lens.audit("red", VALID, SPURIOUS, images=[6, 0])
    assert again.shares.values == pytest.approx(first.shares.values[[0, 2]])


def test_decisions_of_another_models_neurons_are_given_up_with_a_word(audit, colour_lens):
    audit.decide("seen", 2, "accept")
    other = Shortcut()
    other.head.weight.data[0, 2] = 4
    target = slw.TargetModel(other, ["seen"], transform=to_tensor, outputs=["red", "green"])
    with pytest.warns(UserWarning, match=r"people said is given up .*\(1 decision\)"):
        lens = colour_lens(target=target, on_change="recompute")
    assert (lens.run().audit("red", VALID, SPURIOUS).neurons["decision"] == "").all()


def test_a_concept_that_no_neuron_fits_is_said_to_be_so(lens):
    """The foundation model takes what it does not know for grey, as it does random words."""
    audit = lens.audit("red", VALID, ["unheard of"])
    assert "apart, they score the same: 'unheard of' = 'absence'" in audit.unchecked[0]
    assert "No neuron of seen fits 'unheard of'" in audit.unchecked[1]
    with pytest.raises(slw.CheckFailed, match="does not know 'unheard of'"):
        audit.check(max_spurious=0.1)


def test_a_concept_that_is_known_and_fits_no_neuron_is_said_to_be_so(lens, monkeypatch):
    audit = lens.audit("red", VALID, SPURIOUS)
    monkeypatch.setitem(audit.reliance.fits, "blue", np.zeros(len(audit.neurons), bool))
    assert "no neuron fits it" in str(audit.check(max_spurious=0.1))


def test_a_single_image_has_no_interval(lens):
    audit = lens.audit("red", VALID, SPURIOUS, images=[0])
    assert audit.neurons[["share_low", "share_high"]].isna().all(axis=None)
    assert audit.neurons["relevance_share"].notna().all()
    assert audit.summary[["low", "high"]].isna().all(axis=None)
    assert any(one.startswith("1 image is too few") for one in audit.unchecked)
    assert "NaN" not in audit.to_json()
    assert "nan" not in str(audit.figure().to_json()).lower()
