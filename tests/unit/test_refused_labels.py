"""What labels, thresholds and files cannot be is refused, and what has no answer has none."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.labels.words import class_words
from tests.colour_world import TableFoundation, TableNet, numbered_images, to_tensor

NAMES = ["red", "green", "blue"]


@pytest.mark.parametrize("wrong", ["0.5", True, [0.5], torch.tensor(0.5), 1j, 10**400, np.nan])
def test_a_threshold_that_is_no_number_is_refused(colour_lens, wrong):
    lens = colour_lens().run()
    lens.label(NAMES, threshold=0.5)
    before = lens.neurons
    with pytest.raises((TypeError, ValueError), match=r"^threshold"):
        lens.label(NAMES, threshold=wrong)
    assert lens.neurons.equals(before)


def test_every_kind_of_number_is_a_threshold_and_is_kept(colour_lens):
    lens = colour_lens().run()
    expected = lens.label(NAMES, scorer="correlation", threshold=0.25)
    for same in (np.float32(0.25), np.float64(0.25), Fraction(1, 4)):
        assert lens.label(NAMES, scorer="correlation", threshold=same).equals(expected)
    assert slw.open(lens.store.path).neurons["margin"].equals(lens.neurons["margin"])


def test_numbers_beside_labels_are_checked(colour_lens):
    lens = colour_lens().run()
    lens.label(NAMES)
    for wrong in (2.5, True, "3"):
        with pytest.raises(ValueError, match=r"^resamples=.* whole number"):
            lens.trust(resamples=wrong)
        with pytest.raises(ValueError, match=r"^seed=.* whole number"):
            lens.intervals("seen", 0, NAMES, seed=wrong)
        with pytest.raises(ValueError, match=r"^top=.* whole number"):
            lens.search("red", top=wrong)
    with pytest.raises(ValueError, match=r"^seed="):
        lens.robustness([], seed="x")
    with pytest.raises(TypeError, match=r"^level="):
        lens.trust(level="a")
    with pytest.raises(TypeError, match=r"^score="):
        lens.set_label("seen", 0, "red", "x")
    for wrong in (1, "two\nlines", "\ud800"):
        with pytest.raises((TypeError, ValueError), match=r"^run="):
            lens.label(NAMES, run=wrong)
    with pytest.raises(TypeError, match=r"^candidates: .* got int"):
        lens.label(7)


def test_unknown_is_nobodys_label(colour_lens, tmp_path):
    """It is how a neuron without a label is called: as a label it would read as none."""
    lens = colour_lens().run()
    for name in ("unknown", " Unknown "):
        with pytest.raises(ValueError, match="neuron without a label"):
            lens.label([*NAMES, name])
        with pytest.raises(ValueError, match="neuron without a label"):
            lens.set_label("seen", 0, name)
        with pytest.raises(ValueError, match="neuron without a label"):
            lens.set_labels({("seen", 0): name})
    assert class_words(["red", "unknown", "Unknown"]) == ("red",)
    lens.label(NAMES, threshold=np.inf)
    lens.set_label("seen", 0, "crimson")
    lens.export_labels(tmp_path / "labels.csv")
    other = colour_lens(path=tmp_path / "other").run()
    assert other.import_labels(tmp_path / "labels.csv")["label"].tolist() == ["crimson"]
    assert other.neurons["source"].tolist() == ["person", *[""] * 6]


def test_odd_line_ends_in_labels_survive_a_file(colour_lens, tmp_path):
    odd = ["a\u2028b", "a\x85b", "a\x0bb", "a\x1cb", "two\nlines", "a\rb", "'=x"]
    lens = colour_lens().run()
    keys = list(zip(lens.neurons["layer"], lens.neurons["neuron"], strict=True))
    lens.set_labels(dict(zip(keys, odd, strict=True)))
    lens.export_labels(tmp_path / "labels.csv")
    other = colour_lens(path=tmp_path / "other").run()
    other.import_labels(tmp_path / "labels.csv")
    assert other.neurons["label"].tolist() == odd


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layer,neuron,label\nseen,0,dog, brown\n", "line 2: there is more than the first line"),
        ('layer,neuron,label\nseen,0,"dog\nseen,1,cat\n', "no CSV"),
        ("layer,neuron,label,label\nseen,0,dog,cat\n", "names 'label' twice"),
    ],
)
def test_a_file_that_would_lose_part_of_a_label_is_refused(colour_lens, tmp_path, text, said):
    lens = colour_lens().run()
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        lens.import_labels(tmp_path / "labels.csv")
    assert (lens.neurons["label"] == "").all()


def test_columns_left_empty_by_a_spreadsheet_are_nothing(colour_lens, tmp_path):
    lens = colour_lens().run()
    (tmp_path / "labels.csv").write_text("layer,neuron,label\nseen,0,dog,,\n", encoding="utf-8")
    assert lens.import_labels(tmp_path / "labels.csv")["label"].tolist() == ["dog"]


def test_a_set_of_candidates_has_one_order():
    code = "from semlens_widgets.labels.assign import check_candidates as c; "
    code += "print(c({'red', 'green', 'blue', 'grey'}))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert said == {"('blue', 'green', 'grey', 'red')"}


def test_without_any_pair_nothing_is_known(tmp_path):
    """All neurons are dead, or a person leaves out every example."""
    rng = np.random.default_rng(0)
    table = np.c_[-np.ones((40, 2))]
    images = slw.ImageDataset.from_list(numbered_images(40))
    foundation = TableFoundation(rng.normal(size=(40, 8)))
    for name, activations in (("dead", table), ("alive", rng.normal(size=(40, 2)))):
        target = slw.TargetModel(
            TableNet(activations), ["table"], transform=to_tensor, poles="positive"
        )
        path = tmp_path / name
        lens = slw.SemanticLens(target, images, foundation, path=path, n_examples=3).run()
        out = [] if name == "dead" else [0, 1, 2]
        for scorer in ("csp", "semanticlens", "difference"):
            found = lens.intervals("table", 0, NAMES, scorer=scorer, exclude=out, resamples=2)
            assert not found["known"].any()
            if name == "dead":
                labelled = lens.label(NAMES, scorer=scorer)
                assert (labelled["label"] == "unknown").all()
                assert not lens.trust(resamples=2)["known"].any()
