"""The drawn books, before any transaction."""

from __future__ import annotations

import numpy as np
import pytest

from evaluator.chain.embedded.assets import base_units, token
from evaluator.chain.embedded.book import SeededAccount, aave_book, account_address, venus_book
from evaluator.chain.embedded.listings import AAVE_RESERVES, EMODES, ETH_EMODE, VENUS_MARKETS

AAVE_THRESHOLDS = {r.symbol: r.liquidation_threshold / 1e4 for r in AAVE_RESERVES}
VENUS_FACTORS = {m.symbol: m.collateral_factor for m in VENUS_MARKETS}


def usd(symbol: str, units: int) -> float:
    return units / 10 ** token(symbol).decimals * token(symbol).price


def health(account: SeededAccount, thresholds: dict[str, float]) -> float:
    """Health factor at head prices, with the account's eMode."""
    emode = next((e for e in EMODES if e.category == account.emode), None)
    members = {r.symbol for r in AAVE_RESERVES if emode and r.emode == emode.category}
    weighted = sum(
        usd(a.symbol, a.units)
        * (
            emode.liquidation_threshold / 1e4
            if emode and a.symbol in members
            else thresholds[a.symbol]
        )
        for a in account.collateral
    )
    return weighted / sum(usd(a.symbol, a.units) for a in account.debt)


@pytest.fixture(scope="module")
def on_aave():
    return aave_book(seed=0, borrowers=400)


@pytest.fixture(scope="module")
def on_venus():
    return venus_book(seed=0, borrowers=100)


def test_the_same_seed_draws_the_same_book():
    assert aave_book(seed=3, borrowers=40) == aave_book(seed=3, borrowers=40)
    assert venus_book(seed=3, borrowers=40) == venus_book(seed=3, borrowers=40)


def test_another_seed_draws_another_book():
    one, other = aave_book(seed=0, borrowers=40), aave_book(seed=1, borrowers=40)
    assert {a.address for a in one.borrowers}.isdisjoint(a.address for a in other.borrowers)
    assert [a.debt for a in one.borrowers] != [a.debt for a in other.borrowers]


def test_addresses_differ_by_seed_purpose_and_number():
    addresses = {
        account_address(seed, purpose, number)
        for seed in range(3)
        for purpose in ("aave borrower", "venus borrower")
        for number in range(5)
    }
    assert len(addresses) == 30


def test_aave_health_factors_have_the_shape_of_a_real_book(on_aave):
    factors = np.array([health(a, AAVE_THRESHOLDS) for a in on_aave.borrowers])
    assert factors.min() > 1.0115
    assert (factors < 1.05).sum() >= 8
    assert 1.3 < np.median(factors) < 2.1
    assert np.quantile(factors, 0.05) < 1.15
    assert np.quantile(factors, 0.9) > 2.5


def test_venus_health_factors_start_above_one_per_cent(on_venus):
    factors = np.array([health(a, VENUS_FACTORS) for a in on_venus.borrowers])
    assert factors.min() > 1.0115
    assert (factors < 1.10).sum() >= 3


def test_borrowers_hold_one_to_four_collaterals_and_one_to_three_debts(on_aave, on_venus):
    assert {len(a.collateral) for a in on_aave.borrowers} == {1, 2, 3, 4}
    assert {len(a.debt) for a in on_aave.borrowers} == {1, 2, 3}
    assert {len(a.collateral) for a in on_venus.borrowers} == {1, 2, 3, 4}
    for account in (*on_aave.borrowers, *on_venus.borrowers):
        if account.emode:
            continue  # stakers do supply a little of what they borrow
        assert {a.symbol for a in account.collateral}.isdisjoint(a.symbol for a in account.debt)


def test_some_accounts_use_emode_and_some_hold_idle_supply(on_aave):
    staked = [a for a in on_aave.borrowers if a.emode == ETH_EMODE]
    assert len(staked) >= 20
    assert all(a.debt[0].symbol == "WETH" for a in staked)
    assert any(a.idle for a in on_aave.borrowers)


def test_every_amount_is_positive_and_totals_stay_under_the_caps(on_aave):
    supplied = dict.fromkeys(AAVE_THRESHOLDS, 0)
    borrowed = dict.fromkeys(AAVE_THRESHOLDS, 0)
    for account in (*on_aave.borrowers, *on_aave.suppliers):
        for a in (*account.collateral, *account.idle):
            assert a.units > 0
            supplied[a.symbol] += a.units
        for a in account.debt:
            assert a.units > 0
            borrowed[a.symbol] += a.units
    for r in AAVE_RESERVES:
        unit = 10 ** token(r.symbol).decimals
        assert supplied[r.symbol] < r.supply_cap * unit
        assert borrowed[r.symbol] < supplied[r.symbol]
        if r.borrow_cap:
            assert borrowed[r.symbol] < r.borrow_cap * unit
        if not r.borrowing:
            assert borrowed[r.symbol] == 0


@pytest.mark.parametrize(
    ("symbol", "amount", "units"),
    [("WETH", 1.5, 1_500_000_000_000_000_000), ("USDC", 2.25, 2_250_000), ("WBTC", 0.1, 10**7)],
)
def test_amounts_become_base_units(symbol, amount, units):
    assert base_units(symbol, amount) == units
