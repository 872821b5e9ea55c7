"""The battery against closed forms (four standard errors, several seeds) and against history."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from evaluator.market import LiquidityCurve, RateCurve
from evaluator.stress.battery import Battery
from evaluator.stress.engine import engine_named
from evaluator.stress.metrics import survival_metrics
from evaluator.stress.trial import simulate
from evaluator.stress.universe import Universe

HOUR = 3600.0
FLAT = RateCurve(base=0.0, slope1=0.0, slope2=0.0, optimal=0.8)
MONTH = Battery(
    paths=8192, horizon=30 * 86400.0, keepers_absent=True, insolvency_threshold=0.0, level=0.95
)


@dataclass(frozen=True)
class Volatile:
    """Driftless geometric Brownian motion of the first asset, the others constant."""

    sigma: float  # per year
    assets: int = 2
    step: float = HOUR
    name: str = "volatile"

    def paths(self, *, seed, first, count, steps):
        dt = HOUR / (365 * 86400)
        out = np.ones((count, steps + 1, self.assets))
        for p in range(count):
            z = np.random.Generator(np.random.SFC64([seed, first + p])).standard_normal(steps)
            x = self.sigma * math.sqrt(dt) * z - 0.5 * self.sigma**2 * dt
            out[p, 1:, 0] = np.exp(np.cumsum(x))
        return out


def one_position(build, debt):
    """One token of collateral worth 1 USD against `debt` USD."""
    eth = build.with_reserve(
        build.market(
            [build.reserve("ETH", 1.0, 0.99), build.reserve("USD", 1.0, 0.9)],
            [{0: 1.0}],
            [{1: debt}],
        ),
        "ETH",
        rate_curve=FLAT,
    )
    return build.with_reserve(eth, "USD", rate_curve=FLAT)


BARRIERS = {0.9: 0.735139, 0.8: 0.472956, 0.7: 0.244957, 0.6: 0.091669}
PUT = 0.0318265  # of bad debt per token at a debt of 0.8


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_first_passage_watched_hourly_and_bad_debt_as_a_put(build, seed):
    markets = [one_position(build, barrier) for barrier in BARRIERS]
    universe = Universe.of(markets[0], markets[0])
    outcomes, _ = simulate(
        [(m, universe.before) for m in markets],
        universe=universe,
        existing=0.0,
        process=Volatile(1.0),
        battery=MONTH,
        seed=seed,
        engine=engine_named("certificate"),
    )
    for (barrier, hourly), got in zip(BARRIERS.items(), outcomes, strict=True):
        s = survival_metrics(got, MONTH).survival
        error = math.sqrt(hourly * (1 - hourly) / MONTH.paths)
        assert abs((1.0 - s.value[-1]) - hourly) < 4 * error, barrier
    put = outcomes[list(BARRIERS).index(0.8)].bad_debt
    assert abs(put.mean() - PUT) < 4 * put.std() / math.sqrt(len(put))


def ramp(steps, low, high):
    return np.linspace(low, high, steps + 1)


def test_the_crv_short_squeeze_of_2022_11_22(build):
    """92M CRV owed against 63.6M USDC; about 1.6M to 1.8M USD were lost in 385 liquidations.

    Minute by minute: CRV goes from 0.40 to 0.74 within the day, the last
    stretch from 0.60 in 50 minutes, in which liquidators, limited by what they
    can buy, repay in the published number of transactions. The price path holds
    their impact already, hence the deep curve.
    """
    usdc = build.reserve("USDC", 1.0, 0.89, liquidation_bonus=0.045, protocol_fee=0.0)
    crv = build.reserve("CRV", 0.40, 0.61, cash=1e8)
    m = build.market([usdc, crv], [{0: 63.6e6}], [{1: 92e6}])
    m = replace(m, full_close_below=0.0, native_price=0.0)  # Aave V2: half of the debt, always
    for symbol in ("USDC", "CRV"):
        m = build.with_reserve(
            m, symbol, rate_curve=FLAT, liquidity=LiquidityCurve.constant_product(1e12)
        )
    rise = np.concatenate([ramp(100, 0.40, 0.60), ramp(60, 0.60, 0.74)[1:]])
    relative = np.stack([np.ones_like(rise), rise / 0.40], axis=1)[None]
    battery = Battery(
        horizon=60.0 * (len(rise) - 1),
        step=60.0,
        liquidator_capital=1.2e6,
        attempts=8,
        liquidation_gas=0.0,
    )
    for engine in ("reference", "certificate"):
        o = build.outcome_on(m, relative, battery, engine)
        assert 1.0e6 < o.bad_debt[0] < 3.0e6, engine
        assert 0.9 < o.seized[0] / 63.6e6 <= 1.0 + 1e-9, engine
        assert o.bad_debt_by_asset[0, 1] == pytest.approx(o.bad_debt[0])


def test_the_dai_print_of_2020_11_26(build):
    """DAI printed 1.30 on the oracle's source: borrowers of DAI were liquidated though healthy."""
    eth = build.reserve("ETH", 500.0, 0.75, depth=1e9)
    dai = build.reserve("DAI", 1.0, 0.75, depth=1e9)
    rng = np.random.default_rng(0)
    collateral = [{0: float(rng.lognormal(6, 1))} for _ in range(200)]
    debt = [{1: row[0] * 500 * 0.75 / (1.05 + rng.gamma(1.0, 0.2))} for row in collateral]
    m = build.market([eth, dai], collateral, debt)
    true = np.ones((1, 13, 2))
    battery = Battery(horizon=12 * HOUR)
    calm = build.outcome_on(m, true, battery, "certificate")
    wrong = build.with_reserve(m, "DAI", oracle=replace(dai.oracle, factor=1.30))
    printed = build.outcome_on(wrong, true, battery, "certificate")
    assert calm.liquidations[0] == 0
    assert printed.liquidations[0] > 50
    assert printed.wrongful[0] == pytest.approx(printed.liquidated[0])
    assert printed.user_harm[0] > 0.05 * printed.wrongful[0] / 1.3


def test_a_held_oracle_hides_a_collapse(build):
    """xUSD on Morpho, 2025-11: the oracle stood near par while spot collapsed, no liquidation."""
    xusd = build.reserve("XUSD", 1.27, 0.92)
    xusd = replace(xusd, oracle=replace(xusd.oracle, stuck=True))
    usdc = build.reserve("USDC", 1.0, 0.9)
    m = build.market([xusd, usdc], [{0: 4.31e6}], [{1: 4.97e6}])
    path = np.ones((1, 49, 2))
    path[0, 10:, 0] = 0.15
    o = build.outcome_on(m, path, Battery(horizon=48 * HOUR), "certificate")
    assert o.liquidations[0] == 0
    assert o.bad_debt[0] == pytest.approx(4.155e6, rel=0.01)
    assert o.first_insolvency[0] == 10
