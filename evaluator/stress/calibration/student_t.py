"""Student's t returns and the t copula, from filtered residuals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, special, stats

from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration.jump_diffusion import report
from evaluator.stress.calibration.likelihood import MaximumLikelihood, fit_student_t
from evaluator.stress.calibration.market import MarketEstimate, common_rows, estimate_market
from evaluator.stress.calibration.report import ParameterEstimate
from evaluator.stress.processes.correlation import nearest_correlation
from evaluator.stress.processes.process import FloatArray, Sampling
from evaluator.stress.processes.student_t import StudentT

_PRIOR_DEGREES = 4.0  # of freedom, of hourly returns over their deviation
_FEWEST_DEGREES = 3.0  # below, unit variance leaves hardly anything but the tail
_STRESS_SHARE = 0.05  # of steps
_PRIOR_STRESS = 0.5  # of what is missing to correlation 1 that stress takes away
_FEWEST_ROWS = 500
_MOST_ROWS = 5000  # rows the copula's likelihood is computed on, the latest


def fit_student(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
    until: int | None = None,
) -> StudentT:
    """Return multivariate t returns with GARCH variances: the same degrees everywhere."""
    return _fit("student_t", assets, histories, step=step, sampling=sampling, until=until)


def fit_t_copula(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
    until: int | None = None,
) -> StudentT:
    """Return t marginals of their own degrees under a t copula, with GARCH variances."""
    return _fit("t_copula", assets, histories, step=step, sampling=sampling, until=until)


def _fit(
    name: str,
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling,
    until: int | None,
) -> StudentT:
    estimate = estimate_market(assets, histories, step=step, until=until)
    return student_t(estimate, name=name, sampling=sampling)


def student_t(
    estimate: MarketEstimate, *, name: str = "t_copula", sampling: Sampling = Sampling.PSEUDO
) -> StudentT:
    """Return the process `name` (student_t or t_copula) of a market's estimate."""
    free = len(estimate.factors)
    fits = {i: fit_student_t(estimate.factors[i].residuals()) for i in estimate.measured}
    degrees = np.array(
        [
            max(fits[i]["degrees"], _FEWEST_DEGREES) if i in fits else _PRIOR_DEGREES
            for i in range(free)
        ]
    )
    joint, joint_reason = _copula_degrees(estimate, fits)
    stress, stress_reason = _stress_correlation(estimate, fits)
    if name == "student_t":
        degrees = np.full(free, joint)
    alpha, beta = np.zeros(free), np.zeros(free)
    for i in estimate.measured:
        variance = estimate.factors[i].variance
        # A filter of another step says how the forecast decays, not what one step adds.
        if variance is not None and variance.step == estimate.step:
            alpha[i], beta[i] = variance.alpha, variance.beta
    extra = {
        i: (
            ParameterEstimate(
                name="degrees of freedom",
                value=float(degrees[i]),
                standard_error=fits[i].error("degrees"),
                unit="1",
            ),
        )
        for i in fits
    }
    return StudentT(
        name=name,
        tree=estimate.tree,
        step=estimate.step,
        drift=np.zeros(free),
        variance=estimate.total_variance,
        alpha=alpha,
        beta=beta,
        degrees=joint,
        marginal_degrees=degrees,
        correlation=estimate.correlation,
        stress_correlation=stress,
        stress_share=_STRESS_SHARE,
        jumps=estimate.jumps.of_pegs_only(free),
        pegs=estimate.peg_law,
        calibration=report(
            estimate,
            name,
            extra=extra,
            shared=(
                ParameterEstimate(
                    name="degrees of freedom of the copula",
                    value=joint,
                    standard_error=None,
                    unit="1",
                ),
            ),
            notes=(joint_reason, stress_reason),
        ),
        sampling=sampling,
    )


def _scores(estimate: MarketEstimate, fits: dict[int, MaximumLikelihood]) -> FloatArray:
    """Return uniform scores of all measured factors' latest common residuals."""
    chosen = sorted(fits)
    if len(chosen) < 2:
        return np.zeros((0, len(chosen)))
    _, rows = common_rows(estimate.factors, chosen)
    rows = rows[-_MOST_ROWS:]
    columns = [
        stats.t.cdf(rows[:, c], fits[i]["degrees"], scale=fits[i]["scale"])
        for c, i in enumerate(chosen)
    ]
    return np.clip(np.column_stack(columns), 1e-9, 1.0 - 1e-9)


def _copula_degrees(
    estimate: MarketEstimate, fits: dict[int, MaximumLikelihood]
) -> tuple[float, str]:
    scores = _scores(estimate, fits)
    if len(scores) < _FEWEST_ROWS:
        return _PRIOR_DEGREES, (
            f"the copula's degrees of freedom are the prior {_PRIOR_DEGREES:g}: "
            f"{len(scores)} common returns of measured assets are fewer than {_FEWEST_ROWS}"
        )
    chosen = sorted(fits)
    matrix = estimate.correlation[np.ix_(chosen, chosen)]
    inverse = np.linalg.inv(matrix)
    _, log_determinant = np.linalg.slogdet(matrix)
    n = len(chosen)

    def loss(nu: float) -> float:
        x = stats.t.ppf(scores, nu)
        distance = np.einsum("ti,ij,tj->t", x, inverse, x)
        joint = (
            special.gammaln(0.5 * (nu + n))
            - special.gammaln(0.5 * nu)
            - 0.5 * n * np.log(nu * np.pi)
            - 0.5 * log_determinant
            - 0.5 * (nu + n) * np.log1p(distance / nu)
        )
        return -float(np.mean(joint - stats.t.logpdf(x, nu).sum(axis=1)))

    found = optimize.minimize_scalar(
        loss, bounds=(_FEWEST_DEGREES, 60.0), method="bounded", options={"xatol": 0.02}
    )
    return round(float(found.x), 2), (
        f"the copula's degrees of freedom maximise its likelihood on {len(scores)} common returns"
    )


def _stress_correlation(
    estimate: MarketEstimate, fits: dict[int, MaximumLikelihood]
) -> tuple[FloatArray, str]:
    calm = estimate.correlation
    stress = np.asarray(calm + _PRIOR_STRESS * (1.0 - calm))
    fiat = np.array([f.asset_class is None for f in estimate.factors], dtype=bool)
    stress[fiat, :] = calm[fiat, :]
    stress[:, fiat] = calm[:, fiat]
    scores = _scores(estimate, fits)
    reason = f"stressed correlation is the prior: halfway from calm to 1, in {_STRESS_SHARE:.0%}"
    if len(scores) >= _FEWEST_ROWS:
        chosen = sorted(fits)
        x = special.ndtri(scores)
        lower = np.linalg.cholesky(calm[np.ix_(chosen, chosen)])
        radius = np.sum(np.linalg.solve(lower, x.T) ** 2, axis=0)
        worst = x[radius >= np.quantile(radius, 1.0 - _STRESS_SHARE)]
        measured = np.asarray(np.corrcoef(worst.T))
        stress[np.ix_(chosen, chosen)] = np.maximum(measured, calm[np.ix_(chosen, chosen)])
        reason = (
            f"stressed correlation is that of the {_STRESS_SHARE:.0%} most unusual common returns, "
            "never below the calm one"
        )
    return nearest_correlation(stress), reason
