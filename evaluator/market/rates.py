"""Interest rate curves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class RateCurve:
    """A kinked borrow rate, as Aave's DefaultReserveInterestRateStrategy and
    Compound's JumpRateModel have it.

    Below `optimal` the rate is base + slope1 * u / optimal, above it
    base + slope1 + slope2 * (u - optimal) / (1 - optimal).
    """

    base: float  # per year, at utilisation 0
    slope1: float  # per year, added from 0 to `optimal`
    slope2: float  # per year, added from `optimal` to 1
    optimal: float  # utilisation at the kink, fraction

    def borrow_rate(self, utilisation: float) -> float:
        """Return the borrow rate per year at a utilisation in [0, 1]."""
        u = min(max(utilisation, 0.0), 1.0)
        if u <= self.optimal or self.optimal >= 1.0:
            share = u / self.optimal if self.optimal > 0.0 else 1.0
            return self.base + self.slope1 * min(share, 1.0)
        return self.base + self.slope1 + self.slope2 * (u - self.optimal) / (1.0 - self.optimal)
