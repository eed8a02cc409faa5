"""How far a run is, where it stops, and what is said of both."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

import semlens_widgets as slw
from semlens_widgets.errors import RunStopped
from semlens_widgets.pipeline import collect, contrasts, crops, embed, heatmaps, layout, thumbnails
from semlens_widgets.pipeline import plan as run_module
from semlens_widgets.pipeline.progress import progress_of
from semlens_widgets.store.scratch import RowLog, logged_rows


class Stops:
    """Raises KeyboardInterrupt at one call, as a person does who presses stop."""

    def __init__(self, at):
        self.left = at

    def __call__(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.fixture
def stopping(monkeypatch):
    """Stop at the n-th call of a module's function."""

    def arm(module, function, at):
        real, stops = getattr(module, function), Stops(at)

        def watched(*args, **options):
            stops()
            return real(*args, **options)

        monkeypatch.setattr(module, function, watched)

    return arm


def stopped(work):
    with pytest.raises(RunStopped) as caught:
        work()
    assert isinstance(caught.value, KeyboardInterrupt)
    return str(caught.value)


def test_a_run_says_where_it_stopped_and_goes_on_there(colour_lens, stopping):
    lens = colour_lens(batch_size=8)
    assert repr(lens) == "SemanticLens(ColourNet; not run yet; call run())"
    stopping(collect.Values, "compute", 4)
    assert stopped(lens.run) == "Stopped at 24 of 60 in stage 'collect'; run() goes on from there."
    begun = "SemanticLens(ColourNet; run unfinished: 0 of 9 stages, 24 of 60 in stage 'collect'; "
    assert repr(lens) == repr(colour_lens(batch_size=8)) == begun + "call run())"
    assert repr(slw.open(lens.store.path)) == begun + "call run())"
    stopping(embed.Images, "compute", 3)  # the two go over the images together
    assert "40 of 60 in stage 'collect'" in stopped(lens.run)
    assert logged_rows(lens.store.path / "scratch", "embed", np.float16) == 40
    assert "neurons seen: 3, mixed: 4" in repr(lens.run())


@pytest.mark.parametrize(
    ("module", "function", "said"),
    [
        (contrasts, "select_contrasts", "Stopped at stage 'contrasts'; run() goes on from there."),
        (
            thumbnails,
            "write_thumbnails",
            "Stopped at stage 'thumbnails'; run() goes on from there.",
        ),
        (layout, "lay_out", "Stopped at stage 'layout'; run() goes on from there."),
    ],
)
def test_stages_without_a_count_are_named(colour_lens, stopping, module, function, said):
    lens = colour_lens()
    stopping(module, function, 1)
    assert stopped(lens.run) == said
    assert "run unfinished" in repr(lens)
    assert "neurons seen" in repr(lens.run())


def test_crops_and_their_heatmaps_are_counted(colour_lens, stopping):
    lens = colour_lens(embedding="crop", batch_size=8)
    stopping(heatmaps, "relevance_boxes", 3)
    assert stopped(lens.run).startswith("Stopped at 16 of 42 in stage 'heatmaps'")
    stopping(crops, "embed_crops", 1)
    assert stopped(lens.run).startswith("Stopped at 0 of 42 in stage 'crops'")
    stopping(crops, "_crop", 26)
    with pytest.warns(UserWarning, match="42 of 42 crops are all that the model sees"):
        assert stopped(lens.run).startswith("Stopped at 24 of 42 in stage 'crops'")
    assert "5 of 12 stages, 24 of 42 in stage 'crops'" in repr(lens)
    with pytest.warns(UserWarning, match="42 of 42 crops are all that the model sees"):
        lens.run()
    assert progress_of(lens.store).stage == ""


def test_localising_says_how_many_heatmaps_are_kept(colour_lens, stopping):
    lens = colour_lens(batch_size=8).run()
    stopping(heatmaps, "relevance_boxes", 3)
    frames = [lens.examples(*key) for key in lens.neurons[["layer", "neuron"]].to_numpy()]
    wanted = {
        (row, int(sample))
        for row, frame in enumerate(frames)
        for name in ("sample", "contrast_sample")
        for sample in frame[name]
        if sample >= 0
    }

    def kept():
        return sum(sample in lens._read.heatmaps(row, [sample]) for row, sample in wanted)

    assert kept() == 0
    said = stopped(lens.localise)
    assert said == f"Stopped at 16 of {len(wanted)} heatmaps; localise() goes on from there."
    assert kept() == 16
    lens.localise()
    assert kept() == len(wanted)


def test_ipython_shows_one_line(colour_lens, stopping):
    shell = InteractiveShell()
    shown = []
    shell._showtraceback = lambda *shows: shown.append(shows[2])
    shell.user_ns["lens"] = colour_lens(batch_size=8)
    stopping(collect.Values, "compute", 2)
    shell.run_cell("lens.run()")
    assert shown == [["Stopped at 8 of 60 in stage 'collect'; run() goes on from there."]]


def test_a_script_ends_in_that_line_too(colour_lens, stopping):
    lens = colour_lens(batch_size=8)
    stopping(collect.Values, "compute", 2)
    try:
        lens.run()
    except KeyboardInterrupt as error:
        text = traceback.format_exception(error)
    assert text[-1].endswith("Stopped at 8 of 60 in stage 'collect'; run() goes on from there.\n")
    assert "compute" not in "".join(text)  # where Python was


def test_one_bar_counts_the_stages(colour_lens, monkeypatch):
    said, counted = [], []

    class Bar(run_module.tqdm):
        def __init__(self, *args, **options):
            counted.append((options["total"], options["initial"]))
            super().__init__(*args, **options)

        def set_description(self, desc=None, refresh=True):
            said.append(desc)

    monkeypatch.setattr(run_module, "tqdm", Bar)
    colour_lens().run()
    assert said == [
        "stage 1 of 9: activations",
        "stage 2 of 9: class labels",
        "stage 3 of 9: image embeddings",
        "stage 4 of 9: concept examples",
        "stage 5 of 9: contrastive examples",
        "stage 6 of 9: semantic vectors",
        "stage 7 of 9: measures",
        "stage 8 of 9: thumbnails",
        "stage 9 of 9: the map's layout",
    ]
    colour_lens().run()
    assert counted == [(9, 0), (9, 9)]
    assert len(said) == 9


SCRIPT = """
import numpy as np
from semlens_widgets.analysis.layout import umap_layout
umap_layout(np.random.default_rng(0).normal(size=(60, 8)))
"""


@pytest.mark.parametrize("off", ["", "1"])
def test_the_layout_shows_signs_of_life_unless_switched_off(off):
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    environment |= {"TQDM_DISABLE": off} if off else {}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    assert ("layout: 100%" in run.stderr) is not bool(off)
    assert run.stdout == ""


def test_counting_rows_leaves_a_log_alone(tmp_path):
    assert logged_rows(tmp_path, "x", np.float32) == 0
    log = RowLog(tmp_path, "x", np.float32)
    log.append({"a": np.ones((5, 3)), "b": np.ones((5, 2))})
    with (tmp_path / "x-1.rows").open("ab") as file:
        file.write(b"half a")  # of a row
    before = (tmp_path / "x-1.rows").stat().st_size
    assert logged_rows(tmp_path, "x", np.float32) == 5
    assert (tmp_path / "x-1.rows").stat().st_size == before
