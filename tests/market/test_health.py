"""Health factors against the contracts' integer arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evaluator.market import Family, health_factors, liquidity

rows = st.dictionaries(st.integers(0, 2), st.integers(10**15, 10**24), min_size=0, max_size=3)
thresholds = st.tuples(*[st.integers(1, 9800)] * 3)


def aave_health(collateral, debt, prices, thresholds):
    """GenericLogic.calculateUserAccountData, all assets with 18 decimals, prices with 8."""
    total = weighted = owed = 0
    for a in range(3):
        if a in collateral:
            value = collateral[a] * prices[a] // 10**18
            total += value
            weighted += value * thresholds[a]
        if a in debt:
            owed += debt[a] * prices[a] // 10**18
    average = weighted // total if total else 0
    product = (total * average + 5000) // 10_000
    return (product * 10**18 + owed // 2) // owed / 1e18 if owed else np.inf


@given(collateral=rows, debt=rows, thresholds=thresholds)
def test_aave_health_factor_is_the_contracts(
    make_market, make_reserve, collateral, debt, thresholds
):
    prices = (2000 * 10**8, 60_000 * 10**8, 10**8)
    reserves = [
        make_reserve(s, p / 1e8, t / 1e4)
        for s, p, t in zip(("A", "B", "C"), prices, thresholds, strict=True)
    ]
    market = make_market(
        reserves=reserves,
        collateral=[{a: x / 1e18 for a, x in collateral.items()}],
        debt=[{a: x / 1e18 for a, x in debt.items()}],
    )
    if not debt:
        assert health_factors(market)[0] == np.inf
        return
    value = {a: Fraction(x * prices[a], 10**18) for a, x in collateral.items()}
    average = sum(v * thresholds[a] for a, v in value.items()) / (sum(value.values()) or 1)
    # Within a hair of a whole basis point the contract's own rounding of values decides.
    assume(average == round(average) or abs(average - round(average)) > 1e-6)
    expected = aave_health(collateral, debt, prices, thresholds)
    # The contract keeps values to 1e-8 USD, and the smallest drawn here is 0.001.
    assert health_factors(market)[0] == pytest.approx(expected, rel=1e-4, abs=1e-17)
    if min([*value.values(), *(Fraction(debt[a] * prices[a], 10**18) for a in debt)]) > 10**11:
        assert health_factors(market)[0] == pytest.approx(expected, rel=1e-9, abs=1e-17)


@given(
    book=st.lists(st.tuples(rows, rows), min_size=1, max_size=6),
    factors=st.lists(st.floats(0.1, 3.0), min_size=3, max_size=3),
)
def test_each_account_stands_alone_and_given_prices_are_used(make_market, book, factors):
    def tokens(row):
        return {a: x / 1e18 for a, x in row.items()}

    collateral, debt = [tokens(c) for c, _ in book], [tokens(d) for _, d in book]
    for family in Family:
        market = make_market(family, collateral=collateral, debt=debt)
        moved = market.prices * np.array(factors)
        together = health_factors(market, moved)
        assert together.shape == (len(book),)
        for i in range(len(book)):
            alone = make_market(family, collateral=[collateral[i]], debt=[debt[i]])
            assert health_factors(alone, moved)[0] == pytest.approx(together[i], rel=1e-12)
            if not debt[i]:
                assert together[i] == np.inf


def test_compound_liquidity_by_hand(make_market):
    market = make_market(Family.COMPOUND_V2, collateral=[{0: 1.0, 2: 500.0}], debt=[{1: 0.05}])
    assert liquidity(market)[0] == pytest.approx(2000 * 0.825 + 500 * 0.8 - 3000)
    assert health_factors(market)[0] == pytest.approx((2000 * 0.825 + 400) / 3000)
