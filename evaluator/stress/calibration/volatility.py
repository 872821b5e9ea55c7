"""Volatility that changes: EWMA and GARCH filters."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import accumulate
from typing import cast

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.calibration.kept import kept_fit

FloatArray = NDArray[np.float64]

EWMA_HALF_LIFE = 3.0 * 86_400.0  # seconds
# A persistence of 1 would make variance a random walk without a long run.
LONGEST_HALF_LIFE = 30.0 * 86_400.0  # seconds
_FEWEST_FOR_GARCH = 500

_Garch = tuple[float, float, float | None, float | None]  # alpha, beta and their errors


@dataclass(frozen=True, kw_only=True, slots=True)
class VarianceFilter:
    """A GARCH(1,1) recursion of variances per step; an EWMA where GARCH cannot be had.

    v' = (1 - alpha - beta) long_run + alpha r^2 + beta v.
    """

    kind: str  # "GARCH(1,1)" or "EWMA"
    alpha: float  # weight of the last squared return
    beta: float  # weight of the last variance
    long_run: float  # variance per step that forecasts decay to
    alpha_error: float | None  # standard error of alpha
    beta_error: float | None  # standard error of beta
    long_run_error: float  # standard error of long_run
    step: float  # seconds

    @property
    def reversion(self) -> float:
        """Speed at which a forecast returns to the long run, per year."""
        return -float(np.log(self.alpha + self.beta)) * 365.0 * 86400.0 / self.step

    def variances(self, returns: FloatArray) -> FloatArray:
        """Return the variance of each step as known before it, and of the next.

        Shape (T + 1,) for returns of shape (T,): entry t uses returns before t only.
        """
        constant = (1.0 - self.alpha - self.beta) * self.long_run
        innovations = constant + self.alpha * returns**2
        # The first variance is the long run: no look at the returns to come.
        following = accumulate(
            innovations.tolist(), lambda last, new: new + self.beta * last, initial=self.long_run
        )
        return np.fromiter(following, dtype=np.float64, count=len(returns) + 1)


def fit_variance(returns: FloatArray, *, step: float) -> VarianceFilter:
    """Fit a GARCH(1,1) by quasi maximum likelihood, or take an EWMA if that fails.

    `returns` are log returns over `step` seconds with a mean of about 0. The
    long-run variance is the sample's (variance targeting, Francq, Horvath and
    Zakoian 2011); persistence is held below LONGEST_HALF_LIFE.
    """
    variance = float(np.mean(returns**2))
    # Squared returns are correlated: the error uses means over days.
    per_day = max(1, round(86_400.0 / step))
    days = len(returns) // per_day
    if days >= 10:
        means = (returns[: days * per_day] ** 2).reshape(days, per_day).mean(axis=1)
        error = float(means.std(ddof=1) / np.sqrt(days))
    else:
        error = float((returns**2).std() / np.sqrt(max(len(returns), 1)))
    longest = 0.5 ** (step / LONGEST_HALF_LIFE)
    found = None
    if len(returns) >= _FEWEST_FOR_GARCH and variance > 0.0:
        found = cast(_Garch | None, kept_fit("GARCH(1,1)", 4, returns, _garch))
    if found is not None:
        alpha, beta, alpha_error, beta_error = found
        persistence = min(alpha + beta, longest)
        return VarianceFilter(
            kind="GARCH(1,1)",
            alpha=alpha * persistence / (alpha + beta),
            beta=beta * persistence / (alpha + beta),
            long_run=variance,
            alpha_error=alpha_error,
            beta_error=beta_error,
            long_run_error=error,
            step=step,
        )
    decay = 0.5 ** (step / EWMA_HALF_LIFE)
    return VarianceFilter(
        kind="EWMA",
        alpha=(1.0 - decay) * longest,
        beta=decay * longest,
        long_run=variance,
        alpha_error=None,
        beta_error=None,
        long_run_error=error,
        step=step,
    )


def _garch(returns: FloatArray) -> _Garch | None:
    # Takes a second to import; a market without histories never needs it.
    from arch import arch_model
    from arch.utility.exceptions import ConvergenceWarning

    scaled = returns / returns.std()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            fit = arch_model(scaled, mean="Zero", vol="GARCH", rescale=False).fit(
                disp="off", show_warning=False
            )
        except (ValueError, np.linalg.LinAlgError):
            return None
        if fit.convergence_flag != 0:
            return None
        alpha, beta = float(fit.params["alpha[1]"]), float(fit.params["beta[1]"])
        errors = fit.std_err
    if not (alpha > 0.0 and 0.0 < beta < 1.0 and alpha + beta > 0.5):
        return None
    found = [float(errors["alpha[1]"]), float(errors["beta[1]"])]
    a, b = (e if np.isfinite(e) else None for e in found)
    return alpha, beta, a, b
