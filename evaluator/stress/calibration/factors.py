"""What past prices say of one freely moving asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import CalibrationError
from evaluator.market import AssetClass, PriceHistory
from evaluator.stress.calibration.extremes import TailIndex, detect_jumps, tail_index
from evaluator.stress.calibration.prices import Returns, grid_returns
from evaluator.stress.calibration.priors import FreePrior, free_prior
from evaluator.stress.calibration.report import ParameterEstimate, ParameterSource
from evaluator.stress.calibration.volatility import VarianceFilter, fit_variance

FloatArray = NDArray[np.float64]

YEAR = 365.0 * 86400.0  # seconds

FEWEST_RETURNS = 200
SHORTEST_SPAN = 30.0 / 365.0  # years of returns for a volatility
SHORTEST_SPAN_FOR_JUMPS = 0.5  # years of returns for the asset's own jumps
FEWEST_JUMPS = 10

_JUMP_WINDOW = 78  # returns; sqrt(252 x 24), Lee and Mykland's advice for hourly returns


@dataclass(frozen=True, kw_only=True, eq=False)
class FactorEstimate:
    """One free factor: what was measured, and the prior where nothing could be."""

    symbol: str  # of the factor
    asset_class: AssetClass | None  # None for a foreign currency
    prior: FreePrior  # of its class
    reason: str  # one sentence: what was used and why
    returns: Returns | None = None  # None where the prior rules
    variance: VarianceFilter | None = None  # None where the prior rules
    jumped: NDArray[np.bool_] | None = None  # shape (T,); which returns are jumps
    tail: TailIndex | None = None  # of falls, where there are enough

    @property
    def source(self) -> ParameterSource:
        """CALIBRATED or PRIOR."""
        return ParameterSource.PRIOR if self.variance is None else ParameterSource.CALIBRATED

    @property
    def long_run(self) -> float:
        """Long-run variance per year, jumps included."""
        if self.variance is None:
            prior = self.prior
            return prior.volatility**2 + prior.jump_intensity * (
                prior.jump_mean**2 + prior.jump_deviation**2
            )
        return self.variance.long_run * YEAR / self.variance.step

    @property
    def current(self) -> float:
        """Variance per year after the last return, jumps included."""
        if self.variance is None or self.returns is None:
            return self.long_run
        return float(self.variance.variances(self.returns.value)[-1]) * YEAR / self.variance.step

    @property
    def reversion(self) -> float:
        """Speed of the variance's return to the long run, per year."""
        return 0.0 if self.variance is None else self.variance.reversion

    def residuals(self) -> FloatArray:
        """Return returns over the deviation known before each, shape (T,)."""
        if self.variance is None or self.returns is None:
            return np.zeros(0)
        deviations = np.sqrt(self.variance.variances(self.returns.value)[:-1])
        return np.asarray(self.returns.value / deviations)

    def volatility_estimates(self) -> tuple[ParameterEstimate, ...]:
        """Return volatility now and in the long run, and the filter's weights, for the report."""
        unit = "per sqrt(year)"
        error = None
        extra: tuple[ParameterEstimate, ...] = ()
        if self.variance is not None:
            # Of a square root, by the delta method.
            scale = YEAR / self.variance.step
            error = float(self.variance.long_run_error * scale / (2.0 * np.sqrt(self.long_run)))
            extra = (
                _estimate(f"{self.variance.kind} alpha", self.variance.alpha, "per step",
                          self.variance.alpha_error),
                _estimate(f"{self.variance.kind} beta", self.variance.beta, "per step",
                          self.variance.beta_error),
            )  # fmt: skip
        if self.tail is not None:
            extra += (_estimate("tail index", self.tail.index, "1", self.tail.standard_error),)
        return (
            _estimate("volatility now", float(np.sqrt(self.current)), unit, None),
            _estimate("long-run volatility", float(np.sqrt(self.long_run)), unit, error),
            *extra,
        )


def _estimate(name: str, value: float, unit: str, error: float | None) -> ParameterEstimate:
    return ParameterEstimate(name=name, value=value, standard_error=error, unit=unit)


def estimate_factor(
    symbol: str,
    asset_class: AssetClass | None,
    histories: Sequence[PriceHistory],
    *,
    step: float,
    until: int | None = None,
) -> FactorEstimate:
    """Measure one factor from the history of its symbol, or say why the prior is used.

    A history too short to carry a volatility is a reason, not an error; a
    malformed one raises CalibrationError. Nothing after `until` is used.
    """
    prior = free_prior(asset_class)
    label = "a foreign currency" if asset_class is None else f"class {asset_class}"
    history = next((h for h in histories if h.symbol == symbol), None)

    def fallback(why: str) -> FactorEstimate:
        return FactorEstimate(
            symbol=symbol,
            asset_class=asset_class,
            prior=prior,
            reason=f"prior of {label}: {why}",
        )

    if history is None:
        return fallback("no prices were given")
    known = history.timestamp if until is None else history.timestamp[history.timestamp <= until]
    if len(known) < 3:
        return fallback(f"only {len(known)} prices were given")
    returns = grid_returns(history, step=step, until=until)
    days = returns.years * 365.0
    if len(returns.value) < FEWEST_RETURNS or returns.years < SHORTEST_SPAN:
        return fallback(
            f"{len(returns.value)} returns over {days:.0f} days are fewer than "
            f"{FEWEST_RETURNS} over {SHORTEST_SPAN * 365:.0f} days"
        )
    if not np.any(returns.value != 0.0):
        return fallback("the price never moved")
    variance = fit_variance(returns.value, step=returns.step)
    try:
        tail = tail_index(-returns.value)
    except CalibrationError:
        tail = None  # too few falls to show one; the report then has no tail index
    return FactorEstimate(
        symbol=symbol,
        asset_class=asset_class,
        prior=prior,
        reason=(
            f"{variance.kind} on {len(returns.value)} returns of {returns.step:g} s "
            f"over {days:.0f} days"
        ),
        returns=returns,
        variance=variance,
        jumped=detect_jumps(returns.value, window=_JUMP_WINDOW),
        tail=tail,
    )
