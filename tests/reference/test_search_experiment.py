"""The tables of the experiment on searches: they are what its command measures."""

from __future__ import annotations

import pandas as pd
import pytest

import semlens_widgets as slw
from semlens_widgets.demo import bench_imagenet
from semlens_widgets.demo.bench_labels import OTHERS, PICTURES, planted_truth
from semlens_widgets.demo.bench_search import SEARCHES
from semlens_widgets.demo.bench_worlds import PACKAGED
from semlens_widgets.demo.experiments import stored
from semlens_widgets.demo.experiments.hits import FEW, FIGURES, KNOWN, judged, told_best
from semlens_widgets.demo.experiments.search import (
    IMAGENET,
    SCENES,
    WHOLE,
    effects,
    photographs,
    summary,
)
from semlens_widgets.demo.world import CONCEPTS

ASKED = ["query", "templates", "score"]


def rows_of(name: str, **chosen: str) -> pd.DataFrame:
    """Return some rows of a stored table."""
    table = stored(name).fillna({"query": "", "templates": ""})
    for column, value in chosen.items():
        table = table[table[column] == value]
    return table


@pytest.mark.slow
def test_searches_for_the_watermark_are_what_is_stored(scenes):
    lens = scenes()
    seed = PACKAGED.pictures + OTHERS
    truth = planted_truth(lens.target, PICTURES, seed)[:, : len(CONCEPTS)]
    right = told_best(truth, slw.demo.scene_images(PICTURES, seed=seed).concepts)
    word = "watermark"
    column = {word: CONCEPTS.index(word)}
    pictures = {word: slw.demo.pictures_of(word, FEW)}
    found = judged(lens, truth, right, column, pictures=pictures).set_index(ASKED)[list(FIGURES)]
    expected = rows_of("search-scenes", images=WHOLE, concept=word).set_index(ASKED)
    expected = expected.loc[found.index, list(FIGURES)]
    pd.testing.assert_frame_equal(found, expected, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_searches_for_dogs_among_photographs_are_what_is_stored(real_data, tmp_path):
    """By one half of the photographs, of neurons whose truth the other half says."""
    if not (real_data / "imagenet").is_dir():
        pytest.skip("SEMLENS_REAL_DATA has no folder imagenet: no photographs to test with")
    pytest.importorskip("efficientnet_lite_pytorch")
    world = bench_imagenet.world_of(real_data / "imagenet")
    found = photographs(world, tmp_path, 0, WHOLE, ["dog"]).fillna({"query": "", "templates": ""})
    expected = rows_of("search-imagenet", run="imagenet-0", concept="dog")
    columns = ["world", *ASKED, *FIGURES]
    expected = expected[columns].reset_index(drop=True)
    assert len(found) == len(expected) > 2 * len(SEARCHES)
    pd.testing.assert_frame_equal(found[columns], expected, atol=1e-3, rtol=0)


@pytest.fixture(scope="module")
def tables() -> pd.DataFrame:
    return pd.concat([stored("search-scenes"), stored("search-imagenet")])


def test_the_default_is_nearly_as_good_as_annotations_and_better_than_the_cosine(tables):
    """In the drawn world; on photographs it is no worse than any other score."""
    changes = effects(tables)
    asked = changes.query("old == 'correlation' and templates == 'one' and images == 'whole'")
    drawn = asked[asked["world"] == SCENES].set_index("score")
    assert drawn.loc["cosine, centred", "right_5_high"] < 0
    assert drawn.loc["CSP γ = 1, centred", "right_5_high"] < 0
    assert (asked[asked["world"] == IMAGENET]["right_5"] < 0).all()
    told = summary(tables).query("world == 'scenes' and images == 'whole'")
    right = told[told["templates"].isin(["", "one"])].set_index(["query", "score"])["right_5"]
    assert right[("", KNOWN)] - right[("word", "correlation")] <= 0.02


def test_centring_takes_the_same_off_every_neuron_so_that_the_order_stays(tables):
    changes = effects(tables).query("changed == 'score' and old in ['cosine', 'CSP γ = 1']")
    assert len(changes) > 10
    assert (changes[list(FIGURES)] == 0).all(axis=None)


def test_a_word_is_better_than_a_picture(tables):
    changes = effects(tables).query("changed == 'query' and images == 'whole'")
    changes = changes[changes["world"].isin([SCENES, IMAGENET])]
    assert set(changes["new"]) == {"picture", "five pictures"}
    assert (changes["auroc_5_high"] < 0).all()
    assert (changes["right_5_high"] < 0).all()
