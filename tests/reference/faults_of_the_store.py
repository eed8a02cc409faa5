"""Faults of the folder that an analysis lies in: what is done to it, and what must be seen."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

import semlens_widgets as slw
from semlens_widgets.errors import StoreError
from semlens_widgets.pipeline.plan import STAGES
from semlens_widgets.store import decisions
from semlens_widgets.store.manifest import SCHEMA_VERSION
from semlens_widgets.store.store import AnalysisStore
from semlens_widgets.store.tables import Tables
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor

TABLES = ("activations", "samples", "neurons", "embeddings", "examples", "contrasts", "vectors")
TABLES += ("measures", "thumbnails", "layout")
WORDS = ["red", "green", "blue"]


def lens_on(path, model=None, **changes):
    """A lens of the colour world; the same inputs whenever it is made."""
    images = slw.ImageDataset.from_list(colour_images(24), [i % 3 for i in range(24)], WORDS)
    target = slw.TargetModel(
        model or ColourNet(), ["seen", "mixed"], transform=to_tensor, outputs=["red", "green"]
    )
    options = {"path": path, "n_examples": 3, "batch_size": 8} | changes
    return slw.SemanticLens(
        target, options.pop("images", images), options.pop("foundation", ColourFoundation()),
        **options,
    )  # fmt: skip


def labelled(path):
    """A finished analysis with labels of a scorer, and one of a person."""
    lens = lens_on(path).run()
    lens.label(WORDS, scorer="csp")
    lens.set_label("seen", 1, "mine")
    return lens


def same(ours, theirs, tables=TABLES):
    """Two folders hold the same results, whatever became of one on the way."""
    one, other = (AnalysisStore(path, STAGES, read_only=True) for path in (ours, theirs))
    for table in tables:
        # As text: what is not there is NaN, which equals nothing.
        assert repr(one.read(table).to_pylist()) == repr(other.read(table).to_pylist()), table


def labels_in(path):
    return slw.open(path).neurons["label"].tolist()


def refused(what, *words):
    """Call, and find each of the words in the message of the refusal."""
    with pytest.raises(StoreError) as caught:
        what()
    for word in words:
        assert word in str(caught.value), str(caught.value)
    for foreign in ("LanceError", "os error", ".rs:"):
        assert foreign not in str(caught.value)


class Mount:
    """A file system of its own, while it is used."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        done = subprocess.run(["mount", *self.options], check=False, capture_output=True)
        if done.returncode:
            pytest.skip("mounting is not allowed here")
        self.again = lambda how: subprocess.run(
            ["mount", "-o", f"remount,{how}", self.options[-1]], check=True
        )
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.options[-1]], check=True)


