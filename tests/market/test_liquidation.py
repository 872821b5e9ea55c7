"""The liquidation rules against the contracts' integer arithmetic and by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.market import (
    NOTHING,
    EMode,
    Family,
    aave_v3_liquidation,
    close_factor,
    compound_v2_liquidation,
    health_factors,
    largest_liquidation,
)

WAD = 10**18

amounts = st.integers(min_value=10**12, max_value=10**25)  # base units of 18 decimals
prices = st.integers(min_value=10**4, max_value=10**13)  # 8 decimals
bonuses = st.integers(min_value=0, max_value=3000)  # basis points
shares = st.integers(min_value=0, max_value=10_000)  # basis points


def percent_mul(value, bps):  # PercentageMath.percentMul, rounds half up
    return (value * bps + 5000) // 10_000


def percent_div(value, bps):  # PercentageMath.percentDiv, rounds half up
    return (value * 10_000 + bps // 2) // bps


def aave_integers(*, repay, debt, collateral, debt_price, collateral_price, bonus, fee, factor):
    """LiquidationLogic 1.19.3 for two assets of 18 decimals, line by line."""
    repay = min(repay, percent_mul(debt, factor))
    base = debt_price * repay * WAD // (collateral_price * WAD)
    most = percent_mul(base, 10_000 + bonus)
    if most > collateral:
        amount = collateral
        needed = percent_div(collateral_price * amount * WAD // (debt_price * WAD), 10_000 + bonus)
    else:
        amount, needed = most, repay
    bonus_part = amount - percent_div(amount, 10_000 + bonus)
    return needed, amount, percent_mul(bonus_part, fee)


def near(value, integer, slack):
    return value * WAD == pytest.approx(integer, rel=1e-12, abs=slack)


@given(
    repay=amounts,
    debt=amounts,
    collateral=amounts,
    debt_price=prices,
    collateral_price=prices,
    bonus=bonuses,
    fee=shares,
    factor=st.sampled_from([5000, 10_000]),
)
def test_aave_follows_the_contract(
    repay, debt, collateral, debt_price, collateral_price, bonus, fee, factor
):
    needed, amount, kept = aave_integers(
        repay=repay,
        debt=debt,
        collateral=collateral,
        debt_price=debt_price,
        collateral_price=collateral_price,
        bonus=bonus,
        fee=fee,
        factor=factor,
    )
    done = aave_v3_liquidation(
        repay=repay / WAD,
        debt=debt / WAD,
        collateral=collateral / WAD,
        debt_price=debt_price / 1e8,
        collateral_price=collateral_price / 1e8,
        bonus=bonus / 1e4,
        protocol_fee=fee / 1e4,
        close_factor=factor / 1e4,
    )
    # One base unit of one asset is worth that many of the other.
    assert near(done.repaid, needed, 2 + 2 * collateral_price // debt_price)
    assert near(done.seized, amount, 4 + 4 * debt_price // collateral_price)
    assert near(done.protocol_fee, kept, 4 + 4 * debt_price // collateral_price)
    assert done.received + done.protocol_fee == pytest.approx(done.seized)


@given(
    repay=amounts,
    debt=amounts,
    collateral=amounts,
    debt_price=prices,
    collateral_price=prices,
    bonus=bonuses,
    factor=st.integers(min_value=500, max_value=10_000),
)
def test_compound_offer_is_the_largest_accepted(
    repay, debt, collateral, debt_price, collateral_price, bonus, factor
):
    arguments = {
        "debt": debt / WAD,
        "collateral": collateral / WAD,
        "debt_price": debt_price / 1e8,
        "collateral_price": collateral_price / 1e8,
        "bonus": bonus / 1e4,
        "protocol_fee": 0.028,
        "close_factor": factor / 1e4,
    }
    done = compound_v2_liquidation(repay=repay / WAD, **arguments)
    value = done.repaid * arguments["debt_price"] * (1 + arguments["bonus"])
    assert done.seized * arguments["collateral_price"] == pytest.approx(value)
    assert done.seized <= arguments["collateral"]
    assert done.repaid <= arguments["debt"] * arguments["close_factor"] * (1 + 1e-15)
    at_a_bound = (
        done.repaid == repay / WAD,
        done.repaid == arguments["debt"] * arguments["close_factor"],
        done.seized == pytest.approx(arguments["collateral"]),
    )
    assert any(at_a_bound)
    assert done.protocol_fee == pytest.approx(0.028 * done.seized)


def test_the_full_close_seen_on_the_real_contracts():
    # 15,500 of debt, WETH at 1,650, bonus 5%: 9.8636 WETH (facts, loop A).
    done = aave_v3_liquidation(
        repay=math.inf,
        debt=15_500.0,
        collateral=12.0,
        debt_price=1.0,
        collateral_price=1650.0,
        bonus=0.05,
        protocol_fee=0.0,
        close_factor=1.0,
    )
    assert done.repaid == 15_500.0
    assert done.seized == pytest.approx(9.8636, abs=5e-5)


def test_close_factor_steps_at_the_threshold(make_market):
    aave, compound = make_market(Family.AAVE_V3), make_market(Family.COMPOUND_V2)
    assert close_factor(aave, 0.95) == 1.0
    assert close_factor(aave, math.nextafter(0.95, 1.0)) == 0.5
    assert close_factor(compound, 0.0) == 0.5


def test_only_an_unhealthy_position_can_be_liquidated(make_market):
    market = make_market(collateral=[{0: 10.0}, {0: 10.0}], debt=[{2: 16_600.0}, {2: 16_400.0}])
    assert health_factors(market)[0] < 1.0 < health_factors(market)[1]
    done = largest_liquidation(market, 0, collateral_asset=0, debt_asset=2)
    assert done.repaid == 8_300.0
    assert done.seized == pytest.approx(8_300.0 * 1.05 / 2000.0)
    assert done.protocol_fee == pytest.approx(0.1 * 8_300.0 * 0.05 / 2000.0)
    assert largest_liquidation(market, 1, collateral_asset=0, debt_asset=2) == NOTHING
    assert largest_liquidation(market, 0, collateral_asset=1, debt_asset=2) == NOTHING
    assert largest_liquidation(market, 0, collateral_asset=0, debt_asset=1) == NOTHING


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("change", [{"paused": True}, {"active": False}])
@pytest.mark.parametrize("asset", [0, 2])
def test_a_paused_or_inactive_side_stops_it(make_market, family, change, asset):
    market = make_market(family, collateral=[{0: 10.0}], debt=[{2: 19_000.0}])
    assert largest_liquidation(market, 0, collateral_asset=0, debt_asset=2).repaid > 0.0
    reserves = list(market.reserves)
    reserves[asset] = replace(
        reserves[asset], parameters=replace(reserves[asset].parameters, **change)
    )
    stopped = replace(market, reserves=tuple(reserves))
    assert largest_liquidation(stopped, 0, collateral_asset=0, debt_asset=2) == NOTHING


def test_emode_brings_its_own_bonus_and_price(make_market, make_reserve):
    reserves = (
        make_reserve("WETH", 2000.0, 0.825, emode_category=1),
        make_reserve("wstETH", 2400.0, 0.8, emode_category=1),
        make_reserve("USDC", 1.0, 0.8),
    )
    emode = EMode(
        category=1, label="ETH", ltv=0.9, liquidation_threshold=0.93, liquidation_bonus=0.01
    )
    rows = {"collateral": [{1: 10.0, 2: 100.0}], "debt": [{0: 11.3}], "emode": [1]}
    market = make_market(reserves=reserves, emodes=(emode,), **rows)
    assert health_factors(market)[0] == pytest.approx(
        # The average threshold is 0.92948 and is kept in whole basis points.
        math.floor((24_000 * 0.93 + 100 * 0.8) / 24_100 * 1e4) / 1e4 * 24_100 / 22_600
    )
    done = largest_liquidation(market, 0, collateral_asset=1, debt_asset=0)
    assert done.repaid == pytest.approx(11.3 / 2)
    assert done.seized == pytest.approx(11.3 / 2 * 2000 * 1.01 / 2400)
    priced = replace(market, emodes=(replace(emode, price=2000.0),))
    done = largest_liquidation(priced, 0, collateral_asset=1, debt_asset=0)
    assert done.repaid == pytest.approx(10.0 / 1.01)  # HF below 0.95: all, capped by wstETH
    assert done.seized == 10.0


def test_collateral_whose_reserve_has_no_threshold_counts_for_nothing(make_market, make_reserve):
    reserves = (make_reserve("OLD", 10.0, 0.0), make_reserve("USDC", 1.0, 0.8))
    market = make_market(reserves=reserves, collateral=[{0: 50.0, 1: 100.0}], debt=[{1: 90.0}])
    assert health_factors(market)[0] == pytest.approx(80.0 / 90.0)
    assert largest_liquidation(market, 0, collateral_asset=0, debt_asset=1) == NOTHING
    assert largest_liquidation(market, 0, collateral_asset=1, debt_asset=1).repaid > 0.0


def test_collateral_that_bounds_a_liquidation_is_taken_to_the_last_grain():
    for k in range(1, 400):
        deal = compound_v2_liquidation(
            repay=math.inf,
            debt=1e9,
            collateral=k / 7.0,
            debt_price=1.0 + k / 3.0,
            collateral_price=1.0 + k / 11.0,
            bonus=0.1,
            protocol_fee=0.0,
            close_factor=0.5,
        )
        assert deal.seized == k / 7.0
