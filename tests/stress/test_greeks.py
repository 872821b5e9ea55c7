"""Greeks of an unliquidated position are those of a put (closed form)."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from evaluator.errors import ConfigurationError
from evaluator.market import AssetClass, RateCurve
from evaluator.stress.battery import Battery
from evaluator.stress.greeks import greeks

DAYS = 20
SIGMA = 1.0


@dataclass(frozen=True)
class Fast:
    """Driftless geometric Brownian motion of the first asset, drawn a block at a time."""

    name: str = "fast"
    step: float = 86400.0

    def paths(self, *, seed, first, count, steps):
        dt = self.step / (365 * 86400)
        out = np.ones((count, steps + 1, 2))
        for p in range(count):
            z = np.random.Generator(np.random.SFC64([seed, first + p])).standard_normal(steps)
            x = SIGMA * math.sqrt(dt) * z - 0.5 * SIGMA**2 * dt
            out[p, 1:, 0] = np.exp(np.cumsum(x))
        return out


@pytest.fixture(scope="module")
def result(build):
    m = build.market(
        [build.reserve("ETH", 1.0, 0.99), build.reserve("USD", 1.0, 0.9)], [{0: 1.0}], [{1: 0.85}]
    )
    flat = RateCurve(base=0.0, slope1=0.0, slope2=0.0, optimal=0.8)
    eth = m.reserves[0]
    m = build.with_reserve(
        m, "ETH", rate_curve=flat, asset=replace(eth.asset, asset_class=AssetClass.ETH)
    )
    m = build.with_reserve(m, "USD", rate_curve=flat)
    battery = Battery(paths=16384, horizon=DAYS * 86400.0, step=86400.0, keepers_absent=True)
    got = greeks(
        m,
        process=Fast(),
        battery=battery,
        seed=1,
        parameters=["test.ETH.liquidation_bonus"],
    )
    return {(g.name, g.what): g.value for g in got}


T = DAYS / 365
K = 0.85
D1 = (math.log(1 / K) + 0.5 * SIGMA**2 * T) / (SIGMA * math.sqrt(T))
D2 = D1 - SIGMA * math.sqrt(T)


def within(estimate, truth, bias=0.0):
    """Four standard errors, from the 95% interval, plus the difference quotient's own error."""
    error = (estimate.upper - estimate.lower) / (2 * 1.96)
    return abs(estimate.value - truth) < 4 * error + bias


def test_delta_and_gamma_are_a_puts(result):
    delta = -stats.norm.cdf(-D1)
    gamma = stats.norm.pdf(D1) / (SIGMA * math.sqrt(T))
    assert within(result["delta", "ETH"], delta * 0.01, 1e-6)
    assert within(result["gamma", "ETH"], gamma * 1e-4, 1e-6)


def test_vega_of_scaled_log_moves(result):
    # S = exp(v (sigma W - sigma^2 t / 2)): volatility and mean of the log move with v.
    def price(v):
        m, s = -0.5 * v * SIGMA**2 * T, v * SIGMA * math.sqrt(T)
        d = (math.log(K) - m) / s
        return K * stats.norm.cdf(d) - math.exp(m + s * s / 2) * stats.norm.cdf(d - s)

    truth = (price(1.0001) - price(0.9999)) / 0.0002 * 0.01
    assert within(result["vega", ""], truth, 1e-6)


def test_theta_is_the_next_day(result):
    def put(t):
        d1 = (math.log(1 / K) + 0.5 * SIGMA**2 * t) / (SIGMA * math.sqrt(t))
        return K * stats.norm.cdf(SIGMA * math.sqrt(t) - d1) - stats.norm.cdf(-d1)

    assert within(result["theta", ""], put(T + 1 / 365) - put(T))


def test_a_parameter_without_effect_has_none(result):
    e = result["parameter", "test.ETH.liquidation_bonus"]
    assert e.value == e.lower == e.upper == 0.0
    assert e.events == 0


def test_only_volatile_assets_are_bumped(result):
    assert {what for name, what in result if name == "delta"} == {"ETH"}


def test_an_unknown_parameter_is_refused(build):
    m = build.market([build.reserve("ETH", 2.0, 0.8)], [{0: 1.0}], [{0: 0.1}])
    with pytest.raises(ConfigurationError, match="no parameter"):
        greeks(
            m,
            process=Fast(),
            battery=Battery(paths=2, step=86400.0),
            seed=0,
            assets=(),
            parameters=["x"],
        )
