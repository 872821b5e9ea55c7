"""Who uses the room a proposal gives, and how much of it."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.market import EMode, health_factors
from evaluator.stress.response import responding_market


def two(build, **changes):
    eth = build.reserve("ETH", 2000.0, 0.80, supply_cap=10.0, borrow_cap=1e9, **changes)
    usdc = build.reserve("USDC", 1.0, 0.78, borrow_cap=1e10)
    m = build.market([eth, usdc], [{0: 4.0}, {0: 4.0}], [{1: 5000.0}, {1: 6000.0}])
    return build.with_reserve(m, "ETH", supplied=8.0, borrowed=0.0, cash=8.0)


def test_no_room_no_response(build):
    m = two(build)
    assert responding_market(m, m) is None
    lower = build.with_parameters(m, "ETH", liquidation_threshold=0.75, ltv=0.72)
    assert responding_market(m, lower) is None


def test_a_higher_threshold_is_used_to_the_same_health_factor_within_ltv(build):
    m = two(build)
    higher = build.with_parameters(m, "ETH", liquidation_threshold=0.84)
    r = responding_market(m, higher)
    # LTV 0.77 x 8000 = 6160: the first keeps its health factor, the second hits the LTV.
    np.testing.assert_allclose(r.book.debt.amount, [5000 * 0.84 / 0.80, 6160.0])
    assert health_factors(r)[0] == pytest.approx(health_factors(m)[0])
    lent = r.book.debt.amount.sum() - 11_000.0
    assert r.reserves[1].borrowed - m.reserves[1].borrowed == pytest.approx(lent)
    assert m.reserves[1].cash - r.reserves[1].cash == pytest.approx(lent)


def test_a_higher_ltv_is_used_in_the_same_share(build):
    m = two(build)
    higher = build.with_parameters(m, "ETH", ltv=0.79)
    r = responding_market(m, higher)
    np.testing.assert_allclose(r.book.debt.amount, np.array([5000.0, 6000.0]) * 0.79 / 0.77)


@pytest.mark.parametrize(
    "changes",
    [{"frozen": True}, {"paused": True}, {"borrowing_enabled": False}, {"borrow_cap": 1.0}],
)
def test_who_cannot_borrow_does_not(build, changes):
    m = build.with_parameters(two(build), "USDC", **changes)
    higher = build.with_parameters(m, "ETH", liquidation_threshold=0.84)
    assert responding_market(m, higher) is None


def test_cash_bounds_the_response(build):
    m = build.with_reserve(two(build), "USDC", cash=100.0)
    r = responding_market(m, build.with_parameters(m, "ETH", liquidation_threshold=0.84))
    assert r.book.debt.amount.sum() == pytest.approx(11_100.0)
    assert r.reserves[1].cash == pytest.approx(0.0, abs=1e-9)


def test_a_higher_supply_cap_is_filled_with_riskier_copies(build):
    m = two(build)
    wider = build.with_parameters(m, "ETH", supply_cap=16.0)
    r = responding_market(m, wider)
    assert len(r.book) == 4
    assert r.book.collateral.total(2)[0] == pytest.approx(8.0 + 6.0)
    assert r.reserves[0].supplied == pytest.approx(14.0)
    old, new = health_factors(r)[:2], health_factors(r)[2:]
    assert np.all(new < old)
    # Half of the unused borrowing power (0.77 x 8000) is used as well.
    grown = r.book.debt.amount[2:] / (r.book.debt.amount[:2] * 6.0 / 8.0)
    np.testing.assert_allclose(grown, [1 + 0.5 * 1160 / 5000, 1 + 0.5 * 160 / 6000])


def test_a_higher_borrow_cap_is_filled_to_the_cap(build):
    m = build.with_parameters(two(build), "USDC", borrow_cap=11_000.0)
    m = build.with_reserve(m, "USDC", borrowed=11_000.0)
    r = responding_market(m, build.with_parameters(m, "USDC", borrow_cap=16_000.0))
    assert r.book.debt.total(2)[1] == pytest.approx(11_000.0 + 5_000.0)
    assert r.reserves[1].borrowed == pytest.approx(16_000.0)
    # The copies stand in order of debt, largest first.
    assert np.all(health_factors(r)[2:] < health_factors(r)[[1, 0]])


def test_a_lifted_cap_doubles_at_most(build):
    m = two(build)
    r = responding_market(m, build.with_parameters(m, "ETH", supply_cap=np.inf))
    assert r.book.collateral.total(2)[0] == pytest.approx(8.0 + 10.0)


def test_other_borrowers_are_not_compared(build):
    m = two(build)
    other = replace(m, book=replace(m.book, accounts=("0xa", "0xb")))
    higher = build.with_parameters(other, "ETH", liquidation_threshold=0.84)
    assert responding_market(m, higher) is None


def test_a_higher_debt_ceiling_is_filled_with_isolated_positions(build):
    m = build.with_parameters(two(build), "ETH", debt_ceiling=1e4, supply_cap=1e3)
    higher = build.with_parameters(m, "ETH", debt_ceiling=1.5e4)
    r = responding_market(m, higher)
    more = r.book.collateral.total(2)[0] - m.book.collateral.total(2)[0]
    p = m.reserves[0].parameters
    assert more == pytest.approx(5e3 / p.ltv / m.reserves[0].asset.price)
    assert r.book.debt.total(2)[1] > m.book.debt.total(2)[1]
    full = build.with_parameters(higher, "ETH", supply_cap=m.reserves[0].supplied)
    assert responding_market(m, full) is None
    lower = build.with_parameters(m, "ETH", debt_ceiling=5e3)
    assert responding_market(m, lower) is None


def test_an_asset_taken_into_an_efficiency_mode_is_borrowed_against_there(build):
    mode = EMode(
        category=1, label="dollars", ltv=0.93, liquidation_threshold=0.95, liquidation_bonus=0.01
    )
    m = build.with_parameters(two(build), "USDC", emode_category=1)
    m = replace(build.with_parameters(m, "ETH", supply_cap=1e3), emodes=(mode,))
    taken = build.with_parameters(m, "ETH", emode_category=1)
    r = responding_market(m, taken)
    before, n = len(m.book), len(r.book)
    assert n > before
    assert set(r.book.emode[before:].tolist()) == {1}
    # As much comes in as was there, and owes up to the mode's LTV of the mode's other asset.
    more = r.book.collateral.total(2)[0] - m.book.collateral.total(2)[0]
    assert more == pytest.approx(m.reserves[0].supplied)
    owed = r.book.debt.total(2)[1] - m.book.debt.total(2)[1]
    assert 0.9 * 0.93 * 2000.0 * more < owed < 0.93 * 2000.0 * more
    health = health_factors(r)[before:]
    assert health.min() == pytest.approx(0.95 / 0.93)
    assert responding_market(taken, taken) is None
    assert responding_market(taken, m) is None
    full = build.with_parameters(taken, "ETH", supply_cap=m.reserves[0].supplied)
    assert responding_market(m, full) is None
