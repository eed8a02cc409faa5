"""Models compared: matched neurons, what only one knows, what a change has done."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import semlens_widgets as slw
from semlens_widgets.analysis.compare import assigned, mean_of, nearest
from semlens_widgets.lens.compare import Comparison
from tests.colour_world import ColourNet, colour_images, to_tensor


def vectors(count: int, seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(count, 4, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_the_nearest_is_the_one_of_largest_cosine():
    a, b = vectors(7), vectors(9, 1)
    cosines = a.numpy() @ b.numpy().T
    match, similarity = nearest(a, b)
    assert match.tolist() == cosines.argmax(axis=1).tolist()
    assert similarity == pytest.approx(cosines.max(axis=1), abs=1e-6)


def test_an_assignment_is_the_best_of_all():
    a, b = vectors(5), vectors(5, 1)
    cosines = a.numpy() @ b.numpy().T
    best = max(
        itertools.permutations(range(5)), key=lambda order: cosines[np.arange(5), order].sum()
    )
    assert assigned(a, b)[0].tolist() == list(best)
    match, similarity = assigned(a, b[:3])
    assert (match == -1).sum() == np.isnan(similarity).sum() == 2
    assert sorted(match[match >= 0]) == [0, 1, 2]


def test_neurons_that_are_alike_match_in_their_own_places():
    twice = torch.cat([vectors(3), vectors(3), vectors(3)])
    assert assigned(twice, twice)[0].tolist() == list(range(9))
    assert nearest(twice, twice)[0].tolist() == [0, 1, 2] * 3  # ties by the lowest index


def test_neurons_without_a_meaning_match_nothing_and_do_not_count():
    a, b = vectors(4), vectors(4)
    a[1], b[2] = 0, torch.nan
    for match, similarity in (nearest(a, b), assigned(a, b)):
        assert match[1] == -1
        assert np.isnan(similarity[1])
        assert 2 not in match
    known = nearest(a, b)[1]
    assert mean_of(known).value == pytest.approx(np.nanmean(known))
    nobody = torch.zeros(2, 4)
    assert nearest(nobody, a)[0].tolist() == assigned(a, nobody)[0].tolist()[:2] == [-1, -1]
    assert np.isnan(mean_of(nearest(nobody, a)[1]).value)
    with pytest.raises(ValueError, match="same dim"):
        nearest(a, b[:, :2])


def test_the_interval_covers_the_mean_of_many_neurons():
    inside = 0
    for seed in range(60):
        values = np.random.default_rng(seed).normal(0.5, 0.1, 80)
        found = mean_of(values, seed=seed)
        inside += found.low <= 0.5 <= found.high
    assert inside >= 52  # 95 % of 60 are 57
    alone = mean_of(np.array([0.5, np.nan]))
    assert alone.value == 0.5
    assert np.isnan([alone.low, alone.high]).all()  # one neuron tells nothing of others


def pruned(neurons: list[int]) -> torch.nn.Module:
    """The colour model with some channels of `seen` at zero."""
    model = ColourNet()
    with torch.no_grad():
        model.seen.weight[neurons] = 0
    return model


@pytest.fixture
def lens(colour_lens, tmp_path):
    def make(name: str, model: torch.nn.Module | None = None, **changes) -> slw.SemanticLens:
        target = slw.TargetModel(
            model or ColourNet(), ["seen", "mixed"], transform=to_tensor, poles="positive"
        )
        return colour_lens(target=target, path=tmp_path / name, **changes).run()

    return make


def test_a_model_knows_all_of_itself(lens):
    comparison = slw.compare({"one": lens("one"), "other": lens("other")})
    same = comparison.similarity.query("of == 'one' and of_layer == to_layer")
    assert same["similarity"].to_numpy() == pytest.approx(1, abs=1e-3)
    assert (same["low"] <= same["similarity"]).all()
    # The last neuron of `mixed` never fires: it has a meaning only if it has examples.
    assert (same["neurons"] + same["without"]).tolist() == [3, 4]
    for layer in ("seen", "mixed"):
        matches = comparison.matches("one", "other", layer=layer)
        has = matches["match"] >= 0
        assert (matches["match"] == matches["neuron"])[has].all()
        assert has.sum() >= 3
    assert comparison.only("one", "other", layer="seen")["similarity"].min() > 0.999
    assert not comparison.changes("one", "other")["changed"].any()


def test_pruning_changes_what_was_pruned_and_nothing_else(lens):
    before, after = lens("before"), lens("after", pruned([1]))
    comparison = slw.compare({"before": before, "after": after})
    changes = comparison.changes("before", "after").query("layer == 'seen'")
    assert changes["changed"].tolist() == [False, True, False]
    assert changes["similarity"].to_numpy()[[0, 2]] == pytest.approx(1, abs=1e-3)
    only = comparison.only("before", "after", layer="seen", to_layer="seen")
    assert only["neuron"].iloc[0] == 1
    assert only["similarity"].iloc[0] < only["similarity"].iloc[1]


def test_labels_and_measures_stand_side_by_side(lens):
    one, other = lens("one"), lens("other", pruned([1]))
    one.label(["red", "green", "blue"])
    other.set_label("seen", 0, "red")
    comparison = slw.compare({"one": one, "other": other})
    labels = comparison.labels.set_index("label")
    assert (labels.loc["red", ["one", "other"]] > 0).all()
    assert labels.loc["red", "only"] == ""
    assert labels.loc["green", "only"] == "one"
    assert labels["one"].sum() == (one.neurons["label"].fillna("") != "").sum()
    measures = comparison.measures
    seen = measures.query("analysis == 'one' and layer == 'seen' and measure == 'clarity'")
    expected = one.neurons.query("layer == 'seen'")["clarity"].mean()
    assert seen["mean"].item() == pytest.approx(expected)


def test_labels_that_nobody_gave_make_an_empty_table(lens):
    labels = slw.compare({"one": lens("one"), "other": lens("other")}).labels
    assert labels.columns.tolist() == ["label", "one", "one score", "other", "other score", "only"]
    assert labels.empty


def test_the_joint_map_lies_the_same_again(lens):
    one, other = lens("one"), lens("other", pruned([1]))
    first = slw.compare({"one": one, "other": other}).map()
    second = slw.compare({"one": one, "other": other}).map()
    assert first._data["x"]["data"] == second._data["x"]["data"]
    assert set(first.lens.neurons["model"]) == {"one", "other"}


def test_what_cannot_be_compared_is_said(lens, colour_lens, tmp_path):
    one = lens("one")
    with pytest.raises(ValueError, match="at least two"):
        slw.compare({"one": one})
    images = slw.ImageDataset.from_list(colour_images(30))
    comparison = slw.compare({"one": one, "few": lens("few", images=images)})
    assert isinstance(comparison, Comparison)
    with pytest.raises(ValueError, match="different images"):
        comparison.changes("one", "few")
    with pytest.raises(ValueError, match="'third' is none of the analyses 'one', 'few'"):
        comparison.matches("one", "third", layer="seen")
    with pytest.raises(ValueError, match="'sean' is none of the layers"):
        comparison.matches("one", "few", layer="sean")
    with pytest.raises(ValueError, match="matches itself"):
        comparison.matches("one", "one", layer="seen")
    assert len(comparison.matches("one", "one", layer="seen", to_layer="mixed")) == 3
    with pytest.raises(ValueError, match="knows all of itself"):
        comparison.only("one", "one")
    with pytest.raises(ValueError, match="assigned"):
        comparison.matches("one", "few", layer="seen", how="best")
    target = slw.TargetModel(ColourNet(), ["seen"], transform=to_tensor)
    smaller = colour_lens(target=target, path=tmp_path / "smaller").run()
    with pytest.raises(ValueError, match="not the same layers"):
        slw.compare({"one": one, "smaller": smaller}).changes("one", "smaller")
