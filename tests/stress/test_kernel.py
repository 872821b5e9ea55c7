"""The compiled battery against the plain one, on generated markets and paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.market import Family, OracleKind, OracleSpec
from evaluator.stress.battery import Battery, Event
from evaluator.stress.outcome import Outcome

HOUR = 3600.0
ENGINES = ["dense", "certificate"]


def same(reference: Outcome, other: Outcome, rtol=1e-9):
    """Compare every array; profits relative to what was liquidated for them.

    A profit is what is left of two trades, each a small step from where a pool
    stands: beside a pool held nearly dry their rounding is larger than their rest's.
    """
    for name in reference.__dataclass_fields__:
        x, y = getattr(reference, name), getattr(other, name)
        if isinstance(x, np.ndarray):
            least = 1e-6
            if name == "liquidator_profit":
                least += 10.0 * rtol * float(reference.liquidated.max(initial=0.0))
            np.testing.assert_allclose(y, x, rtol=rtol, atol=least, err_msg=name)
        else:
            assert x == y, name


def draw_market(build, data):
    family = data.draw(st.sampled_from(list(Family)), label="family")
    seed = data.draw(st.integers(0, 10_000), label="market seed")
    m = build.random_market(
        seed,
        N=data.draw(st.sampled_from([1, 7, 40]), label="N"),
        family=family,
        hf=data.draw(st.sampled_from([0.9, 1.0, 1.02]), label="hf"),
        spread=data.draw(st.sampled_from([0.01, 0.1, 0.6]), label="spread"),
    )
    for a in range(5):
        kind = data.draw(
            st.sampled_from(
                ["plain"] * 6 + ["paused", "inactive", "stuck", "late", "bounded", "dry"]
            )
        )
        name = f"T{a}"
        if kind == "paused":
            m = build.with_parameters(m, name, paused=True)
        elif kind == "inactive":
            m = build.with_parameters(m, name, active=False)
        elif kind == "stuck":
            m = build.with_reserve(m, name, oracle=OracleSpec(source="", kind=OracleKind.FIXED))
        elif kind == "late":
            spec = OracleSpec(source="", kind=OracleKind.FEED, latency=3 * HOUR, heartbeat=86400.0)
            m = build.with_reserve(m, name, oracle=spec)
        elif kind == "bounded":
            p = m.reserves[a].asset.price
            spec = OracleSpec(
                source="", kind=OracleKind.FEED, floor=0.9 * p, cap=1.1 * p, factor=0.97
            )
            m = build.with_reserve(m, name, oracle=spec)
        elif kind == "dry":
            m = build.with_reserve(m, name, cash=1e3 / m.reserves[a].asset.price)
    return m


def draw_battery(data):
    order = list(Event)
    if data.draw(st.booleans(), label="shuffled"):
        order = data.draw(st.permutations(order))
    return Battery(
        horizon=12 * HOUR,
        order=tuple(order),
        liquidator_capital=data.draw(st.sampled_from([1e3, 1e6, np.inf]), label="capital"),
        attempts=data.draw(st.sampled_from([1, 3]), label="attempts"),
        size_halvings=data.draw(st.sampled_from([0, 4]), label="halvings"),
        keepers_absent=data.draw(st.sampled_from([False] * 5 + [True])),
        least_gas_price=data.draw(st.sampled_from([0.0, 1e9, 1e12]), label="gas"),
        depth_factor=data.draw(st.sampled_from([1.0, 0.01])),
        depth_elasticity=data.draw(st.sampled_from([0.0, 1.0])),
        latency_steps=data.draw(st.sampled_from([0, 0, 2])),
        supplier_run_rate=data.draw(st.sampled_from([0.0, 0.1])),
        supplier_run_above=0.45,
        top_up_share=data.draw(st.sampled_from([0.0, 0.3, 1.0])),
        insolvency_threshold=data.draw(st.sampled_from([0.0, 100.0, 1e5])),
        manipulated=data.draw(st.sampled_from(["", "", "T0"]), label="manipulated"),
        manipulation_factor=data.draw(st.sampled_from([0.5, 1.5, 500.0])),
        manipulation_start=3,
        manipulation_steps=4,
    )


def draw_paths(build, data):
    process = build.PlainGBM(
        (1.0, 0.02, 1.5, 0.8, 3.0),
        crash=data.draw(st.sampled_from([0.0, -0.1, -0.5, 0.4]), label="crash"),
        crash_step=data.draw(st.integers(1, 12), label="crash step"),
    )
    seed = data.draw(st.integers(0, 10_000), label="path seed")
    return process.paths(seed=seed, first=0, count=2, steps=12)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=100)
@given(data=st.data())
def test_equals_the_plain_battery(build, engine, data):
    m, battery, paths = draw_market(build, data), draw_battery(data), draw_paths(build, data)
    same(build.outcome_on(m, paths, battery), build.outcome_on(m, paths, battery, engine))


def test_rounding_is_no_insolvency(build):
    """Bad debt of before, summed up in another order, is not new: at first seen with this one."""
    m = build.random_market(178, N=40, family=Family.AAVE_V3, hf=0.9, spread=0.01)
    order = (
        Event.REFILL, Event.LIQUIDATIONS, Event.ORACLE, Event.INTEREST, Event.SUPPLIERS,
        Event.BORROWERS, Event.PRICES,
    )  # fmt: skip
    battery = Battery(
        horizon=2 * HOUR, insolvency_threshold=0.0, order=order, liquidator_capital=1e3
    )
    paths = np.ones((2, 3, 5))
    plain = build.outcome_on(m, paths, battery)
    for engine in ENGINES:
        same(plain, build.outcome_on(m, paths, battery, engine))


def test_profits_beside_a_pool_held_nearly_dry(build):
    m = build.random_market(2820, N=1, family=Family.AAVE_V3, hf=0.9, spread=0.01)
    battery = Battery(
        horizon=12 * HOUR,
        liquidator_capital=1e3,
        size_halvings=0,
        depth_elasticity=0.0,
        insolvency_threshold=0.0,
        manipulated="T0",
        manipulation_factor=500.0,
        manipulation_start=3,
        manipulation_steps=4,
    )
    process = build.PlainGBM((1.0, 0.02, 1.5, 0.8, 3.0), crash=0.0, crash_step=1)
    paths = process.paths(seed=0, first=0, count=2, steps=12)
    plain = build.outcome_on(m, paths, battery)
    assert plain.liquidated.min() > 0.0
    for engine in ENGINES:
        same(plain, build.outcome_on(m, paths, battery, engine))


@pytest.mark.slow
@settings(max_examples=500)
@given(data=st.data())
def test_equals_the_plain_battery_on_many_more_cases(build, data):
    m, battery, paths = draw_market(build, data), draw_battery(data), draw_paths(build, data)
    same(build.outcome_on(m, paths, battery), build.outcome_on(m, paths, battery, "certificate"))


@pytest.mark.parametrize("engine", ENGINES)
def test_health_factor_exactly_one_is_healthy(build, engine):
    eth = build.reserve("ETH", 2048.0, 0.75)
    usdc = build.reserve("USDC", 1.0, 0.75)
    m = build.market(
        [eth, usdc], [{0: 1.0}, {0: 1.0}], [{1: 1536.0}, {1: np.nextafter(1536.0, 2e3)}]
    )
    flat = type(eth.rate_curve)(base=0.0, slope1=0.0, slope2=0.0, optimal=0.8)
    for symbol in ("ETH", "USDC"):
        m = build.with_reserve(m, symbol, rate_curve=flat)
    battery = Battery(horizon=5 * HOUR, least_gas_price=0.0, liquidation_gas=0.0)
    o = build.outcome_on(m, np.ones((1, 6, 2)), battery, engine)
    assert o.liquidations[0] >= 1
    assert o.liquidated[0] < 1537.0
    same(build.outcome_on(m, np.ones((1, 6, 2)), battery), o)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_book_has_no_losses(build, engine):
    m = build.market([build.reserve("ETH", 2000.0, 0.8), build.reserve("USDC", 1.0, 0.8)], [], [])
    o = build.outcome_on(m, np.ones((3, 13, 2)), Battery(horizon=12 * HOUR), engine)
    assert o.bad_debt.sum() == 0.0
    assert (o.first_insolvency == -1).all()
