"""What every correction of the planted shortcut costs and wins; prints the table."""

from __future__ import annotations

from tests.reference.test_corrections_truth import METHODS, analysed, corrected


def test_every_method_is_judged_on_every_draw(tmp_path):
    table = corrected(analysed(tmp_path / "analysis"), lambda *_: True)
    # As it is; four changes; in each setting a new last layer, alone and after these, and tuning.
    assert len(table) == 5 * (1 + len(METHODS) + 2 * (2 + len(METHODS)))
    assert table.notna().all(axis=None)
