"""What an audit measures, against formulas written out and planted truths."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from semlens_widgets.analysis.audit import (
    Aligned,
    Measured,
    alignment,
    compared,
    interval,
    proportion,
    relevance_shares,
    resampled_means,
    verdicts,
)
from semlens_widgets.analysis.conditions import CheckResult, at_least, at_most, not_run
from semlens_widgets.analysis.reliance import Reliance

RNG = np.random.default_rng(0)


def test_shares_are_of_what_is_positive_and_sum_to_one():
    relevance = np.array([[3.0, -2.0, 1.0], [-1.0, -1.0, -3.0]], np.float32)
    shares = relevance_shares(relevance)
    assert shares[0].tolist() == [0.75, 0, 0.25]
    assert np.isnan(shares[1]).all()


def test_the_interval_of_a_mean_is_the_bootstraps():
    values = RNG.normal(2, 3, (400, 2))
    low, high = interval(resampled_means(values, seed=4)).T
    half = 1.96 * values.std(axis=0) / 20
    assert low == pytest.approx(values.mean(axis=0) - half, abs=0.05)
    assert high == pytest.approx(values.mean(axis=0) + half, abs=0.05)
    again = resampled_means(values, seed=4)
    assert (resampled_means(values, seed=4) == again).all()
    assert not (resampled_means(values, seed=5) == again).all()


def test_resampled_means_do_not_depend_on_how_many_are_drawn_at_once(monkeypatch):
    values = RNG.normal(size=(30, 2))
    whole = resampled_means(values, seed=1, draws=50)
    monkeypatch.setattr("semlens_widgets.analysis.audit._AT_ONCE", 30)
    assert resampled_means(values, seed=1, draws=50) == pytest.approx(whole)


def test_the_null_is_the_share_of_random_words_that_fit_as_well():
    random = RNG.normal(size=(6, 50))
    scores = np.array([[9.0, 0.0], [0.0, -9.0], [0.5, 1.5], [-9.0, -9.0], [0.1, 0.2], [1.0, 2.0]])
    layers = [slice(0, 4), slice(4, 6)]
    found = alignment(scores, random, layers)
    assert found.phrase.tolist() == [0, 0, 1, 0, 1, 1]
    for k, layer in enumerate([0, 0, 0, 0, 1, 1]):
        words = random[layers[layer]].ravel()
        one = (1 + (words >= scores[k].max()).sum()) / (1 + words.size)
        assert found.null[k] == pytest.approx(1 - (1 - one) ** 2)


def test_chance_reaches_the_level_once_in_twenty_however_many_phrases():
    random = RNG.normal(size=(400, 200))
    for phrases in (1, 5):
        found = alignment(RNG.normal(size=(400, phrases)), random, [slice(0, 400)])
        assert (found.null <= 0.05).mean() == pytest.approx(0.05, abs=0.03)
        assert ((found.score >= found.level) == (found.null <= 0.05)).mean() > 0.99


def test_a_neuron_that_cannot_be_compared_fits_nothing():
    scores, random = np.array([[np.nan], [5.0]]), RNG.normal(size=(2, 50))
    found = alignment(scores, random, [slice(0, 2)])
    assert found.phrase.tolist() == [-1, 0]
    assert np.isnan(found.null[0])
    both = Aligned(found, found)
    said = verdicts(both, np.array([0.9, 0.1]), [slice(0, 2)])
    assert said.tolist() == ["unexpected", "both"]


def test_verdicts():
    random = RNG.uniform(-1, 1, size=(5, 100))
    valid = alignment(np.array([[9.0], [0.0], [9.0], [0.0], [0.0]]), random, [slice(0, 5)])
    spurious = alignment(np.array([[0.0], [9.0], [8.0], [0.0], [0.0]]), random, [slice(0, 5)])
    share = np.array([0.3, 0.3, 0.1, 0.2, 0.1])
    said = verdicts(Aligned(valid, spurious), share, [slice(0, 5)])
    assert said.tolist() == ["valid", "spurious", "valid", "unexpected", "weak"]


def test_a_proportion_has_wilsons_interval():
    for hits, count in ((0, 20), (7, 20), (20, 20)):
        expected = binomtest(hits, count).proportion_ci(0.95, method="wilson")
        found = proportion(hits, count)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_logits_are_compared_by_shift_and_auroc():
    one, other = RNG.normal(1, 1, 300), RNG.normal(0, 1, 200)
    shift, area = compared(one, other, seed=3)
    expected = roc_auc_score([1] * 300 + [0] * 200, np.concatenate([one, other]))
    assert area.value == pytest.approx(expected)
    assert shift.value == pytest.approx(one.mean() - other.mean())
    assert area.low < 0.76 < area.high  # of normal distributions one apart
    assert shift.low < 1 < shift.high


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (Measured(0.02, 0.01, 0.03), "pass"),
        (Measured(0.06, 0.04, 0.08), "warn"),
        (Measured(0.08, 0.06, 0.1), "fail"),
    ],
)
def test_a_bound_is_missed_when_all_of_the_interval_misses_it(found, outcome):
    assert at_most("spurious", found, 0.05).outcome == outcome
    mirrored = Measured(1 - found.value, 1 - found.high, 1 - found.low)
    assert at_least("valid", mirrored, 0.95).outcome == outcome


def test_what_cannot_be_told_does_not_pass():
    warned = at_most("spurious", Measured(0.06, 0.04, 0.08), 0.05)
    assert CheckResult("an audit", (warned,)).passed
    result = CheckResult("an audit", (warned, not_run("valid", "too few images")))
    assert not result.passed
    assert str(result) == (
        "an audit\n"
        "  warn     spurious <= 0.050  0.060 [0.040, 0.080]\n"
        "  not run  valid              too few images"
    )


def test_reliance_counts_what_speaks_for_and_against_and_has_the_bootstraps_interval():
    own = RNG.normal(1, 1, (300, 4)).astype(np.float32)
    shown, controls = (RNG.normal(mean, 1, (200, 4)).astype(np.float32) for mean in (0.5, 0))
    fits = np.array([True, True, False, True])
    layers = {"first": slice(0, 2), "last": slice(2, 4)}
    found = Reliance(own, {"mark": shown}, controls, {"mark": fits}, layers)
    scale = np.maximum(own[:, 2:], 0).sum(axis=1).mean()
    expected = (shown[:, 3].mean() - controls[:, 3].mean()) / scale
    last = found.of("mark", "last")
    assert last.value == pytest.approx(expected, rel=1e-5)
    half = 1.96 * np.sqrt(2 / 200) / scale
    assert (last.low, last.high) == pytest.approx((expected - half, expected + half), abs=0.03)
    scale = np.maximum(own[:, :2], 0).sum(axis=1).mean()
    both = (shown[:, :2].sum(axis=1).mean() - controls[:, :2].sum(axis=1).mean()) / scale
    assert found.of("mark", "first").value == pytest.approx(both, rel=1e-5)
    assert found.by_neuron("mark")[:2].sum() == pytest.approx(both, rel=1e-5)
    without = np.array([False, False, False, True])
    assert found.of("mark", "last", without=without).value == 0
    assert found.of("other", "last") is None


@pytest.mark.parametrize("ask", [at_most, at_least])
def test_what_is_no_number_passes_nothing(ask):
    nothing = float("nan")
    assert ask("valid", Measured(nothing, nothing, nothing), 0.5).outcome == "not run"
    assert ask("valid", Measured(float("inf"), 0, nothing), 0.5).outcome == "not run"