def disk_full_in_a_run(size):
    def fault(tmp_path, finished, monkeypatch):
        disk = tmp_path / "disk"
        disk.mkdir()
        with Mount("-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)) as mounted:
            refused(lambda: lens_on(disk / "a").run(), "disk is full", "Make room", "do it again")
            before = set(AnalysisStore(disk / "a", read_only=True).stages)
            mounted.again("size=64m")
            lens = lens_on(disk / "a")
            assert before <= set(lens.store.stages)
            lens.run()
            same(disk / "a", finished)

    return fault


def disk_full_while_labelling(tmp_path, finished, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    with Mount("-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)):
        shutil.copytree(finished, disk / "a")
        lens, before = lens_on(disk / "a"), labels_in(disk / "a")
        room = os.statvfs(disk)
        (disk / "fill").write_bytes(bytes(room.f_bavail * room.f_frsize))
        for what in (
            lambda: lens.set_label("seen", 0, "other"),
            lambda: lens.label([*WORDS, "grey"], scorer="csp"),
        ):
            refused(what, "disk is full", "Make room")
            assert labels_in(disk / "a") == lens.neurons["label"].tolist() == before
        (disk / "fill").unlink()
        lens.set_label("seen", 0, "other")
        assert labels_in(disk / "a") == ["other", *before[1:]]


def disk_full_for_the_manifest(tmp_path, finished, monkeypatch):
    """Where nothing can be mounted: the system's own call refuses, in the middle of a run."""
    count = 0

    def full(_):
        nonlocal count
        count += 1
        if count > 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        refused(lambda: lens_on(tmp_path / "a").run(), "disk is full", "Make room")
    assert 0 < len(AnalysisStore(tmp_path / "a").stages) < len(AnalysisStore(finished).stages)
    lens_on(tmp_path / "a").run()
    same(tmp_path / "a", finished)


def read_only(tmp_path, finished, monkeypatch):
    there = tmp_path / "there"
    there.mkdir()
    with Mount("--bind", str(finished), str(there)) as mounted:
        mounted.again("bind,ro")
        before = labels_in(there)
        lens = lens_on(there)
        for what in (lens.run, lambda: lens.set_label("seen", 0, "x"), lambda: lens.label(["x"])):
            refused(what, "drive is read-only", "semlens_widgets.open(path)", "copy the folder")
        found = slw.open(there, foundation=ColourFoundation()).search("red")
        assert found["neuron"].iloc[0] == 0
        assert labels_in(there) == before


def unwritable_for_this_user(tmp_path, finished, monkeypatch):
    """As root everything may be written: the system's call is replaced."""
    lens, before = lens_on(finished), labels_in(finished)

    def denied(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", denied)
        refused(lambda: lens.set_label("seen", 0, "x"), "may not write there", "copy the folder")
    assert labels_in(finished) == before


def tables_time_out(tmp_path, finished, monkeypatch):
    """No drive here can be made to fail: the tables' library says what it does where one is."""
    lens = slw.open(finished, foundation=ColourFoundation())
    said = (
        "lance error: LanceError(IO): Generic LocalFileSystem error: Unable to open file: "
        "Connection timed out (os error 110), /src/lance-io/src/local.rs:1:1"
    )

    def gone(*_):
        raise RuntimeError(said)

    with monkeypatch.context() as patch:
        patch.setattr(lens.store._db, "open_table", gone)
        refused(lambda: lens.search("red"), "does not answer in time", "do it again")
    assert len(lens.search("red"))


def folder_times_out(tmp_path, finished, monkeypatch):
    """What asks the system which files there are is replaced; no stage may count as undone."""
    lens, stages = lens_on(finished), AnalysisStore(finished).stages

    def gone(*_):
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), str(finished))

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "has", gone)
        refused(lens.run, "does not answer in time", "Nothing that was finished is lost")
    assert AnalysisStore(finished).stages == stages


def manifest_times_out(tmp_path, finished, monkeypatch):
    def gone(*_):
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", gone)
        refused(lambda: slw.open(finished), "cannot be read", "timed out", "open the folder again")
    assert slw.open(finished).neurons["label"].tolist() == labels_in(finished)


def _damage(folder, how):
    for file in folder.rglob("*.manifest" if how == "its list of files cut" else "*.lance"):
        if file.is_file():
            file.write_bytes(b"" if how == "emptied" else file.read_bytes()[:20])


def damaged_tables(how):
    def fault(tmp_path, finished, monkeypatch):
        before = labels_in(finished)
        for table in TABLES:
            shutil.copytree(finished, tmp_path / "a")
            _damage(tmp_path / "a" / f"{table}.lance", how)
            way = f"delete the folder {table}.lance in there; run() makes it anew"
            refused(
                lambda table=table: AnalysisStore(tmp_path / "a", STAGES).read(table),
                f"'{table}'", "cannot be read", way,
            )  # fmt: skip
            if table in {"activations", "neurons", "examples", "layout"}:
                shutil.rmtree(tmp_path / "a" / f"{table}.lance")
                lens = lens_on(tmp_path / "a").run()
                same(tmp_path / "a", finished)
                assert labels_in(tmp_path / "a")[1] == "mine"
                lens.label(WORDS, scorer="csp")  # by evidence that was made anew
                assert labels_in(tmp_path / "a") == before
            shutil.rmtree(tmp_path / "a")

    return fault


def damaged_labels(tmp_path, finished, monkeypatch):
    before = labels_in(finished)
    shutil.copytree(finished / "labels.lance", tmp_path / "copy")
    _damage(finished / "labels.lance", "cut")
    refused(lambda: labels_in(finished), "'labels'", "put back a copy of the folder labels.lance")
    shutil.rmtree(finished / "labels.lance")
    shutil.copytree(tmp_path / "copy", finished / "labels.lance")
    assert labels_in(finished) == before


def older_version(tmp_path, finished, monkeypatch):
    """A folder that the first layout's release wrote, less its tables, which are never reached."""
    shutil.copytree(Path(__file__).parent / "version-1", tmp_path / "a")
    _of_another_version(tmp_path / "a", "version 1", "run the analysis anew in a new folder")


def newer_version(tmp_path, finished, monkeypatch):
    content = json.loads((finished / "analysis.json").read_text())
    (finished / "analysis.json").write_text(
        json.dumps(content | {"schema_version": SCHEMA_VERSION + 1})
    )
    _of_another_version(finished, f"version {SCHEMA_VERSION + 1}", "use a new folder")


def _of_another_version(path, *words):
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    for what in (lambda: slw.open(path), lambda: lens_on(path)):
        refused(what, "Open it with the release that wrote it", *words)
    refused(lambda: lens_on(path, on_change="recompute"), *words)
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def clock_back(tmp_path, finished, monkeypatch):
    """What is written last has the earliest time; who has read before sees it all the same."""
    reader, writer = slw.open(finished), lens_on(finished)
    assert reader.neurons["label"].iloc[1] == "mine"
    known = set((finished / "labels.lance" / "_versions").iterdir())
    writer.set_label("seen", 1, "later")
    for file in set((finished / "labels.lance" / "_versions").iterdir()) - known:
        os.utime(file, (0, 0))
    assert reader.neurons["label"].iloc[1] == "later"


def clock_of_another_century(tmp_path, finished, monkeypatch):
    """All files are of the future, then of the past; what is finished stays so, a run goes on."""
    for seconds in (4_000_000_000, 0):
        shutil.copytree(finished, tmp_path / "a")
        shutil.rmtree(tmp_path / "a" / "layout.lance")
        for file in (tmp_path / "a").rglob("*"):
            os.utime(file, (seconds, seconds))
        lens = lens_on(tmp_path / "a").run()
        same(tmp_path / "a", finished)
        lens.set_label("seen", 0, "other")
        assert labels_in(tmp_path / "a")[:2] == ["other", "mine"]
        shutil.rmtree(tmp_path / "a")


def clock_back_between_decisions(tmp_path, finished, monkeypatch):
    class Clock:
        years = iter((2030, 1990))

        @classmethod
        def now(cls, zone):
            return datetime(next(cls.years), 1, 1, tzinfo=zone)

    monkeypatch.setattr(decisions, "datetime", Clock)
    store = AnalysisStore(finished, STAGES)
    for decision in ("accept", "reject"):
        decisions.write_decision(store, "red", "seen", 0, decision, "")
    assert decisions.read_decisions(store, "red")["decision"].tolist() == ["reject"]
