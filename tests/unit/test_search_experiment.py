"""How the experiment on searches judges hits, where it is known what each neuron sees."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

import semlens_widgets as slw
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.bench_labels import BEST, RANDOM
from semlens_widgets.demo.experiments.hits import (
    FIGURES,
    FIVE,
    KNOWN,
    PICTURE,
    bounds,
    chance_of,
    judged,
    told_best,
)
from semlens_widgets.demo.experiments.search import (
    CHANGES,
    DEFAULT,
    WAY,
    effects,
    summary,
)
from tests.colour_world import TableFoundation, TableNet, numbered_images, to_tensor

WORDS = {"owl": 0, "elk": 1, "bee": 2, "yak": 3}
IMAGES = 400  # of which the last 40, ten of each word, are only searched with


def test_chance_is_how_far_neurons_that_know_nothing_stray():
    rng = np.random.default_rng(0)
    shown = rng.random((300, 1)) < np.array([0.02, 0.1, 0.5])
    spread = auroc(rng.random((300, 4000)), shown).std(0)
    np.testing.assert_allclose(chance_of(shown), spread, rtol=0.05)


def test_a_concept_of_few_images_is_not_best_by_luck():
    rng = np.random.default_rng(0)
    shown = np.zeros((400, 2), bool)
    shown[:2, 0] = shown[100:200, 1] = True
    activations = rng.random((400, 500))
    activations[:, :50] += shown[:, 1, None]  # the first fifty see the second concept
    best = told_best(auroc(activations, shown), shown)
    assert best[:50, 1].all()
    assert not best[:50, 0].any()
    assert best[50:].mean() < 0.05


def test_a_kind_does_not_compete_with_what_it_is_a_kind_of():
    shown = np.zeros((300, 3), bool)  # dogs, terriers among them, cats
    shown[:100, 0] = shown[:30, 1] = shown[100:200, 2] = True
    terriers, dogs, both = shown[:, 1], shown[:, 0], shown[:, 0] | shown[:, 2]
    noise = np.random.default_rng(0).random(300) / 2
    best = told_best(auroc(np.stack([terriers, dogs, both], 1) + noise[:, None], shown), shown)
    assert best.tolist()[:2] == [[True, True, False], [True, False, False]]
    assert best[2].sum() == 1  # cats or dogs, whichever is a little ahead: one of them, not both


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """360 analysed images of a word each; neuron n sees word n % 4, the later ones less clearly."""
    rng = np.random.default_rng(0)
    texts = TableFoundation(np.ones((1, 16), "float32")).encode_text(list(WORDS)).numpy()
    shows = np.r_[rng.integers(4, size=IMAGES - 40), np.repeat(np.arange(4), 10)]
    table = texts[shows] + 0.8 * rng.normal(size=(IMAGES, 16)) / 4
    clear = np.repeat([3.0, 0.6], 4)
    sees = 1 + clear * (shows[:, None] == np.arange(8) % 4) + rng.random((IMAGES, 8))
    target = slw.TargetModel(TableNet(sees.astype("float32")), ["table"], transform=to_tensor)
    images = numbered_images(IMAGES)
    lens = slw.SemanticLens(
        target,
        slw.ImageDataset.from_list(images[: IMAGES - 40]),
        TableFoundation(table.astype("float32")),
        path=tmp_path_factory.mktemp("search") / "analysis",
        n_examples=10,
    ).run()
    shown = shows[: IMAGES - 40, None] == np.arange(4)
    truth = auroc(lens.activations("table"), shown)
    pictures = {word: images[IMAGES - 40 + 10 * at :][:5] for word, at in WORDS.items()}
    return lens, truth, told_best(truth, shown), pictures


def test_hits_are_judged_by_the_truth(world):
    lens, truth, right, pictures = world
    assert right.sum(0).tolist() == [2, 2, 2, 2]
    table = judged(lens, truth, right, WORDS, pictures=pictures)
    for word, at in WORDS.items():
        rows = table[table["concept"] == word].set_index(["query", "score"])
        for query, asked in (("word", word), (FIVE, pictures[word])):
            hits = lens.search(asked, scorer=None)["neuron"].to_numpy()
            own = rows.loc[(query, "cosine, centred")]
            assert own["auroc_1"] == pytest.approx(truth[hits[0], at])
            assert own["auroc_5"] == pytest.approx(truth[hits[:5], at].mean())
            assert own["right_5"] == pytest.approx(np.mean(hits[:5] % 4 == at))
        assert rows.loc[("word", DEFAULT), "right_1"] == 1
        alone = [lens.search(one)["neuron"][0] for one in pictures[word]]
        mean = truth[alone, at].mean()
        assert rows.loc[(PICTURE, "cosine, centred"), "auroc_1"] == pytest.approx(mean)


def test_other_neurons_may_be_left_out(world):
    lens, truth, right, _ = world
    nothing = dict.fromkeys(WORDS, ())
    table = judged(lens, truth, right, WORDS, pictures=nothing, scores=[DEFAULT], among=[4, 5, 6])
    assert (table["query"] == "word").all()
    assert table.set_index("concept")["right_1"].to_dict() == {
        "owl": 1,
        "elk": 1,
        "bee": 1,
        "yak": 0,
    }


def test_bounds_are_the_best_there_is_and_luck(world):
    _, truth, right, _ = world
    known = truth[::-1]  # as if the analysed images had said something else
    table = bounds(truth, right, known, WORDS)
    for word, at in WORDS.items():
        rows = table[table["concept"] == word].set_index("score")
        assert rows.loc[BEST, "auroc_1"] == truth[:, at].max()
        assert rows.loc[BEST, "right_5"] == pytest.approx(2 / 5)
        assert rows.loc[KNOWN, "auroc_1"] == truth[known[:, at].argmax(), at]
        assert rows.loc[RANDOM, "right_5"] == pytest.approx(2 / 8)
        assert rows.loc[RANDOM, "auroc_5"] == pytest.approx(truth[:, at].mean())


@pytest.fixture
def table():
    """Two scores of 30 queries in two halves, the second better by .1 and by chance."""
    rng = np.random.default_rng(1)
    rows = []
    for score, better in (("cosine", 0.0), ("cosine, centred", 0.1)):
        for at in range(30):
            for _ in range(2):
                figures = {name: better + rng.normal() / 10 for name in FIGURES}
                way = dict(zip(WAY, ("one", "whole", "word", "one", score), strict=True))
                rows.append(way | {"concept": f"thing {at}"} | figures)
    return pd.DataFrame(rows)


def test_the_summary_averages_queries(table):
    told = summary(table).set_index("score")
    for score, part in table.groupby("score"):
        assert told.loc[score, "queries"] == 30
        for name in FIGURES:
            row = told.loc[score]
            assert row[name] == pytest.approx(part[name].mean())
            error = part.groupby("concept")[name].mean().sem()
            assert row[f"{name}_high"] - row[f"{name}_low"] == pytest.approx(3.92 * error, rel=0.15)


def test_an_effect_is_of_the_same_queries_and_says_what_could_be_seen(table):
    found = effects(table)
    assert len(found) == 1
    row = found.iloc[0]
    assert (row["changed"], row["new"], row["old"]) == CHANGES[6]
    wide = table.pivot_table(index="concept", columns="score", values="auroc_5")
    gain = wide["cosine, centred"] - wide["cosine"]
    assert row["auroc_5"] == pytest.approx(gain.mean())
    assert row["auroc_5_low"] < gain.mean() < row["auroc_5_high"]
    # With a true difference as large as that, a two-sided test at 5 % sees it four times in five.
    rng = np.random.default_rng(0)
    drawn = rng.normal(row["auroc_5_seen"], gain.std(), size=(20_000, len(gain)))
    assert (ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.02)
