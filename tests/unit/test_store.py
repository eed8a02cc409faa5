"""The store keeps what is finished, whatever happens to the process."""

from __future__ import annotations

import json
import multiprocessing

import numpy as np
import pyarrow as pa
import pytest

from semlens_widgets.pipeline.rows import RowLog
from semlens_widgets.store import (
    AnalysisStore,
    StoredHeatmap,
    StoreError,
    heatmap_table,
    read_heatmaps,
    remove_analysis,
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


def test_only_an_analysis_is_removed(tmp_path):
    (tmp_path / "precious").mkdir()
    with pytest.raises(StoreError, match="not an analysis"):
        remove_analysis(tmp_path / "precious")
    AnalysisStore(tmp_path / "a").finish("s")
    remove_analysis(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    remove_analysis(tmp_path / "a")
