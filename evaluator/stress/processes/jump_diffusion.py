"""Correlated jump-diffusion of all assets, pegged ones as ratios to their anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.report import CalibrationReport, given_report
from evaluator.stress.processes.anchors import AssetTree, free_tree
from evaluator.stress.processes.assembly import PegLaw, assemble, no_pegs
from evaluator.stress.processes.jumps import JumpLaw, no_jumps
from evaluator.stress.processes.process import YEAR, FloatArray, Sampling


@dataclass(frozen=True, kw_only=True, eq=False)
class JumpDiffusion:
    """Merton's jump-diffusion for F correlated free factors and K pegged assets.

    d log S = (drift - sigma^2/2 - compensator) dt + sigma dW + dJ. The variance
    starts at `current_volatility`^2 and decays to `volatility`^2 at rate
    `variance_reversion`, the forecast of a GARCH(1,1). Without jumps it is
    geometric Brownian motion; increments are exact for any step.
    """

    name: str  # under `seatrial.price_processes`
    tree: AssetTree  # assets, F free factors, K pegs
    step: float  # seconds
    drift: FloatArray  # shape (F,); expected growth of the price, per year
    volatility: FloatArray  # shape (F,); long-run, of the diffusion, per sqrt(year)
    current_volatility: FloatArray  # shape (F,); at t0, per sqrt(year)
    variance_reversion: FloatArray  # shape (F,); per year
    correlation: FloatArray  # shape (F, F), of the diffusion
    jumps: JumpLaw  # over F + K nodes
    pegs: PegLaw  # K pegs
    calibration: CalibrationReport  # where the numbers come from
    sampling: Sampling = Sampling.PSEUDO  # see Sampling

    def __post_init__(self) -> None:
        """Raise ConfigurationError for impossible parameters."""
        if not self.step > 0.0:
            raise ConfigurationError(f"the step is {self.step} seconds; give more than 0")
        if np.any(~(self.volatility >= 0.0)) or np.any(~(self.current_volatility >= 0.0)):
            raise ConfigurationError("volatilities must be 0 or more")
        cholesky(self.correlation)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets."""
        return self.tree.symbols

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return prices over the price at t0, shape (count, steps + 1, A)."""
        lower = cholesky(self.correlation)
        deviation = self.step_deviations(steps)
        free = len(self.tree.free)
        growth = (self.drift - self.jumps.compensator[:free]) * self.step / YEAR

        def diffuse(_first: int, block: FloatArray) -> None:
            correlate(block, lower, deviation, growth)

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

    def step_deviations(self, steps: int) -> FloatArray:
        """Return the standard deviation of each factor's diffusion in each step, shape (F, steps).

        The variance forecast is integrated over the step exactly.
        """
        dt = self.step / YEAR
        long_run, now = self.volatility**2, self.current_volatility**2
        rate = self.variance_reversion[:, None]
        decayed = np.exp(-rate * dt * np.arange(steps))
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where(rate > 0.0, -np.expm1(-rate * dt) / rate, dt)
        return np.sqrt(long_run[:, None] * dt + (now - long_run)[:, None] * decayed * weight)


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
        volatility=volatility,
        current_volatility=volatility,
        variance_reversion=np.zeros(count),
        correlation=matrix,
        jumps=no_jumps(count) if jumps is None else jumps,
        pegs=no_pegs(),
        calibration=given_report(name, tuple(symbols), matrix),
        sampling=sampling,
    )


def cholesky(correlation: FloatArray) -> FloatArray:
    """Return the lower Cholesky factor of a correlation matrix.

    Not LAPACK's, whose last bits depend on the processor: paths must be the
    same everywhere. Raises ConfigurationError unless the matrix is symmetric
    and positive semidefinite with a unit diagonal.
    """
    given = np.asarray(correlation, dtype=np.float64)
    square = given.ndim == 2 and given.shape[0] == given.shape[1]
    if not square or not np.allclose(given, given.T) or not np.allclose(np.diag(given), 1.0):
        raise ConfigurationError(
            "a correlation matrix must be square and symmetric with ones on its diagonal"
        )
    lower = np.zeros_like(given)
    if not _factorise(given, lower):
        raise ConfigurationError(
            "the correlation matrix is not positive semidefinite; "
            "no set of prices can move together so"
        )
    return lower


@njit(nogil=True, cache=True, error_model="numpy")
def _factorise(matrix: FloatArray, lower: FloatArray) -> bool:
    for i in range(matrix.shape[0]):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= lower[i, k] * lower[j, k]
            if i == j:
                if rest < -1e-9:
                    return False
                lower[i, i] = np.sqrt(max(rest, 0.0))
            elif lower[j, j] > 1e-7:
                lower[i, j] = rest / lower[j, j]
            elif abs(rest) > 1e-6:
                return False
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def correlate(
    block: FloatArray, lower: FloatArray, deviation: FloatArray, growth: FloatArray
) -> None:
    """Turn independent normals into correlated log increments, in place.

    `block` has shape (paths, rows, steps) with F factors in its first rows,
    `lower` (F, F), `deviation` (F, steps), `growth` (F,) per step.
    """
    paths, _, steps = block.shape
    for r in range(paths):
        # From the last factor up: a row only needs rows above it unchanged.
        for f in range(lower.shape[0] - 1, -1, -1):
            row = block[r, f]
            own = lower[f, f]
            for s in range(steps):
                row[s] *= own
            for g in range(f):
                weight = lower[f, g]
                if weight == 0.0:
                    continue
                other = block[r, g]
                for s in range(steps):
                    row[s] += weight * other[s]
            for s in range(steps):
                sd = deviation[f, s]
                row[s] = sd * row[s] - 0.5 * sd * sd + growth[f]
