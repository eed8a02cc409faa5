"""Experiments: a finished run is not done again, and what is reported is what was measured."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from semlens_widgets.demo.experiments import EXPERIMENTS, experiment, store
from semlens_widgets.demo.experiments import __main__ as command
from semlens_widgets.demo.experiments.runs import finished
from semlens_widgets.demo.experiments.summaries import (
    TOLD,
    detectable,
    differences,
    means,
    slopes,
    within,
)
from semlens_widgets.demo.experiments.trained import Setting
from semlens_widgets.demo.images import SceneImages
from semlens_widgets.demo.skin.images import LesionImages
from semlens_widgets.demo.truth import annotate

KILLED = """
import os, signal, sys
from pathlib import Path
import pandas as pd
from semlens_widgets.demo.experiments.runs import finished

class Dies(pd.DataFrame):
    def to_parquet(self, path, **_):
        Path(path).write_bytes(b"PAR1")
        os.kill(os.getpid(), signal.SIGKILL)

finished(Path(sys.argv[1]), {"a": lambda: pd.DataFrame({"value": [1 / 3]}), "b": Dies})
"""


def counted(done):
    """Three runs that note when they are done."""

    def run(name):
        done.append(name)
        return pd.DataFrame({"value": [len(name) / 3, np.pi * 1e-9]})

    return {name: lambda name=name: run(name) for name in ("a", "bb", "ccc")}


def test_what_is_finished_is_not_done_again(tmp_path):
    done = []
    first = finished(tmp_path, counted(done))
    again = finished(tmp_path, counted(done))
    assert done == ["a", "bb", "ccc"]
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert first["run"].tolist() == ["a", "a", "bb", "bb", "ccc", "ccc"]
    assert first["value"].tolist() == [n for i in (1, 2, 3) for n in (i / 3, np.pi * 1e-9)]


def test_an_interrupted_run_is_the_only_one_that_begins_anew(tmp_path):
    done = []

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finished(tmp_path, counted(done) | {"bb": interrupted})
    assert done == ["a"]
    finished(tmp_path, counted(done))
    assert done == ["a", "bb", "ccc"]


def test_half_a_file_is_not_taken_for_a_whole_one(tmp_path):
    """Killed while it writes."""
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert killed.returncode == -9
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["a.parquet", "b.parquet.half"]
    done = []
    runs = {"a": lambda: pytest.fail("done again"), "b": counted(done)["bb"]}
    table = finished(tmp_path, runs)
    assert done == ["bb"]
    assert table["value"].tolist() == [1 / 3, 2 / 3, np.pi * 1e-9]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_what_the_command_asks_for(name, tmp_path, monkeypatch, capsys):
    module = experiment(name)
    asked = []
    monkeypatch.setattr(module, "run", lambda *arguments: asked.append(arguments))
    command.main([name, "--folder", str(tmp_path), "--threads", "3", "--device", "cuda"])
    assert asked == [(tmp_path, 3, "cuda")]
    assert capsys.readouterr().out == f"{module.TITLE}\n"
    assert callable(module.summary)


def test_an_experiment_that_there_is_not_is_refused_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        command.main(["widths"])
    told = capsys.readouterr().err
    assert all(name in told for name in EXPERIMENTS)


def test_tables_are_stored_rounded(tmp_path):
    store({"one": pd.DataFrame({"of": ["x"], "value": [1 / 3]})}, tmp_path / "new")
    assert (tmp_path / "new" / "one.csv").read_text() == "of,value\nx,0.3333\n"


@pytest.fixture(scope="module")
def table():
    """Three kinds of network, six seeds, two depths; the second and third differ as planted."""
    rng = np.random.default_rng(5)
    rows = []
    for seed in range(6):
        level = rng.normal()
        for network, size in (("thin", 1), ("wide", 2), ("wider", 4)):
            for depth in (0.5, 1.0):
                noise = dict(zip(TOLD, rng.normal(scale=0.1, size=len(TOLD)), strict=True))
                told = {name: level + value for name, value in noise.items()}
                told["clarity"] += 0.3 * np.log2(size) + depth
                rows.append(
                    {"network": network, "seed": seed, "state": "trained", "depth": depth} | told
                )
    return pd.DataFrame(rows)


def test_means_are_students(table):
    told = means(table).set_index(["network", "depth", "measure"])
    at_half = table.query("network == 'wide' and depth == 0.5")["clarity"]
    whole = table.query("network == 'wide'").groupby("seed")["clarity"].mean()
    for depth, values in ((0.5, at_half), (np.nan, whole)):
        row = told.loc[("wide", depth, "clarity")]
        low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert row["seeds"] == 6
        assert row["mean"] == pytest.approx(values.mean())
        assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))


def test_differences_are_of_the_same_seeds(table):
    some = table[~((table["network"] == "wide") & (table["seed"] == 3))]  # one that is missing
    told = differences(some, "thin").set_index(["network", "measure"])
    assert set(told.index.get_level_values(0)) == {"wide", "wider"}
    whole = some.pivot_table(index="seed", columns="network", values="clarity")
    pairs = whole[["thin", "wide"]].dropna()
    paired = stats.ttest_rel(pairs["wide"], pairs["thin"])
    row = told.loc[("wide", "clarity")]
    assert row["seeds"] == len(pairs) == 5
    assert row["difference"] == pytest.approx((pairs["wide"] - pairs["thin"]).mean())
    assert row["low"] == pytest.approx(paired.confidence_interval(0.95).low)
    assert row["high"] == pytest.approx(paired.confidence_interval(0.95).high)


def test_what_was_measured_once_has_no_interval(table):
    told = differences(table.query("seed == 0"), "thin")
    assert told["difference"].notna().all()
    assert told[["low", "high", "detectable"]].isna().all(axis=None)


@pytest.mark.parametrize("seeds", [3, 5])
def test_a_detectable_difference_is_seen_four_times_in_five(seeds):
    """As many experiments as it takes, each by scipy's own test."""
    rng = np.random.default_rng(seeds)
    deviation = 0.7
    size = detectable(deviation / np.sqrt(seeds), seeds - 1)
    drawn = rng.normal(size, deviation, size=(40_000, seeds))
    # The standard error of one experiment is not the true one; here the true one was given.
    seen = stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05
    assert seen.mean() == pytest.approx(0.8, abs=0.01)


