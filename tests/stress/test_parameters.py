"""Every kind of parameter change moves the battery in the direction DESIGN.md's table says."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.market import Family, LiquidityCurve, OracleKind, OracleSpec, RateCurve
from evaluator.stress.battery import Battery
from evaluator.stress.metrics import difference, survival_metrics
from evaluator.stress.trial import run

BATTERY = Battery(paths=256, horizon=72 * 3600.0, insolvency_threshold=1000.0)


@pytest.fixture(scope="module")
def book(build):
    """100 borrowers of USDC against ETH and ALT, health factors from 1.02 up, 12M USD."""
    rng = np.random.default_rng(4)
    eth = build.reserve("ETH", 2000.0, 0.82, depth=1e9, supply_cap=1e4)
    usdc = build.reserve("USDC", 1.0, 0.78, depth=1e9, borrow_cap=2e9)
    alt = build.reserve("ALT", 10.0, 0.65, depth=5e8, liquidation_bonus=0.08)
    collateral, debt = [], []
    for _ in range(100):
        size = float(rng.lognormal(11, 1.2))
        share = float(rng.choice([0.0, 0.5, 1.0]))
        collateral.append({0: size * share / 2000.0, 2: size * (1 - share) / 10.0})
        weighted = size * (share * 0.82 + (1 - share) * 0.65)
        debt.append({1: weighted / (1.02 + rng.gamma(1.0, 0.15))})
    return build.market([eth, usdc, alt], collateral, debt)


@pytest.fixture(scope="module")
def process(build):
    """A market that falls by half in three days, and by a tenth at once."""
    return build.PlainGBM((1.0, 0.01, 1.6), drift=-80.0, crash=-0.1, crash_step=20)


@pytest.fixture(scope="module")
def jump(build):
    """A market that loses a fifth at once."""
    return build.PlainGBM((1.0, 0.01, 1.6), crash=-0.2, crash_step=20)


def outcomes(before, after, process, **changes):
    return run(before, after, process=process, battery=replace(BATTERY, **changes), seed=2)


def test_a_lower_threshold_liquidates_more_and_never_loses_more_in_the_tail(build, book, jump):
    lower = book
    for symbol in ("ETH", "ALT"):
        p = book.reserves[book.index(symbol)].parameters
        lower = build.with_parameters(
            lower, symbol, liquidation_threshold=round(p.liquidation_threshold - 0.04, 4)
        )
    got = outcomes(book, lower, jump)
    d = difference(got.before, got.after, BATTERY)
    assert d.expected_liquidated.lower > 0.0
    assert d.expected_shortfall_95.value < 0.0
    assert d.value_at_risk_95.value <= 0.0


def test_a_higher_threshold_costs_more_when_borrowers_respond(build, book, jump):
    higher = book
    for symbol in ("ETH", "ALT"):
        p = book.reserves[book.index(symbol)].parameters
        higher = build.with_parameters(
            higher,
            symbol,
            liquidation_threshold=round(p.liquidation_threshold + 0.04, 4),
            ltv=round(p.ltv + 0.04, 4),
        )
    got = outcomes(book, higher, jump)
    static = difference(got.before, got.after, BATTERY)
    full = difference(got.before, got.responding, BATTERY)
    assert full.expected_bad_debt.lower > static.expected_bad_debt.upper
    assert got.responding.borrowing_power_used > got.after.borrowing_power_used


def test_a_bonus_below_the_cost_of_selling_leaves_bad_debt(build, book, process):
    mean = build.with_parameters(book, "ALT", liquidation_bonus=0.0)
    d = difference(*pair(outcomes(book, mean, process)), BATTERY)
    assert d.expected_bad_debt.lower > 0.0
    assert d.expected_liquidated.upper < 0.0


def pair(got):
    return got.before, got.after


def test_the_protocols_fee_comes_out_of_the_liquidators_profit(build, book, process):
    dear = build.with_parameters(book, "ETH", protocol_fee=0.5)
    before, after = pair(outcomes(book, dear, process))
    assert difference(before, after, BATTERY).expected_liquidator_profit.upper < 0.0
    assert after.protocol_fee.mean() > before.protocol_fee.mean()


def test_a_smaller_close_factor_slows_liquidation(book, process):
    slow = replace(book, close_factor=0.1, full_close_below=0.0)
    before, after = pair(outcomes(replace(book, full_close_below=0.0), slow, process))
    assert after.liquidations.mean() > before.liquidations.mean()
    assert after.liquidated.mean() < before.liquidated.mean()


def test_toxic_liquidations_raise_ltv_exactly_when_ltv_times_incentive_exceeds_one(build):
    # Warmuz et al., arXiv 2212.07306.
    for debt, toxic in ((1850.0, False), (1960.0, True)):
        eth = build.reserve("ETH", 2000.0, 0.9, depth=1e15, protocol_fee=0.0)
        usdc = build.reserve("USDC", 1.0, 0.78, depth=1e15)
        m = build.market([eth, usdc], [{0: 1.0}], [{1: debt}])
        m = replace(m, close_factor=0.2, full_close_below=0.0)
        b = Battery(horizon=3600.0, attempts=1, least_gas_price=0.0, liquidation_gas=0.0)
        o = build.outcome_on(m, np.ones((1, 2, 2)), b, "certificate")
        left = (debt - o.liquidated[0]) / (2000.0 - o.seized[0])
        assert (debt / 2000.0 * 1.05 > 1.0) is toxic
        assert bool(left > debt / 2000.0) is toxic


def test_a_supply_cap_gives_room_that_is_filled(build, book, process):
    wider = build.with_parameters(book, "ETH", supply_cap=3e4)
    capped = build.with_reserve(book, "ETH", supplied=1e4)
    got = outcomes(capped, build.with_reserve(wider, "ETH", supplied=1e4), process)
    assert got.before.digest() == got.after.digest()
    assert difference(got.after, got.responding, BATTERY).expected_liquidated.lower > 0.0


def test_a_steeper_rate_curve_earns_more_and_presses_borrowers(build, book, process):
    steep = build.with_reserve(
        book, "USDC", rate_curve=RateCurve(base=0.5, slope1=2.0, slope2=3.0, optimal=0.8)
    )
    d = difference(*pair(outcomes(book, steep, process)), BATTERY)
    assert d.expected_interest.lower > 0.0
    assert d.expected_liquidated.lower > 0.0


def test_high_utilisation_freezes_withdrawals_in_a_run(build, book, process):
    tight = build.with_reserve(book, "USDC", cash=4e7)
    before, after = pair(outcomes(book, tight, process, supplier_run_rate=0.02))
    assert before.frozen_steps.max() == 0
    assert after.frozen_steps.min() > 0
    m = survival_metrics(after, BATTERY)
    assert m.freeze_probability.value == 1.0
    assert after.peak_utilisation.min() > before.peak_utilisation.max()


def test_a_slower_feed_loses_more(build, book, process):
    late = OracleSpec(
        source="0x",
        kind=OracleKind.FEED,
        deviation_threshold=0.05,
        heartbeat=86400.0,
        latency=6 * 3600.0,
    )
    slow = book
    for symbol in ("ETH", "ALT"):
        slow = build.with_reserve(slow, symbol, oracle=late)
    d = difference(*pair(outcomes(book, slow, process)), BATTERY)
    assert d.expected_bad_debt.lower > 0.0


def test_a_frozen_oracle_gives_no_liquidations(build, book, process):
    frozen = book
    for r in book.reserves:
        frozen = build.with_reserve(frozen, r.asset.symbol, oracle=replace(r.oracle, stuck=True))
    calm = replace(BATTERY, horizon=24 * 3600.0)
    got = run(frozen, frozen, process=process, battery=calm, seed=2)
    assert got.before.liquidations.sum() == 0


def test_an_oracle_that_reports_too_little_liquidates_the_healthy(build, book, process):
    low = build.with_reserve(book, "ETH", oracle=replace(book.reserves[0].oracle, factor=0.85))
    d = difference(*pair(outcomes(book, low, process)), BATTERY)
    assert d.expected_user_harm.lower > 0.0


def test_a_paused_reserve_cannot_be_liquidated(build, book, process):
    paused = build.with_parameters(book, "ALT", paused=True)
    before, after = pair(outcomes(book, paused, process))
    d = difference(before, after, BATTERY)
    assert d.expected_liquidated.upper < 0.0
    assert d.expected_bad_debt.lower > 0.0


def test_delisting_collateral_makes_its_positions_liquidatable(build, book, process):
    gone = build.with_parameters(book, "ALT", liquidation_threshold=0.10)
    d = difference(*pair(outcomes(book, gone, process)), BATTERY)
    assert d.expected_liquidated.lower > 0.0


def test_bad_debt_grows_as_depth_falls(build, book, process):
    losses = []
    for depth in (4e7, 4e6, 4e5):
        thin = build.with_reserve(
            book, "ETH", liquidity=LiquidityCurve.constant_product(depth / 2000.0)
        )
        losses.append(outcomes(thin, thin, process).before.bad_debt.mean())
    assert losses[0] < losses[1] < losses[2]


def test_without_keepers_nobody_is_liquidated_and_more_is_lost(book, process):
    calm = outcomes(book, book, process).before
    alone = outcomes(book, book, process, keepers_absent=True).before
    assert alone.liquidations.sum() == 0
    assert alone.bad_debt.mean() > calm.bad_debt.mean()


def test_compound_runs_the_same_battery(book, process):
    compound = replace(book, family=Family.COMPOUND_V2, full_close_below=0.0)
    compound = replace(
        compound,
        reserves=tuple(
            replace(r, parameters=replace(r.parameters, protocol_fee=0.01, ltv=0.8))
            for r in compound.reserves
        ),
    )
    got = outcomes(compound, compound, process).before
    assert got.liquidations.sum() > 0
    assert np.allclose(got.protocol_fee, 0.01 * got.seized)
