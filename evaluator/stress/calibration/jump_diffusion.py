"""Geometric Brownian motion, Merton's process and the default jump-diffusion, from estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration.market import MarketEstimate, estimate_market
from evaluator.stress.calibration.report import (
    AssetCalibration,
    CalibrationReport,
    ParameterEstimate,
)
from evaluator.stress.processes.jump_diffusion import JumpDiffusion
from evaluator.stress.processes.process import YEAR, Sampling
from evaluator.stress.processes.variance import constant_variance

_WITH_JUMPS = frozenset({"jump_diffusion", "bates"})

NO_DRIFT = "the expected price is today's: a drift cannot be told from zero over such histories"


def fit_jump_diffusion(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
    until: int | None = None,
) -> JumpDiffusion:
    """Return the jump-diffusion with today's volatilities and the jumps found in history.

    Jumps are found by Lee and Mykland's test and split into market-wide and
    own ones; the diffusion has what they leave of the GARCH variance forecast.
    Nothing after `until` is used. Errors as `estimate_market`.
    """
    return jump_diffusion(
        estimate_market(assets, histories, step=step, until=until), sampling=sampling
    )


def jump_diffusion(
    estimate: MarketEstimate, *, sampling: Sampling = Sampling.PSEUDO
) -> JumpDiffusion:
    """Return the jump-diffusion of a market's estimate."""
    return JumpDiffusion(
        name="jump_diffusion",
        tree=estimate.tree,
        step=estimate.step,
        drift=np.zeros(len(estimate.factors)),
        variance=estimate.diffusive_variance,
        correlation=estimate.correlation,
        jumps=estimate.jumps,
        pegs=estimate.peg_law,
        calibration=report(estimate, "jump_diffusion"),
        sampling=sampling,
    )


def fit_gbm(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
    until: int | None = None,
) -> JumpDiffusion:
    """Return Brownian motion with constant long-run volatilities; pegs as everywhere else."""
    estimate = estimate_market(assets, histories, step=step, until=until)
    free = len(estimate.factors)
    return JumpDiffusion(
        name="gbm",
        tree=estimate.tree,
        step=step,
        drift=np.zeros(free),
        variance=constant_variance(estimate.total_variance.volatility),
        correlation=estimate.correlation,
        jumps=estimate.jumps.of_pegs_only(free),
        pegs=estimate.peg_law,
        calibration=report(
            estimate, "gbm", notes=("volatility is constant at its long-run level",)
        ),
        sampling=sampling,
    )


def fit_merton(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
    until: int | None = None,
) -> JumpDiffusion:
    """Return constant volatilities and own jumps by maximum likelihood, no market-wide jumps."""
    # Brings scipy.stats, slow to import, which the usual evaluation does without.
    from evaluator.stress.calibration.likelihood import fit_normal_jumps

    estimate = estimate_market(assets, histories, step=step, until=until)
    free = len(estimate.factors)
    volatility = np.array([f.prior.volatility for f in estimate.factors])
    intensity = estimate.jumps.intensity.copy()
    mean, deviation = estimate.jumps.mean.copy(), estimate.jumps.deviation.copy()
    extra: dict[int, tuple[ParameterEstimate, ...]] = {}
    for i in range(free):
        prior, returns = estimate.factors[i].prior, estimate.factors[i].returns
        intensity[i], mean[i], deviation[i] = (
            prior.jump_intensity,
            prior.jump_mean,
            prior.jump_deviation,
        )
        if returns is not None:
            fit = fit_normal_jumps(returns.value, dt=returns.step / YEAR)
            volatility[i], intensity[i] = fit["sigma"], fit["intensity"]
            mean[i], deviation[i] = fit["mean"], fit["deviation"]
            units = ("per year", "per sqrt(year)", "per year", "log", "log")
            extra[i] = tuple(
                ParameterEstimate(
                    name=f"Merton {n}", value=fit[n], standard_error=fit.error(n), unit=u
                )
                for n, u in zip(fit.names, units, strict=True)
            )
    return JumpDiffusion(
        name="merton",
        tree=estimate.tree,
        step=step,
        drift=np.zeros(free),
        variance=constant_variance(volatility),
        correlation=estimate.correlation,
        jumps=replace(
            estimate.jumps,
            intensity=intensity,
            mean=mean,
            deviation=deviation,
            common_intensity=np.zeros_like(estimate.jumps.common_intensity),
        ),
        pegs=estimate.peg_law,
        calibration=report(estimate, "merton", extra=extra),
        sampling=sampling,
    )


def report(
    estimate: MarketEstimate,
    process: str,
    *,
    extra: Mapping[int, tuple[ParameterEstimate, ...]] | None = None,
    shared: tuple[ParameterEstimate, ...] = (),
    notes: tuple[str, ...] = (),
) -> CalibrationReport:
    """Return the report on a market's estimate as `process` uses it.

    `extra` adds the process's own parameters by number of the free factor.
    """
    added = extra or {}
    entries = []
    for i, f in enumerate(estimate.factors):
        law, error = estimate.jumps, float(estimate.jump_errors[i])
        jumps = () if process not in _WITH_JUMPS else (
            _row("own jumps", law.intensity[i], error if error == error else None, "per year"),
            _row("mean own jump", law.mean[i], None, "log"),
            _row("deviation of own jumps", law.deviation[i], None, "log"),
            _row("mean market-wide jump", law.common_mean[0, i], None, "log"),
            _row("mean crash (prior)", law.common_mean[1, i], None, "log"),
            _row("deviation of crashes (prior)", law.common_deviation[1, i], None, "log"),
            _row("deviation of market-wide jumps", law.common_deviation[0, i], None, "log"),
        )  # fmt: skip
        r = f.returns
        entries.append(
            AssetCalibration(
                symbol=f.symbol,
                source=f.source,
                reason=f.reason,
                estimates=(*f.volatility_estimates(), *jumps, *added.get(i, ())),
                samples=0 if r is None else len(r.value),
                first_timestamp=0 if r is None else r.first_timestamp,
                last_timestamp=0 if r is None else r.last_timestamp,
                history="" if r is None else r.source,
            )
        )
    for p in estimate.pegs:
        entries.append(
            AssetCalibration(
                symbol=p.symbol,
                source=p.source,
                reason=p.reason,
                estimates=p.estimates(),
                samples=p.samples,
                first_timestamp=p.first_timestamp,
                last_timestamp=p.last_timestamp,
                history=p.history,
                anchor=p.anchor,
            )
        )
    common = (
        (
            _row(
                "market-wide jumps",
                estimate.jumps.common_intensity[0],
                estimate.common_error,
                "per year",
            ),
            _row("crashes (prior)", estimate.jumps.common_intensity[1], None, "per year"),
        )
        if process in _WITH_JUMPS
        else ()
    )
    return CalibrationReport(
        process=process,
        assets=tuple(entries),
        factors=estimate.tree.free,
        correlation=estimate.correlation,
        correlation_reason=estimate.correlation_reason,
        shared=(*common, *shared),
        notes=(NO_DRIFT, *((estimate.jump_reason,) if common else ()), *notes),
    )


def _row(name: str, value: float, error: float | None, unit: str) -> ParameterEstimate:
    return ParameterEstimate(name=name, value=float(value), standard_error=error, unit=unit)
