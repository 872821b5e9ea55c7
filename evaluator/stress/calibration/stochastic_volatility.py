"""Heston's and Bates's processes from GARCH filters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration.factors import YEAR, FactorEstimate
from evaluator.stress.calibration.jump_diffusion import report
from evaluator.stress.calibration.market import estimate_market
from evaluator.stress.calibration.report import ParameterEstimate
from evaluator.stress.processes.process import Sampling
from evaluator.stress.processes.stochastic_volatility import StochasticVolatility

# Of a factor without history: a variance with a half-life of about two weeks that
# nearly touches 0 (Feller's ratio 1), and falls that raise it.
_PRIOR_KAPPA = 20.0
_PRIOR_RHO = -0.3


def fit_heston(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
    until: int | None = None,
) -> StochasticVolatility:
    """Return Heston's process; prices do not jump, pegs may break."""
    return _fit("heston", assets, histories, step=step, sampling=sampling, until=until)


def fit_bates(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
    until: int | None = None,
) -> StochasticVolatility:
    """Return Bates's process: Heston's with the jumps found in history."""
    return _fit("bates", assets, histories, step=step, sampling=sampling, until=until)


def _fit(
    name: str,
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling,
    until: int | None,
) -> StochasticVolatility:
    estimate = estimate_market(assets, histories, step=step, until=until)
    bates = name == "bates"
    variance = estimate.diffusive_variance if bates else estimate.total_variance
    theta, v0 = variance.volatility**2, variance.current**2
    rows = [_parameters(f, float(t)) for f, t in zip(estimate.factors, theta, strict=True)]
    extra = {
        i: tuple(
            ParameterEstimate(name=n, value=v, standard_error=e, unit=u)
            for n, v, e, u in (
                ("kappa", kappa, None, "per year"),
                ("sigma", sigma, error, "per year"),
                ("rho", rho, rho_error, "1"),
            )
        )
        for i, (kappa, sigma, error, rho, rho_error) in enumerate(rows)
    }
    free = len(estimate.factors)
    return StochasticVolatility(
        name=name,
        tree=estimate.tree,
        step=step,
        drift=np.zeros(free),
        v0=v0,
        theta=theta,
        kappa=np.array([r[0] for r in rows]),
        sigma=np.array([r[1] for r in rows]),
        rho=np.array([r[3] for r in rows]),
        correlation=estimate.correlation,
        jumps=estimate.jumps if bates else estimate.jumps.of_pegs_only(free),
        pegs=estimate.peg_law,
        calibration=report(
            estimate,
            name,
            extra=extra,
            notes=("kappa, sigma and rho are the diffusion limit of GARCH(1,1) (Nelson 1990)",),
        ),
        sampling=sampling,
    )


def _parameters(
    factor: FactorEstimate, theta: float
) -> tuple[float, float, float | None, float, float | None]:
    """Return kappa, sigma and its error, rho and its error of one factor.

    A GARCH variance moves by alpha v (z^2 - 1) a step; Heston's by sigma
    sqrt(v dt). They agree at v = theta when sigma = alpha sqrt((m4 - 1) theta /
    dt), with m4 the residuals' fourth moment.
    """
    if factor.variance is None:
        return _PRIOR_KAPPA, float(np.sqrt(2.0 * _PRIOR_KAPPA * theta)), None, _PRIOR_RHO, None
    # Jumps are not the variance's doing.
    z = np.clip(factor.residuals(), -4.0, 4.0)
    scale = float(np.sqrt((np.mean(z**4) - 1.0) * theta * YEAR / factor.variance.step))
    rho = float(np.clip(np.asarray(np.corrcoef(z, z**2))[0, 1], -0.9, 0.9))
    error = factor.variance.alpha_error
    return (
        factor.reversion,
        factor.variance.alpha * scale,
        None if error is None else error * scale,
        rho,
        float((1.0 - rho * rho) / np.sqrt(len(z))),
    )
