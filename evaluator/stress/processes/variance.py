"""Today's variance and where it goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.stress.processes.process import YEAR, FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class VarianceForecast:
    """Variances of F factors that start at today's and decay to the long-run ones.

    The forecast of a GARCH(1,1): v(t) = long + (now - long) e^(-reversion t).
    """

    volatility: FloatArray  # shape (F,); long-run, per sqrt(year)
    current: FloatArray  # shape (F,); at t0, per sqrt(year)
    reversion: FloatArray  # shape (F,); of the variance, per year

    def __post_init__(self) -> None:
        """Raise ConfigurationError for negative or missing numbers."""
        for name in ("volatility", "current", "reversion"):
            if np.any(~(getattr(self, name) >= 0.0)):
                raise ConfigurationError(f"every {name} of a variance must be 0 or more")

    def step_deviations(self, *, step: float, steps: int) -> FloatArray:
        """Return the standard deviation of each factor in each step, shape (F, steps).

        `step` in seconds; the forecast is integrated over each step exactly.
        """
        dt = step / YEAR
        long_run, now = self.volatility**2, self.current**2
        rate = self.reversion[:, None]
        decayed = np.exp(-rate * dt * np.arange(steps))
        safe = np.where(rate > 0.0, rate, 1.0)
        weight = np.where(rate > 0.0, -np.expm1(-safe * dt) / safe, dt)
        return np.asarray(
            np.sqrt(long_run[:, None] * dt + (now - long_run)[:, None] * decayed * weight)
        )


def constant_variance(volatility: FloatArray) -> VarianceForecast:
    """Return the forecast of volatilities that stay as they are, per sqrt(year)."""
    return VarianceForecast(
        volatility=volatility, current=volatility, reversion=np.zeros_like(volatility)
    )
