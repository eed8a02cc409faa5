"""A manifest that is damaged is said to be, with the way out."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

import semlens_widgets as slw
from semlens_widgets.errors import StoreError
from semlens_widgets.pipeline.plan import STAGES
from semlens_widgets.store.manifest import SCHEMA_VERSION
from semlens_widgets.store.store import AnalysisStore

WHOLE = {"schema_version": SCHEMA_VERSION, "settings": {"model": "m"}, "stages": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"schema_version": 2, "sett',
        b"not JSON at all",
        b"\xff\xfe\x00",
        b"null",
        b"[1, 2]",
        b'"text"',
        b"[" * 100_000,
        *(
            json.dumps(WHOLE | change).encode()
            for change in (
                {"settings": []},
                {"settings": None},
                {"stages": [1]},
                {"stages": {"collect": None}},
                {"stages": {"collect": {}}},
                {"stages": {"collect": {"layers": 3}}},
                {"stages": {"examples": {"ranks": "6"}}},
                {"stages": {"classes": {}}},
                {"doomed": "activations"},
                {"doubts": 3},
            )
        ),
        json.dumps({"schema_version": SCHEMA_VERSION, "stages": {}}).encode(),
        json.dumps({"schema_version": SCHEMA_VERSION, "settings": {}}).encode(),
    ],
)
def test_a_damaged_manifest_is_a_store_error(tmp_path, content):
    (tmp_path / "analysis.json").write_bytes(content)
    for make in (AnalysisStore, slw.open):
        with pytest.raises(
            StoreError, match=r"analysis\.json' is damaged: .*copy of the file back"
        ):
            make(tmp_path)
    assert (tmp_path / "analysis.json").read_bytes() == content


@pytest.mark.parametrize("version", [0, 1, SCHEMA_VERSION + 1, None, "2", [2]])
def test_another_version_is_refused_by_name(tmp_path, version):
    (tmp_path / "analysis.json").write_text(json.dumps(WHOLE | {"schema_version": version}))
    older = version in {0, 1} if isinstance(version, int) else False
    words = "run the analysis anew in a new folder" if older else "use a new folder"
    with pytest.raises(StoreError, match=rf"schema version.*{words}"):
        AnalysisStore(tmp_path)


def test_a_manifest_that_no_lens_wrote_is_named(tmp_path):
    (tmp_path / "analysis.json").write_text(json.dumps(WHOLE))
    with pytest.raises(StoreError, match="does not say what the analysis was made with"):
        slw.open(tmp_path)


def test_a_manifest_that_is_a_folder_is_named(tmp_path):
    (tmp_path / "analysis.json").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        AnalysisStore(tmp_path)


def test_doubts_survive(tmp_path):
    store = AnalysisStore(tmp_path)
    store.doubt("pictures", [3])
    store.doubt("pictures", [1, 3])
    assert AnalysisStore(tmp_path).doubts == {"pictures": [1, 3]}


def test_a_refusal_names_a_few_of_many_values(tmp_path):
    store = AnalysisStore(tmp_path, STAGES)
    names = {f"a kind of bird, number {i}": [i] for i in range(1000)}
    store.configure({"weights": "a" * 16, "outputs": names})
    store.write("activations", pa.table({"activation": [1.0]}))
    with pytest.raises(StoreError) as refused:
        store.configure({"weights": "b" * 16, "outputs": {}})
    message = str(refused.value)
    assert f"weights: recorded '{'a' * 16}', given '{'b' * 16}'" in message
    assert "a kind of bird, number 0" in message
    assert len(message) < 2000
