"""What a lens cannot use, its folder, views and arguments, is refused in words."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from traitlets import TraitError

import semlens_widgets as slw
from semlens_widgets.errors import LensUnavailable, ModelError, StoreError
from semlens_widgets.store.manifest import Manifest
from tests.colour_world import ColourNet, colour_images, to_tensor

# -- the caller's modes --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["autocast", "inference", "no_grad"])
def test_results_are_the_same_in_whatever_mode_the_caller_is(colour_lens, tmp_path, mode):
    entered = {
        "autocast": lambda: torch.autocast("cpu"),
        "inference": torch.inference_mode,
        "no_grad": torch.no_grad,
    }[mode]
    plain = colour_lens(path=tmp_path / "plain").run()
    with entered():
        lens = colour_lens(path=tmp_path / mode).run()
        heatmap = lens.heatmap("mixed", 0, 0)
        relevance = lens.relevance("red")
        found = lens.search(("mixed", 1))
    assert np.array_equal(lens.activations("mixed", 0), plain.activations("mixed", 0))
    assert np.array_equal(lens.vectors, plain.vectors)
    assert np.array_equal(heatmap.values, plain.heatmap("mixed", 0, 0).values)
    assert relevance.equals(plain.relevance("red"))
    assert found["score"].tolist() == plain.search(("mixed", 1))["score"].tolist()


# -- folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"stages": {"collect": {"layers": {"a": "6"}}}},
        {"stages": {"collect": {"layers": {"a": 0}}}},
        {"stages": {"examples": {"ranks": 0}}},
        {"stages": {"examples": {"ranks": True}}},
        {"doubts": {"pictures": "abc"}},
        {"doubts": {"pictures": ["a"]}},
    ],
)
def test_a_manifest_of_wrong_numbers_is_damaged(tmp_path, change):
    content = {"schema_version": 2, "settings": {}, "stages": {}} | change
    (tmp_path / "analysis.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match="is damaged"):
        Manifest(tmp_path)


def test_a_stage_that_is_missing_is_named(colour_lens, tmp_path):
    lens = colour_lens(path=tmp_path / "a").run()
    file = tmp_path / "a" / "analysis.json"
    content = json.loads(file.read_text())
    del content["stages"]["classes"]
    file.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=r"'classes' is missing.*Call run\(\) first"):
        slw.open(lens.store.path).neurons  # noqa: B018
    del content["settings"]["examples_by"]
    file.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="does not say what the analysis was made with"):
        slw.open(lens.store.path)


def test_what_cannot_be_pickled_says_what_to_hand_on(colour_lens):
    lens = colour_lens().run()
    with pytest.raises(StoreError, match="Hand on its path"):
        pickle.dumps(lens.store)
    with pytest.raises(LensUnavailable, match="cannot be pickled"):
        pickle.dumps(lens.map())


def test_a_failing_check_inside_a_model_names_the_images(colour_lens):
    class Strict(ColourNet):
        def forward(self, x):
            if x.shape[-1] != 224:
                raise AssertionError(f"Input width {x.shape[-1]} is not the model's 224")
            return super().forward(x)

    target = slw.TargetModel(Strict(), ["seen"], transform=to_tensor)
    with pytest.raises(ModelError, match=r"fails on 'image-000000'.*is not the model's 224"):
        colour_lens(target=target).run()


def test_an_open_lens_takes_nothing_from_an_analysis_of_other_inputs(colour_lens, tmp_path):
    lens = colour_lens(path=tmp_path / "a").run()
    reader = slw.open(tmp_path / "a")
    assert len(reader.neurons) == 7
    colour_lens(path=tmp_path / "a", n_examples=4, on_change="recompute").run()
    for read in (lambda: reader.vectors, lambda: reader.search(("seen", 0)), lens.run):
        with pytest.raises(StoreError, match="Make the lens anew"):
            read()
    assert repr(reader).startswith("SemanticLens(ColourNet; ")


def test_a_folder_that_is_gone_is_named(colour_lens, tmp_path):
    lens = colour_lens(path=tmp_path / "a").run()
    shutil.rmtree(tmp_path / "a")
    for use in (lens.run, lambda: lens.heatmap("seen", 0, 0), lambda: lens.label(["red", "blue"])):
        with pytest.raises(StoreError, match="is gone"):
            use()
    assert repr(lens).startswith("SemanticLens(ColourNet; ")


# -- views and arguments -------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [10**400, float("nan"), "x", True + 1j])
def test_bounds_that_are_no_numbers(colour_lens, bound):
    view = colour_lens().run().map()
    with pytest.raises(TraitError, match="clarity"):
        view.filter = {"clarity": (bound, None)}
    assert view.filter == {}


@pytest.mark.parametrize("neuron", [float("inf"), 1.7, float("nan"), None])
def test_neurons_that_are_no_whole_numbers(colour_lens, neuron):
    lens = colour_lens().run()
    with pytest.raises(TraitError, match="a neuron"):
        lens.map(active=("seen", neuron))
    with pytest.raises(TypeError, match="must be a whole number"):
        lens.examples("seen", neuron)
    assert lens.map(active=("seen", np.int64(1))).active == ("seen", 1)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"map": 5}, "must be a dictionary, not int"),
        ([1], "state must be a dictionary"),
        ({"map": {"filter": 5}}, "must be a dictionary"),
        ({"selection": ["a"]}, "row numbers"),
        ({"selection": [-1]}, "row numbers"),
        ({"selection": 5}, "row numbers"),
    ],
)
def test_a_state_of_another_kind(colour_lens, state, words):
    with pytest.raises(ValueError, match=words):
        colour_lens().run().explore(state=state)


def test_options_of_panels_that_would_be_taken_literally(colour_lens):
    lens = colour_lens().run()
    with pytest.raises(TypeError, match=r"must be a list: \['red'\]"):
        lens.contrast("seen", 0, candidates="red")
    with pytest.raises(TraitError, match="threshold must lie between 0 and 1, not NaN"):
        lens.gallery("seen", 0, threshold=float("nan"))


def test_arguments_of_another_kind(colour_lens, tmp_path):
    for changes, words in [
        ({"target": ColourNet()}, "give TargetModel"),
        ({"images": colour_images()}, "give an ImageDataset"),
        ({"foundation": "ViT-B-32"}, "give a foundation model"),
        ({"n_examples": "3"}, "n_examples='3' must be a whole number"),
        ({"batch_size": 1.5}, "batch_size=1.5 must be a whole number"),
    ]:
        with pytest.raises(TypeError, match=words):
            colour_lens(**changes)
    lens = colour_lens().run()
    with pytest.raises(TypeError, match="give a foundation model"):
        slw.open(lens.store.path, foundation="ViT-B-32")
