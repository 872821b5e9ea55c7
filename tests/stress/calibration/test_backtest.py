"""Tests of coverage: known values, power and size."""

from __future__ import annotations

import numpy as np
import pytest

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.backtest import coverage


def hits(days: int, at: list[int]) -> np.ndarray:
    series = np.zeros(days, dtype=bool)
    series[at] = True
    return series


def test_kupiec_bounds_of_the_basel_table():
    """With 250 days at 99% up to six violations are not rejected at 5%, seven are."""
    for count, accepted in ((1, True), (6, True), (7, False), (10, False)):
        found = coverage(hits(250, list(range(0, 250, 25))[:count]), level=0.99)
        assert found.violations == count
        assert found.expected == pytest.approx(2.5)
        assert (found.kupiec > 0.05) is accepted


def test_no_violations_at_all_are_too_few_in_a_long_series():
    assert coverage(hits(250, []), level=0.99).kupiec < 0.05
    assert coverage(hits(50, []), level=0.99).kupiec > 0.05


def test_clusters_are_found_though_their_number_is_right():
    spread = coverage(hits(1000, list(range(50, 1000, 100))), level=0.99)
    bunched = coverage(hits(1000, list(range(500, 510))), level=0.99)
    assert spread.kupiec == bunched.kupiec > 0.9
    assert spread.independence > 0.05
    assert bunched.independence < 1e-6
    assert bunched.conditional < 1e-6


def test_an_exact_value_at_risk_is_seldom_rejected():
    rng = np.random.default_rng(0)
    p = [coverage(rng.random(1000) < 0.05, level=0.95).kupiec for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_nothing_to_test_is_refused():
    with pytest.raises(ConfigurationError):
        coverage(hits(1, []), level=0.99)
    with pytest.raises(ConfigurationError):
        coverage(hits(10, []), level=1.0)
