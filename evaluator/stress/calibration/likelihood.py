"""Maximum likelihood with standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from evaluator.errors import CalibrationError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class MaximumLikelihood:
    """A likelihood's maximum."""

    names: tuple[str, ...]  # of the parameters
    value: FloatArray  # shape (n,); where the likelihood is highest
    standard_error: FloatArray  # shape (n,); from the observed information, NaN where flat
    log_likelihood: float  # at the maximum
    samples: int  # observations

    def __getitem__(self, name: str) -> float:
        """Return the value of a parameter."""
        return float(self.value[self.names.index(name)])

    def error(self, name: str) -> float | None:
        """Return a parameter's standard error, None where the likelihood is flat."""
        found = float(self.standard_error[self.names.index(name)])
        return found if np.isfinite(found) else None

    @property
    def bic(self) -> float:
        """Bayesian information criterion (Schwarz 1978); lower is better."""
        return float(len(self.names) * np.log(self.samples) - 2.0 * self.log_likelihood)


def maximise(
    log_likelihood: Callable[[FloatArray], float],
    *,
    names: Sequence[str],
    start: Sequence[float],
    bounds: Sequence[tuple[float, float]],
    samples: int,
) -> MaximumLikelihood:
    """Return the maximum of a log-likelihood within bounds.

    Searches by L-BFGS-B in units of the starting values, then by Nelder-Mead
    when that stalls; standard errors are the square roots of the inverse
    observed information. Raises CalibrationError when nothing finite is found.
    """
    centre = np.asarray(start, dtype=np.float64)
    unit = np.where(np.abs(centre) > 1e-12, np.abs(centre), 1.0)

    def objective(x: FloatArray) -> float:
        with np.errstate(all="ignore"):
            value = -log_likelihood(x * unit)
        return float(value) if np.isfinite(value) else 1e12

    scaled = [(lo / u, hi / u) for (lo, hi), u in zip(bounds, unit, strict=True)]
    found = optimize.minimize(objective, centre / unit, method="L-BFGS-B", bounds=scaled)
    best, lowest = np.asarray(found.x), float(found.fun)
    if not found.success:
        again = optimize.minimize(
            objective, best, method="Nelder-Mead", bounds=scaled, options={"maxiter": 4000}
        )
        if float(again.fun) <= lowest:
            best, lowest = np.asarray(again.x), float(again.fun)
    if lowest >= 1e12:
        raise CalibrationError(
            f"no parameters ({', '.join(names)}) explain these {samples} returns; "
            "check the prices for errors"
        )
    return MaximumLikelihood(
        names=tuple(names),
        value=best * unit,
        standard_error=standard_errors(objective, best) * unit,
        log_likelihood=-lowest,
        samples=samples,
    )


def standard_errors(objective: Callable[[FloatArray], float], at: FloatArray) -> FloatArray:
    """Return the square roots of the inverse Hessian's diagonal, NaN where it is not positive."""
    # Half a second to import, only ever needed when something is fitted.
    from statsmodels.tools.numdiff import approx_hess

    hessian = np.asarray(approx_hess(at, objective))
    if not np.all(np.isfinite(hessian)):
        return np.full(len(at), np.nan)
    variance = np.diag(np.linalg.pinv(hessian, hermitian=True))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(variance > 0.0, np.sqrt(variance), np.nan))


def fit_normal_jumps(returns: FloatArray, *, dt: float) -> MaximumLikelihood:
    """Fit Merton's jump-diffusion to log returns over `dt` years each.

    Parameters: mu (drift of the logarithm, per year), sigma (per sqrt(year)),
    intensity (per year), mean and deviation of a jump. Density: Poisson mixture
    of normals, cut at six jumps a step (Merton 1976). Raises CalibrationError
    for fewer than 100 returns or returns that do not vary.
    """
    if len(returns) < 100 or not returns.std() > 0.0:
        raise CalibrationError(
            f"{len(returns)} returns cannot carry a jump-diffusion; give 100 that vary"
        )
    spread = float(np.std(returns))
    sigma0 = float(1.4826 * np.median(np.abs(returns - np.median(returns))) / np.sqrt(dt))
    sigma0 = max(sigma0, 0.1 * spread / np.sqrt(dt))
    large = np.abs(returns) > 4.0 * sigma0 * np.sqrt(dt)
    intensity0 = max(float(large.sum()) / (len(returns) * dt), 1.0)
    deviation0 = float(np.std(returns[large])) if large.sum() > 2 else 3.0 * spread
    counts = np.arange(7)

    def log_likelihood(x: FloatArray) -> float:
        mu, sigma, intensity, mean, deviation = x
        weight = stats.poisson.pmf(counts, intensity * dt)
        centre = mu * dt + counts * mean
        scale = np.sqrt(sigma**2 * dt + counts * deviation**2)
        z = (returns[:, None] - centre) / scale
        return float(np.log((weight / scale) @ np.exp(-0.5 * z.T**2)).sum()) - 0.5 * len(
            returns
        ) * float(np.log(2.0 * np.pi))

    return maximise(
        log_likelihood,
        names=("mu", "sigma", "intensity", "mean", "deviation"),
        start=(float(np.mean(returns)) / dt, sigma0, intensity0, 0.0, deviation0),
        bounds=(
            (-1e3, 1e3),
            (1e-6, 1e3),
            (1e-6, 0.5 / dt),
            (-1.0, 1.0),
            (1e-6, 2.0),
        ),
        samples=len(returns),
    )


def fit_student_t(returns: FloatArray) -> MaximumLikelihood:
    """Fit a Student t with location 0: parameters scale and degrees (of freedom, above 2)."""
    if len(returns) < 50 or not returns.std() > 0.0:
        raise CalibrationError(f"{len(returns)} returns cannot carry a t law; give 50 that vary")

    def log_likelihood(x: FloatArray) -> float:
        return float(stats.t.logpdf(returns, x[1], scale=x[0]).sum())

    return maximise(
        log_likelihood,
        names=("scale", "degrees"),
        start=(float(returns.std()) * 0.7, 5.0),
        bounds=((1e-12, 1e3), (2.05, 200.0)),
        samples=len(returns),
    )