def test_a_slope_is_that_of_least_squares_with_a_level_for_each_seed():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(4), 5)
    size, other = rng.normal(size=(2, 20))
    values = groups + 0.5 * size - other + rng.normal(scale=0.1, size=20)
    slope, error, degrees = within(values, [size, other], groups)
    design = np.column_stack([size, other, np.eye(4)[groups]])
    fitted, rest, *_ = np.linalg.lstsq(design, values)
    expected = np.sqrt(rest[0] / 14 * np.linalg.inv(design.T @ design)[0, 0])
    assert slope == pytest.approx(fitted[0])
    assert (error, degrees) == (pytest.approx(expected), 14)
    # One group and one reason is what scipy calls linear regression.
    alone = stats.linregress(size, values)
    found = within(values, [size], np.zeros(20, int))
    assert found == (pytest.approx(alone.slope), pytest.approx(alone.stderr), 18)
    # What does not vary explains nothing, and takes no degree of freedom.
    assert within(values, [size, np.ones(20)], np.zeros(20, int)) == pytest.approx(found)


def test_a_slope_is_of_the_size_and_not_of_what_comes_with_it(table):
    sizes = {"thin": 1, "wide": 2, "wider": 4}
    told = slopes(table, sizes).set_index("measure").loc["clarity"]
    assert told["low"] < 0.3 < told["high"]
    assert told["networks"] == 18
    # Now all of the rise is the accuracy's, and the size merely comes with it.
    size = np.log2(table["network"].map(sizes))
    mixed = table.assign(accuracy=size + table["accuracy"], clarity=0.0)
    mixed["clarity"] = 2 * mixed["accuracy"] + 0.001 * table["redundancy"]
    alone = slopes(mixed, sizes).set_index("measure").loc["clarity"]
    beside = slopes(mixed, sizes, ["accuracy"]).set_index("measure").loc["clarity"]
    assert alone["low"] > 1.5
    assert beside["slope"] == pytest.approx(0, abs=0.01)
    assert beside["beside"] == "accuracy"


def test_few_seeds_tell_nothing_of_slopes():
    nothing = within(np.ones(2), [np.ones(2)], np.array([0, 1]))
    assert np.isnan(nothing[:2]).all()
    assert not np.isfinite(detectable(nothing[1], nothing[2]))
    assert np.isnan(detectable(0.0, 4))


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5"])
def test_a_number_of_threads_that_is_none_is_refused_in_words(threads, capsys):
    with pytest.raises(SystemExit):
        command.main(["search", f"--threads={threads}"])
    assert f"{threads!r} must be a whole number of at least 1" in capsys.readouterr().err


def test_an_architecture_that_is_none_is_refused_by_name():
    with pytest.raises(ValueError, match=r"architecture='residul' is none of 'residual'"):
        Setting(architecture="residul")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_a_finished_run_that_is_damaged_is_named_and_done_anew(tmp_path, content):
    runs = {name: lambda name=name: pd.DataFrame({"value": [name]}) for name in ("one", "two")}
    before = finished(tmp_path, runs)
    (tmp_path / "two.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"two\.parquet' cannot be read.*Delete it"):
        finished(tmp_path, runs)
    (tmp_path / "two.parquet").unlink()
    pd.testing.assert_frame_equal(finished(tmp_path, runs), before)


@pytest.mark.parametrize("images", [SceneImages, LesionImages])
def test_no_pictures_show_nothing_and_none_has_no_size(images):
    shown = annotate(images([]))
    assert shown.shape == (0, len(images.world.meaning))
    assert all(kind == np.bool_ for kind in shown.dtypes)
    with pytest.raises(ValueError, match="size=0 must be at least 1"):
        images([], size=0)
