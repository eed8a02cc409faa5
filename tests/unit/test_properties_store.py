"""What is written is read, whatever happens between; what is alike has one fingerprint."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import semlens_widgets as slw
from semlens_widgets.inputs.described import describe
from semlens_widgets.pipeline import fingerprint
from semlens_widgets.store.scratch import BlobLog, RowLog
from semlens_widgets.store.stages import Stage
from semlens_widgets.store.store import AnalysisStore
from tests.colour_world import colour_images

FEW = settings(max_examples=25, deadline=None)
MANY = settings(max_examples=100, deadline=None)
STAGES = (
    Stage("a", "the first", tables=("a",)),
    Stage("b", "the next", after=("a",), tables=("b",)),
)
NUMBERS = st.lists(st.integers(-9, 9), max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from("ab"), NUMBERS),
        st.tuples(st.just("append"), st.sampled_from("ab"), NUMBERS),
        st.tuples(st.just("delete"), st.sampled_from("ab"), st.integers(-9, 9)),
        st.tuples(st.just("finish"), st.sampled_from("ab"), st.integers()),
        st.tuples(st.sampled_from(["open", "killed", "compact", "gone"]), st.sampled_from("ab"),
                  st.none()),
    ),
    max_size=9,
)  # fmt: skip


def _table(numbers):
    return pa.table({"number": pa.array(numbers, pa.int64())})


def _killed(path, table):
    """Leave behind what a process leaves that is killed while it writes."""
    (path / ".writing").touch()
    half = path / f"{table}.lance" / "data"
    half.mkdir(parents=True, exist_ok=True)
    (half / ".tmp-half").write_bytes(b"half")
    (path / "analysis.json.tmp").write_bytes(b'{"half')


class Both:
    """A store, and what must be in it: what is done to one is done to the other."""

    def __init__(self, path):
        self.path, self.held, self.done = path, {}, {}
        self.open()

    def open(self, *_):
        self.store = AnalysisStore(self.path, STAGES)

    def killed(self, name, _):
        _killed(self.path, name)
        self.open()

    def gone(self, name, _):
        """Somebody deletes a table: its stage is not done then, nor what was made of it."""
        if self.held.pop(name, None) is not None:
            shutil.rmtree(self.path / f"{name}.lance")
            if self.done.pop(name, None) is not None and name == "a":
                self.done = {}
        self.open()

    def write(self, name, numbers):
        self.store.write(name, _table(numbers))
        self.held[name] = list(numbers)

    def append(self, name, numbers):
        self.store.append(name, _table(numbers))
        self.held[name] = self.held.get(name, []) + numbers

    def delete(self, name, number):
        self.store.delete(name, f"number = {number}")
        if name in self.held:
            self.held[name] = [one for one in self.held[name] if one != number]

    def finish(self, name, said):
        if name in self.held:
            self.store.finish(name, said=said)
            self.done[name] = {"said": said}

    def compact(self, name, _):
        self.store.compact(name)


@FEW
@given(STEPS)
def test_tables_hold_what_was_committed_and_stages_what_they_were_finished_with(steps):
    with tempfile.TemporaryDirectory() as folder:
        both = Both(Path(folder) / "analysis")
        for what, *given_ in steps:
            if what in {"open", "killed", "gone"}:
                getattr(both, what)(*given_)
            with both.store.writing():
                if what not in {"open", "killed", "gone"}:
                    getattr(both, what)(*given_)
            for name in "ab":
                assert both.store.has(name) == (name in both.held)
                if name in both.held:
                    assert both.store.read(name)["number"].to_pylist() == both.held[name]
            again = AnalysisStore(both.path, STAGES)
            assert again.stages == both.store.stages == both.done


BLOCKS = st.lists(st.integers(1, 4), max_size=5)


@MANY
@given(BLOCKS, st.integers(1, 3), st.data())
def test_a_log_of_rows_that_was_cut_anywhere_keeps_whole_batches(blocks, step, data):
    """Columns are cut at any byte, as by a kill; what is left is a beginning, and it goes on."""
    widths = {"one": 2, "two": 3}
    total = sum(blocks)
    wanted = {
        name: np.arange(total * width, dtype=np.float32).reshape(total, width)
        for name, width in widths.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        log = RowLog(Path(folder), "log", np.float32, step=step, total=total + 1)
        start = 0
        for rows in blocks:
            log.append({name: values[start : start + rows] for name, values in wanted.items()})
            start += rows
        files = sorted(Path(folder).glob("*.rows"))
        kept = total
        for file, width in zip(files, widths.values(), strict=False):
            size = data.draw(st.integers(0, file.stat().st_size), label="bytes")
            with file.open("r+b") as cut:
                cut.truncate(size)
            kept = min(kept, size // (4 * width))
        again = RowLog(Path(folder), "log", np.float32, step=step, total=total + 1)
        assert again.rows == kept - kept % step
        if again.rows < total:
            again.append({name: values[again.rows :] for name, values in wanted.items()})
        for name in widths if total else ():
            np.testing.assert_array_equal(again.read(name), wanted[name])


@MANY
@given(st.lists(st.binary(max_size=9), min_size=1, max_size=6), st.data())
def test_a_log_of_bytes_that_was_cut_anywhere_keeps_a_beginning(blobs, data):
    with tempfile.TemporaryDirectory() as folder:
        log = BlobLog(Path(folder), "log")
        for blob in blobs:
            log.append([blob])
        file = Path(folder) / "log-bytes"
        with file.open("r+b") as cut:
            cut.truncate(data.draw(st.integers(0, file.stat().st_size), label="bytes"))
        again = BlobLog(Path(folder), "log")
        assert again.read(range(again.rows)) == blobs[: again.rows]
        again.append(blobs[again.rows :])
        assert again.read(range(len(blobs))) == blobs


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 0.5, "0", "a", b"a"]),
    lambda below: (
        st.lists(below, max_size=3)
        | st.lists(below, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["a", "b", 1, 2]), below, max_size=3)
    ),
    max_leaves=6,
)


def _told(value):
    """A text that two values have in common just if they are of the same types and content."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{_told(k)}:{_told(v)}" for k, v in value.items())) + "}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({','.join(map(_told, value))})"
    return f"{type(value).__name__}:{value!r}"


