"""A model that really learns, followed through its training, against the truth of its world."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.models import checkpoint_file
from semlens_widgets.demo.truth import MEANING

LAYERS = ("layer3", "layer4")
PASSES = 4
NAMES = (*demo.CONCEPTS, *demo.CLASSES)


@pytest.fixture(scope="module")
def through(training, tmp_path_factory):
    pictures = slw.ImageDataset.from_dataset(demo.scene_images(600))
    folder = tmp_path_factory.mktemp("through training")
    lenses = {}
    for step, target in demo.checkpoints(training, layers=LAYERS).items():
        lens = slw.SemanticLens(
            target, pictures, demo.foundation(), path=folder / step, n_examples=15
        ).run()
        lens.label(list(MEANING), threshold=-np.inf)
        lenses[step] = lens
    return slw.evolution(lenses)


@pytest.fixture(scope="module")
def truth(through):
    """By step the AUROC of each neuron for each of `NAMES`, ``(neurons, names)``."""
    pictures = demo.scene_images(600)
    kinds = np.eye(len(demo.CLASSES), dtype=bool)[pictures.targets]
    shows = np.concatenate([pictures.concepts, kinds], axis=1)
    return {
        step: auroc(np.concatenate([lens.activations(one) for one in LAYERS], axis=1), shows)
        for step, lens in through.lenses.items()
    }


def test_a_training_leaves_a_checkpoint_of_every_pass(training, through):
    assert through.steps == tuple(f"epoch {number}" for number in range(PASSES + 1))
    states = [load_file(training / checkpoint_file(number)) for number in range(PASSES + 1)]
    end = load_file(training / "end.safetensors")
    assert all(torch.equal(end[name], states[-1][name]) for name in end)
    for before, after in pairwise(states):
        assert any(not torch.equal(before[name], after[name]) for name in before)
    with pytest.raises(FileNotFoundError, match="no checkpoints"):
        demo.checkpoints(training.parent / "elsewhere")


def test_neurons_come_to_tell_apart_what_is_taught(truth):
    """The best neuron for each of the forty classes, which are what the model is taught."""
    best = [one[:, len(demo.CONCEPTS) :].max(axis=0).mean() for one in truth.values()]
    print(f"\nbest neuron of each class, mean AUROC by epoch: {np.round(best, 3)}")
    assert (best[0], best[-1]) == (min(best), max(best))


def test_neurons_become_clearer_and_settle(through):
    summary = through.summary()
    print("\n" + summary.round(3).to_string(index=False))
    for layer in LAYERS:
        own = summary[summary["layer"] == layer]
        assert own["clarity"].iloc[-1] > own["clarity"].iloc[0]
        for settles in ("moved", "labels_changed"):
            assert own[settles].iloc[-1] < own[settles].iloc[1]


def test_labels_grow_truer_after_the_first_pass_and_name_more_of_what_is_taught(through, truth):
    """Random weights see colours, and labels say so truly: it is no rise from there."""
    table = through.neurons
    rows = []
    for step, measured in truth.items():
        labels = table.loc[table["step"] == step, "label"]
        columns = [NAMES.index(MEANING[label]) for label in labels]
        true = measured[np.arange(len(labels)), columns]
        kinds = np.array([MEANING[label] in demo.CLASSES for label in labels])
        for layer in LAYERS:
            own = (table.loc[table["step"] == step, "layer"] == layer).to_numpy()
            rows.append((layer, step, true[own].mean(), kinds[own].mean()))
    frame = pd.DataFrame(rows, columns=["layer", "step", "auroc", "names a class"])
    print("\n" + frame.round(3).to_string(index=False))
    # Of an early stage the last pass may be no better than the first: how a machine rounds decides.
    last = frame[frame["layer"] == LAYERS[-1]].set_index("step")["auroc"]
    for one in (last, frame.groupby("step")["auroc"].mean()):
        assert one[f"epoch {PASSES}"] > one["epoch 1"]
    for layer in LAYERS:
        own = frame[frame["layer"] == layer].set_index("step")
        assert own["names a class"][f"epoch {PASSES}"] > own["names a class"]["epoch 0"]
