"""Markets that change between hidden regimes, each with its own volatilities and correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.report import CalibrationReport
from evaluator.stress.processes import philox
from evaluator.stress.processes.anchors import AssetTree
from evaluator.stress.processes.assembly import PegLaw, assemble
from evaluator.stress.processes.correlation import cholesky
from evaluator.stress.processes.jumps import JumpLaw
from evaluator.stress.processes.process import YEAR, FloatArray, Sampling

_REGIME_STREAM = 1 << 24  # of the uniforms that choose regimes


@dataclass(frozen=True, kw_only=True, eq=False)
class RegimeSwitching:
    """Gaussian returns whose law is chosen by a hidden Markov chain (Hamilton 1989).

    The chain may change at every step. Regimes are in order of volatility.
    """

    name: str  # "regime_switching"
    tree: AssetTree  # assets, F free factors, K pegs
    step: float  # seconds
    transition: FloatArray  # shape (R, R); chance of going from row to column in one step
    initial: FloatArray  # shape (R,); chance of each regime at t0
    drift: FloatArray  # shape (F,); expected growth of the price, per year
    volatility: FloatArray  # shape (R, F); per sqrt(year)
    correlation: FloatArray  # shape (R, F, F)
    jumps: JumpLaw  # over F + K nodes
    pegs: PegLaw  # K pegs
    calibration: CalibrationReport  # where the numbers come from
    sampling: Sampling = Sampling.PSEUDO  # see Sampling; regimes are always pseudo-random

    def __post_init__(self) -> None:
        """Raise ConfigurationError for impossible parameters."""
        if not self.step > 0.0:
            raise ConfigurationError(f"the step is {self.step} seconds; give more than 0")
        for name, chances in (("transition", self.transition), ("initial", self.initial)):
            if np.any(~(chances >= 0.0)) or not np.allclose(chances.sum(axis=-1), 1.0):
                raise ConfigurationError(f"{name} chances must be 0 or more and add up to 1")
        if np.any(~(self.volatility >= 0.0)):
            raise ConfigurationError("volatilities must be 0 or more")
        for matrix in self.correlation:
            cholesky(matrix)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets."""
        return self.tree.symbols

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return prices over the price at t0, shape (count, steps + 1, A)."""
        dt = self.step / YEAR
        lower = np.stack([cholesky(c) for c in self.correlation])
        deviation = self.volatility * np.sqrt(dt)
        growth = (self.drift - self.jumps.compensator[: len(self.tree.free)]) * dt
        key = philox.stream_key(seed)
        initial = np.cumsum(self.initial)
        transition = np.cumsum(self.transition, axis=1)

        def diffuse(start: int, block: FloatArray) -> None:
            _switch(block, key, start, initial, transition, lower, deviation, growth)

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


@njit(nogil=True, cache=True, error_model="numpy")
def _choose(cumulative: FloatArray, uniform: float) -> int:
    for k in range(cumulative.shape[0] - 1):
        if uniform < cumulative[k]:
            return k
    return len(cumulative) - 1


@njit(nogil=True, cache=True, error_model="numpy")
def _switch(
    block: FloatArray,
    key: np.uint64,
    first: int,
    initial: FloatArray,
    transition: FloatArray,
    lower: FloatArray,
    deviation: FloatArray,
    growth: FloatArray,
) -> None:
    paths, _, steps = block.shape
    factors = growth.shape[0]
    for r in range(paths):
        path = np.int64(first + r)
        u, _ = philox.uniform_pair(key, path, _REGIME_STREAM, 0)
        regime = _choose(initial, u)
        for s in range(steps):
            if s > 0:
                u, _ = philox.uniform_pair(key, path, _REGIME_STREAM, s)
                regime = _choose(transition[regime], u)
            for f in range(factors - 1, -1, -1):
                z = 0.0
                for g in range(f + 1):
                    z += lower[regime, f, g] * block[r, g, s]
                sd = deviation[regime, f]
                block[r, f, s] = sd * z - 0.5 * sd * sd + growth[f]
