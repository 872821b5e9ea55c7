"""What past prices say of one pegged asset's ratio to its anchor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.market import AssetClass, PriceHistory
from evaluator.stress.calibration.prices import grid_levels
from evaluator.stress.calibration.priors import PegPrior, peg_prior
from evaluator.stress.calibration.report import ParameterEstimate, ParameterSource

FloatArray = NDArray[np.float64]

_YEAR = 365.0 * 86400.0
_FEWEST = 500
_SHORTEST = 30.0 * 86400.0  # seconds of ratios
_LONGEST_HALF_LIFE = 60.0 * 86400.0  # seconds; a peg that reverts slower is hardly one
_OUTLIER = 8.0  # robust deviations beyond which an innovation is a depeg, not noise
_FEWEST_DEPEGS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class PegEstimate:
    """The law of one ratio."""

    symbol: str  # of the pegged asset
    anchor: str  # symbol it follows
    prior: PegPrior  # of its class; depegs are always its own unless measured
    source: ParameterSource  # of reversion, volatility and growth
    reason: str  # one sentence: what was used and why
    reversion: float  # per year
    reversion_error: float | None  # standard error, per year
    volatility: float  # per sqrt(year)
    volatility_error: float | None  # standard error, per sqrt(year)
    growth: float  # of the ratio, per year
    jump_intensity: float  # depegs per year
    jump_intensity_error: float | None  # standard error, per year
    jump_mean: float  # of a depeg's logarithm
    jump_deviation: float  # standard deviation of a depeg's logarithm
    samples: int = 0  # innovations used
    first_timestamp: int = 0  # seconds since the epoch
    last_timestamp: int = 0  # seconds since the epoch
    history: str = ""  # source of the prices
    step: float = 0.0  # seconds between innovations
    slot: NDArray[np.int64] | None = None  # shape (T,); grid number of each innovation
    residual: FloatArray | None = None  # shape (T,); innovations over their deviation

    def estimates(self) -> tuple[ParameterEstimate, ...]:
        """Return the parameters for the report."""
        rows = (
            ("reversion of the ratio", self.reversion, self.reversion_error, "per year"),
            ("volatility of the ratio", self.volatility, self.volatility_error, "per sqrt(year)"),
            ("growth of the ratio", self.growth, None, "per year"),
            ("depegs", self.jump_intensity, self.jump_intensity_error, "per year"),
            ("mean depeg", self.jump_mean, None, "log"),
            ("deviation of depegs", self.jump_deviation, None, "log"),
        )
        return tuple(
            ParameterEstimate(name=n, value=v, standard_error=e, unit=u) for n, v, e, u in rows
        )


def estimate_peg(
    symbol: str,
    anchor: str,
    asset_class: AssetClass,
    histories: Sequence[PriceHistory],
    *,
    step: float,
    until: int | None = None,
) -> PegEstimate:
    """Fit an Ornstein-Uhlenbeck law to log(price / anchor's price), or take the prior.

    Exact discretisation: x' = phi x + e by least squares, which is the
    conditional maximum likelihood; innovations beyond eight robust deviations
    are depegs and left out of the noise. Nothing after `until` is used. Raises
    CalibrationError for malformed histories.
    """
    prior = peg_prior(asset_class)
    ratio = _ratio(symbol, anchor, histories, step=step, until=until)
    if isinstance(ratio, str):
        return _from_prior(symbol, anchor, asset_class, prior, ratio)
    used, slot, x, source = ratio
    if len(x) < _FEWEST or len(x) * used < _SHORTEST:
        days = len(x) * used / 86_400.0
        why = f"{len(x)} ratios over {days:.0f} days are fewer than {_FEWEST} over 30 days"
        return _from_prior(symbol, anchor, asset_class, prior, why)
    dt = used / _YEAR
    times = (slot - slot[0]) * dt
    growth = float(np.polyfit(times, x, 1)[0]) if asset_class is AssetClass.LST else 0.0
    level = x - growth * times
    level = level - np.median(level)
    before, after = level[:-1], level[1:]
    following = np.diff(slot) == 1
    before, after, at = before[following], after[following], slot[1:][following]
    spread = float(before @ before)
    if not spread > 0.0:
        return _from_prior(symbol, anchor, asset_class, prior, "the ratio never moved")
    phi = float(before @ after) / spread
    slowest = float(np.log(2.0) / (_LONGEST_HALF_LIFE / _YEAR))
    phi = min(max(phi, 1e-6), float(np.exp(-slowest * dt)))
    e = after - phi * before
    robust = 1.4826 * float(np.median(np.abs(e - np.median(e))))
    # A feed that seldom moves has a median innovation of 0; then its whole spread is noise.
    robust = robust if robust > 1e-7 else float(e.std())
    depegs = np.abs(e) > _OUTLIER * robust
    noise = float(np.sqrt(np.mean(e[~depegs] ** 2)))
    if not noise > 0.0:
        return _from_prior(symbol, anchor, asset_class, prior, "the ratio hardly ever moved")
    reversion = -np.log(phi) / dt
    phi_error = np.sqrt((1.0 - phi * phi) / len(e))
    unit = np.sqrt(2.0 * reversion / -np.expm1(-2.0 * reversion * dt))
    years = len(e) * dt
    # Depegs are rarer than most histories are long: unless there were several, the prior's stay.
    measured = depegs.sum() >= _FEWEST_DEPEGS and years >= 1.0
    falls = e[depegs]
    stronger = measured and depegs.sum() / years * float(np.mean(falls**2)) > (
        prior.jump_intensity * (prior.jump_mean**2 + prior.jump_deviation**2)
    )
    return PegEstimate(
        symbol=symbol,
        anchor=anchor,
        prior=prior,
        source=ParameterSource.CALIBRATED,
        reason=(
            f"mean-reverting ratio on {len(e)} steps of {used:g} s over {years * 365:.0f} days; "
            + ("depegs measured" if stronger else "depegs from the prior, being rarer than that")
        ),
        reversion=float(reversion),
        reversion_error=float(phi_error / (phi * dt)),
        volatility=float(noise * unit),
        volatility_error=float(noise * unit / np.sqrt(2.0 * len(e))),
        growth=growth,
        jump_intensity=float(depegs.sum() / years) if stronger else prior.jump_intensity,
        jump_intensity_error=float(np.sqrt(depegs.sum()) / years) if stronger else None,
        jump_mean=float(falls.mean()) if stronger else prior.jump_mean,
        jump_deviation=float(falls.std()) if stronger else prior.jump_deviation,
        samples=len(e),
        first_timestamp=int(slot[0] * used),
        last_timestamp=int(slot[-1] * used),
        history=source,
        step=used,
        slot=at,
        residual=e / float(e.std()),
    )


def _ratio(
    symbol: str,
    anchor: str,
    histories: Sequence[PriceHistory],
    *,
    step: float,
    until: int | None,
) -> tuple[float, NDArray[np.int64], FloatArray, str] | str:
    """Return (step, slots, log ratios, source), or why there are none."""
    own = next((h for h in histories if h.symbol == symbol), None)
    if own is None:
        return "no prices were given"
    if _known(own, until) < 3:
        return "fewer than 3 prices were given"
    levels = grid_levels(own, step=step, until=until)
    x = levels.log_price
    if anchor == "USD":
        kept = np.isfinite(x)
        return levels.step, levels.slot[kept], x[kept], own.source
    other = next((h for h in histories if h.symbol == anchor), None)
    if other is None or _known(other, until) < 3:
        return f"no prices of its anchor {anchor} were given"
    base = grid_levels(other, step=levels.step, until=until)
    if base.step != levels.step:
        return f"its prices and those of {anchor} are spaced differently"
    slots, mine, theirs = np.intersect1d(levels.slot, base.slot, return_indices=True)
    ratio = x[mine] - base.log_price[theirs]
    kept = np.isfinite(ratio)
    return levels.step, slots[kept], ratio[kept], f"{own.source} over {other.source}"


def _known(history: PriceHistory, until: int | None) -> int:
    if until is None:
        return len(history.timestamp)
    return int(np.count_nonzero(history.timestamp <= until))


def _from_prior(
    symbol: str, anchor: str, asset_class: AssetClass, prior: PegPrior, why: str
) -> PegEstimate:
    return PegEstimate(
        symbol=symbol,
        anchor=anchor,
        prior=prior,
        source=ParameterSource.PRIOR,
        reason=f"prior of a pegged asset of class {asset_class}: {why}",
        reversion=prior.reversion,
        reversion_error=None,
        volatility=prior.volatility,
        volatility_error=None,
        growth=0.0,
        jump_intensity=prior.jump_intensity,
        jump_intensity_error=None,
        jump_mean=prior.jump_mean,
        jump_deviation=prior.jump_deviation,
    )
