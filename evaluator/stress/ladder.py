"""Liquidation maps: what becomes liquidatable as prices fall, drop by drop.

No randomness and no reaction: each rung is the book as it is, at oracle prices
moved by a fraction, the usual chart of risk teams.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.market import AssetClass, Market
from evaluator.market.health import collateral_value, debt_value, weighted_collateral

FloatArray = NDArray[np.float64]

# Falls of the price, fractions.
DROPS = np.round(np.arange(0.0, 0.701, 0.02), 4)


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidationLadder:
    """The rungs of one map. R rungs."""

    assets: tuple[str, ...]  # symbols whose prices fall together
    drop: FloatArray  # shape (R,); fall of their prices, fraction
    liquidatable_debt: FloatArray  # shape (R,); USD owed by accounts below 1
    liquidatable_collateral: FloatArray  # shape (R,); USD of their collateral
    accounts: NDArray[np.int64]  # shape (R,); how many they are
    bad_debt: FloatArray  # shape (R,); USD owed beyond collateral


def liquidation_ladder(
    market: Market, assets: Collection[str], drops: FloatArray = DROPS
) -> LiquidationLadder:
    """Return what is liquidatable when the prices of `assets` fall by each of `drops`.

    Raises KeyError for a symbol the market does not have.
    """
    falling = np.zeros(len(market.reserves), dtype=np.bool_)
    for symbol in assets:
        falling[market.index(symbol)] = True
    debt_at, collateral_at, accounts_at, bad_at = [], [], [], []
    for drop in drops:
        prices = np.where(falling, market.prices * (1.0 - drop), market.prices)
        value, owed = collateral_value(market, prices), debt_value(market, prices)
        below = weighted_collateral(market, prices) < owed
        debt_at.append(float(owed[below].sum()))
        collateral_at.append(float(value[below].sum()))
        accounts_at.append(int(below.sum()))
        bad_at.append(float(np.maximum(owed - value, 0.0).sum()))
    return LiquidationLadder(
        assets=tuple(assets),
        drop=np.asarray(drops, dtype=np.float64),
        liquidatable_debt=np.array(debt_at),
        liquidatable_collateral=np.array(collateral_at),
        accounts=np.array(accounts_at, dtype=np.int64),
        bad_debt=np.array(bad_at),
    )


def ladders(market: Market, drops: FloatArray = DROPS) -> tuple[LiquidationLadder, ...]:
    """Return one map for all volatile assets together and one for each used as collateral."""
    volatile = [r.asset.symbol for r in market.reserves if _volatile(r.asset.asset_class)]
    held = market.book.collateral.total(len(market.reserves))
    alone = [s for s in volatile if held[market.index(s)] > 0.0]
    groups = [tuple(volatile)] if len(volatile) > 1 else []
    groups += [(s,) for s in alone]
    return tuple(liquidation_ladder(market, g, drops) for g in groups)


def _volatile(kind: AssetClass) -> bool:
    return kind is not AssetClass.STABLE
