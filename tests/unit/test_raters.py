"""What is worked out of raters' answers, against what is published, drawn and written out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from semlens_widgets.analysis.intruders import (
    CATCH,
    catch_trial,
    intruders,
    odd_one_out,
    spread,
)
from semlens_widgets.analysis.raters import (
    agreement_of_raters,
    rank_correlation,
    smallest_correlation,
)


def test_agreement_is_krippendorffs():
    """The example of four observers and twelve units in Krippendorff (2011), section C: .743."""
    answers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    found = agreement_of_raters(np.array(answers) - 1)
    assert found.value == pytest.approx(0.743, abs=5e-4)
    assert found.low < found.value < found.high


def test_agreement_of_guesses_is_none_and_of_one_mind_is_whole():
    lots = np.random.default_rng(0)
    guesses = agreement_of_raters(lots.integers(5, size=(8, 400)))
    assert guesses.low < 0 < guesses.high
    assert agreement_of_raters(np.tile(lots.integers(5, size=30), (3, 1))).value == 1
    assert np.isnan(agreement_of_raters(lots.integers(5, size=(1, 30))).value)
    assert np.isnan(agreement_of_raters(np.zeros((0, 9), np.int64)).value)


def drawn(lots: np.random.Generator, rho: float, count: int) -> np.ndarray:
    """Normal pairs whose rank correlation is `rho`."""
    pearson = 2 * np.sin(np.pi * rho / 6)
    return lots.multivariate_normal([0, 0], [[1, pearson], [pearson, 1]], size=count).T


def test_the_rank_correlation_has_an_interval_that_holds():
    lots = np.random.default_rng(1)
    one, other = drawn(lots, 0.4, 50)
    assert rank_correlation(one, other).value == pytest.approx(spearmanr(one, other)[0])
    inside = 0
    for _ in range(100):
        found = rank_correlation(*drawn(lots, 0.4, 50))
        inside += found.low <= 0.4 <= found.high
    assert inside >= 90


def test_a_correlation_of_too_few_or_of_one_value_is_unknown():
    lots = np.random.default_rng(2)
    assert np.isnan(rank_correlation(*drawn(lots, 0.5, 3)).value)
    assert np.isnan(rank_correlation(np.arange(9.0), np.ones(9)).value)
    few = np.array([1.0, 2, 3, np.nan, 5])
    assert rank_correlation(few, np.arange(5.0)).value == pytest.approx(1)


def test_the_smallest_correlation_is_found_as_often_as_said():
    """By the test that a reader of the study would make, on 2,000 studies of 40 neurons."""
    rho, lots = smallest_correlation(40), np.random.default_rng(3)
    both = [drawn(lots, rho, 40) for _ in range(2000)]
    shares = np.mean([spearmanr(*pair).pvalue < 0.05 for pair in both])
    error = norm.ppf(0.999) * np.sqrt(0.8 * 0.2 / 2000)
    assert shares == pytest.approx(0.8, abs=0.02 + error)  # the formula is itself near
    assert np.isnan(smallest_correlation(3))


def test_parts_are_spread_over_the_measure():
    values = np.random.default_rng(4).random(23)
    parts = spread(values, 5, np.random.default_rng(0))
    assert sorted(at for part in parts for at in part) == list(range(23))
    for lower, upper in pairwise(parts):
        assert values[lower].max() <= values[upper].min()


def test_tasks_show_examples_and_one_intruder_anywhere():
    lots = np.random.default_rng(5)
    own = np.array([3, 5, 8, 9, 12])
    activations = np.array([0, 0, 0, 9, 0, 9, 7, 0, 9, 9, np.nan, 0, 9, 0])
    foreign = intruders(np.arange(14), own, activations)
    assert foreign.tolist() == [0, 1, 2, 4, 7, 11, 13]
    tasks = [odd_one_out(6, own, foreign, 4, lots) for _ in range(300)]
    for task in tasks:
        assert task.samples[task.odd] in foreign
        rest = [*task.samples[: task.odd], *task.samples[task.odd + 1 :]]
        assert len(set(rest)) == 4
        assert set(rest) <= set(own.tolist())
    places = np.bincount([task.odd for task in tasks], minlength=5)
    assert places.min() > 30  # of 60 expected


def test_a_catch_trial_shows_one_image_and_the_one_least_like_it():
    vectors = np.array([[1, 0], [0.8, 0.6], [-1, 0], [0.6, 0.8]])
    task = catch_trial(np.array([4, 6, 7, 9]), vectors, 4, np.random.default_rng(6))
    rest = [*task.samples[: task.odd], *task.samples[task.odd + 1 :]]
    assert task.row == CATCH
    assert len(set(rest)) == 1
    row = [4, 6, 7, 9].index(rest[0])
    assert task.samples[task.odd] == [4, 6, 7, 9][int((vectors @ vectors[row]).argmin())]
