"""Small probabilities against closed forms and against brute force."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evaluator.errors import ConfigurationError
from evaluator.market import RateCurve
from evaluator.stress.battery import Battery
from evaluator.stress.processes.jump_diffusion import geometric_brownian_motion
from evaluator.stress.processes.jumps import JumpLaw
from evaluator.stress.rare import rare_probability
from evaluator.stress.tilt import Tilt, TiltedLaw
from evaluator.stress.trial import run

DAYS = 7
T = DAYS / 365
BATTERY = Battery(horizon=DAYS * 86400.0, step=6 * 3600.0, keepers_absent=True)
STEP = BATTERY.step


def law(sigma=1.0, jumps=None):
    return geometric_brownian_motion(
        symbols=("ETH", "USD"), step=STEP, volatility=np.array([sigma, 0.0]), jumps=jumps
    )


JUMPS = JumpLaw(
    intensity=np.zeros(2),
    mean=np.zeros(2),
    deviation=np.zeros(2),
    common_intensity=np.array([3.0]),
    common_mean=np.array([[-0.3, 0.0]]),
    common_deviation=np.array([[0.1, 0.0]]),
    common_correlation=1.0,
)


def one_position(build, debt):
    m = build.market(
        [build.reserve("ETH", 1.0, 0.99), build.reserve("USD", 1.0, 0.9)], [{0: 1.0}], [{1: debt}]
    )
    flat = RateCurve(base=0.0, slope1=0.0, slope2=0.0, optimal=0.8)
    for symbol in ("ETH", "USD"):
        m = build.with_reserve(m, symbol, rate_curve=flat)
    return m


def below(log_k, sigma=1.0):
    sd = sigma * math.sqrt(T)
    return stats.norm.cdf((log_k + 0.5 * sd * sd) / sd)


def below_with_jumps(log_k, sigma):
    expected = 3.0 * T
    drift = -3.0 * math.expm1(-0.3 + 0.5 * 0.1**2) * T - 0.5 * sigma**2 * T
    return sum(
        stats.poisson.pmf(n, expected)
        * stats.norm.cdf((log_k - drift + 0.3 * n) / math.sqrt(sigma**2 * T + n * 0.1**2))
        for n in range(20)
    )


def check(got, truth, worst):
    error = got.relative_error * got.probability.value
    assert abs(got.probability.value - truth) < 4 * error
    assert got.relative_error < worst


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("truth", [1e-3, 1e-6, 1e-9])
def test_a_normal_tail(build, seed, truth):
    sd = math.sqrt(T)
    k = math.exp(stats.norm.ppf(truth) * sd - 0.5 * sd * sd)
    assert below(math.log(k)) == pytest.approx(truth)
    got = rare_probability(
        one_position(build, k), process=law(), battery=BATTERY, seed=seed, level=0.0, paths=4000
    )
    check(got, truth, 0.20)
    assert got.effective_paths > got.paths


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("k", [0.5, 0.25])
def test_a_tail_of_jumps(build, seed, k):
    got = rare_probability(
        one_position(build, k),
        process=law(0.3, JUMPS),
        battery=BATTERY,
        seed=seed,
        level=0.0,
        paths=8000,
    )
    check(got, below_with_jumps(math.log(k), 0.3), 0.20)


def test_brute_force_agrees_where_it_can_count(build):
    rng = np.random.default_rng(4)
    eth = build.reserve("ETH", 2000.0, 0.80, depth=1e8)
    usd = build.reserve("USD", 1.0, 0.78, depth=1e10)
    collateral = [{0: float(rng.lognormal(3, 1))} for _ in range(60)]
    debt = [{1: c[0] * 2000 * 0.80 / (1.1 + rng.gamma(1.0, 0.2))} for c in collateral]
    m = build.market([eth, usd], collateral, debt)
    battery = replace(BATTERY, keepers_absent=False, insolvency_threshold=2e4, paths=20000)
    process = law(0.8, JUMPS)
    plain = run(m, m, process=process, battery=battery, seed=1).before
    counted = float((plain.new_bad_debt > 2e4).mean())
    assert 1e-4 < counted < 0.1
    got = rare_probability(m, process=process, battery=battery, seed=2, paths=4000)
    counting = math.sqrt(counted * (1 - counted) / len(plain))
    error = math.hypot(counting, got.relative_error * got.probability.value)
    assert abs(got.probability.value - counted) < 4 * error
    mean, spread = plain.new_bad_debt.mean(), plain.new_bad_debt.std() / math.sqrt(len(plain))
    width = (got.expected_loss.upper - got.expected_loss.lower) / (2 * 1.96)
    assert abs(got.expected_loss.value - mean) < 4 * math.hypot(spread, width)


def test_likelihood_ratios_average_to_one():
    tilted = TiltedLaw.of(law(0.5, JUMPS), 28)
    tilt = Tilt(shift=np.array([-0.15, 0.05]), frequency=np.array([8.0]), severity=-0.5)
    paths = tilted.draw(tilt, seed=5, first=0, count=20000)
    ratio = np.exp(-tilted.log_ratio(tilt, paths))
    assert abs(ratio.mean() - 1.0) < 4 * ratio.std() / math.sqrt(len(ratio))
    # Under the ratio a price is a martingale again.
    price = ratio * paths.relative[:, -1, 0]
    assert abs(price.mean() - 1.0) < 4 * price.std() / math.sqrt(len(price))


def test_without_a_tilt_the_paths_are_the_processes_own():
    process = law(0.5, JUMPS)
    tilted = TiltedLaw.of(process, 28)
    got = tilted.draw(tilted.plain(), seed=5, first=3, count=4)
    np.testing.assert_array_equal(got.relative, process.paths(seed=5, first=3, count=4, steps=28))
    np.testing.assert_array_equal(tilted.log_ratio(tilted.plain(), got), np.zeros(4))


def test_another_process_is_refused(build):
    with pytest.raises(ConfigurationError, match="jump-diffusion"):
        rare_probability(
            one_position(build, 0.5),
            process=build.PlainGBM((1.0, 0.0), step=STEP),
            battery=BATTERY,
            seed=0,
        )
