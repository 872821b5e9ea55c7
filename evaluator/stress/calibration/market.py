"""What past prices say of all assets of a market together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration import priors
from evaluator.stress.calibration.factors import (
    FEWEST_JUMPS,
    SHORTEST_SPAN_FOR_JUMPS,
    YEAR,
    FactorEstimate,
    estimate_factor,
)
from evaluator.stress.calibration.pegs import PegEstimate, estimate_peg
from evaluator.stress.calibration.prices import grid_returns
from evaluator.stress.calibration.report import ParameterSource
from evaluator.stress.processes.anchors import AssetTree, asset_tree
from evaluator.stress.processes.assembly import PegLaw
from evaluator.stress.processes.correlation import nearest_correlation
from evaluator.stress.processes.jumps import JumpLaw
from evaluator.stress.processes.process import FloatArray
from evaluator.stress.processes.variance import VarianceForecast

_FEWEST_PAIRS = 300  # common returns for a correlation
_FEWEST_COMMON = 8  # events that strike several assets at once
_COMMON_SHARE = 1.0 / 3.0  # of the assets observed that must jump in a common event
# Of the total variance that always stays with the diffusion, however many jumps there were.
_LEAST_DIFFUSION = 0.2


@dataclass(frozen=True, kw_only=True, eq=False)
class MarketEstimate:
    """Free factors, pegs, their correlation and their jumps."""

    tree: AssetTree  # assets, F free factors, K pegs
    step: float  # seconds; of the process to be made
    factors: tuple[FactorEstimate, ...]  # F
    pegs: tuple[PegEstimate, ...]  # K
    correlation: FloatArray  # shape (F, F); of returns over their filtered deviations
    correlation_reason: str  # which pairs were measured
    jumps: JumpLaw  # over F + K nodes; common kinds: market-wide jumps, then crashes
    jump_errors: FloatArray  # shape (F + K,); standard error of own intensity, NaN for a prior
    common_error: float | None  # standard error of market-wide jumps per year, None for the prior
    jump_reason: str  # how common events were found, or why the prior was taken

    @property
    def measured(self) -> tuple[int, ...]:
        """Factors that are not on a prior."""
        return tuple(
            i for i, f in enumerate(self.factors) if f.source is ParameterSource.CALIBRATED
        )

    @property
    def peg_law(self) -> PegLaw:
        """The K ratios' law."""
        return PegLaw(
            reversion=np.array([p.reversion for p in self.pegs]),
            volatility=np.array([p.volatility for p in self.pegs]),
            growth=np.array([p.growth for p in self.pegs]),
        )

    @property
    def total_variance(self) -> VarianceForecast:
        """The forecast of the factors' whole variance, jumps included."""
        return VarianceForecast(
            volatility=np.sqrt([f.long_run for f in self.factors]),
            current=np.sqrt([f.current for f in self.factors]),
            reversion=np.array([f.reversion for f in self.factors]),
        )

    @property
    def diffusive_variance(self) -> VarianceForecast:
        """The forecast of what jumps leave of the variance."""
        jumps = self.jumps.variance[: len(self.factors)]

        def rest(total: FloatArray) -> FloatArray:
            return np.asarray(np.maximum(total - jumps, _LEAST_DIFFUSION * total))

        total = self.total_variance
        return VarianceForecast(
            volatility=np.sqrt(rest(total.volatility**2)),
            current=np.sqrt(rest(total.current**2)),
            reversion=total.reversion,
        )


