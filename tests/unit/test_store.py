"""The store keeps what is finished, whatever happens to the process."""

from __future__ import annotations

import json
import multiprocessing
import signal

import numpy as np
import pyarrow as pa
import pytest

from semlens_widgets.store import drives
from semlens_widgets.store.scratch import RowLog
from semlens_widgets.store.store import (
    AnalysisStore,
    StoredHeatmap,
    StoreError,
    heatmap_table,
    read_heatmaps,
    vector_batches,
    vector_column,
)


def test_vectors_come_back_as_they_were(tmp_path):
    store = AnalysisStore(tmp_path / "a")
    matrix = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float16)
    store.write("t", vector_batches("v", [matrix[:20], matrix[20:]], 7, pa.float16()))
    assert np.array_equal(store.matrix("t", "v"), matrix)
    parts = list(store.row_chunks("t", "v", 5, 45))
    assert np.array_equal(np.concatenate([part for _, part in parts]), matrix[5:45])
    rows = store.rows("t", [3, 40, 3, 0])
    assert np.array_equal(np.stack(rows["v"].to_numpy()), matrix[[3, 40, 3, 0]])


def test_a_stage_counts_only_once_it_is_recorded(tmp_path):
    store = AnalysisStore(tmp_path)
    store.write("t", pa.table({"v": vector_column(np.zeros((2, 2)))}))
    assert not AnalysisStore(tmp_path).is_finished("s")
    store.finish("s", rows=2)
    assert AnalysisStore(tmp_path).stages == {"s": {"rows": 2}}


def test_reading_refuses_to_write(tmp_path):
    with pytest.raises(StoreError, match="No analysis"):
        AnalysisStore(tmp_path, read_only=True)
    AnalysisStore(tmp_path).finish("s")
    store = AnalysisStore(tmp_path, read_only=True)
    with pytest.raises(StoreError, match="reading only"):
        store.write("t", pa.table({"a": [1]}))
    with pytest.raises(StoreError, match="run\\(\\) first"):
        store.read("t")


def test_a_newer_schema_is_refused(tmp_path):
    AnalysisStore(tmp_path).finish("s")
    manifest = tmp_path / "analysis.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema_version": 99}))
    with pytest.raises(StoreError, match="schema version 99"):
        AnalysisStore(tmp_path)


def _hold(path, held, release):
    with AnalysisStore(path).writing():
        held.set()
        release.wait(30)


def test_two_processes_do_not_write_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, release))
    other.start()
    assert held.wait(60)
    store = AnalysisStore(tmp_path)
    with pytest.raises(StoreError, match="Another process"), store.writing():
        pass
    release.set()
    other.join(30)
    with store.writing():
        pass


def test_half_a_row_is_cut_off(tmp_path):
    log = RowLog(tmp_path, "x", np.float32)
    block = {"a": np.arange(6.0).reshape(3, 2), "b": np.arange(9.0).reshape(3, 3)}
    log.append(block)
    with (tmp_path / "x-0.rows").open("ab") as file:  # a whole row and a half in one column only
        file.write(bytes(12))
    again = RowLog(tmp_path, "x", np.float32)
    assert again.rows == 3
    again.append({name: rows + 100 for name, rows in block.items()})
    assert again.rows == 6
    for name, rows in block.items():
        assert np.array_equal(again.read(name), np.concatenate([rows, rows + 100]))
    with pytest.raises(ValueError, match="widths"):
        again.append({"a": np.zeros((1, 3)), "b": np.zeros((1, 3))})


def test_heatmaps_come_back_as_they_were():
    values = np.random.default_rng(0).integers(0, 255, (5, 9)).astype(np.uint8)
    heatmap = StoredHeatmap(values, (0.0, 0.25, 0.5, 0.75), "CRP")
    (back,) = read_heatmaps(heatmap_table([(3, 4)], [heatmap]))
    assert np.array_equal(back.values, values)
    assert (back.box, back.method) == (heatmap.box, "CRP")


def _hold_and_die(path, held):
    store = AnalysisStore(path)
    with store.writing():
        (store.scratch() / "s-0.rows").touch()
        store.finish("s", rows=1)
        (store.scratch() / "s-1.rows").touch()
        (store.scratch() / "unfinished-0.rows").touch()
        table = store.path / "t.lance" / "data"
        (table / ("0" * 50 + ".lance")).write_bytes(b"half of a table")
        (table / ".tmpAbCdEf").write_bytes(b"a quarter of a table")
        (store.path / "new.lance" / "data").mkdir(parents=True)
        held.set()
        while True:
            pass


