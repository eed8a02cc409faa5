"""Labels of the embedded classifier, judged by pictures that are drawn for them."""

from __future__ import annotations

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.demo.truth import MEANING, scenes_of
from semlens_widgets.demo.world import ARTEFACTS, CLASSES, concepts


@pytest.fixture(scope="module")
def lens(scenes):
    lens = scenes()
    lens.label([*MEANING, *demo.DISTRACTORS])
    return lens


def test_pictures_of_a_word_show_it_and_are_else_like_any():
    for word, name in MEANING.items():
        scenes = scenes_of(word, 5)
        parts = name.split() if name in CLASSES else [name]
        for scene in scenes:
            assert all(concepts(scene)[demo.CONCEPTS.index(part)] for part in parts), word
    others = np.mean([concepts(scene) for scene in scenes_of("red", 400)], axis=0)
    assert others[demo.CONCEPTS.index("star")] == pytest.approx(1 / 8, abs=0.05)
    for name in ARTEFACTS:
        assert others[demo.CONCEPTS.index(name)] == pytest.approx(0.15, abs=0.06)
    assert scenes_of("crimson", 3) == scenes_of("red", 3)
    assert demo.pictures_of("motorcycle") == []


def test_labels_are_truer_than_random_and_constant_ones(lens):
    """By drawn pictures and by annotated ones, which are independent of each other."""
    held_out = demo.scene_images(400, seed=99)
    found = lens.faithfulness(
        lambda label: demo.pictures_of(label, 10),
        annotations=demo.annotate(held_out),
        images=slw.ImageDataset.from_dataset(held_out),
    )
    print(found)
    table = found.summary.query("layer == 'all'").set_index("measure")
    assert table.loc["auc", "over_random_low"] > 0
    assert table.loc["auc", "over_constant_low"] > 0
    assert table.loc["auc", "random"] == pytest.approx(0.5, abs=0.03)
    assert table.loc["auprc", "over_random_low"] > 0
    drawn = found.neurons["auc"]
    marked = lens.faithfulness(
        annotations=demo.annotate(held_out), images=slw.ImageDataset.from_dataset(held_out)
    ).neurons["auc"]
    both = drawn.notna() & marked.notna()
    assert both.mean() > 0.9
    assert np.corrcoef(drawn[both], marked[both])[0, 1] > 0.7
