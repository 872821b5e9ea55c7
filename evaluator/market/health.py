"""Health factors and account liquidity, as each family computes them."""

from __future__ import annotations

import numpy as np

from evaluator.market.book import FloatArray, IntArray
from evaluator.market.market import Family, Market

# Aave keeps the average threshold in whole basis points, rounded down. The
# quotient of floats can fall a hair below an exact integer (some 1e-11 of a
# basis point); anything nearer than this to the next one is that one.
_AVERAGE_EPSILON = 1e-9


def _row_sums(indptr: IntArray, values: FloatArray) -> FloatArray:
    direct = np.zeros(len(indptr) - 1)
    # Adding up each row by itself keeps the digits that one long cumsum would lose.
    np.add.at(direct, np.repeat(np.arange(len(direct)), np.diff(indptr)), values)
    return direct


def collateral_value(market: Market, prices: FloatArray | None = None) -> FloatArray:
    """Return each account's collateral in USD, shape (N,)."""
    c = market.book.collateral
    return _row_sums(c.indptr, c.amount * market.entry_prices(c, prices))


def debt_value(market: Market, prices: FloatArray | None = None) -> FloatArray:
    """Return each account's debt in USD, shape (N,)."""
    d = market.book.debt
    return _row_sums(d.indptr, d.amount * market.entry_prices(d, prices))


def weighted_collateral(market: Market, prices: FloatArray | None = None) -> FloatArray:
    """Return each account's collateral weighted by liquidation thresholds, USD, shape (N,).

    Aave core-v3 (GenericLogic.calculateUserAccountData) rounds the average
    threshold of an account down to a basis point, over the collateral whose
    reserve has a threshold at all; Compound V2
    (Comptroller.getHypotheticalAccountLiquidityInternal) does not round.
    """
    c = market.book.collateral
    value = c.amount * market.entry_prices(c, prices)
    threshold = market.liquidation_thresholds()[market.book.emode[c.row], c.asset]
    if market.family is Family.COMPOUND_V2:
        return _row_sums(c.indptr, value * threshold)
    own = np.array([r.parameters.liquidation_threshold for r in market.reserves])
    value = np.where(own[c.asset] > 0.0, value, 0.0)
    weighted = _row_sums(c.indptr, value * threshold)
    if not market.whole_basis_points:
        return weighted
    total = _row_sums(c.indptr, value)
    average = np.divide(weighted, total, out=np.zeros_like(total), where=total > 0.0)
    return total * (np.floor(average * 1e4 + _AVERAGE_EPSILON) / 1e4)


def health_factors(market: Market, prices: FloatArray | None = None) -> FloatArray:
    """Return every account's health factor, shape (N,); inf without debt.

    `prices` has shape (A,), USD per whole token, and defaults to the oracle's.
    """
    debt = debt_value(market, prices)
    weighted = weighted_collateral(market, prices)
    return np.divide(weighted, debt, out=np.full_like(debt, np.inf), where=debt > 0.0)


def liquidity(market: Market, prices: FloatArray | None = None) -> FloatArray:
    """Return weighted collateral less debt in USD, shape (N,); negative is a shortfall."""
    return weighted_collateral(market, prices) - debt_value(market, prices)
