"""What goes wrong, what is expected then, and what was seen: the table is the test.

After each fault nothing that was finished is lost, and the message names the cause and what to do.
A fault that is provoked in another file is named by its test.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.reference import faults_of_inputs as inputs
from tests.reference import faults_of_the_store as store

ROOT = Path(__file__).parents[2]
RESUMED = "named with the way out; a run goes on from what is finished and ends the same"
NAMED = "refused by name, with the way out; nothing is changed"
FAULTS = (
    # fault, expected, seen
    ("the disk is full before the first pass", RESUMED, store.disk_full_in_a_run(16)),
    ("the disk is full in a pass", RESUMED, store.disk_full_in_a_run(48)),
    ("the disk is full in a commit", RESUMED, store.disk_full_in_a_run(160)),
    ("the disk is full for the manifest", RESUMED, store.disk_full_for_the_manifest),
    ("the disk is full while labelling", "labels stay as they were",
     store.disk_full_while_labelling),
    ("the drive is read-only", f"{NAMED}; what is finished can be read", store.read_only),
    ("this user may not write", NAMED, store.unwritable_for_this_user),
    ("tables time out", "named; read once the drive answers", store.tables_time_out),
    ("the folder times out", "named; no stage counts as undone", store.folder_times_out),
    ("the manifest times out", "named; opens once the drive answers", store.manifest_times_out),
    ("images time out", RESUMED,
     "unit/test_failing_items.py::test_images_lost_between_two_passes_are_named_and_found_again"),
    ("two kernels write", NAMED, "unit/test_store.py::test_two_processes_do_not_write_at_once"),
    ("one kernel writes, another reads", "the reader goes on",
     "unit/test_store.py::test_readers_go_on_while_another_process_writes"),
    ("the kernel is killed", RESUMED, "reference/test_kills.py::test_killed_in_every_stage"),
    ("the kernel is interrupted", RESUMED,
     "reference/test_kills.py::test_interrupted_in_the_same_kernel"),
    ("tables are cut short", f"named; {RESUMED}", store.damaged_tables("cut")),
    ("tables are emptied", f"named; {RESUMED}", store.damaged_tables("emptied")),
    ("tables' lists are cut", f"named; {RESUMED}", store.damaged_tables("its list of files cut")),
    ("labels are cut short", "named; a copy put back is whole", store.damaged_labels),
    ("the manifest is cut or no JSON", NAMED,
     "unit/test_manifest.py::test_a_damaged_manifest_is_a_store_error"),
    ("the manifest has wrong numbers", NAMED,
     "unit/test_refused_by_a_lens.py::test_a_manifest_of_wrong_numbers_is_damaged"),
    ("the manifest is gone", NAMED,
     "unit/test_failing_items.py::test_tables_without_a_manifest_are_not_taken_for_ones_own"),
    ("the folder is gone", NAMED,
     "unit/test_refused_by_a_lens.py::test_a_folder_that_is_gone_is_named"),
    ("an older layout", NAMED, store.older_version),
    ("a newer layout", NAMED, store.newer_version),
    ("the clock goes back", "later labels are seen", store.clock_back),
    ("the clock is of another century", RESUMED, store.clock_of_another_century),
    ("the clock goes back between decisions", "the last one counts",
     store.clock_back_between_decisions),
    ("odd and broken images in one folder", "decoded as they are, or named", inputs.odd_images),
    ("a decompression bomb", "named, with how to trust it",
     "unit/test_failing_items.py::test_a_decompression_bomb_is_named"),
    ("names that are no UTF-8", "shown as escapes",
     "unit/test_paths.py::test_names_of_files_may_be_anything"),
    ("activations that are not numbers", NAMED, inputs.numbers_that_are_none(float("nan"))),
    ("activations that are infinite", NAMED, inputs.numbers_that_are_none(float("inf"))),
    ("a folder of such activations", "leads out",
     "unit/test_failing_items.py::test_activations_that_are_no_numbers_are_refused_with_the_images_names"),
    ("embeddings that are no numbers", NAMED,
     "unit/test_failing_items.py::test_embeddings_that_are_none_are_refused_and_the_folder_leads_out"),
    ("a model in training mode", "left as it was; the results of eval", inputs.mode_is_left),
    ("a model's mode changes between runs", "no other model", inputs.mode_is_changed_between),
    ("a model returns a dictionary", "as the bare model", inputs.outputs_in_a_dictionary),
    ("a model on the meta device", NAMED, inputs.on_the_meta_device),
    ("a model on a GPU", "stays there", inputs.on_a_gpu),
    ("a model edited between runs", NAMED, inputs.edited_between_runs),
    ("a model edited in the same kernel", f"{NAMED}; undone, it goes on",
     inputs.edited_in_the_same_kernel),
    ("no text tower", "said; pictures find neurons", inputs.no_text_tower(inputs.ImagesAlone)),
    ("a text tower of None", "said; pictures find neurons",
     inputs.no_text_tower(inputs.TextsOfNone)),
)  # fmt: skip


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    return store.labelled(tmp_path_factory.mktemp("once") / "a").store.path


@pytest.fixture
def finished(once, tmp_path):
    """Folder of a finished analysis, to be harmed."""
    return shutil.copytree(once, tmp_path / "finished")


@pytest.mark.parametrize(("fault", "expected", "seen"), FAULTS, ids=[row[0] for row in FAULTS])
def test_fault(fault, expected, seen, tmp_path, finished, monkeypatch):
    if callable(seen):
        seen(tmp_path, finished, monkeypatch)
        return
    file, test = seen.split("::")
    assert re.search(rf"^def {test}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)
