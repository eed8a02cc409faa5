"""Killed at any moment and started again, an analysis loses nothing and ends the same.

Child processes run a small analysis in which every stage takes its time; the parent kills them in
the middle of each stage, several times. The children write down every batch that a model sees.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tqdm.auto import tqdm

import semlens_widgets as slw
import semlens_widgets.pipeline.heatmaps as heatmaps_module
from semlens_widgets.pipeline import plan as run_module
from semlens_widgets.pipeline import thumbnails as thumbnails_module
from semlens_widgets.store import store as store_module
from semlens_widgets.store.store import AnalysisStore
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor

KILLS_PER_STAGE = 4  # at most: now and then one comes when the stage is just finished
TABLES = ("activations", "samples", "embeddings", "neurons", "examples", "heatmaps", "crops")
TABLES += ("contrasts", "contrast_crops", "vectors", "measures", "thumbnails", "layout")


class Life:
    """One process's run of the analysis; at each stage it asks its parent to go on."""

    def __init__(self, path, log, number, channel):
        self.path, self.number, self.channel = path, number, channel
        self.log = os.open(log, os.O_APPEND | os.O_WRONLY | os.O_CREAT)
        self.stage = ""
        tqdm.set_lock(threading.RLock())  # its own lock, shared by processes, would outlive a kill
        run_module.STAGES = tuple(map(self.watched, run_module.STAGES))
        for name in ("write", "append", "finish"):
            setattr(AnalysisStore, name, self.slowed(getattr(AnalysisStore, name)))
        localise = heatmaps_module.localise_shares

        def seen(target, images, layer, neurons):
            self.saw(images, images.new_tensor(neurons))
            return localise(target, images, layer, neurons)

        heatmaps_module.localise_shares = seen
        thumbnails_module._ROWS_PER_COMMIT = 4

    def tell(self, what):
        if self.channel:
            self.channel.send(what)
            self.channel.recv()

    def note(self, what, detail=""):
        os.write(self.log, f"{self.number} {what} {self.stage} {detail}\n".encode())

    def saw(self, *tensors):
        content = b"".join(t.numpy().tobytes() for t in tensors)
        self.note("batch", hashlib.blake2b(content, digest_size=8).hexdigest())
        time.sleep(0.006)

    def run(self):
        life = self

        class Net(ColourNet):
            def forward(self, x):
                if life.stage == "collect" and len(x) > 1:  # not the target's own probe
                    life.saw(x)
                return super().forward(x)

        class Foundation(ColourFoundation):
            def encode_images(self, images):
                life.saw(images)
                return super().encode_images(images)

        target = slw.TargetModel(Net(), ["seen", "mixed"], transform=to_tensor, poles="positive")
        images = slw.ImageDataset.from_list(colour_images(42), [i % 3 for i in range(42)])
        options = {"path": self.path, "n_examples": 4, "embedding": "crop", "batch_size": 4}
        slw.SemanticLens(target, images, Foundation(), **options).run()

    def watched(self, stage):
        def run(*args):
            self.stage = stage.name
            self.tell(stage.name)
            return stage.run(*args)

        return replace(stage, run=run) if stage.run else stage

    def slowed(self, function):
        def run(store, *args, **kwargs):
            time.sleep(0.004)
            function(store, *args, **kwargs)
            # Whether the foundation model fits is recorded behind the last stage, and is none.
            if function.__name__ == "finish" and args[0] != "domain":
                self.note("finished")
            time.sleep(0.004)

        return run


def live(path, log, number, channel):
    life = Life(path, log, number, channel)
    life.tell("opening")
    life.run()
    life.tell("done")


def live_through_interrupts(path, log, number, channel):
    """Run again after every interrupt, as a person does in a notebook."""
    life = Life(path, log, number, None)
    running = False

    def interrupt(_number, _frame):
        nonlocal running
        if running:
            running = False
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    channel.send("ready")
    while True:
        try:
            running = True
            life.run()
            running = False
            channel.send(life.number)
            return
        except KeyboardInterrupt:
            life.number += 1


