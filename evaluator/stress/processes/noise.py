"""Standard normals behind the paths: pseudo-random, antithetic or Sobol."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numba import njit
from scipy.special import ndtri

from evaluator.errors import ConfigurationError
from evaluator.stress.processes import philox
from evaluator.stress.processes.process import SCRAMBLINGS, SOBOL_RUN, FloatArray, Sampling

BLOCK = 64  # paths worked on at once; keeps a block's arrays in the cache

_SOBOL_PURPOSE = 0x50B0  # spawn key of the scrambling
_SOBOL_BITS = 32  # SciPy cannot skip forward with more
_DIFFUSION_STREAM = 0


def check_addresses(*, seed: int, first: int, count: int, steps: int) -> None:
    """Raise ConfigurationError unless paths can be addressed by these numbers."""
    for name, value in (("seed", seed), ("first", first), ("count", count), ("steps", steps)):
        if value < 0:
            raise ConfigurationError(f"{name} is {value}; give an integer of 0 or more")


def normal_blocks(
    *, seed: int, first: int, count: int, rows: int, steps: int, sampling: Sampling
) -> Iterator[tuple[int, FloatArray]]:
    """Yield (first path of the block, normals), shape (block, rows, steps), for all paths.

    The array is reused from block to block. Sobol points are laid over time by
    a Brownian bridge, so that the best dimensions decide where a path ends
    (Glasserman, "Monte Carlo methods in financial engineering", 3.1 and 5.5).
    Raises ConfigurationError when Sobol has not enough dimensions.
    """
    buffer = np.empty((min(BLOCK, max(count, 1)), rows, steps))
    if sampling is Sampling.SOBOL:
        yield from _sobol_blocks(buffer, seed, first, count)
        return
    key = philox.stream_key(seed)
    for start in range(0, count, BLOCK):
        block = buffer[: min(BLOCK, count - start)]
        philox.fill_normals(
            key,
            _DIFFUSION_STREAM,
            first + start,
            sampling is Sampling.ANTITHETIC,
            block.reshape(block.shape[0], rows * steps),
        )
        yield first + start, block


def _sobol_blocks(
    buffer: FloatArray, seed: int, first: int, count: int
) -> Iterator[tuple[int, FloatArray]]:
    # Slow to import, and the usual evaluation does without.
    from scipy.stats import qmc

    _, rows, steps = buffer.shape
    dimensions = rows * steps
    if dimensions > qmc.Sobol.MAXDIM:
        raise ConfigurationError(
            f"Sobol sampling of {rows} factors over {steps} steps needs {dimensions} dimensions, "
            f"SciPy has {qmc.Sobol.MAXDIM}; take fewer steps or pseudo-random sampling"
        )
    levels = _bridge_levels(steps)
    middle = 0.5 ** (_SOBOL_BITS + 1)  # of a cell, so that no point is 0
    for start in range(first - first % SOBOL_RUN, first + count, SOBOL_RUN):
        turn, scrambling = divmod(start // SOBOL_RUN, SCRAMBLINGS)
        key = (_SOBOL_PURPOSE, scrambling)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        engine = qmc.Sobol(dimensions, scramble=True, bits=_SOBOL_BITS, rng=rng)
        if turn:
            engine.fast_forward(turn * SOBOL_RUN)
        points = engine.random(SOBOL_RUN)
        lower, upper = max(start, first), min(start + SOBOL_RUN, first + count)
        chosen = points[lower - start : upper - start]
        normals = ndtri(chosen + middle).reshape(upper - lower, steps, rows)
        block = np.empty((upper - lower, rows, steps))
        _bridge(np.ascontiguousarray(normals), levels, block)
        yield lower, block


def _bridge_levels(steps: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Return rows (left, middle, right) in the order a bridge over `steps` is filled."""
    order = []
    pending = [(0, steps)]
    while pending:
        following = []
        for left, right in pending:
            if right - left > 1:
                middle = (left + right) // 2
                order.append((left, middle, right))
                following += [(left, middle), (middle, right)]
        pending = following
    return np.array(order, dtype=np.int64).reshape(-1, 3)


@njit(nogil=True, cache=True, error_model="numpy")
def _bridge(
    normals: FloatArray, levels: np.ndarray[tuple[int, int], np.dtype[np.int64]], out: FloatArray
) -> None:
    """Turn normals (paths, steps, rows) into unit increments (paths, rows, steps) by a bridge."""
    paths, steps, rows = normals.shape
    walk = np.empty(steps + 1)
    for p in range(paths):
        for r in range(rows):
            walk[0] = 0.0
            if steps > 0:
                walk[steps] = np.sqrt(float(steps)) * normals[p, 0, r]
            for i in range(levels.shape[0]):
                left, middle, right = levels[i, 0], levels[i, 1], levels[i, 2]
                a, b = float(middle - left), float(right - middle)
                mean = (b * walk[left] + a * walk[right]) / (a + b)
                walk[middle] = mean + np.sqrt(a * b / (a + b)) * normals[p, i + 1, r]
            for s in range(steps):
                out[p, r, s] = walk[s + 1] - walk[s]
