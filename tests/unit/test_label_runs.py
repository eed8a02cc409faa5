"""Labels of several runs stand side by side; what was stored earlier still opens."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import semlens_widgets as slw
from semlens_widgets.store.labels import read_labels

NAMES = ["red", "green", "blue"]


def of_run(lens, name):
    return lens.labels.query("run == @name").drop(columns="run").reset_index(drop=True)


def test_each_run_is_kept_by_its_name_and_the_last_is_in_force(colour_lens, tmp_path):
    lens = colour_lens().run()
    assert lens.labels.empty
    said = {"csp": lens.label(NAMES, scorer="csp")}
    said["weak"] = lens.label([*NAMES, "grey"], scorer=slw.Csp(gamma=0.2), run="weak")
    said["recognition"] = lens.label(["blue", "red"], scorer="recognition")
    for one in (lens, slw.open(tmp_path / "analysis"), colour_lens()):
        assert list(one.labels["run"].unique()) == list(said)
        for name, frame in said.items():
            pd.testing.assert_frame_equal(of_run(one, name)[frame.columns], frame)
        assert one.neurons["source"].eq("recognition").all()
        assert one.labelled_by["scorer"] == "recognition"
        assert one.vocabulary == ("blue", "red")
    lens.label(["green"], scorer="csp")  # again by the first name: replaced, and in force
    assert list(lens.labels["run"].unique()) == ["weak", "recognition", "csp"]
    assert set(lens.neurons["label"]) <= {"green", "unknown"}
    assert len(lens.labels) == 3 * len(lens.neurons)


def test_a_run_says_where_its_candidates_came_from(colour_lens):
    lens = colour_lens().run()
    lens.label(NAMES, scorer="correlation")
    said = slw.open(lens.store.path).labelled_by
    assert (said["candidates"], said["back_off"]) == ("vocabulary", False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what this encoder cannot tell apart
        lens.label("wide", scorer="correlation", back_off=True)
    said = slw.open(lens.store.path).labelled_by
    assert (said["candidates"], said["back_off"]) == ("wide", True)


def test_a_persons_label_outranks_every_run_and_changes_none(colour_lens):
    lens = colour_lens().run()
    said = lens.label(NAMES)
    lens.set_label("seen", 1, "grass")
    pd.testing.assert_frame_equal(of_run(lens, "recognition")[said.columns], said)
    (own,) = lens.labels.query("run == 'person'").itertuples()
    assert (own.layer, own.neuron, own.source, own.label) == ("seen", 1, "person", "grass")
    assert own.score == lens.neurons["score"][1]
    lens.label(NAMES, scorer="difference")
    assert lens.neurons["label"][1] == "grass"
    lens.clear_label("seen", 1)
    assert lens.neurons["label"][1] == "green"
    assert list(lens.labels["run"].unique()) == ["recognition", "difference"]


def test_a_label_may_be_cleared_without_the_foundation_model(colour_lens, tmp_path):
    lens = colour_lens().run()
    said = lens.label(NAMES)
    lens.set_label("seen", 1, "grass")
    read = slw.open(tmp_path / "analysis")
    read.clear_label("seen", 1)
    pd.testing.assert_frame_equal(read.neurons[said.columns], said)


@pytest.mark.parametrize("name", ["person", "", "  "])
def test_a_run_has_a_name_of_its_own(colour_lens, name):
    with pytest.raises(ValueError, match="'person' are the labels of people"):
        colour_lens().run().label(NAMES, run=name)


@pytest.mark.parametrize("key", ["method", "scorer"])
def test_labels_as_they_once_were_stored_still_open(colour_lens, key):
    """One run, a person's label in the place of the scorer's; every setting under one name."""
    lens = colour_lens().run()
    frame = lens.label(NAMES, threshold=-np.inf)
    frame.loc[1, ["label", "source"]] = ["grass", "person"]
    settings = {"gamma": 1.0, "centred": False, "templates": ["a {}"]}
    facts = {"vocabulary": NAMES, "scorer": {key: "csp", **settings}, "threshold": None}
    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {**table.schema.metadata, b"labelling": json.dumps(facts)}
    lens.store.write("labels", table.replace_schema_metadata(metadata))
    lens.store.finish("labels")
    again = colour_lens()
    pd.testing.assert_frame_equal(again.neurons[frame.columns], frame)
    assert again.labelled_by == {"scorer": "csp", **settings, "templates": ("a {}",)}
    assert again.labels["run"].tolist() == ["csp"] * 7 + ["person"]
    again.clear_label("seen", 1)
    assert again.neurons["label"].tolist()[:3] == ["red", "", "blue"]  # what was said is not known
    assert np.isnan(again.neurons["score"][1])
    assert len(read_labels(again.store, again.neurons).runs) == 1
