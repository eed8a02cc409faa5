"""The audit of lesions: what is stored is what is measured, and the shortcut is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.demo.experiments import lesions as asked
from semlens_widgets.demo.experiments import stored
from semlens_widgets.demo.skin.models import ARTEFACT
from semlens_widgets.demo.skin.world import ARTEFACTS

OTHER = 77  # a draw that is in no table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lesions")


@pytest.fixture(scope="module")
def audits():
    return stored("lesions-audits")


def value(table, measure: str, of: str, classifier: str, known: str):
    found = asked.summary(table).query(
        "measure == @measure and of == @of and classifier == @classifier and foundation == @known"
    )
    return found.iloc[0]


@pytest.mark.parametrize(("classifier", "found"), [("planted", "fail"), ("clean", "pass")])
def test_the_audit_finds_the_ink_where_it_was_planted_alone(folder, classifier, found):
    audit = asked.audit_of(asked.analysed(OTHER, classifier, "domain", folder))
    try:
        result = audit.check(max_spurious=asked.MOST)
    except slw.CheckFailed as failed:
        result = failed.result
    outcome = dict(zip(ARTEFACTS, result.conditions, strict=True))[ARTEFACT].outcome
    assert outcome == found, str(result)


def test_it_did_so_in_nearly_all_draws_of_the_pictures(audits):
    planted, clean = (
        value(audits, "flagged", ARTEFACT, classifier, "domain")
        for classifier in ("planted", "clean")
    )
    assert planted["draws"] == clean["draws"] == len(asked.SEEDS) == 10
    assert planted["value"] >= 0.9
    assert clean["value"] <= 0.1


def test_a_row_of_the_audits_is_measured_again(audits, folder):
    again = asked.by_draw(asked.audited(0, "planted", "domain", folder))
    before = audits.query("classifier == 'planted' and foundation == 'domain'")
    both = before.merge(again, on=["classifier", "foundation", "measure", "of"], how="outer")
    counted = both["measure"].isin(["flagged", "not known"])
    assert len(both) == len(before)
    assert (both.loc[counted, "0_x"] == both.loc[counted, "0_y"]).all()
    np.testing.assert_allclose(both["0_x"], both["0_y"], atol=0.02)


def test_a_row_of_the_corrections_is_measured_again(folder):
    again = asked.by_draw(asked.corrected(0, folder, counts=(4,)))
    both = stored("lesions-corrections").merge(again, on=["way", "neurons", "measure"])
    assert {"as it is", "project, refit", "random"} <= set(both["way"])
    np.testing.assert_allclose(both["0_x"], both["0_y"], atol=0.03)


def test_the_summary_has_the_intervals_of_the_textbooks():
    rows = [
        {"measure": measure, "seed": seed, "value": found}
        for measure, values in {"side": [0.1, 0.2, 0.6], "flagged": [1.0, 0.0, 1.0]}.items()
        for seed, found in enumerate(values)
    ]
    table = asked.summary(asked.by_draw(pd.DataFrame(rows)))
    mean, share = table.iloc[0], table.iloc[1]
    # Student's t with two degrees of freedom: 4.3027; Wilson's score of two out of three.
    half = 4.3027 * np.std([0.1, 0.2, 0.6], ddof=1) / np.sqrt(3)
    assert (mean["value"], mean["low"], mean["high"]) == pytest.approx(
        (0.3, 0.3 - half, 0.3 + half), abs=1e-4
    )
    assert (share["value"], share["low"], share["high"]) == pytest.approx(
        (2 / 3, 0.2077, 0.9385), abs=1e-4
    )


@pytest.mark.parametrize(("model", "fits"), [("lesion_foundation", True), ("foundation", False)])
def test_the_check_of_the_domain_warns_of_the_model_that_never_saw_a_lesion(model, fits):
    images = slw.ImageDataset.from_dataset(demo.lesion_images(400, seed=OTHER))
    check = slw.domain_check(getattr(demo, model)(), images)
    assert check.ok == fits, str(check)