def estimate_market(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    until: int | None = None,
) -> MarketEstimate:
    """Measure what `histories` allow and take priors for the rest; nothing after `until` is used.

    Raises CalibrationError for malformed histories, ConfigurationError for
    assets that cannot form a market.
    """
    tree = asset_tree(assets)
    factors = tuple(
        estimate_factor(s, c, histories, step=step, until=until)
        for s, c in zip(tree.free, tree.free_classes, strict=True)
    )
    pegs = tuple(
        estimate_peg(s, tree.anchor_symbol(k), c, histories, step=step, until=until)
        for k, (s, c) in enumerate(zip(tree.pegged, tree.pegged_classes, strict=True))
    )
    correlation, why = _correlation(factors)
    jumps, errors, common_error, jump_reason = _jumps(factors, pegs)
    return MarketEstimate(
        tree=tree,
        step=step,
        factors=factors,
        pegs=pegs,
        correlation=correlation,
        correlation_reason=why,
        jumps=jumps,
        jump_errors=errors,
        common_error=common_error,
        jump_reason=jump_reason,
    )


def advanced(
    estimate: MarketEstimate, histories: Sequence[PriceHistory], *, until: int
) -> MarketEstimate:
    """Return `estimate` with its variances filtered on to `until`; no parameter is estimated anew.

    What a daily forecast between two calibrations uses. Nothing after `until`
    is looked at.
    """
    by_symbol = {h.symbol: h for h in histories}
    factors = tuple(
        f
        if f.returns is None
        else replace(
            f,
            returns=grid_returns(by_symbol[f.symbol], step=f.returns.step, until=until),
            jumped=None,
        )
        for f in estimate.factors
    )
    return replace(estimate, factors=factors)