def test_a_killed_writer_releases_the_folder_and_the_next_one_cleans_up(tmp_path):
    store = AnalysisStore(tmp_path)
    with store.writing():
        store.write("t", pa.table({"a": [1, 2]}))
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    other = context.Process(target=_hold_and_die, args=(tmp_path, held))
    other.start()
    assert held.wait(60)
    reader = AnalysisStore(tmp_path, read_only=True)
    assert reader.read("t")["a"].to_pylist() == [1, 2]
    assert not reader.has("new")
    with pytest.raises(StoreError, match="Another process"), store.writing():
        pass
    other.kill()
    other.join(30)
    with store.writing():
        assert store.stages == {"s": {"rows": 1}}  # what the other one finished counts
    assert [file.name for file in store.scratch().iterdir()] == ["unfinished-0.rows"]
    assert len(list((tmp_path / "t.lance" / "data").iterdir())) == 1
    assert not (tmp_path / "new.lance").exists()
    assert store.read("t")["a"].to_pylist() == [1, 2]


def _write_for_a_while(path, started, stop):
    store = AnalysisStore(path)
    with store.writing():
        value = 0
        while not stop.is_set():
            value += 1
            store.write("t", pa.table({"a": [value] * 1000}))
            store.append("grows", pa.table({"a": [value] * 10}))
            started.set()
    assert value > 2


def test_readers_go_on_while_another_process_writes(tmp_path):
    context = multiprocessing.get_context("spawn")
    started, stop = context.Event(), context.Event()
    writer = context.Process(target=_write_for_a_while, args=(tmp_path, started, stop))
    AnalysisStore(tmp_path).finish("s")
    writer.start()
    assert started.wait(60)
    reader = AnalysisStore(tmp_path, read_only=True)
    grown = 0
    for _ in range(100):
        values = reader.read("t")["a"].to_pylist()
        assert len(values) == 1000
        assert len(set(values)) == 1
        rows = len(reader.read("grows"))
        assert rows % 10 == 0
        assert rows >= grown
        grown = rows
        assert reader.rows("grows", [grown - 1, 0])["a"].to_pylist()[1] == 1
    stop.set()
    writer.join(30)
    assert writer.exitcode == 0
    grows = AnalysisStore(tmp_path).read("grows")["a"].to_pylist()
    assert grows == [value for value in range(1, grows[-1] + 1) for _ in range(10)]


def test_many_small_commits_are_joined_in_order(tmp_path):
    store = AnalysisStore(tmp_path)
    with store.writing():
        for i in range(300):
            store.append("t", pa.table({"a": [2 * i, 2 * i + 1]}))
    assert store.read("t")["a"].to_pylist() == list(range(600))
    assert store._table("t").stats()["fragment_stats"]["num_fragments"] < 100
    with store.writing():
        store.compact("t")
    assert store._table("t").stats()["fragment_stats"]["num_fragments"] == 1
    assert store.rows("t", [599, 0])["a"].to_pylist() == [599, 0]


def test_settings_changed_by_another_process_are_not_overwritten(tmp_path):
    mine, other = AnalysisStore(tmp_path), AnalysisStore(tmp_path)
    mine.configure({"n_examples": 3})
    other.configure({"n_examples": 4})
    with pytest.raises(StoreError, match="Another process has changed"), mine.writing():
        pass


def test_writing_may_be_nested_and_a_mistake_inside_leaves_the_lock_free(tmp_path):
    store = AnalysisStore(tmp_path)
    with store.writing(), store.writing():
        store.write("t", pa.table({"a": [1]}))
    with pytest.raises(ZeroDivisionError), store.writing():
        _ = 1 / 0
    with AnalysisStore(tmp_path).writing():
        pass


@pytest.fixture
def interruptible():
    """Heed interrupts, which a job in a shell's background is started without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_the_commit(tmp_path, interruptible):
    store = AnalysisStore(tmp_path)

    def rows():
        yield np.zeros((2, 3), np.float32)
        signal.raise_signal(signal.SIGINT)
        yield np.ones((2, 3), np.float32)

    with pytest.raises(KeyboardInterrupt), store.writing():
        store.write("t", vector_batches("v", rows(), 3, pa.float32()))
    assert store.matrix("t", "v").sum() == 6
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", drives._FAULTS)
def test_what_a_drive_does_is_said_in_words(tmp_path, number):
    store = AnalysisStore(tmp_path / "a")
    for error in (
        OSError(number, "the system's words"),
        RuntimeError(f"lance error: LanceError(IO): Generic: oh (os error {number}), /x/y.rs:1:2"),
    ):
        with (
            pytest.raises(StoreError, match=r"cannot be written: .*d is lost") as said,
            store.writing(),
        ):
            raise error
        assert "the system's words" not in str(said.value)
        assert ".rs" not in str(said.value)
    with store.writing():
        pass


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "full", "/elsewhere/file"),
        OSError("of no number"),
        RuntimeError("a model's (os error 28)"),
        ValueError("of another kind"),
    ],
)
def test_what_is_no_matter_of_the_folders_drive_is_left_as_it_is(tmp_path, error):
    with pytest.raises(type(error)) as caught, AnalysisStore(tmp_path / "a").writing():
        raise error
    assert caught.value is error
