"""Correlated jump-diffusion of all assets, pegged ones as ratios to their anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.report import CalibrationReport, given_report
from evaluator.stress.processes.anchors import AssetTree, free_tree
from evaluator.stress.processes.assembly import PegLaw, assemble, no_pegs
from evaluator.stress.processes.correlation import cholesky, correlate, scale_increments
from evaluator.stress.processes.jumps import JumpLaw, no_jumps
from evaluator.stress.processes.process import YEAR, FloatArray, Sampling
from evaluator.stress.processes.variance import VarianceForecast, constant_variance


@dataclass(frozen=True, kw_only=True, eq=False)
class JumpDiffusion:
    """Merton's jump-diffusion for F correlated free factors and K pegged assets.

    d log S = (drift - sigma^2/2 - compensator) dt + sigma dW + dJ, with sigma^2
    the forecast that `variance` makes. Without jumps and with constant variance
    it is geometric Brownian motion; increments are exact for any step.
    """

    name: str  # under `seatrial.price_processes`
    tree: AssetTree  # assets, F free factors, K pegs
    step: float  # seconds
    drift: FloatArray  # shape (F,); expected growth of the price, per year
    variance: VarianceForecast  # of the diffusion of F factors
    correlation: FloatArray  # shape (F, F), of the diffusion
    jumps: JumpLaw  # over F + K nodes
    pegs: PegLaw  # K pegs
    calibration: CalibrationReport  # where the numbers come from
    sampling: Sampling = Sampling.PSEUDO  # see Sampling

    def __post_init__(self) -> None:
        """Raise ConfigurationError for impossible parameters."""
        if not self.step > 0.0:
            raise ConfigurationError(f"the step is {self.step} seconds; give more than 0")
        cholesky(self.correlation)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets."""
        return self.tree.symbols

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return prices over the price at t0, shape (count, steps + 1, A)."""
        lower = cholesky(self.correlation)
        deviation = self.variance.step_deviations(step=self.step, steps=steps)
        free = len(self.tree.free)
        growth = (self.drift - self.jumps.compensator[:free]) * self.step / YEAR

        def diffuse(_first: int, block: FloatArray) -> None:
            correlate(block, 0, lower)
            scale_increments(block, deviation, growth)

        return assemble(
            tree=self.tree,
            pegs=self.pegs,
            jumps=self.jumps,
            diffuse=diffuse,
            extra_rows=0,
            step=self.step,
            sampling=self.sampling,
            seed=seed,
            first=first,
            count=count,
            steps=steps,
        )


def geometric_brownian_motion(
    *,
    symbols: Sequence[str],
    step: float,
    volatility: FloatArray,
    correlation: FloatArray | None = None,
    drift: FloatArray | None = None,
    jumps: JumpLaw | None = None,
    sampling: Sampling = Sampling.PSEUDO,
) -> JumpDiffusion:
    """Return a process of free assets with constant volatility and, if given, jumps.

    `volatility` and `drift` have shape (A,), per sqrt(year) and per year.
    """
    count = len(symbols)
    matrix = np.eye(count) if correlation is None else correlation
    name = "gbm" if jumps is None else "merton"
    return JumpDiffusion(
        name=name,
        tree=free_tree(symbols),
        step=step,
        drift=np.zeros(count) if drift is None else drift,
        variance=constant_variance(volatility),
        correlation=matrix,
        jumps=no_jumps(count) if jumps is None else jumps,
        pegs=no_pegs(),
        calibration=given_report(name, tuple(symbols), matrix),
        sampling=sampling,
    )