@settings(max_examples=300, deadline=None)
@given(VALUES, VALUES)
def test_fingerprints_are_equal_just_if_content_is(one, other):
    assert (describe(one) == describe(other)) == (_told(one) == _told(other))


@MANY
@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=6), st.randoms())
def test_fingerprints_do_not_depend_on_the_order_of_a_dictionary(given_, chance):
    pairs = list(given_.items())
    chance.shuffle(pairs)
    assert describe(dict(pairs)) == describe(given_)


@FEW
@given(st.integers(0, 2**16), st.integers(0, 7), st.floats(-1, 1, width=32))
def test_weights_have_another_fingerprint_just_if_one_differs(seed, place, value):
    torch.manual_seed(seed)
    model, other = nn.Linear(4, 2), nn.Linear(4, 2)
    other.load_state_dict(model.state_dict())
    assert fingerprint.of_weights(model) == fingerprint.of_weights(other)
    before = float(other.weight.detach().reshape(-1)[place])
    with torch.no_grad():
        other.weight.view(-1)[place] = value
    alike = np.float32(before).tobytes() == np.float32(value).tobytes()
    assert (fingerprint.of_weights(model) == fingerprint.of_weights(other)) == alike


@FEW
@given(st.lists(st.integers(0, 2), min_size=3, max_size=3), st.integers(0, 2))
def test_labels_and_pictures_have_a_fingerprint_of_their_own(labels, changed):
    def images(labels, pictures):
        return slw.ImageDataset.from_list(pictures, labels, ["a", "b", "c"])

    pictures = colour_images(3)
    other = list(labels)
    other[changed] = (other[changed] + 1) % 3
    found = [fingerprint.of_labels(images(one, pictures)) for one in (labels, labels, other)]
    assert found[0] == found[1] != found[2]
    swapped = list(pictures)
    swapped[changed] = swapped[changed].rotate(180)
    seen = [fingerprint.of_pictures(images(labels, one)) for one in (pictures, pictures, swapped)]
    assert seen[0] == seen[1]
    assert [at for at in range(3) if seen[0][at] != seen[2][at]] == [changed]
