"""The plain battery: one mechanism at a time, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.market import Family, OracleKind, OracleSpec, health_factors
from evaluator.stress.battery import Battery
from evaluator.stress.ledger import Ledger
from evaluator.stress.reference import Simulation
from evaluator.stress.surroundings import surroundings
from evaluator.stress.universe import Universe

HOUR = 3600.0
FREE = Battery(paths=1, horizon=HOUR, least_gas_price=0.0, liquidation_gas=0.0, attempts=1)


def pair(build, *, debt=1600.0, collateral=1.0, **changes):
    """One borrower: 1 ETH of 2000 USD at 0.83 against USDC."""
    eth = build.reserve("ETH", 2000.0, 0.83, **changes)
    usdc = build.reserve("USDC", 1.0, 0.78, depth=1e15)
    return build.market([eth, usdc], [{0: collateral}], [{1: debt}])


def path(*eth):
    return np.array([[[x, 1.0] for x in (1.0, *eth)]])


def battery(steps, **changes):
    return replace(FREE, horizon=steps * HOUR, **changes)


def no_interest(m):
    from evaluator.market import RateCurve

    flat = RateCurve(base=0.0, slope1=0.0, slope2=0.0, optimal=0.8)
    return replace(m, reserves=tuple(replace(r, rate_curve=flat) for r in m.reserves))


def test_the_first_step_agrees_with_the_protocols_own_health_factors(build):
    m = build.random_market(7)
    u = Universe.of(m, m)
    ledger = Ledger.of(m)
    around = surroundings(np.ones((2, len(m.reserves))), universe=u, battery=FREE)
    _, h, e = Simulation(m, ledger, FREE, around, existing=0.0).values(slice(None), m.prices)
    np.testing.assert_allclose(h / e, health_factors(m)[ledger.order], rtol=1e-13)


def test_half_is_liquidated_above_95_and_all_below(build):
    m = no_interest(pair(build, depth=1e15))
    half = build.outcome_on(m, path(0.96), battery(1))
    assert half.liquidated[0] == pytest.approx(800.0)  # 0.83 * 1920 / 1600 = 0.996
    full = build.outcome_on(m, path(0.90), battery(1))
    assert full.liquidated[0] == pytest.approx(1600.0)  # 0.934
    assert full.seized[0] == pytest.approx(1680.0)
    assert full.protocol_fee[0] == pytest.approx(0.1 * 80.0)
    assert full.liquidator_profit[0] == pytest.approx(72.0, rel=1e-6)


def test_healthy_and_exactly_one_are_left_alone(build):
    m = no_interest(pair(build, debt=2048.0 * 0.75, collateral=1.024, liquidation_threshold=0.75))
    assert build.outcome_on(m, path(1.0), battery(1)).liquidations[0] == 0
    assert build.outcome_on(m, path(1.0 - 1e-9), battery(1)).liquidations[0] == 1


def test_what_the_collateral_does_not_pay_is_bad_debt(build):
    m = no_interest(pair(build, depth=1e15))
    o = build.outcome_on(m, path(0.5), battery(1))
    assert o.seized[0] == pytest.approx(1000.0)
    assert o.liquidated[0] == pytest.approx(1000.0 / 1.05)
    assert o.bad_debt[0] == pytest.approx(1600.0 - 1000.0 / 1.05)
    np.testing.assert_allclose(o.bad_debt_by_asset[0], [0.0, o.bad_debt[0]])


def test_nobody_liquidates_at_a_loss(build):
    thin = no_interest(pair(build, collateral=1000.0, debt=1.6e6, depth=1e4))
    b = battery(1, size_halvings=0)
    assert build.outcome_on(thin, path(0.9), b).liquidations[0] == 0
    dear = replace(b, liquidation_gas=1e6, gas_price=100e9)
    assert build.outcome_on(no_interest(pair(build)), path(0.9), dear).liquidations[0] == 0
    assert build.outcome_on(no_interest(pair(build)), path(0.9), b).liquidations[0] == 1


def test_a_size_that_does_not_pay_is_halved(build):
    m = no_interest(pair(build, collateral=1000.0, debt=1.6e6, depth=1e7))
    assert build.outcome_on(m, path(0.9), battery(1, size_halvings=0)).liquidations[0] == 0
    o = build.outcome_on(m, path(0.9), battery(1))
    repaid = 1.6e6 / o.liquidated[0]
    assert repaid > 1.5
    assert np.log2(repaid) == pytest.approx(round(np.log2(repaid)))


def test_sales_move_the_price_and_the_pool_refills(build):
    m = no_interest(pair(build, collateral=1000.0, debt=1.6e6, depth=2e8))
    u = Universe.of(m, m)
    b = battery(3, attempts=1)
    around = surroundings(path(0.9, 0.9, 0.9)[0], universe=u, battery=b)
    s = Simulation(m, Ledger.of(m), b, around, existing=0.0)
    s.run()
    sold = 1.6e6 * 1.05 / 1800.0
    sold -= (sold - sold / 1.05) * 0.1
    assert s.q[0] == pytest.approx(sold * b.refill_decay**2)
    w = 1.0 + sold * b.refill_decay / 1e5
    assert s.market_prices[2][0] == pytest.approx(1800.0 / w**2)
    assert s.market_prices[1][0] == pytest.approx(1800.0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [1900.0, 1900.0, 1600.0]),
        ({"deviation_threshold": 0.1}, [2000.0, 1900.0, 1600.0]),
        ({"latency": HOUR}, [2000.0, 1900.0, 1900.0]),
        ({"stuck": True}, [2000.0, 2000.0, 2000.0]),
        ({"kind": OracleKind.FIXED}, [2000.0, 2000.0, 2000.0]),
        ({"floor": 1700.0}, [1900.0, 1900.0, 1700.0]),
        ({"cap": 1950.0}, [1900.0, 1900.0, 1600.0]),
        ({"factor": 0.5}, [950.0, 950.0, 800.0]),
        ({"kind": OracleKind.POOL, "deviation_threshold": 1.0}, [1900.0, 1899.0, 1600.0]),
    ],
)
def test_oracles(build, changes, expected):
    spec = replace(
        OracleSpec(source="0x", kind=OracleKind.FEED, deviation_threshold=0.01, heartbeat=2 * HOUR),
        **changes,
    )
    m = no_interest(pair(build, debt=1.0, oracle=spec))
    u = Universe.of(m, m)
    relative = path(0.95, 0.9495, 0.8)[0]
    if not changes.get("kind") and changes.get("deviation_threshold") != 0.1:
        relative[2] = relative[1]
    if changes.get("deviation_threshold") == 0.1:
        relative[2] = relative[1]
    b = battery(3)
    s = Simulation(m, Ledger.of(m), b, surroundings(relative, universe=u, battery=b), existing=0.0)
    seen = []
    s.close_step = lambda: seen.append(s.oracle[0])
    s.run()
    np.testing.assert_allclose(seen, expected)


def test_interest_makes_a_position_liquidatable(build):
    m = pair(build, debt=1659.99)
    o = build.outcome_on(m, path(*[1.0] * 100), battery(100))
    assert o.liquidations[0] >= 1
    assert build.outcome_on(no_interest(m), path(*[1.0] * 100), battery(100)).liquidations[0] == 0


@pytest.mark.parametrize("symbol", ["ETH", "USDC"])
def test_a_paused_reserve_cannot_be_liquidated(build, symbol):
    m = build.with_parameters(pair(build), symbol, paused=True)
    o = build.outcome_on(m, path(0.7), battery(1))
    assert o.liquidations[0] == 0
    assert o.bad_debt[0] == pytest.approx(200.0, rel=1e-3)


def test_finite_capital_goes_to_the_largest_debt(build):
    m = pair(build)
    two = build.market(m.reserves, [{0: 1.0}, {0: 2.0}], [{1: 1600.0}, {1: 3200.0}])
    o = build.outcome_on(
        two, path(0.9), battery(1, liquidator_capital=1000.0, inclusion_elasticity=0.0)
    )
    assert o.liquidated[0] == pytest.approx(1000.0)
    assert o.liquidations[0] == 1


def test_same_asset_on_both_sides_is_liquidated(build):
    eth = build.reserve("ETH", 2000.0, 0.83, depth=1e9)
    usdc = build.reserve("USDC", 1.0, 0.78)
    m = build.market([eth, usdc], [{0: 1.0}], [{0: 0.84}])
    o = build.outcome_on(m, path(1.0), battery(1))
    assert o.liquidations[0] == 1
    assert o.bad_debt[0] == 0.0


def test_compound_repays_half_and_never_all(build):
    m = pair(build, depth=1e15, protocol_fee=0.0)
    m = no_interest(replace(m, family=Family.COMPOUND_V2, full_close_below=0.0))
    o = build.outcome_on(m, path(0.85), battery(1))
    assert o.liquidated[0] == pytest.approx(800.0)


def test_borrowers_who_watch_repay_in_time(build):
    m = no_interest(pair(build))
    b = battery(1, top_up_share=1.0)
    o = build.outcome_on(m, path(0.98), b)  # health factor 1.017
    assert o.liquidations[0] == 0
    assert o.topped_up[0] == pytest.approx(1600.0 - 0.83 * 1960.0 / 1.15)


def test_suppliers_run_and_withdrawals_freeze(build):
    m = build.with_reserve(pair(build), "USDC", cash=1e7)
    b = battery(5, supplier_run_rate=0.05)
    o = build.outcome_on(m, path(*[1.0] * 5), b)
    assert o.frozen_steps[0] == 5
    assert o.peak_utilisation[0] == pytest.approx(1.0)
    assert build.outcome_on(m, path(*[1.0] * 5), battery(5)).frozen_steps[0] == 0


def test_without_cash_collateral_cannot_be_sold(build):
    m = build.with_reserve(pair(build), "ETH", cash=0.0)
    assert build.outcome_on(m, path(0.9), battery(1)).liquidations[0] == 0


def test_insolvency_is_dated_and_existing_bad_debt_is_not_new(build):
    m = no_interest(pair(build))
    b = battery(3, keepers_absent=True, insolvency_threshold=100.0)
    o = build.outcome_on(m, path(0.9, 0.7, 0.9), b)
    assert o.first_insolvency[0] == 2
    assert o.bad_debt[0] == 0.0
    drowned = no_interest(pair(build, debt=2500.0))
    o = build.outcome_on(drowned, path(1.0, 1.0, 1.0), b)
    assert o.first_insolvency[0] == -1
    assert o.existing_bad_debt == pytest.approx(500.0)
    assert o.new_bad_debt[0] == pytest.approx(0.0, abs=1e-9)


def test_gas_and_congestion_rise_with_the_range_of_the_native_price(build):
    m = pair(build)
    u = Universe.of(m, m)
    b = Battery(horizon=2 * HOUR, liquidator_capital=100.0)
    s = surroundings(path(1.0, 0.57)[0], universe=u, battery=b)
    assert s.gas_cost[2] / 0.57 / s.gas_cost[1] == pytest.approx(6.04, abs=0.01)
    assert s.capital[2] == pytest.approx(100.0 / np.sqrt(6.04), rel=1e-3)
    assert s.gas_cost[0] == pytest.approx(500_000 * 20e-9 * 2000.0)


def test_being_liquidated_while_healthy_at_market_is_user_harm(build):
    spec = OracleSpec(source="0x", kind=OracleKind.FEED, factor=0.9)
    m = no_interest(pair(build, oracle=spec, depth=1e15))
    o = build.outcome_on(m, path(1.0), battery(1))
    assert o.wrongful[0] == pytest.approx(o.liquidated[0])
    # Seized at 1800 a token what is worth 2000.
    assert o.user_harm[0] == pytest.approx(o.liquidated[0] * (1.05 * 2000 / 1800 - 1.0))
