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


def test_the_bar_is_what_an_own_permutation_test_finds(table_lens):
    lens, _ = table_lens
    found = lens.label(WORDS, scorer="correlation")
    bars = (found["score"] - found["margin"]).to_numpy()
    assert np.ptp(bars) < 1e-5
    texts = lens.foundation.encode_text(WORDS).numpy()
    likeness = lens.foundation.table.numpy() @ texts.T
    rng = np.random.default_rng(11)
    best = []
    for neuron in range(60):
        values = lens.activations("table", neuron)
        for _ in range(20):
            dealt = rng.permutation(values)
            best.append(max(np.corrcoef(dealt, one)[0, 1] for one in likeness.T))
    # 256 shuffled neurons find a 95th percentile to within a few hundredths of its height.
    assert bars[0] == pytest.approx(np.quantile(best, 0.95), rel=0.12)


def test_trust_and_labels_go_by_the_same_bar(table_lens):
    lens, _ = table_lens
    found = lens.label(WORDS, scorer="correlation")
    trust = lens.trust(resamples=5)
    assert (trust["known"] == (found["label"] != "unknown")).all()
    bar = (found["score"] - found["margin"]).iloc[0]
    assert trust["by_chance"].iloc[0] == pytest.approx(bar, abs=1e-6)


def test_a_neuron_with_candidates_of_its_own_is_held_to_the_best_of_these(table_lens):
    lens, words = table_lens

    class Told(slw.CandidateSource):
        name = "told"

        def candidates(self, looked):
            return slw.Candidates(WORDS, {row: [words[row]] for row in range(20)})

    everyone = lens.label(WORDS, scorer="correlation")
    told = lens.label(Told(), scorer="correlation")
    bar, lower = ((one["score"] - one["margin"]).iloc[0] for one in (everyone, told))
    assert lower < bar
    assert told["label"].iloc[:20].tolist() == words


def test_a_persons_label_is_held_to_the_same_bar_after_reopening(table_lens):
    lens, words = table_lens
    found = lens.label(WORDS, scorer="semanticlens")
    bar = float((found["score"] - found["margin"]).iloc[0])
    lens.set_label("table", 0, words[0])
    again = slw.open(lens.store.path, foundation=lens.foundation)
    again.set_label("table", 1, words[1])
    for row in (0, 1):
        given = again.neurons.iloc[row]
        assert given["source"] == "person"
        assert given["margin"] == pytest.approx(found["margin"].iloc[row], abs=1e-5)
    assert np.isfinite(bar)
