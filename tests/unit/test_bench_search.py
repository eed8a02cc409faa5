"""How searches are judged, where it is known what each neuron sees."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import semlens_widgets as slw
from semlens_widgets.analysis.faithfulness import auroc
from semlens_widgets.demo.bench_figure import labels_figure, stored
from semlens_widgets.demo.bench_imagenet import halves
from semlens_widgets.demo.bench_search import BEST, COSINE, found, summary
from tests.colour_world import TableFoundation, TableNet, numbered_images, to_tensor

WORDS = ["owl", "elk", "bee", "yak"]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """400 images of a word each; neuron n sees word n % 4, the later ones less clearly."""
    rng = np.random.default_rng(0)
    texts = TableFoundation(np.ones((1, 16), "float32")).encode_text(WORDS).numpy()
    shows = rng.integers(4, size=400)
    table = texts[shows] + 0.8 * rng.normal(size=(400, 16)) / 4
    clear = np.repeat([3.0, 0.6], 4)
    sees = 1 + clear * (shows[:, None] == np.arange(8) % 4) + rng.random((400, 8))
    target = slw.TargetModel(TableNet(sees.astype("float32")), ["table"], transform=to_tensor)
    lens = slw.SemanticLens(
        target,
        slw.ImageDataset.from_list(numbered_images(400)),
        TableFoundation(table.astype("float32")),
        path=tmp_path_factory.mktemp("search") / "analysis",
        n_examples=10,
    ).run()
    truth = auroc(lens.activations("table"), shows[:, None] == np.arange(4))
    return lens, truth, found(lens, truth, {word: at for at, word in enumerate(WORDS)})


def test_hits_are_judged_by_the_truth(judged):
    lens, truth, table = judged
    for at, word in enumerate(WORDS):
        rows = table[table["word"] == word].set_index("search")
        ordered = np.sort(truth[:, at])[::-1]
        assert rows.loc[BEST, "first"] == pytest.approx(ordered[0])
        assert rows.loc[BEST, "five"] == pytest.approx(ordered[:5].mean())
        hits = lens.search(word)["neuron"].to_numpy()
        own = rows.loc["correlation"]
        assert own["first"] == pytest.approx(truth[hits[0], at]) == pytest.approx(ordered[0])
        assert own["five"] == pytest.approx(truth[hits[:5], at].mean())
        places = np.empty(8)
        places[hits] = np.arange(8, 0, -1)
        expected = pd.Series(places).corr(pd.Series(truth[:, at]), method="spearman")
        assert own["correlation"] == pytest.approx(expected)


def test_the_summary_compares_the_same_words(judged):
    _, _, table = judged
    told = summary(table.assign(world="one"), ["world"]).set_index("search")
    means = table.groupby("search")["first"].mean()
    for name in means.index:
        assert told.loc[name, "searches"] == 4
        assert told.loc[name, "first"] == pytest.approx(means[name])
        assert told.loc[name, "over_cosine"] == pytest.approx(means[name] - means[COSINE])
        assert (
            told.loc[name, "first_low"] <= told.loc[name, "first"] <= told.loc[name, "first_high"]
        )


def test_halves_share_out_every_group():
    shown = np.zeros((1000, 3), bool)
    shown[:7, 0] = shown[100:140, 1] = shown[110:121, 2] = True
    one, other = halves(shown)
    assert sorted([*one, *other]) == list(range(1000))
    for some in (one, other):
        assert (np.abs(2 * shown[some].sum(0) - shown.sum(0)) <= 2).all()
    again, _ = halves(shown)
    assert (one == again).all()


def test_the_figure_shows_what_is_stored():
    drawn = labels_figure().data
    for trace, table in zip(
        drawn,
        (
            stored("labels-all").query("held_out and words == 'and for nothing'"),
            stored("imagenet-labels").query("judged_on == 'the other half'"),
        ),
        strict=True,
    ):
        figures = table.set_index("labeller")["auroc"]
        assert list(trace.x) == [figures[name] for name in trace.y]
        assert {"random", "best constant", BEST} <= set(trace.y)
