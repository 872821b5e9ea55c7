"""What selling or buying an asset does to its price.

The state of a market's depth is w = 1 / sqrt(p / p0), p the marginal price
and p0 the undisturbed one. Along a constant-product pool w is linear in the
quantity sold, and inside one tick range of a Uniswap V3 pool as well
(whitepaper, eq. 6.14: delta x = L delta(1/sqrt p)), so a piecewise linear
w(q) describes any stack of such pools exactly:

    proceeds from q0 to q1 inside a segment = p0 (q1 - q0) / (w0 w1)
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

# Below this w the pool counts as dry: no more can be bought. (price 400 times p0)
DRY = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidityCurve:
    """Price impact of a net quantity sold into the market (negative: bought).

    Between knots w is linear, outside them the outermost segments go on.
    """

    quantity: NDArray[np.float64]  # shape (K,), ascending, whole tokens net sold, contains 0
    inverse_root: NDArray[np.float64]  # shape (K,), w at the knots, ascending, 1 at quantity 0
    measured: bool  # quoted from real pools, or assumed
    source: str  # pools it was quoted from, or the name of the assumption
    fee: float = 0.0  # share of a trade's value that the pools keep; not in w or `proceeds`

    def __post_init__(self) -> None:
        x, y = self.quantity, self.inverse_root
        if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
            raise ValueError(f"knots must be two or more pairs, got {x.shape} and {y.shape}")
        if not (np.all(np.diff(x) > 0.0) and np.all(np.diff(y) > 0.0) and y[0] > 0.0):
            raise ValueError("quantities and positive inverse roots must strictly ascend")
        if not np.any((x == 0.0) & (y == 1.0)):
            raise ValueError("the knots must contain quantity 0 with inverse root 1")

    @classmethod
    def constant_product(
        cls, reserve: float, *, measured: bool = False, source: str = "assumed constant product"
    ) -> LiquidityCurve:
        """A constant-product pool holding `reserve` whole tokens of the asset."""
        if not reserve > 0.0:
            raise ValueError(f"reserve must be positive, got {reserve}")
        return cls(
            quantity=np.array([-(1.0 - DRY) * reserve, 0.0, reserve]),
            inverse_root=np.array([DRY, 1.0, 2.0]),
            measured=measured,
            source=source,
        )

    def w(self, q: float) -> float:
        """Return 1 / sqrt(price / undisturbed price) after `q` whole tokens were net sold."""
        x, y = self._knots
        k = min(max(bisect_right(x, q) - 1, 0), len(x) - 2)
        slope = (y[k + 1] - y[k]) / (x[k + 1] - x[k])
        return max(y[k] + slope * (q - x[k]), DRY)

    @cached_property
    def _knots(self) -> tuple[list[float], list[float]]:
        # Asked for one quantity at a time, lists are ten times as fast as arrays.
        return self.quantity.tolist(), self.inverse_root.tolist()

    @cached_property
    def _bends(self) -> list[float]:
        return sorted([*self._knots[0], self.dry_quantity])

    @cached_property
    def dry_quantity(self) -> float:
        """Net quantity sold (negative) at which w reaches DRY: all that can be bought."""
        x, y = self._knots
        k = min(max(bisect_right(y, DRY) - 1, 0), len(x) - 2)
        return x[k] + (DRY - y[k]) * (x[k + 1] - x[k]) / (y[k + 1] - y[k])

    def price_factor(self, q: float) -> float:
        """Return marginal price over undisturbed price after `q` whole tokens were net sold."""
        w = self.w(q)
        return 1.0 / (w * w)

    def proceeds(self, q0: float, q1: float) -> float:
        """Return what moving from `q0` to `q1` net sold pays, in units of the undisturbed price.

        Positive when q1 > q0 (a sale), negative for a purchase.
        """
        if q1 < q0:
            return -self.proceeds(q1, q0)
        inner = [bend for bend in self._bends if q0 < bend < q1]
        points = [q0, *inner, q1]
        return float(sum((b - a) / (self.w(a) * self.w(b)) for a, b in itertools.pairwise(points)))
