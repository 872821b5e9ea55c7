"""Simulated processes against closed forms, within four standard errors on several seeds.

Expected values: Heston's and Merton's from their Fourier and series formulae,
barriers from the reflection principle.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evaluator.stress.calibration.report import given_report
from evaluator.stress.processes.anchors import free_tree
from evaluator.stress.processes.assembly import no_pegs
from evaluator.stress.processes.jump_diffusion import geometric_brownian_motion
from evaluator.stress.processes.jumps import JumpLaw, no_jumps
from evaluator.stress.processes.process import YEAR, Sampling
from evaluator.stress.processes.stochastic_volatility import StochasticVolatility

SEEDS = (0, 1, 2)
MONTH_STEPS = 720  # hours of 30 days


def own_jumps(intensity: float, mean: float, deviation: float) -> JumpLaw:
    return replace(
        no_jumps(1),
        intensity=np.array([intensity]),
        mean=np.array([mean]),
        deviation=np.array([deviation]),
    )


def within(sample: np.ndarray, expected: float) -> bool:
    return abs(sample.mean() - expected) < 4.0 * sample.std() / np.sqrt(len(sample))


@pytest.fixture(scope="module", params=SEEDS)
def month(request) -> np.ndarray:
    """20,000 hourly paths of 30 days at volatility 1, expected price constant."""
    process = geometric_brownian_motion(symbols=["X"], step=3600.0, volatility=np.array([1.0]))
    blocks = [
        process.paths(seed=request.param, first=f, count=2000, steps=MONTH_STEPS)[:, :, 0]
        for f in range(0, 20_000, 2000)
    ]
    return np.concatenate(blocks)


@pytest.mark.parametrize(
    ("barrier", "continuous", "hourly"),
    [
        (0.9, 0.749903, 0.735139),
        (0.8, 0.485648, 0.472956),
        (0.7, 0.253574, 0.244957),
        (0.6, 0.095840, 0.091669),
    ],
)
def test_first_passage_of_brownian_motion(month, barrier, continuous, hourly):
    assert within((month.min(axis=1) <= barrier).astype(float), hourly)
    assert within(1.0 - survival_between_looks(month, barrier, 3600.0 / YEAR), continuous)


def survival_between_looks(paths: np.ndarray, barrier: float, dt: float) -> np.ndarray:
    """Chance that a path of volatility 1 stays above a barrier, between its points too."""
    above = np.log(np.maximum(paths, barrier) / barrier)
    return np.prod(-np.expm1(-2.0 * above[:, :-1] * above[:, 1:] / dt), axis=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_unliquidated_position_is_a_put(seed):
    process = geometric_brownian_motion(
        symbols=["X"], step=30 * 86400.0, volatility=np.array([1.0])
    )
    last = process.paths(seed=seed, first=0, count=100_000, steps=1)[:, 1, 0]
    assert within(np.maximum(0.8 - last, 0.0), 0.0318265)
    assert within(last, 1.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_merton_puts(seed):
    process = geometric_brownian_motion(
        symbols=["X"],
        step=YEAR / 4,
        volatility=np.array([0.8]),
        jumps=own_jumps(4.0, -0.1, 0.2),
    )
    assert process.name == "merton"
    last = 100.0 * process.paths(seed=seed, first=0, count=100_000, steps=4)[:, 4, 0]
    for strike, value in ((60.0, 11.936181), (80.0, 22.305031), (100.0, 34.842485)):
        assert within(np.maximum(strike - last, 0.0), value)


@pytest.mark.parametrize("seed", SEEDS)
def test_common_jumps_alone_price_the_same_puts(seed):
    common = replace(
        no_jumps(1),
        common_intensity=np.array([1.5, 2.5]),
        common_mean=np.array([[-0.1], [-0.1]]),
        common_deviation=np.array([[0.2], [0.2]]),
        common_correlation=0.7,
    )
    process = geometric_brownian_motion(
        symbols=["X"], step=YEAR / 4, volatility=np.array([0.8]), jumps=common
    )
    last = 100.0 * process.paths(seed=seed, first=0, count=100_000, steps=4)[:, 4, 0]
    assert within(np.maximum(80.0 - last, 0.0), 22.305031)


@pytest.mark.parametrize("seed", SEEDS)
def test_down_and_in_put(seed):
    steps = 50
    process = geometric_brownian_motion(
        symbols=["X"], step=YEAR / steps, volatility=np.array([1.0])
    )
    paths = process.paths(seed=seed, first=0, count=40_000, steps=steps)[:, :, 0]
    knocked_in = 1.0 - survival_between_looks(paths, 0.7, 1.0 / steps)
    assert within(knocked_in * np.maximum(80.0 - 100.0 * paths[:, -1], 0.0), 25.236457)


def heston(jumps: JumpLaw, steps: int) -> StochasticVolatility:
    return StochasticVolatility(
        name="heston",
        tree=free_tree(["X"]),
        step=YEAR / steps,
        drift=np.zeros(1),
        v0=np.array([0.0175]),
        theta=np.array([0.0398]),
        kappa=np.array([1.5768]),
        sigma=np.array([0.5751]),
        rho=np.array([-0.5711]),
        correlation=np.eye(1),
        jumps=jumps,
        pegs=no_pegs(),
        calibration=given_report("heston", ("X",), np.eye(1)),
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("jumps", "value"),
    [(no_jumps(1), 5.785155), (own_jumps(1.0, -0.1, 0.15), 9.010754)],
    ids=["heston", "bates"],
)
def test_stochastic_volatility_calls(seed, jumps, value):
    steps = 64
    last = heston(jumps, steps).paths(seed=seed, first=0, count=60_000, steps=steps)[:, -1, 0]
    assert within(100.0 * np.maximum(last - 1.0, 0.0), value)
    assert within(last, 1.0)


@pytest.mark.parametrize("sampling", [Sampling.ANTITHETIC, Sampling.SOBOL])
def test_variance_reduction_reduces_variance_and_keeps_the_mean(sampling):
    """Thirty independent estimates of a put: less spread than plain sampling, same centre."""

    def estimates(chosen: Sampling) -> np.ndarray:
        process = geometric_brownian_motion(
            symbols=["X"], step=YEAR / 8, volatility=np.array([1.0]), sampling=chosen
        )
        values = []
        for seed in range(30):
            last = process.paths(seed=seed, first=0, count=512, steps=8)[:, -1, 0]
            values.append(np.maximum(1.0 - last, 0.0).mean())
        return np.array(values)

    plain, reduced = estimates(Sampling.PSEUDO), estimates(sampling)
    exact = stats.norm.cdf(0.5) - stats.norm.cdf(-0.5)
    assert reduced.std() < (0.2 if sampling is Sampling.SOBOL else 0.95) * plain.std()
    assert within(reduced, exact)
