"""Regimes found in past returns of the market."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import fractional_matrix_power
from statsmodels.tools.sm_exceptions import ConvergenceWarning
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration.factors import YEAR
from evaluator.stress.calibration.jump_diffusion import report
from evaluator.stress.calibration.market import MarketEstimate, estimate_market
from evaluator.stress.calibration.report import ParameterEstimate
from evaluator.stress.processes.correlation import nearest_correlation
from evaluator.stress.processes.process import FloatArray, Sampling
from evaluator.stress.processes.regime_switching import RegimeSwitching

_MOST_REGIMES = 4
_MOST_OBSERVATIONS = 1000  # of the market; finer returns are added up
_FEWEST_OBSERVATIONS = 200
_FEWEST_WEIGHT = 100.0  # effective returns in a regime for a volatility or correlation there

# Without history: calm at 0.8 and stressed at 1.8 times the long-run volatility,
# a stressed spell lasting a week and coming every two months.
_PRIOR_SCALE = np.array([0.79, 1.85])
_PRIOR_SPELLS = np.array([60.0, 7.0]) * 86_400.0  # seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class Regimes:
    """R regimes in order of volatility."""

    step: float  # seconds between observations
    transition: FloatArray  # shape (R, R); chance of going from row to column in a step
    initial: FloatArray  # shape (R,); chance of each after the last observation
    scale: FloatArray  # shape (R,); deviation relative to the whole sample's
    weight: FloatArray  # shape (T, R); smoothed chance of each regime at each observation
    slot: NDArray[np.int64]  # shape (T,); number of each observation on the grid of `step`
    bic: tuple[float, ...]  # of 1, 2, ... regimes
    reason: str  # how they were found


def fit_regime_switching(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
    until: int | None = None,
) -> RegimeSwitching:
    """Return a regime-switching process; regimes are the market's, their number has the best BIC.

    Each asset's volatilities and correlations in a regime weigh its returns by
    the regime's smoothed chance. Without history a calm and a stressed regime
    are assumed. Errors as `estimate_market`.
    """
    estimate = estimate_market(assets, histories, step=step, until=until)
    regimes = find_regimes(estimate)
    count = len(regimes.scale)
    free = len(estimate.factors)
    volatility = np.outer(regimes.scale, np.sqrt([f.long_run for f in estimate.factors]))
    correlation = np.stack([estimate.correlation] * count)
    for i in estimate.measured:
        weights, moves = _weighted(estimate, regimes, i)
        for k in range(count):
            if weights[:, k].sum() >= _FEWEST_WEIGHT:
                returns = estimate.factors[i].returns
                per_year = YEAR / returns.step if returns is not None else 0.0
                square = float(weights[:, k] @ moves**2 / weights[:, k].sum())
                volatility[k, i] = np.sqrt(square * per_year)
    for k in range(count):
        correlation[k] = _correlation(estimate, regimes, k)
    per_step = _power(regimes.transition, step / regimes.step)
    shared = [
        ParameterEstimate(name=f"BIC of {n + 1} regimes", value=b, standard_error=None, unit="1")
        for n, b in enumerate(regimes.bic)
    ]
    shared += [
        ParameterEstimate(
            name=f"regime {k + 1}: {what}", value=float(v), standard_error=None, unit=u
        )
        for k in range(count)
        for what, v, u in (
            ("volatility to the average", regimes.scale[k], "1"),
            ("chance now", regimes.initial[k], "1"),
            ("expected spell", step / max(1.0 - per_step[k, k], 1e-12), "s"),
        )
    ]
    return RegimeSwitching(
        name="regime_switching",
        tree=estimate.tree,
        step=step,
        transition=per_step,
        initial=regimes.initial,
        drift=np.zeros(free),
        volatility=volatility,
        correlation=correlation,
        jumps=estimate.jumps.of_pegs_only(free),
        pegs=estimate.peg_law,
        calibration=report(
            estimate, "regime_switching", shared=tuple(shared), notes=(regimes.reason,)
        ),
        sampling=sampling,
    )


def find_regimes(estimate: MarketEstimate) -> Regimes:
    """Return the regimes of the market's average standardised return."""
    slots, market, step = _market(estimate)
    if len(market) < _FEWEST_OBSERVATIONS:
        stay = np.exp(-estimate.step / _PRIOR_SPELLS)
        return Regimes(
            step=estimate.step,
            transition=np.array([[stay[0], 1.0 - stay[0]], [1.0 - stay[1], stay[1]]]),
            initial=_PRIOR_SPELLS / _PRIOR_SPELLS.sum(),
            scale=_PRIOR_SCALE,
            weight=np.zeros((0, 2)),
            slot=np.zeros(0, dtype=np.int64),
            bic=(),
            reason=(
                f"regimes from the prior: {len(market)} observations of the market are fewer than "
                f"{_FEWEST_OBSERVATIONS}"
            ),
        )
    market = market / np.sqrt(np.mean(market**2))
    n = len(market)
    one = float(n * (np.log(2.0 * np.pi) + 1.0) + np.log(n))
    scores = [one]
    best = None
    for count in range(2, _MOST_REGIMES + 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", RuntimeWarning)
            try:
                model = MarkovRegression(
                    market, k_regimes=count, trend="n", switching_variance=True
                )
                fit = model.fit(disp=False, em_iter=30, maxiter=200)
            except (ValueError, np.linalg.LinAlgError):
                break
        if not np.isfinite(fit.bic) or fit.bic >= min(scores):
            scores.append(float(fit.bic))
            break
        scores.append(float(fit.bic))
        best = fit
    if best is None:
        return Regimes(
            step=step,
            transition=np.ones((1, 1)),
            initial=np.ones(1),
            scale=np.ones(1),
            weight=np.ones((n, 1)),
            slot=slots,
            bic=tuple(scores),
            reason="one regime: more do not lower the information criterion",
        )
    variances = np.array([v for name, v in zip(best.model.param_names, best.params, strict=True)
                          if name.startswith("sigma2")])  # fmt: skip
    order = np.argsort(variances)
    # statsmodels writes columns as origins; here rows are.
    transition = best.regime_transition[:, :, 0].T[np.ix_(order, order)]
    filtered = best.filtered_marginal_probabilities[-1][order]
    return Regimes(
        step=step,
        transition=_stochastic(transition),
        initial=_stochastic(filtered @ transition),
        scale=np.sqrt(variances[order]),
        weight=best.smoothed_marginal_probabilities[:, order],
        slot=slots,
        bic=tuple(scores),
        reason=(
            f"{len(variances)} regimes by BIC, found by a Markov-switching variance of {n} average "
            f"returns of {len(estimate.measured)} assets over {step:g} s"
        ),
    )


def _market(estimate: MarketEstimate) -> tuple[NDArray[np.int64], FloatArray, float]:
    """Return slots, average standardised returns and their step, added up to a bounded number."""
    series = [
        (r, float(np.sqrt(np.mean(r.value**2))))
        for r in (estimate.factors[i].returns for i in estimate.measured)
        if r is not None
    ]
    if not series:
        return np.zeros(0, dtype=np.int64), np.zeros(0), estimate.step
    step = min(r.step for r, _ in series)
    series = [(r, s) for r, s in series if r.step == step]
    low = min(int(r.slot[0]) for r, _ in series)
    length = max(int(r.slot[-1]) for r, _ in series) - low + 1
    total, seen = np.zeros(length), np.zeros(length)
    for r, deviation in series:
        total[r.slot - low] += r.value / deviation
        seen[r.slot - low] += 1.0
    present = np.flatnonzero(seen > 0.0)
    average = total[present] / seen[present]
    together = int(np.ceil(len(average) / _MOST_OBSERVATIONS))
    block = (present + low) // together
    slots, start = np.unique(block, return_index=True)
    return slots, np.asarray(np.add.reduceat(average, start)), step * together


def _weighted(
    estimate: MarketEstimate, regimes: Regimes, factor: int
) -> tuple[FloatArray, FloatArray]:
    """Return regime weights, shape (n, R), and returns, shape (n,), of one factor."""
    returns = estimate.factors[factor].returns
    if returns is None or not len(regimes.slot):
        return np.zeros((0, len(regimes.scale))), np.zeros(0)
    block = (returns.slot * returns.step // regimes.step).astype(np.int64)
    at = np.clip(np.searchsorted(regimes.slot, block), 0, len(regimes.slot) - 1)
    known = regimes.slot[at] == block
    return regimes.weight[at[known]], returns.value[known]


def _correlation(estimate: MarketEstimate, regimes: Regimes, k: int) -> FloatArray:
    matrix = estimate.correlation.copy()
    for i in estimate.measured:
        for j in estimate.measured:
            if j >= i:
                continue
            a, b = estimate.factors[i].returns, estimate.factors[j].returns
            if a is None or b is None or a.step != b.step:
                continue
            slots, at, bt = np.intersect1d(a.slot, b.slot, return_indices=True)
            block = (slots * a.step // regimes.step).astype(np.int64)
            where = np.clip(np.searchsorted(regimes.slot, block), 0, len(regimes.slot) - 1)
            w = np.where(regimes.slot[where] == block, regimes.weight[where, k], 0.0)
            if w.sum() < _FEWEST_WEIGHT:
                continue
            x, y = a.value[at], b.value[bt]
            matrix[i, j] = matrix[j, i] = float((w @ (x * y)) / np.sqrt((w @ x**2) * (w @ y**2)))
    return nearest_correlation(matrix)


def _power(transition: FloatArray, exponent: float) -> FloatArray:
    """Return the transition matrix of a fraction of a step, made stochastic."""
    return _stochastic(np.real(fractional_matrix_power(transition, exponent)))


def _stochastic(chances: FloatArray) -> FloatArray:
    positive = np.clip(chances, 0.0, None)
    return np.asarray(positive / positive.sum(axis=-1, keepdims=True))
