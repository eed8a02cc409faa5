"""The experiments' tables are what their command measures, as an analysis measures it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

import semlens_widgets as slw
from semlens_widgets.demo.experiments import architectures, stored, training
from semlens_widgets.demo.experiments.measuring import MEASURES, activations, measured
from semlens_widgets.demo.experiments.networks import ARCHITECTURES
from semlens_widgets.demo.experiments.pictures import CLASSES, TRAINING, VALIDATION, prepared
from semlens_widgets.demo.experiments.summaries import differences
from semlens_widgets.demo.experiments.trained import COMMON_ACCURACY, trained

EXPERIMENTS = {"architectures": architectures, "training": training}
COMPUTED = {
    "architectures": ("architectures-networks", architectures.summary),
    "architectures-differences": (
        "architectures-networks",
        partial(differences, baseline=architectures.BASELINE),
    ),
    "architectures-slopes": ("architectures-networks", architectures.rises),
    "training": ("training-networks", training.summary),
    "training-differences": (
        "training-networks",
        partial(differences, baseline=training.BASELINE),
    ),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the tables were made
    yield prepared(tmp_path_factory.mktemp("experiments"))
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "network"),
    [("architectures", "a half as wide"), ("training", "a third as long")],
)
def test_a_stored_network_is_what_the_command_measures(pictures, experiment, network):
    """The one of the first seed, trained anew."""
    seed = EXPERIMENTS[experiment].SEEDS[0]
    found = trained(EXPERIMENTS[experiment].SETTINGS[network], seed, pictures)
    of_all_seeds = stored(f"{experiment}-networks").query("network == @network")
    told = of_all_seeds.query("seed == @seed")
    both = told.merge(found, on=["state", "depth"], suffixes=("", "_found"))
    assert len(both) == len(told) == len(found) >= 12
    before = both[both["state"] == "untrained"]
    seeds = of_all_seeds.groupby(["state", "depth"])
    for name in (*MEASURES, "dead", "accuracy"):
        np.testing.assert_allclose(before[f"{name}_found"], before[name], atol=2e-3, err_msg=name)
        # Another machine rounds otherwise, and a training carries that on: in the end as far as
        # another seed does.
        apart = both.join(seeds[name].agg(np.ptp).rename("apart"), on=["state", "depth"])["apart"]
        off = (both[f"{name}_found"] - both[name]).abs()
        assert (off <= np.maximum(0.05, apart)).all(), (name, off.to_list(), apart.to_list())


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_reported_follows_from_the_networks(name):
    networks, computed = COMPUTED[name]
    found, told = computed(stored(networks)), stored(name)
    assert list(found) == list(told)
    assert len(found) == len(told)
    numbers = told.select_dtypes("number").columns
    pd.testing.assert_frame_equal(found[numbers], told[numbers], atol=2e-3, check_dtype=False)
    words = told.columns.drop(numbers)
    assert found[words].fillna("").equals(told[words].fillna(""))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_setting_has_all_seeds_and_controls(experiment):
    table = stored(f"{experiment}-networks")
    module = EXPERIMENTS[experiment]
    assert len(module.SEEDS) >= 3
    for state in ("untrained", "trained", "shuffled"):
        counts = table[table["state"] == state].groupby(["network", "seed"]).size()
        assert (counts == 4).all()
        assert set(counts.index) == {(name, s) for name in module.SETTINGS for s in module.SEEDS}
    reached = table.query("state == 'equal accuracy'")
    assert (reached["accuracy"] >= COMMON_ACCURACY).all()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_training_makes_neurons_clearer_than_chance_in_every_network(experiment):
    """Without that nothing else here would mean anything."""
    whole = stored(f"{experiment}-networks").groupby(["state", "network", "seed"])["clarity"].mean()
    for state in ("trained", "untrained"):
        assert (whole[state] > whole["shuffled"]).all()
    assert (whole["trained"] > whole["untrained"]).all()


@pytest.mark.slow
def test_it_is_what_an_analysis_measures(pictures, tmp_path):
    """On the same pictures, through all of its stages and its store."""
    from semlens_widgets.demo.experiments.pictures import sample
    from semlens_widgets.demo.images import SceneImages

    rng = np.random.default_rng(701)
    scenes = [sample(rng) for _ in range(TRAINING + VALIDATION + 200)][-200:]
    torch.manual_seed(1)
    made = ARCHITECTURES["residual"]
    target, found = activations(made.make(len(CLASSES)), made.layers, pictures.measured[:200])
    mine = measured(found, pictures.embeddings[:200])
    lens = slw.SemanticLens(
        target,
        slw.ImageDataset.from_dataset(SceneImages(scenes)),
        slw.demo.foundation(),
        path=tmp_path / "analysis",
    ).run()
    neurons = lens.neurons
    alive = neurons[~neurons["dead"]]
    for row, layer in zip(mine.itertuples(), made.layers, strict=True):
        whole = neurons[neurons["layer"] == layer]
        assert row.neurons == len(whole)
        assert row.dead == pytest.approx(whole["dead"].mean())
        for measure, atol in (("clarity", 2e-3), ("polysemanticity", 2e-3), ("redundancy", 2e-3)):
            expected = alive.loc[alive["layer"] == layer, measure].mean()
            assert getattr(row, measure) == pytest.approx(expected, abs=atol), measure
