"""What it costs to hold a pool's price away from the rest of the market.

Arbitrageurs trade against whoever holds it: in each step they bring the pool
back by the share the battery assumes, and the manipulator trades again. LPs
who leave and liquidators who sell into the held price are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.market import LiquidityCurve, Market
from evaluator.stress.battery import Battery


@dataclass(frozen=True, kw_only=True, slots=True)
class ManipulationCost:
    """Cost of holding one price."""

    asset: str  # symbol
    factor: float  # price held over undisturbed price
    steps: int  # it is held for
    opening: float  # USD lost in getting there, tokens valued at the undisturbed price
    holding: float  # USD lost to arbitrageurs in all further steps
    capital: float  # USD at hand for the first trade: tokens to sell, or money to buy with

    @property
    def total(self) -> float:
        """USD lost in all."""
        return self.opening + self.holding


def inventory_at(curve: LiquidityCurve, factor: float) -> float:
    """Return the net quantity sold (negative: bought) at which the price is `factor` times its own.

    Whole tokens. Prices above what a dry pool shows are not reached.
    """
    x, y = curve.quantity, curve.inverse_root
    w = 1.0 / np.sqrt(factor)
    k = int(np.clip(np.searchsorted(y, w, side="right") - 1, 0, len(y) - 2))
    q = float(x[k] + (w - y[k]) * (x[k + 1] - x[k]) / (y[k + 1] - y[k]))
    return max(q, curve.dry_quantity)


def manipulation_cost(
    market: Market, asset: str, factor: float, *, steps: int, battery: Battery
) -> ManipulationCost:
    """Return what holding `asset` at `factor` times its price for some steps costs.

    Raises ConfigurationError for a factor or number of steps that makes no
    sense, KeyError for a symbol the market does not have.
    """
    if not factor > 0.0 or steps < 1:
        raise ConfigurationError(
            f"a manipulation needs a factor above 0 and a step or more, got {factor} and {steps}"
        )
    reserve = market.reserves[market.index(asset)]
    curve, price, depth = reserve.liquidity, reserve.asset.price, battery.depth_factor
    held = inventory_at(curve, factor)

    def lost(start: float, end: float) -> float:
        """USD lost in moving the inventory, tokens valued at the undisturbed price."""
        paid = curve.proceeds(start, end)
        kept = paid * (1.0 - curve.fee) if end > start else paid / (1.0 - curve.fee)
        return float((end - start) - kept) * price * depth

    opening = lost(0.0, held)
    worth = held * price * depth
    back = held * battery.refill_decay
    return ManipulationCost(
        asset=asset,
        factor=factor,
        steps=steps,
        opening=opening,
        holding=lost(back, held) * (steps - 1),
        # What is bought costs its worth and what is lost on it.
        capital=worth if held > 0.0 else opening - worth,
    )