@pytest.fixture(scope="module")
def start():
    """Start a life in a process forked from one that has imported everything heavy."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["semlens_widgets.lens.lens", "lancedb", "open_clip", "tests.colour_world"]
    )
    children = []

    def begin(folder, number=0, life=live):
        here, there = context.Pipe()
        child = context.Process(
            target=life, args=(folder / "analysis", folder / "log", number, there)
        )
        child.start()
        there.close()
        children.append(child)
        return child, here

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_DISABLE", "1")
        patch.setenv("LANCEDB_LOG", "error")
        patch.setenv("PYTHONWARNINGS", "ignore:lancedb fork support:RuntimeWarning")
        yield begin
    for child in children:
        child.kill()
        child.join()


def stages(channel):
    """Stages that a life is about to begin; it does so once the next one is asked for."""
    with contextlib.suppress(EOFError, ConnectionResetError, BrokenPipeError):
        while True:
            yield channel.recv()
            channel.send("go on")


@pytest.fixture(scope="module")
def undisturbed(start, tmp_path_factory):
    """Folder of a run that nobody disturbs, and the seconds that each stage took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    _, channel = start(folder)
    times = [(stage, time.perf_counter()) for stage in stages(channel)]
    assert times[-1][0] == "done"
    return folder, {stage: after - begin for (stage, begin), (_, after) in pairwise(times)}


def check(folder, undisturbed, monkeypatch):
    """The same tables, each batch once (but those in flight twice), and nothing left behind."""
    monkeypatch.setattr(store_module, "_GRACE", timedelta(milliseconds=1))
    ours, theirs = AnalysisStore(folder / "analysis"), AnalysisStore(undisturbed / "analysis")
    for table in TABLES:
        assert ours.read(table).equals(theirs.read(table)), table
    assert ours.stages == theirs.stages
    assert seen_batches(folder / "log") == seen_batches(undisturbed / "log")
    assert not list((folder / "analysis" / "scratch").iterdir())
    assert not (folder / "analysis" / ".writing").exists()
    with ours.writing():
        ours.tidy()
    for table in TABLES:
        assert len(list((folder / "analysis" / f"{table}.lance" / "data").iterdir())) == 1, table


def seen_batches(log):
    """Batches by stage, less those that were in flight when a life ended and begin the next one."""
    seen, last, finished = defaultdict(list), {}, set()
    for line in Path(log).read_text().splitlines():
        life, what, stage, *batch = line.split()
        assert stage not in finished, line
        if what == "finished":
            finished.add(stage)
        else:
            if last.get(stage, life) != life and seen[stage][-1] == batch:
                seen[stage].pop()
            seen[stage].append(batch)
            last[stage] = life
    return seen


def test_killed_in_every_stage(start, undisturbed, tmp_path, monkeypatch):
    reference, duration = undisturbed
    chance = np.random.default_rng(0)
    kills = Counter()
    child = None
    while child is None or child.exitcode:
        child, channel = start(tmp_path, kills.total())
        asked = stages(channel)
        for stage in asked:
            if kills[stage] < KILLS_PER_STAGE and stage != "done":
                kills[stage] += 1
                channel.send("go on")
                time.sleep(chance.uniform(0, duration[stage]))
                os.kill(child.pid, signal.SIGKILL)
                break
        child.join(60)
    print(dict(kills))
    with_work = {stage.name for stage in run_module.STAGES if stage.run} - {"relevance"}
    assert set(kills) >= with_work | {"opening"}
    assert kills.total() >= 30
    check(tmp_path, reference, monkeypatch)


def test_interrupted_in_the_same_kernel(start, undisturbed, tmp_path, monkeypatch):
    """A notebook's interrupt, many times at random, each followed by another run."""
    reference, duration = undisturbed
    chance = np.random.default_rng(1)
    child, channel = start(tmp_path, life=live_through_interrupts)
    assert channel.recv() == "ready"
    interrupts = 0
    while interrupts < 40 and child.is_alive():
        time.sleep(chance.uniform(0, sum(duration.values()) / 20))
        os.kill(child.pid, signal.SIGINT)
        interrupts += 1
    child.join(60)
    assert child.exitcode == 0
    check(tmp_path, reference, monkeypatch)
    assert channel.recv() >= 10  # runs that an interrupt ended, however early
