"""What everybody does inside a step, each with the direction it moves the outcome in."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.market import EMode, RateCurve
from evaluator.stress.battery import DEFAULT_ORDER, Battery, Event
from evaluator.stress.metrics import difference
from evaluator.stress.trial import run

HOUR = 3600.0
BATTERY = Battery(paths=128, horizon=48 * HOUR, insolvency_threshold=1000.0)


@pytest.fixture(scope="module")
def book(build):
    """60 borrowers of USDC against ETH, health factors from 1.02 up, in a thin market."""
    rng = np.random.default_rng(8)
    eth = build.reserve("ETH", 2000.0, 0.82, depth=2e7)
    usdc = build.reserve("USDC", 1.0, 0.78, depth=1e9)
    size = rng.lognormal(11, 1.2, 60)
    factor = 1.02 + rng.gamma(1.0, 0.15, 60)
    return build.market(
        [eth, usdc],
        [{0: float(x) / 2000.0} for x in size],
        [{1: float(x * 0.82 / f)} for x, f in zip(size, factor, strict=True)],
    )


@pytest.fixture(scope="module")
def fall(build):
    """A market that loses a third at once and wanders on."""
    return build.PlainGBM((1.2, 0.01), crash=-0.35, crash_step=12)


def change(before, after, law, was=None, now=None):
    """Metrics of `after` under `now` less those of `before` under `was`, on the same paths."""
    a = run(before, before, process=law, battery=replace(BATTERY, **(was or {})), seed=6)
    b = run(after, after, process=law, battery=replace(BATTERY, **(now or {})), seed=6)
    return difference(a.before, b.before, BATTERY)


def test_lps_who_pull_their_depth_in_stress_cost_bad_debt(book, fall):
    d = change(book, book, fall, now={"depth_elasticity": 3.0})
    assert d.expected_bad_debt.lower > 0.0


def test_arbitrageurs_who_refill_slowly_cost_bad_debt(book, fall):
    d = change(book, book, fall, was={"refill_half_life": 60.0}, now={"refill_half_life": 86400.0})
    assert d.expected_bad_debt.lower > 0.0


def test_gas_that_rises_with_volatility_keeps_liquidators_away(book, fall):
    calm = replace(BATTERY, gas_elasticity=0.0, least_gas_price=3e11)
    wild = replace(calm, gas_elasticity=8.0, inclusion_elasticity=0.0)
    counts = [
        run(book, book, process=fall, battery=b, seed=6).before.liquidations.sum()
        for b in (calm, wild)
    ]
    assert counts[1] < counts[0]


def test_scarce_blocks_shrink_what_liquidators_can_do(book, fall):
    tight = {"liquidator_capital": 2e5}
    d = change(book, book, fall, was=tight, now=tight | {"inclusion_elasticity": 4.0})
    assert d.expected_liquidated.upper < 0.0


def test_borrowers_who_top_up_are_liquidated_less(build, book):
    slide = build.PlainGBM((0.8, 0.01), drift=-20.0)
    d = change(book, book, slide, now={"top_up_share": 0.8})
    assert d.expected_liquidated.upper < 0.0


def test_an_oracle_before_the_prices_is_a_step_behind_them(build, book, fall):
    late = [e for e in DEFAULT_ORDER if e is not Event.ORACLE]
    late.insert(late.index(Event.PRICES), Event.ORACLE)
    was = replace(BATTERY, horizon=12 * HOUR)
    prompt = run(book, book, process=fall, battery=was, seed=6).before
    behind = run(book, book, process=fall, battery=replace(was, order=tuple(late)), seed=6).before
    # The crash is in the last step: who looks before it sees nothing of it.
    assert (prompt.liquidated >= behind.liquidated).all()
    assert np.median(prompt.liquidated) > 10.0 * np.median(behind.liquidated)


def test_a_lower_threshold_in_an_emode_category_liquidates_its_members(build, fall):
    reserves = [
        build.reserve("wstETH", 2300.0, 0.75, depth=1e9, emode_category=1),
        build.reserve("ETH", 2000.0, 0.82, depth=1e9, emode_category=1),
    ]

    def with_threshold(threshold):
        return build.market(
            reserves,
            [{0: 10.0}, {0: 10.0}],
            [{1: 10.0}, {1: 4.0}],
            emode=[1, 0],
            emodes=(
                EMode(
                    category=1,
                    label="ETH",
                    ltv=threshold - 0.01,
                    liquidation_threshold=threshold,
                    liquidation_bonus=0.01,
                ),
            ),
        )

    d = change(with_threshold(0.95), with_threshold(0.80), fall)
    assert d.expected_liquidated.lower > 0.0


def test_a_higher_reserve_factor_leaves_suppliers_less(build, book):
    # A position that supplies and owes the same asset lives on what suppliers earn.
    # 2% in two days; suppliers get nine tenths of what nine tenths of them lent out earn.
    dear = RateCurve(base=3.65, slope1=0.0, slope2=0.0, optimal=0.8)
    usdc = replace(
        build.reserve("USDC", 1.0, 0.90, depth=1e9), rate_curve=dear, borrowed=9e8, cash=1e8
    )
    m = build.market([usdc], [{0: 1e6}], [{0: 8.93e5}])
    keeps = build.with_parameters(m, "USDC", reserve_factor=0.9)
    flat = build.PlainGBM((0.0,))
    d = change(m, keeps, flat)
    assert d.expected_liquidated.value > 0.0
    assert d.expected_interest.value == pytest.approx(0.0, abs=1e4)
