"""A label has to score more than the best candidate does for neurons that mean nothing."""

from __future__ import annotations

import numpy as np
import pytest

import semlens_widgets as slw
from tests.colour_world import TableFoundation, TableNet, numbered_images, to_tensor

WORDS = [f"word {number}" for number in range(12)]
SCORERS = ["recognition", "correlation", "csp", "semanticlens", "difference"]


@pytest.fixture(scope="module")
def table_lens(tmp_path_factory):
    """600 images, each of one of 12 words; 20 neurons that see a word, and 40 that see nothing."""
    rng = np.random.default_rng(3)
    foundation = TableFoundation(rng.normal(size=(600, 32)).astype("float32"))
    texts = foundation.encode_text(WORDS).numpy()
    shows = rng.integers(len(WORDS), size=600)
    table = texts[shows] + 0.6 * rng.normal(size=(600, 32)) / np.sqrt(32)
    foundation = TableFoundation(table.astype("float32"))
    seen = np.arange(20) % len(WORDS)
    sees = 1.0 + 4.0 * (shows[:, None] == seen) + 0.2 * rng.random((600, 20))
    blind = rng.random((600, 40)).astype("float32")
    target = slw.TargetModel(
        TableNet(np.concatenate([sees, blind], axis=1).astype("float32")),
        ["table"],
        transform=to_tensor,
    )
    images = slw.ImageDataset.from_list(numbered_images(600))
    path = tmp_path_factory.mktemp("unknown") / "analysis"
    lens = slw.SemanticLens(target, images, foundation, path=path, n_examples=20).run()
    return lens, [WORDS[at] for at in seen]


@pytest.mark.parametrize("scorer", SCORERS)
def test_neurons_that_see_nothing_are_unknown_and_those_that_see_are_not(table_lens, scorer):
    lens, words = table_lens
    found = lens.label(WORDS, scorer=scorer)
    blind, seeing = found.iloc[20:], found.iloc[:20]
    assert (blind["label"] == "unknown").mean() >= 0.9
    assert (blind.loc[blind["label"] == "unknown", "margin"] <= 0).all()
    assert seeing["label"].tolist() == words
    again = lens.label(WORDS, scorer=scorer)
    assert found.equals(again)
    anyway = lens.label(WORDS, scorer=scorer, threshold=-np.inf)
    assert set(anyway["label"]) <= set(WORDS)


def test_the_bars_are_what_an_own_permutation_test_finds(table_lens):
    lens, _ = table_lens
    found = lens.label(WORDS, scorer="correlation")
    texts = lens.foundation.encode_text(WORDS).numpy()
    likeness = lens.foundation.table.numpy() @ texts.T
    rng = np.random.default_rng(11)
    scores = []
    for neuron in range(60):
        values = lens.activations("table", neuron)
        for _ in range(20):
            dealt = rng.permutation(values)
            scores.append([np.corrcoef(dealt, one)[0, 1] for one in likeness.T])
    scores = np.array(scores)
    mean, spread = scores.mean(0), scores.std(0)
    winner = scores.argmax(1)
    heights = (scores.max(1) - mean[winner]) / spread[winner]
    expected = mean + np.quantile(heights, 0.95) * spread
    bars = (found["score"] - found["margin"]).to_numpy()
    best = [max(WORDS, key=scored_by(lens, row)) for row in range(60)]
    # 256 shuffled neurons find a 95th percentile to within a few hundredths of its height.
    np.testing.assert_allclose(bars, [expected[WORDS.index(word)] for word in best], rtol=0.15)


def scored_by(lens, neuron):
    scores = lens.scores("table", neuron, WORDS, scorer="correlation")
    return scores.set_index("candidate")["score"].get


def test_a_word_that_all_images_are_like_has_a_higher_bar_of_its_own(tmp_path):
    """Uncentred, it scores most for nearly every neuron, and means nothing by that."""
    rng = np.random.default_rng(5)
    texts = TableFoundation(np.ones((1, 32), "float32")).encode_text(["hub", *WORDS]).numpy()
    shows = rng.integers(len(WORDS), size=600)
    # Word 0 is what every image is most like, a little more or less.
    table = 1.3 * texts[[0]] + texts[1 + shows] + 0.6 * rng.normal(size=(600, 32)) / np.sqrt(32)
    sees = 1.0 + 4.0 * (shows[:, None] == np.arange(12)) + 0.2 * rng.random((600, 12))
    target = slw.TargetModel(TableNet(sees.astype("float32")), ["table"], transform=to_tensor)
    lens = slw.SemanticLens(
        target,
        slw.ImageDataset.from_list(numbered_images(600)),
        TableFoundation(table.astype("float32")),
        path=tmp_path / "analysis",
        n_examples=20,
    ).run()
    scorer = slw.Semantic(centred=False)
    alone = lens.label(["hub", *WORDS], scorer=scorer)
    assert not (alone["label"] == "hub").any()
    told = lens.label(WORDS, scorer=scorer)
    assert told["label"].tolist() == WORDS


def test_trust_and_labels_go_by_the_same_bars(table_lens):
    lens, _ = table_lens
    found = lens.label(WORDS, scorer="correlation")
    trust = lens.trust(resamples=5)
    known = found["label"] != "unknown"
    assert (trust["known"] == known).all()
    bars = (found["score"] - found["margin"])[known]
    np.testing.assert_allclose(trust["by_chance"][known], bars, atol=1e-6)


def test_a_neuron_with_candidates_of_its_own_is_held_to_these(table_lens):
    lens, words = table_lens

    class Told(slw.CandidateSource):
        name = "told"

        def candidates(self, looked):
            return slw.Candidates(WORDS, {row: [words[row]] for row in range(20)})

    everyone = lens.label(WORDS, scorer="correlation").iloc[:20]
    told = lens.label(Told(), scorer="correlation").iloc[:20]
    assert told["label"].tolist() == words
    # The luckiest of one candidate is less lucky than that of twelve.
    assert (told["margin"] > everyone["margin"]).all()


def test_a_persons_label_is_held_to_its_bar_after_reopening(table_lens):
    lens, words = table_lens
    found = lens.label(WORDS, scorer="semanticlens")
    again = slw.open(lens.store.path, foundation=lens.foundation)
    again.set_label("table", 1, words[1])
    again.set_label("table", 2, "no candidate")
    one, other = again.neurons.iloc[1], again.neurons.iloc[2]
    assert one["source"] == other["source"] == "person"
    assert one["margin"] == pytest.approx(found["margin"].iloc[1], abs=1e-5)
    assert np.isfinite(other["score"])
    assert np.isnan(other["margin"])  # what chance reaches with it was never asked
    again.clear_label("table", 1)
    again.clear_label("table", 2)
