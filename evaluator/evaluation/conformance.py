"""The model's health factors held against the contracts' own views."""

from __future__ import annotations

import numpy as np

from evaluator.chain.sandbox import Sandbox
from evaluator.evaluation.measurement import Reading
from evaluator.market import Market, health_factors, liquidity
from evaluator.market.health import collateral_value
from evaluator.report.odds import ConformanceRow, ConformanceSection


def held_against_contracts(reading: Reading, sandbox: Sandbox) -> ConformanceSection:
    """Compare every borrower of the market after execution with the protocol's own view.

    Health factors relatively where the protocol has them, liquidity or shortfall
    relative to the account's collateral value otherwise.
    """
    market = reading.after
    if market is None:
        raise ValueError("a market that was not read after execution cannot be compared")
    views = reading.adapter.account_views(sandbox, market, market.book.accounts)
    named = [(v.health_factor, v.liquidity) for v in views]
    theirs = np.array(named, dtype=np.float64).reshape(-1, 2)
    rows = [row for row in (_health(market, theirs[:, 0]), _liquidity(market, theirs[:, 1])) if row]
    largest = max((row.largest_error for row in rows), default=0.0)
    return ConformanceSection(paths=None, largest_error=largest, rows=tuple(rows))


def _health(market: Market, theirs: np.ndarray) -> ConformanceRow | None:
    ours = health_factors(market)
    comparable = np.isfinite(ours) & np.isfinite(theirs)
    if not comparable.any():
        return None
    error = np.abs(ours[comparable] / theirs[comparable] - 1.0)
    return ConformanceRow(
        quantity="health factor of every borrower after execution",
        compared=int(comparable.sum()),
        largest_error=float(error.max()),
    )


def _liquidity(market: Market, theirs: np.ndarray) -> ConformanceRow | None:
    comparable = np.isfinite(theirs)
    scale = np.maximum(collateral_value(market), 1.0)
    if not comparable.any():
        return None
    error = np.abs(liquidity(market) - theirs)[comparable] / scale[comparable]
    return ConformanceRow(
        quantity="liquidity or shortfall of every borrower, relative to its collateral",
        compared=int(comparable.sum()),
        largest_error=float(error.max()),
    )