def common_rows(
    factors: Sequence[FactorEstimate], chosen: Sequence[int]
) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the slots at which all chosen factors have returns, and their residuals.

    Shapes (T,) and (T, len(chosen)); residuals are returns over the deviation
    known before each. No rows unless all have returns of
    the same step.
    """
    kept = [factors[i].returns for i in chosen]
    series = [r for r in kept if r is not None]
    if len(series) < len(chosen) or len({r.step for r in series}) != 1:
        return np.zeros(0, dtype=np.int64), np.zeros((0, len(chosen)))
    slots = series[0].slot
    for r in series[1:]:
        slots = np.intersect1d(slots, r.slot)
    columns = [
        factors[i].residuals()[np.searchsorted(r.slot, slots)]
        for i, r in zip(chosen, series, strict=True)
    ]
    return slots, np.column_stack(columns)


def _correlation(factors: Sequence[FactorEstimate]) -> tuple[FloatArray, str]:
    loading = np.array([f.prior.market_loading for f in factors])
    matrix = np.outer(loading, loading)
    np.fill_diagonal(matrix, 1.0)
    measured = 0
    for i in range(len(factors)):
        for j in range(i):
            _, rows = common_rows(factors, (i, j))
            if len(rows) < _FEWEST_PAIRS:
                continue
            # Jumps have their own dependence; clipped, they do not decide this one.
            clipped = np.clip(rows, -4.0, 4.0)
            matrix[i, j] = matrix[j, i] = float(np.asarray(np.corrcoef(clipped.T))[0, 1])
            measured += 1
    pairs = len(factors) * (len(factors) - 1) // 2
    reason = (
        f"{measured} of {pairs} pairs measured on at least {_FEWEST_PAIRS} common returns, "
        "the others from the priors' market loadings"
    )
    return nearest_correlation(matrix), reason


def _jumps(
    factors: Sequence[FactorEstimate], pegs: Sequence[PegEstimate]
) -> tuple[JumpLaw, FloatArray, float | None, str]:
    slots, years = _common_events(factors)
    found = len(slots)
    measured = found >= _FEWEST_COMMON and years >= SHORTEST_SPAN_FOR_JUMPS
    intensity = found / years if measured else priors.COMMON_INTENSITY
    # A prior's sizes belong to its frequency: keep their variance when events are more frequent.
    shrink = float(np.sqrt(min(1.0, priors.COMMON_INTENSITY / intensity)))
    own = [_own_jumps(f, slots if measured else slots[:0]) for f in factors]
    common = [_common_sizes(f, slots if measured else slots[:0], shrink) for f in factors]
    laws: list[priors.FreePrior | priors.PegPrior] = [f.prior for f in factors]
    laws += [p.prior for p in pegs]
    law = JumpLaw(
        intensity=np.array([o[0] for o in own] + [p.jump_intensity for p in pegs]),
        mean=np.array([o[1] for o in own] + [p.jump_mean for p in pegs]),
        deviation=np.array([o[2] for o in own] + [p.jump_deviation for p in pegs]),
        common_intensity=np.array([intensity, priors.CRASH_INTENSITY]),
        common_mean=np.array(
            [
                [c[0] for c in common] + [p.prior.common_mean * shrink for p in pegs],
                [x.crash_mean for x in laws],
            ]
        ),
        common_deviation=np.array(
            [
                [c[1] for c in common] + [p.prior.common_deviation * shrink for p in pegs],
                [x.crash_deviation for x in laws],
            ]
        ),
        common_correlation=priors.COMMON_CORRELATION,
    )
    errors = np.array([o[3] for o in own] + [p.jump_intensity_error or np.nan for p in pegs])
    if measured:
        reason = (
            f"{found} market-wide events in {years:.2f} years: hours in which at least two assets, "
            "and a third of those observed, jump (Lee-Mykland)"
        )
        return law, errors, float(np.sqrt(found) / years), reason
    reason = (
        f"market-wide events from the prior ({priors.COMMON_INTENSITY:g} a year): "
        f"{found} found in {years:.2f} years of at least two assets are fewer than "
        f"{_FEWEST_COMMON} in {SHORTEST_SPAN_FOR_JUMPS:g} years"
    )
    return law, errors, None, reason


def _common_events(factors: Sequence[FactorEstimate]) -> tuple[NDArray[np.int64], float]:
    """Return the slots of events that strike several factors, and the years looked at."""
    series = [(f.returns, f.jumped) for f in factors]
    kept = [(r, j) for r, j in series if r is not None and j is not None]
    if len(kept) < 2 or len({r.step for r, _ in kept}) != 1:
        return np.zeros(0, dtype=np.int64), 0.0
    low = min(int(r.slot[0]) for r, _ in kept)
    length = max(int(r.slot[-1]) for r, _ in kept) - low + 1
    observed = np.zeros(length, dtype=np.int64)
    jumping = np.zeros(length, dtype=np.int64)
    for r, j in kept:
        observed[r.slot - low] += 1
        jumping[r.slot[j] - low] += 1
    looked_at = observed >= 2
    struck = looked_at & (jumping >= 2) & (jumping >= _COMMON_SHARE * observed)
    years = float(looked_at.sum()) * kept[0][0].step / YEAR
    return np.flatnonzero(struck) + low, years


def _own_jumps(
    factor: FactorEstimate, common: NDArray[np.int64]
) -> tuple[float, float, float, float]:
    """Return intensity per year, mean, deviation, standard error of intensity (NaN for a prior)."""
    prior = factor.prior
    r, jumped = factor.returns, factor.jumped
    assumed = prior.jump_intensity, prior.jump_mean, prior.jump_deviation, float("nan")
    if r is None or jumped is None or r.years < SHORTEST_SPAN_FOR_JUMPS:
        return assumed
    own = jumped & ~np.isin(r.slot, common)
    count = int(own.sum())
    if count < FEWEST_JUMPS:
        return assumed
    sizes = r.value[own]
    return count / r.years, float(sizes.mean()), float(sizes.std()), float(np.sqrt(count) / r.years)


def _common_sizes(
    factor: FactorEstimate, common: NDArray[np.int64], shrink: float
) -> tuple[float, float]:
    """Return mean and deviation of what a common event does to one factor."""
    r = factor.returns
    if r is not None:
        sizes = r.value[np.isin(r.slot, common)]
        if len(sizes) >= _FEWEST_COMMON:
            return float(sizes.mean()), float(sizes.std())
    return factor.prior.common_mean * shrink, factor.prior.common_deviation * shrink
