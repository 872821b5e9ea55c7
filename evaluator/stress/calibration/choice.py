"""Which price process explains returns it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluator.errors import CalibrationError
from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration.factors import YEAR, FactorEstimate
from evaluator.stress.calibration.likelihood import fit_normal_jumps, fit_student_t
from evaluator.stress.calibration.market import MarketEstimate, estimate_market
from evaluator.stress.calibration.prices import grid_returns
from evaluator.stress.calibration.report import ParameterEstimate

FloatArray = NDArray[np.float64]

_MOST_JUMPS = 3  # of one kind in a step that the density counts


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """How well processes predicted returns that came after their calibration."""

    names: tuple[str, ...]  # C candidates
    score: FloatArray  # shape (C,); mean log density per return, higher is better
    standard_error: FloatArray  # shape (C,); of the difference to the best, 0 for the best
    returns: int  # held-out returns of all assets together
    share: float  # of each history that was held out, its end

    @property
    def best(self) -> str:
        """The candidate with the highest score."""
        return self.names[int(np.argmax(self.score))]

    def estimates(self) -> tuple[ParameterEstimate, ...]:
        """Return the scores for a calibration report."""
        return tuple(
            ParameterEstimate(
                name=n, value=float(s), standard_error=float(e), unit="log density per return"
            )
            for n, s, e in zip(self.names, self.score, self.standard_error, strict=True)
        )


def held_out(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    share: float = 0.25,
) -> HeldOut:
    """Score candidate processes on the last `share` of the free assets' returns.

    Parameters come from the time before; variances are filtered on through the
    held-out part, each return predicted from those before it. Candidates:
    gbm, merton, jump_diffusion, t_copula (its marginals). Raises
    CalibrationError when no asset has enough returns.
    """
    series = {}
    for h in histories:
        if len(h.timestamp) >= 3:
            series[h.symbol] = grid_returns(h, step=step)
    last = [r.last_timestamp for r in series.values()]
    start = [r.first_timestamp for r in series.values()]
    if not last:
        raise CalibrationError("model choice needs prices; no history was given")
    split = int(max(last) - share * (max(last) - min(start)))
    estimate = estimate_market(assets, histories, step=step, until=split)
    names = ("gbm", "merton", "jump_diffusion", "t_copula")
    scores = []
    for i in estimate.measured:
        factor = estimate.factors[i]
        whole = series[factor.symbol]
        scored = _scores(estimate, i, replace(factor, returns=whole))
        after = whole.slot * whole.step > split
        if after.any():
            scores.append(scored[:, after])
    if not scores:
        raise CalibrationError(
            "model choice needs at least one asset with returns on both sides of the split"
        )
    table = np.concatenate(scores, axis=1)
    mean = table.mean(axis=1)
    best = table[int(np.argmax(mean))]
    error = (table - best).std(axis=1) / np.sqrt(table.shape[1])
    return HeldOut(
        names=names,
        score=mean,
        standard_error=error,
        returns=table.shape[1],
        share=share,
    )


def _scores(estimate: MarketEstimate, i: int, factor: FactorEstimate) -> FloatArray:
    """Return each candidate's log density of each return, shape (4, T)."""
    trained = estimate.factors[i]
    r, old = factor.returns, trained.returns
    if r is None or old is None or factor.variance is None:
        raise CalibrationError(f"{factor.symbol} has no returns to score")
    dt = r.step / YEAR
    x = r.value
    variance = factor.variance.variances(x)[:-1]
    law = estimate.jumps
    constant = stats.norm.logpdf(x, scale=np.sqrt(np.mean(old.value**2)))
    merton = fit_normal_jumps(old.value, dt=dt)
    jumps = law.variance[i] * dt
    diffusive = np.maximum(variance - jumps, 0.2 * variance)
    kinds = [(law.intensity[i] * dt, law.mean[i], law.deviation[i])]
    kinds += [
        (law.common_intensity[c] * dt, law.common_mean[c, i], law.common_deviation[c, i])
        for c in range(len(law.common_intensity))
    ]
    t = fit_student_t(trained.residuals())
    scale = t["scale"] * np.sqrt(variance)
    return np.stack(
        [
            constant,
            _mixture(
                x,
                np.full(len(x), merton["sigma"] ** 2 * dt),
                [(merton["intensity"] * dt, merton["mean"], merton["deviation"])],
            ),
            _mixture(x, diffusive, kinds),
            stats.t.logpdf(x, t["degrees"], scale=scale),
        ]
    )


def _mixture(
    x: FloatArray, variance: FloatArray, kinds: Sequence[tuple[float, float, float]]
) -> FloatArray:
    """Return the log density of a normal plus Poisson jumps of several kinds.

    A kind is the number expected in a step, mean and deviation of a size.
    """
    density = np.zeros_like(x)
    for counts in product(range(_MOST_JUMPS + 1), repeat=len(kinds)):
        weight = 1.0
        centre, spread = 0.0, variance
        for n, (expected, mean, deviation) in zip(counts, kinds, strict=True):
            weight *= float(stats.poisson.pmf(n, expected))
            centre += n * mean
            spread = spread + n * deviation**2
        if weight > 1e-12:
            density += weight * stats.norm.pdf(x, loc=centre, scale=np.sqrt(spread))
    return np.asarray(np.log(np.maximum(density, 1e-300)))
