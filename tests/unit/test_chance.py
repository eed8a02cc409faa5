"""What random words score, against numpy and against scoring them one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import semlens_widgets as slw
from semlens_widgets.labels.assign import chance_level
from semlens_widgets.labels.scorers import SCORERS, scorer_of
from semlens_widgets.labels.words import RANDOM_WORDS, VISUAL_WORDS, default_vocabulary
from tests.colour_world import TableFoundation, TableNet, numbered_images, to_tensor

NAMES = ["red", "green", "blue"]


@pytest.fixture
def table_lens(tmp_path):
    """Random neurons, images and words: nothing has a meaning. The last neuron is dead."""
    rng = np.random.default_rng(0)
    activations = rng.normal(size=(90, 24))
    activations[:, -1] = -1
    target = slw.TargetModel(
        TableNet(activations), ["table"], transform=to_tensor, poles="positive"
    )
    foundation = TableFoundation(rng.normal(size=(90, 16)))
    images = slw.ImageDataset.from_list(numbered_images(90))
    return slw.SemanticLens(target, images, foundation, path=tmp_path / "a", n_examples=5).run()


@pytest.mark.parametrize("words", [1, 2, 7, 20, 201])
def test_the_level_is_numpys_percentile(words):
    scores = torch.randn(50, words, generator=torch.Generator().manual_seed(0))
    expected = np.percentile(scores.numpy(), [50, 95], axis=1).T
    np.testing.assert_allclose(chance_level(scores).numpy(), expected, atol=1e-6)


def test_a_neuron_without_scores_has_no_level():
    scores = torch.zeros(2, 201)
    scores[1] = torch.nan
    level = chance_level(scores).numpy()
    assert (level[0] == 0).all()
    assert np.isnan(level[1]).all()


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("method", SCORERS)
def test_chance_is_what_each_random_word_scores_as_one_more_candidate(
    table_lens, method, centred, monkeypatch
):
    some = RANDOM_WORDS[:9]
    monkeypatch.setattr("semlens_widgets.lens.scoring.RANDOM_WORDS", some)
    scorer = scorer_of(method, {"centred": centred, "gamma": 0.7})
    settings = {"scorer": scorer, "templates": ("a {}", "{}")}
    level = table_lens.label_chance(NAMES, **settings)
    assert level.shape == (24, 2)
    assert level.dtype == np.float32
    for neuron in (0, 13):
        alone = [
            table_lens.scores("table", neuron, [*NAMES, word], **settings)["score"].iloc[-1]
            for word in some
        ]
        np.testing.assert_allclose(level[neuron], np.percentile(alone, [50, 95]), atol=1e-4)
        own = table_lens.neuron_chance("table", neuron, NAMES, **settings)
        np.testing.assert_allclose(own, level[neuron], atol=1e-4)


@pytest.mark.parametrize("method", SCORERS)
def test_labels_and_neurons_carry_the_chance_of_their_scorer(table_lens, method):
    found = table_lens.label([*NAMES, "grey"], scorer=method)
    expected = table_lens.label_chance(scorer=method)[:, 1]
    np.testing.assert_array_equal(found["chance"], expected)
    np.testing.assert_array_equal(table_lens.neurons["chance"], expected)
    stored = slw.open(table_lens.store.path).neurons["chance"]
    np.testing.assert_array_equal(stored, expected)


def test_without_pairs_chance_is_that_of_the_rest(table_lens):
    whole, less = (
        table_lens.neuron_chance("table", 0, scorer="csp", exclude=ranks) for ranks in ([], [0, 1])
    )
    assert whole != less
    values = table_lens.scores("table", 0, RANDOM_WORDS, scorer="csp", exclude=[0, 1])["score"]
    np.testing.assert_allclose(less, np.percentile(values, [50, 95]), atol=1e-5)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("minus_empty", [True, False])
@pytest.mark.parametrize("templates", [("{}",), ("a {}", "a photo of {}")])
def test_search_chance_is_the_percentile_of_searches(table_lens, centred, minus_empty, templates):
    options = {"centred": centred, "minus_empty": minus_empty, "templates": templates}
    searches = [
        table_lens.search(word, **options).sort_values("neuron")["score"].to_numpy()
        for word in RANDOM_WORDS
    ]
    level = table_lens.search_chance(**options)
    np.testing.assert_allclose(level, np.percentile(searches, [50, 95], axis=0).T, atol=1e-5)
    hits = table_lens.search("owl", **options, top=4)
    np.testing.assert_array_equal(hits["chance"], level[hits["neuron"], 1])


def test_chance_is_unknown_for_what_is_no_text(table_lens):
    for query in (("table", 3), numbered_images(1)[0], ["red", ("table", 3)], ["red", "blue"]):
        assert table_lens.search(query)["chance"].isna().all()


def test_the_caller_may_change_what_it_gets(table_lens):
    first = table_lens.label_chance()
    first[:] = 0
    assert (table_lens.label_chance()[0] != 0).all()


def test_clip_dissect_has_no_chance_level_without_candidates(table_lens):
    with pytest.raises(ValueError, match=r"give them, or call label\(\) first"):
        table_lens.label_chance(scorer="clip-dissect")
    table_lens.label(NAMES, scorer="csp")
    by_default = table_lens.label_chance(scorer="clip-dissect")
    np.testing.assert_array_equal(by_default, table_lens.label_chance(NAMES, scorer="clip-dissect"))


def test_of_labels_that_mean_nothing_a_twentieth_lies_above_chance(table_lens):
    """Planted truth: all is random, so one word exceeds the mark as often as it says."""
    words = [f"word {i}" for i in range(60)]
    mark = table_lens.label_chance(scorer="semanticlens")[:, 1]
    above = [
        table_lens.scores("table", neuron, words, scorer="semanticlens")["score"] > mark[neuron]
        for neuron in range(24)
    ]
    assert 0.02 < np.mean(above) < 0.09


def test_a_label_that_means_something_lies_above_chance(tmp_path):
    """Planted truth: each neuron sees the images of one word."""
    words = [f"word {i}" for i in range(12)]
    rng = np.random.default_rng(1)
    meaning = TableFoundation(rng.normal(size=(2, 16))).encode_text(words)
    images = normalize(meaning.repeat(20, 1) + 0.2 * torch.randn(240, 16), dim=1)
    sees = np.tile(np.eye(12), (20, 1)) + 0.1 * rng.random((240, 12))
    lens = slw.SemanticLens(
        slw.TargetModel(TableNet(sees), ["table"], transform=to_tensor, poles="positive"),
        slw.ImageDataset.from_list(numbered_images(240)),
        TableFoundation(images.numpy()),
        path=tmp_path / "a",
        n_examples=5,
    ).run()
    found = lens.label(words, templates=["{}"])
    assert found["label"].tolist() == words
    assert (found["score"] > found["chance"]).all()


@pytest.mark.filterwarnings("ignore:The text encoder")  # this one knows four colours
def test_there_are_labels_to_begin_with(colour_lens):
    lens = colour_lens().run()
    found = lens.label(threshold=-np.inf)
    assert lens.vocabulary[:3] == ("red", "green", "blue")  # the images' classes
    assert set(VISUAL_WORDS) <= set(lens.vocabulary)
    assert found["label"].iloc[:3].tolist() == ["red", "green", "blue"]


def test_class_names_that_are_no_words_are_left_out():
    classes = ["n01440764", "7", "red_fox", "12-3", "sea  lion", "犬", "A", "_", "red"]
    found = default_vocabulary(classes)
    assert found[: -len(VISUAL_WORDS) + 1] == ("red fox", "sea lion", "犬", "A", "red")


def test_random_words_are_no_labels_to_begin_with():
    assert len(set(RANDOM_WORDS)) == 201
    assert not set(RANDOM_WORDS) & set(VISUAL_WORDS)
    assert all(word.isalpha() and word.islower() for word in RANDOM_WORDS)
