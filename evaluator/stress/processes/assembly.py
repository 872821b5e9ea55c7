"""From increments of logarithms to prices: sums, pegs, exponentials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from evaluator.errors import ConfigurationError
from evaluator.stress.processes import arithmetic
from evaluator.stress.processes.anchors import AssetTree
from evaluator.stress.processes.jumps import JumpLaw
from evaluator.stress.processes.noise import check_addresses, normal_blocks
from evaluator.stress.processes.process import YEAR, FloatArray, Sampling

# Turns the normals of a block, shape (paths, rows, steps), in place into log increments
# of the F free factors in its first F rows. The integer is the block's first path.
Diffuse = Callable[[int, FloatArray], None]

_LOG_LIMIT = 600.0  # a price e**600 times today's is infinite for every purpose


@dataclass(frozen=True, kw_only=True, eq=False)
class PegLaw:
    """Mean-reverting logarithms of K pegged assets' ratios to their anchors.

    Ornstein and Uhlenbeck: dx = -reversion x dt + volatility dW, x = 0 at t0,
    plus the jumps of the peg's node and a steady growth (staking yield).
    """

    reversion: FloatArray  # shape (K,); per year
    volatility: FloatArray  # shape (K,); per sqrt(year)
    growth: FloatArray  # shape (K,); of the level the ratio reverts to, per year

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a peg that does not hold."""
        if np.any(~(self.reversion > 0.0)) or np.any(~(self.volatility >= 0.0)):
            raise ConfigurationError("a peg needs reversion above 0 and volatility of 0 or more")

    def retained(self, step: float) -> FloatArray:
        """Return the part of a deviation that is left after `step` seconds, shape (K,)."""
        return np.exp(-self.reversion * step / YEAR)

    def innovation(self, step: float) -> FloatArray:
        """Return the standard deviation of a step's innovation, shape (K,)."""
        twice = 2.0 * self.reversion
        return np.asarray(self.volatility * np.sqrt(-np.expm1(-twice * step / YEAR) / twice))


def no_pegs() -> PegLaw:
    """Return the law of no pegged asset."""
    zero = np.zeros(0)
    return PegLaw(reversion=zero, volatility=zero, growth=zero)


def assemble(
    *,
    tree: AssetTree,
    pegs: PegLaw,
    jumps: JumpLaw,
    diffuse: Diffuse,
    extra_rows: int,
    step: float,
    sampling: Sampling,
    seed: int,
    first: int,
    count: int,
    steps: int,
) -> FloatArray:
    """Return price paths, shape (count, steps + 1, A), from a diffusion of the free factors.

    Rows of normals a path gets: F free factors, K pegs, then `extra_rows` that
    `diffuse` may use for what else it needs (variances).
    """
    check_addresses(seed=seed, first=first, count=count, steps=steps)
    out = np.empty((count, steps + 1, len(tree.symbols)))
    if steps == 0:
        out[:] = 1.0
        return out
    free, pegged = len(tree.free), len(tree.pegged)
    nodes = free + pegged
    retained, innovation = pegs.retained(step), pegs.innovation(step)
    growth = pegs.growth * step / YEAR
    blocks = normal_blocks(
        seed=seed, first=first, count=count, rows=nodes + extra_rows, steps=steps, sampling=sampling
    )
    for start, block in blocks:
        diffuse(start, block)
        increments = block[:, :nodes]
        _scale_rows(increments, free, innovation)
        jumps.add(
            increments,
            seed=seed,
            first=start,
            step=step,
            antithetic=sampling is Sampling.ANTITHETIC,
        )
        _accumulate(
            increments,
            free,
            tree.anchor,
            tree.output,
            retained,
            growth,
            out[start - first : start - first + block.shape[0]],
        )
    return out


@njit(nogil=True, cache=True, error_model="numpy")
def _scale_rows(block: FloatArray, first_row: int, factor: FloatArray) -> None:
    for r in range(block.shape[0]):
        for k in range(factor.shape[0]):
            row = block[r, first_row + k]
            for s in range(row.shape[0]):
                row[s] *= factor[k]


@njit(nogil=True, cache=True, error_model="numpy")
def _exponentials(row: FloatArray) -> None:
    for s in range(row.shape[0]):
        # Two plain comparisons become vector selects; min and max do not.
        x = row[s] if row[s] < _LOG_LIMIT else _LOG_LIMIT
        row[s] = arithmetic.exp(x if x > -_LOG_LIMIT else -_LOG_LIMIT)


@njit(nogil=True, cache=True, error_model="numpy")
def _accumulate(
    increments: FloatArray,
    free: int,
    anchor: NDArray[np.int64],
    output: NDArray[np.int64],
    retained: FloatArray,
    growth: FloatArray,
    out: FloatArray,
) -> None:
    paths, nodes, steps = increments.shape
    for r in range(paths):
        for n in range(nodes):
            row = increments[r, n]
            total = 0.0
            if n < free:
                for s in range(steps):
                    total += row[s]
                    row[s] = total
            else:
                k = n - free
                for s in range(steps):
                    total = retained[k] * total + row[s]
                    row[s] = total + growth[k] * (s + 1)
                if anchor[k] >= 0:
                    followed = increments[r, anchor[k]]
                    for s in range(steps):
                        row[s] += followed[s]
        for n in range(nodes):
            _exponentials(increments[r, n])
        for a in range(output.shape[0]):
            out[r, 0, a] = 1.0
        for s in range(steps):
            for a in range(output.shape[0]):
                out[r, s + 1, a] = increments[r, output[a], s]
