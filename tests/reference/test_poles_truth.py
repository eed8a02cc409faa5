"""What labels of negative poles are worth: the embedded classifier in front of its rectifiers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.images import SceneImages
from semlens_widgets.demo.truth import annotate
from semlens_widgets.demo.world import sample_scene

LAYERS = ("layer3.1.bn1", "layer4.0.bn1")
PICTURES = 2000


def pictures(seed):
    rng = np.random.default_rng(seed)
    return SceneImages([sample_scene(rng) for _ in range(PICTURES)])


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Neurons by ``poles``, with how true their label is on other pictures, and every word's."""
    others = pictures(7)
    shows = annotate(others)
    words = list(shows.columns)
    inputs = torch.stack([demo.preprocess(picture) for picture, _ in others])
    found = {}
    for poles in ("both", "positive"):
        target = slw.TargetModel(
            demo.classifier(), LAYERS, transform=demo.preprocess, outputs=demo.CLASSES, poles=poles
        )
        images = slw.ImageDataset.from_dataset(pictures(1))
        path = tmp_path_factory.mktemp(poles)
        lens = slw.SemanticLens(target, images, demo.foundation(), path=path).run()
        lens.label(words)
        units = [torch.cat([*target.units(some).values()], 1) for some in inputs.split(100)]
        every = auroc(torch.cat(units).numpy(), shows.to_numpy())
        frame = lens.neurons
        # 0.5, which is chance, for neurons that no word fits better than it fits shuffled ones.
        known = {word: at for at, word in enumerate(words)}
        given = frame["label"].map(known)
        rows = np.arange(len(frame))
        frame["true"] = np.where(given.isna(), 0.5, every[rows, given.fillna(0).astype(int)])
        frame["best"] = every.max(axis=1)
        frame["pole"] = np.where(frame["name"].str.endswith("-"), "-", "+")
        found[poles] = frame, pd.DataFrame(every, columns=words)
        told = frame.assign(above=frame["score"] > frame["chance"]).groupby(["layer", "pole"])
        print(f"\npoles={poles!r}\n{told[['true', 'best', 'above', 'dead']].mean().round(3)}")
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_labels_of_negative_poles_are_true(judged, layer):
    frame, every = judged["both"]
    negative = ((frame["layer"] == layer) & (frame["pole"] == "-")).to_numpy()
    constant = every[negative].mean().max()  # the one word that is truest of all of them
    true = frame["true"][negative]
    assert true.mean() > constant + 2 * true.std() / np.sqrt(negative.sum())
    assert (frame["score"] > frame["chance"])[negative].mean() > 0.95  # one in twenty by chance
    names = frame[frame["layer"] == layer].set_index("name")
    same = [names["label"][f"{n}"] == names["label"][f"{n}-"] for n in range(negative.sum())]
    assert np.mean(same) < 0.1


@pytest.mark.parametrize("layer", LAYERS)
def test_labels_of_positive_poles_lose_nothing_by_it(judged, layer):
    both, alone = (
        frame[(frame["layer"] == layer) & (frame["pole"] == "+")]["true"].to_numpy()
        for frame, _ in judged.values()
    )
    gain = both - alone
    assert gain.mean() > -2 * gain.std() / np.sqrt(len(gain))
