"""One model through its training: what was planted is found, and what does not fit is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.analysis.evolution import layout_of_steps, moved
from tests.colour_world import TableFoundation, TableNet, to_tensor
from tests.unit.evolution_world import (
    DEAD,
    EXAMPLES,
    MOVED,
    NEURONS,
    TEXTS,
    analysed,
    meaning,
    steps,
    tables,
)  # fmt: skip


def test_moved_is_the_cosine_distance_to_the_step_before():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(3, 5, 4, generator=generator)
    vectors[1, 2] = 7 * vectors[0, 2]  # only longer
    vectors[2, 4] = -vectors[1, 4]
    known = torch.ones(3, 5, dtype=torch.bool)
    known[1, 0] = False
    found = moved(vectors, known)
    a, b = vectors[:-1].numpy(), vectors[1:].numpy()
    cosine = (a * b).sum(2) / np.linalg.norm(a, axis=2) / np.linalg.norm(b, axis=2)
    expected = 1 - cosine
    expected[:, 0] = np.nan  # not known at the second step: neither there nor after
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1:], expected, atol=1e-6)
    assert found[2, 4] == pytest.approx(2)
    again = moved(vectors[[0, 0]], known[[0, 0]])
    assert (again[1] == 0).all()
    with pytest.raises(ValueError, match="steps, neurons, dim"):
        moved(vectors[0], known)


def planted_vectors() -> torch.Tensor:
    """Two steps of forty neurons in four groups; neuron 0 goes over to another group."""
    rng = np.random.default_rng(3)
    centres = np.eye(4, 16)
    first = centres[np.arange(40) % 4] + rng.normal(0, 0.05, (40, 16))
    second = first + rng.normal(0, 0.005, (40, 16))
    second[0] = centres[1] + rng.normal(0, 0.05, 16)
    return torch.tensor(np.stack([first, second]), dtype=torch.float32)


def test_who_stays_hardly_moves_on_the_plane_and_who_goes_over_lies_among_the_others():
    vectors = planted_vectors()
    known = torch.ones(2, 40, dtype=torch.bool)
    known[1, 7] = False
    places = layout_of_steps(vectors, known)
    assert places.shape == (2, 40, 2)
    assert np.isnan(places[1, 7]).all()
    far = np.linalg.norm(places[1] - places[0], axis=1)
    stays = [at for at in range(1, 40) if at != 7]
    assert far[0] > far[stays].max()
    groups = [[at for at in stays if at % 4 == group] for group in range(4)]
    nearest = np.linalg.norm(places[1, stays] - places[1, 0], axis=1).argsort()[:5]
    assert all(stays[at] in groups[1] for at in nearest)
    np.testing.assert_array_equal(layout_of_steps(vectors, known), places)


def test_the_same_vectors_lie_at_the_same_place():
    vectors = planted_vectors()[[0, 0, 1]]
    vectors[2, 1:] = vectors[0, 1:]
    places = layout_of_steps(vectors, torch.ones(3, 40, dtype=torch.bool))
    np.testing.assert_array_equal(places[0], places[1])
    np.testing.assert_array_equal(places[0, 1:], places[2, 1:])
    assert not np.array_equal(places[0, 0], places[2, 0])


@pytest.fixture(scope="module")
def lenses(tmp_path_factory):
    return steps(tmp_path_factory.mktemp("evolution"))


@pytest.fixture
def unlabelled(lenses):
    yield lenses
    for lens in lenses.values():
        for neuron in range(NEURONS):
            lens.clear_label("table", neuron)


def test_one_neuron_moved_and_nothing_else(lenses):
    through = slw.evolution(lenses)
    table = through.neurons
    assert len(table) == 3 * NEURONS
    assert table["step"].unique().tolist() == list(through.steps) == list(lenses)
    first, second, third = (table[table["step"] == step].set_index("neuron") for step in lenses)
    assert first["moved"].isna().all()
    expected = 1 - meaning(MOVED) @ meaning(NEURONS)
    assert second["moved"][MOVED] == pytest.approx(expected, abs=2e-3)  # kept in half precision
    others = second["moved"].drop(MOVED)
    assert (others == 0).all()
    assert np.isnan(third["moved"][DEAD])
    assert third["dead"][DEAD]
    assert (third["moved"].drop(DEAD) == 0).all()
    assert table[["x", "y"]].isna().any(axis=1).sum() == 1
    assert np.isnan(third["x"][DEAD])
    # Exactly where they were; the one that moved elsewhere.
    stays = first.index != MOVED
    np.testing.assert_array_equal(first[["x", "y"]][stays], second[["x", "y"]][stays])
    assert not np.array_equal(first.loc[MOVED, ["x", "y"]], second.loc[MOVED, ["x", "y"]])
    np.testing.assert_array_equal(first["clarity"][stays], second["clarity"][stays])
    again = slw.evolution(lenses).neurons
    assert again.equals(table)


def test_labels_that_changed_are_those_in_force_on_both_sides(unlabelled):
    through = slw.evolution(unlabelled)
    assert through.notes == [
        "No step has labels yet: call label(...) on the analysis of each, alike."
    ]
    assert through.neurons["label_changed"].isna().all()
    first, second, third = unlabelled.values()
    for lens in (first, second):
        lens.set_labels({("table", neuron): f"kind {neuron}" for neuron in range(4)})
    second.set_label("table", MOVED, "another", 0.7)
    third.set_label("table", MOVED, "another")
    table = through.neurons  # of the labels as they are now
    changed = table.set_index(["step", "neuron"])["label_changed"]
    assert changed["epoch 0"].isna().all()
    assert changed["epoch 1"][:4].tolist() == [False, False, False, True]
    assert changed["epoch 1"][4:].isna().all()
    assert changed["epoch 2"].drop(MOVED).isna().all()
    assert changed["epoch 2"][MOVED] == False  # noqa: E712 - not None either
    row = table[(table["step"] == "epoch 1") & (table["neuron"] == MOVED)].iloc[0]
    assert (row["label"], row["source"]) == ("another", "person")
    assert row["score"] == pytest.approx(0.7)
    summary = through.summary().set_index("step")
    assert summary["labels_changed"].tolist()[1:] == [0.25, 0]
    assert np.isnan(summary["labels_changed"]["epoch 0"])
    assert summary["labels_compared"].tolist() == [0, 4, 1]


def test_a_summary_is_the_means_of_the_table(lenses):
    through = slw.evolution(lenses)
    table, summary = through.neurons, through.summary()
    assert summary[["step", "layer"]].to_numpy().tolist() == [[step, "table"] for step in lenses]
    for step, row in summary.set_index("step").iterrows():
        own = table[table["step"] == step]
        assert row["neurons"] == NEURONS
        assert row["clarity"] == pytest.approx(np.nanmean(own["clarity"]))
        assert row["dead"] == own["dead"].mean()
        if step != "epoch 0":
            assert row["moved"] == pytest.approx(np.nanmean(own["moved"]))
    assert summary["dead"].tolist() == [0, 0, 1 / NEURONS]
    assert summary["moved"].iloc[1] == pytest.approx(table["moved"].max() / NEURONS)


def test_folders_do_as_well_and_two_are_needed(lenses):
    paths = {name: str(lens.store.path) for name, lens in lenses.items()}
    opened = slw.evolution({**paths, "epoch 0": lenses["epoch 0"]})
    assert opened.neurons.equals(slw.evolution(lenses).neurons)
    assert repr(opened) == f"Evolution(3 steps: epoch 0, epoch 1, epoch 2; {NEURONS} neurons)"
    with pytest.raises(ValueError, match="1 cannot be followed; give at least two"):
        slw.evolution({"only": lenses["epoch 0"]})
    with pytest.raises(ValueError, match="two steps have the same name"):
        slw.evolution({"1": lenses["epoch 0"], 1: lenses["epoch 1"]})
    with pytest.raises(slw.StoreError):
        slw.evolution({"epoch 0": lenses["epoch 0"], "lost": "nowhere"})


def test_what_differs_is_refused_by_name(lenses, tmp_path):
    first = lenses["epoch 0"]
    table = tables()[0]

    class Other(TableFoundation):
        name = "another table"

    def refused(match: str, **changes) -> None:
        with pytest.raises(ValueError, match=match):
            slw.evolution({"a": first, "b": analysed(tmp_path / str(len(match)), table, **changes)})

    refused(r"'b' and 'a' differ in images: images is 79 and 80", images=79)
    refused(
        r"'b' and 'a' differ in foundation model: foundation is 'another table' and 'table'",
        foundation=Other(TEXTS),
    )
    refused(r"differ in n_examples: n_examples is 3 and 4", n_examples=EXAMPLES - 1)
    wider = slw.TargetModel(TableNet(table[:, :9]), ["table"], transform=to_tensor)
    refused(r"Layer 'table' has 9 neurons in 'b' and 16 in 'a'", target=wider)
    model = torch.nn.Sequential(TableNet(table))
    deeper = slw.TargetModel(model, ["0.table"], transform=to_tensor)
    refused(r"'b' has the layers \['0\.table'\], 'a' \['table'\]", target=deeper)


def test_unlike_labelling_is_said(unlabelled):
    first, second, third = unlabelled.values()
    first.label(["one", "two", "three"], threshold=-np.inf)
    through = slw.evolution(unlabelled)
    assert through.notes == ["Without labels: epoch 1, epoch 2."]
    second.label(["one", "two"], threshold=-np.inf)
    third.label(["one", "two", "three"], threshold=-np.inf)
    assert len(through.notes) == 1
    assert "not labelled alike" in through.notes[0]
    second.label(["one", "two", "three"], threshold=-np.inf)
    assert through.notes == []
