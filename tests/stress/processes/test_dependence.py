"""Moments, tails and dependence of the simulated laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap as ArchBootstrap
from scipy import stats

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.report import given_report
from evaluator.stress.processes.anchors import free_tree
from evaluator.stress.processes.assembly import PegLaw, no_pegs
from evaluator.stress.processes.bootstrap import StationaryBootstrap
from evaluator.stress.processes.correlation import cholesky, nearest_correlation
from evaluator.stress.processes.jumps import no_jumps
from evaluator.stress.processes.process import YEAR
from evaluator.stress.processes.student_t import StudentT, marginal_map
from evaluator.stress.processes.variance import VarianceForecast, constant_variance

HOUR = 3600.0
UNIT = np.sqrt(YEAR / HOUR)  # volatility per sqrt(year) of 1 per sqrt(hour)


def student_t(**changes) -> StudentT:
    pair = np.array([[1.0, 0.3], [0.3, 1.0]])
    base = StudentT(
        name="t_copula",
        tree=free_tree(["X", "Y"]),
        step=HOUR,
        drift=np.zeros(2),
        variance=constant_variance(np.full(2, 0.01 * UNIT)),
        alpha=np.zeros(2),
        beta=np.zeros(2),
        degrees=4.0,
        marginal_degrees=np.array([4.0, 8.0]),
        correlation=pair,
        stress_correlation=pair,
        stress_share=0.0,
        jumps=no_jumps(2),
        pegs=no_pegs(),
        calibration=given_report("t_copula", ("X", "Y"), pair),
    )
    return replace(base, **changes)


def moves(process, seed=0, count=1000, steps=50) -> np.ndarray:
    """Log returns of all steps, one row each."""
    paths = np.log(process.paths(seed=seed, first=0, count=count, steps=steps))
    return np.diff(paths, axis=1).reshape(-1, paths.shape[2])


def test_marginals_are_student_t_with_their_own_degrees():
    returns = moves(student_t())
    for column, degrees in ((0, 4.0), (1, 8.0)):
        unit = returns[:, column] / (0.01 * np.sqrt((degrees - 2.0) / degrees))
        assert stats.kstest(unit[::5], stats.t(degrees, loc=-0.005 * 0.01 * 100).cdf).pvalue > 1e-3


def test_the_map_between_t_laws_is_exact_between_its_points():
    x = np.sinh(np.random.default_rng(0).uniform(0.0, 4.0, 200))
    table = marginal_map(4.0, 8.0)
    place = np.arcsinh(x) / 12.0 * (len(table) - 1)
    value = np.sinh(np.interp(place, np.arange(len(table)), table))
    expected = stats.t.isf(stats.t.sf(x, 4.0), 8.0) * np.sqrt(6.0 / 8.0)
    assert np.allclose(value, expected, rtol=1e-5)


def joint_tail(returns: np.ndarray, share: float) -> float:
    """Chance that the second falls below its quantile given that the first does."""
    limits = np.quantile(returns, share, axis=0)
    both = np.all(returns < limits, axis=1)
    return float(both.mean() / share)


def test_large_falls_come_together_more_than_normal_ones_do():
    lower = cholesky(np.array([[1.0, 0.3], [0.3, 1.0]]))
    normal = np.random.default_rng(0).standard_normal((50_000, 2)) @ lower.T
    assert joint_tail(moves(student_t()), 0.01) > 1.5 * joint_tail(normal, 0.01)


def test_correlation_rises_in_stress():
    stress = np.array([[1.0, 0.95], [0.95, 1.0]])
    calm = moves(student_t())
    stressed = moves(student_t(stress_correlation=stress, stress_share=0.05))
    assert joint_tail(stressed, 0.01) > 1.3 * joint_tail(calm, 0.01)
    middle = np.all(np.abs(stressed) < 0.01, axis=1)
    assert abs(np.corrcoef(stressed[middle].T)[0, 1] - np.corrcoef(calm[middle].T)[0, 1]) < 0.05


def test_garch_variances_cluster_and_keep_their_level():
    process = student_t(
        alpha=np.full(2, 0.1),
        beta=np.full(2, 0.85),
        degrees=30.0,
        marginal_degrees=np.full(2, 30.0),
    )
    paths = np.diff(np.log(process.paths(seed=0, first=0, count=2000, steps=100))[..., 0], axis=1)
    assert abs(paths.var() / 1e-4 - 1.0) < 0.1
    squares = paths**2
    assert np.corrcoef(squares[:, 50], squares[:, 51])[0, 1] > 0.1
    calm = np.diff(
        np.log(student_t().paths(seed=0, first=0, count=2000, steps=100))[..., 0], axis=1
    )
    assert abs(np.corrcoef(calm[:, 50] ** 2, calm[:, 51] ** 2)[0, 1]) < 0.1


def test_the_variance_forecast_decays_to_its_long_run():
    forecast = VarianceForecast(
        volatility=np.array([1.0, 0.5]), current=np.array([2.0, 0.5]), reversion=np.array([50.0, 0])
    )
    deviations = forecast.step_deviations(step=HOUR, steps=24 * 365)
    total = np.sum(deviations**2, axis=1)
    assert np.allclose(total, [1.0 + 3.0 * (1 - np.exp(-50.0)) / 50.0, 0.25])
    assert deviations[0, 0] == pytest.approx(2.0 / np.sqrt(YEAR / HOUR), rel=1e-2)


def bootstrap(rows: np.ndarray, block_length: float) -> StationaryBootstrap:
    return StationaryBootstrap(
        name="stationary_bootstrap",
        tree=free_tree(["X", "Y"]),
        step=HOUR,
        rows=rows,
        column=np.array([0, 1]),
        proxy=np.full(2, -1),
        loading=np.zeros(2),
        block_length=block_length,
        jumps=no_jumps(2),
        drift=np.zeros(2),
        variance=constant_variance(np.full(2, 0.01 * UNIT)),
        pegs=no_pegs(),
        calibration=given_report("stationary_bootstrap", ("X", "Y"), np.eye(2)),
    )


def test_the_bootstrap_draws_rows_whole_and_blocks_of_geometric_length():
    rows = np.column_stack([np.arange(1000.0), -np.arange(1000.0)])
    drawn = np.round((moves(bootstrap(rows, 8.0)) + 0.5e-4) / 0.01)
    assert np.array_equal(drawn[:, 0], -drawn[:, 1])
    assert set(drawn[:, 0]) <= set(range(1000))
    ordered = drawn[:, 0].reshape(1000, 50)
    followed = np.mod(np.diff(ordered, axis=1), 1000.0) == 1.0
    assert abs(followed.mean() - (1.0 - 1.0 / 8.0 + 1.0 / 8000.0)) < 0.01


def test_the_bootstrap_spreads_sums_as_arch_does():
    rng = np.random.default_rng(0)
    series = np.convolve(rng.standard_normal(520), np.ones(20) / np.sqrt(20), "valid")[:500]
    series = (series - series.mean()) / series.std()
    rows = np.column_stack([series, series])
    paths = np.log(bootstrap(rows, 10.0).paths(seed=1, first=0, count=4000, steps=500))
    ours = (paths[:, -1, 0] + 500 * 0.5e-4) / 0.01
    theirs = ArchBootstrap(10, series, seed=np.random.default_rng(1)).apply(np.sum, 2000)[:, 0]
    assert abs(ours.std() / theirs.std() - 1.0) < 0.08
    assert abs(ours.mean()) < 4.0 * ours.std() / np.sqrt(4000)


def test_a_node_without_history_follows_its_proxy():
    rows = np.random.default_rng(0).standard_normal((2000, 1))
    process = replace(
        bootstrap(np.hstack([rows, rows]), 5.0),
        column=np.array([0, -1]),
        proxy=np.array([-1, 0]),
        loading=np.array([0.0, 0.6]),
    )
    assert abs(np.corrcoef(moves(process).T)[0, 1] - 0.6) < 0.02


def test_a_peg_keeps_the_spread_of_its_law():
    law = PegLaw(reversion=np.array([50.0]), volatility=np.array([0.02]), growth=np.array([0.0]))
    a = law.retained(HOUR)[0]
    stationary = law.innovation(HOUR)[0] ** 2 / (1.0 - a * a)
    assert stationary == pytest.approx(0.02**2 / 100.0, rel=1e-9)


def test_nearest_correlation_repairs_an_impossible_matrix():
    impossible = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    with pytest.raises(ConfigurationError, match="semidefinite"):
        cholesky(impossible)
    repaired = nearest_correlation(impossible)
    lower = cholesky(repaired)
    assert np.allclose(lower @ lower.T, repaired, atol=1e-6)


def test_perfect_correlation_is_allowed():
    lower = cholesky(np.ones((3, 3)))
    assert np.allclose(lower @ lower.T, 1.0)
