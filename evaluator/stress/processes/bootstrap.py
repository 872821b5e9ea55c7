"""History played again in random blocks: the stationary bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.report import CalibrationReport
from evaluator.stress.processes import philox
from evaluator.stress.processes.anchors import AssetTree
from evaluator.stress.processes.assembly import PegLaw, assemble
from evaluator.stress.processes.correlation import scale_increments
from evaluator.stress.processes.jumps import JumpLaw
from evaluator.stress.processes.process import YEAR, FloatArray, Sampling
from evaluator.stress.processes.variance import VarianceForecast

_BLOCK_STREAM = (1 << 24) + 1  # of the uniforms that choose rows of history


@dataclass(frozen=True, kw_only=True, eq=False)
class StationaryBootstrap:
    """Rows of standardised past returns, drawn in blocks of geometric length.

    Politis and Romano (1994): with chance 1 / block_length the next row is any
    row, otherwise the one that followed in history. All assets share rows, so
    whatever moved together moves together again. Rows are scaled by the
    variance forecast. A node without history (`column` -1) follows the node
    `proxy` with correlation `loading`.
    """

    name: str  # "stationary_bootstrap"
    tree: AssetTree  # assets, F free factors, K pegs
    step: float  # seconds
    rows: FloatArray  # shape (T, H); standardised returns, mean 0 and variance 1 by column
    column: NDArray[np.int64]  # shape (F + K,); column of each node, -1 without history
    proxy: NDArray[np.int64]  # shape (F + K,); column a node without history follows, -1 for none
    loading: FloatArray  # shape (F + K,); correlation with the proxy
    block_length: float  # expected number of rows in a block
    drift: FloatArray  # shape (F,); expected growth of the price, per year
    variance: VarianceForecast  # of F factors
    jumps: JumpLaw  # over F + K nodes; the depegs
    pegs: PegLaw  # K pegs; their innovations are rows too
    calibration: CalibrationReport  # where the numbers come from
    sampling: Sampling = Sampling.PSEUDO  # of what has no history; rows are pseudo-random

    def __post_init__(self) -> None:
        """Raise ConfigurationError for impossible parameters."""
        if not self.step > 0.0:
            raise ConfigurationError(f"the step is {self.step} seconds; give more than 0")
        if self.rows.shape[0] < 2 or not np.all(np.isfinite(self.rows)):
            raise ConfigurationError("a bootstrap needs at least two rows of finite returns")
        if not self.block_length >= 1.0:
            raise ConfigurationError(f"block_length is {self.block_length}; give 1 or more")

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets."""
        return self.tree.symbols

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return prices over the price at t0, shape (count, steps + 1, A)."""
        deviation = self.variance.step_deviations(step=self.step, steps=steps)
        free = len(self.tree.free)
        growth = (self.drift - self.jumps.compensator[:free]) * self.step / YEAR
        key = philox.stream_key(seed)

        def diffuse(start: int, block: FloatArray) -> None:
            _replay(
                block,
                key,
                start,
                1.0 / self.block_length,
                self.rows,
                self.column,
                self.proxy,
                self.loading,
            )
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


@njit(nogil=True, cache=True, error_model="numpy")
def _replay(
    block: FloatArray,
    key: np.uint64,
    first: int,
    restart: float,
    rows: FloatArray,
    column: NDArray[np.int64],
    proxy: NDArray[np.int64],
    loading: FloatArray,
) -> None:
    paths, _, steps = block.shape
    length = rows.shape[0]
    at = np.empty(steps, dtype=np.int64)
    for r in range(paths):
        path = np.int64(first + r)
        t = np.int64(0)
        for s in range(steps):
            u, v = philox.uniform_pair(key, path, _BLOCK_STREAM, s)
            t = np.int64(v * length) if s == 0 or u < restart else (t + 1) % length
            at[s] = t
        for n in range(column.shape[0]):
            row = block[r, n]
            if column[n] >= 0:
                for s in range(steps):
                    row[s] = rows[at[s], column[n]]
            elif proxy[n] >= 0:
                alone = np.sqrt(1.0 - loading[n] * loading[n])
                for s in range(steps):
                    row[s] = loading[n] * rows[at[s], proxy[n]] + alone * row[s]
