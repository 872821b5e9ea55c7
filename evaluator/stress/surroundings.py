"""What one path of prices means for gas, liquidators' capital and market depth.

All of it follows from exogenous prices alone, so that every parameter set that
runs on a path meets the same surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.battery import Battery
from evaluator.stress.universe import Universe

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """Exogenous conditions of one path, one row per step including the start."""

    prices: FloatArray  # shape (S + 1, A); USD, undisturbed market prices
    depth: FloatArray  # shape (S + 1, A); depth of the pools relative to their curves
    gas_cost: FloatArray  # shape (S + 1,); USD of one liquidation
    capital: FloatArray  # shape (S + 1,); USD of debt liquidators can repay in the step

    def of(self, columns: NDArray[np.int64]) -> Surroundings:
        """Keep only these assets' columns, in this order."""
        return replace(self, prices=self.prices[:, columns], depth=self.depth[:, columns])


def gas_cost(universe: Universe, battery: Battery) -> float:
    """Return what one liquidation costs at the start, USD."""
    price = max(battery.gas_price or universe.gas_price, battery.least_gas_price)
    return battery.liquidation_gas * price * 1e-18 * universe.native_price


def window_steps(battery: Battery) -> int:
    """Return how many steps back the trailing range of prices reaches."""
    return max(round(battery.gas_window / battery.step), 1)


def trailing_range(x: FloatArray, window: int) -> FloatArray:
    """Return highest over lowest of x[t - window .. t] along the first axis, same shape."""
    out = np.empty_like(x)
    for t in range(len(x)):
        part = x[max(0, t - window) : t + 1]
        out[t] = part.max(axis=0) / part.min(axis=0)
    return out


def surroundings(relative: FloatArray, *, universe: Universe, battery: Battery) -> Surroundings:
    """Return the surroundings of one path, every asset of the universe.

    `relative` has shape (S + 1, U): prices over those at the start.
    """
    window = window_steps(battery)
    own = relative[:, universe.native] if universe.native >= 0 else np.ones(len(relative))
    multiple = trailing_range(own, window) ** battery.gas_elasticity
    depth = np.full(relative.shape, battery.depth_factor)
    if battery.depth_elasticity > 0.0:
        depth *= trailing_range(relative, window) ** -battery.depth_elasticity
    return Surroundings(
        prices=relative * universe.base,
        depth=depth,
        gas_cost=gas_cost(universe, battery) * multiple * own,
        capital=battery.liquidator_capital * multiple**-battery.inclusion_elasticity,
    )
