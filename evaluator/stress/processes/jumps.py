"""Jumps: events of one asset, and events of the whole market that strike all at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from evaluator.errors import ConfigurationError
from evaluator.stress.processes import arithmetic, philox
from evaluator.stress.processes.process import YEAR, FloatArray

_OWN_STREAM = 1  # of the first node's own events; node n has _OWN_STREAM + n
_COMMON_STREAM = 1 << 23  # of the first kind of common events; kind c has _COMMON_STREAM + c
_SIZES = 1 << 20  # index from which a stream's numbers are sizes, not arrival times


@dataclass(frozen=True, kw_only=True, eq=False)
class JumpLaw:
    """Compound Poisson jumps in the logarithm of N nodes (Merton 1976).

    A common event strikes every node at once with sizes correlated by
    `common_correlation`; there may be several kinds (the usual rout, the rare
    crash). An own event strikes one node. Sizes are normal. For a pegged node a
    jump moves the ratio to its anchor, which then reverts.
    """

    intensity: FloatArray  # shape (N,); own events per year
    mean: FloatArray  # shape (N,); of an own jump's logarithm
    deviation: FloatArray  # shape (N,); standard deviation of an own jump's logarithm
    common_intensity: FloatArray  # shape (C,); common events of each kind per year
    common_mean: FloatArray  # shape (C, N); of a common jump's logarithm
    common_deviation: FloatArray  # shape (C, N); standard deviation of a common jump's logarithm
    common_correlation: float  # of two nodes' sizes in one common event, 0 to 1

    def __post_init__(self) -> None:
        """Raise ConfigurationError for negative rates or deviations."""
        positive = (self.intensity, self.deviation, self.common_intensity, self.common_deviation)
        if any(np.any(~(x >= 0.0)) for x in positive):
            raise ConfigurationError("jump intensities and deviations must be 0 or more")
        if not 0.0 <= self.common_correlation <= 1.0:
            raise ConfigurationError(
                f"common_correlation is {self.common_correlation}; give a number from 0 to 1"
            )

    @property
    def compensator(self) -> FloatArray:
        """Expected growth per year that jumps add to each price, shape (N,)."""
        own = self.intensity * np.expm1(self.mean + 0.5 * self.deviation**2)
        common = np.expm1(self.common_mean + 0.5 * self.common_deviation**2)
        return np.asarray(own + self.common_intensity @ common)

    @property
    def variance(self) -> FloatArray:
        """Variance per year that jumps add to each logarithm, shape (N,)."""
        own = self.intensity * (self.mean**2 + self.deviation**2)
        common = self.common_mean**2 + self.common_deviation**2
        return np.asarray(own + self.common_intensity @ common)

    def of_pegs_only(self, free: int) -> JumpLaw:
        """Return the law with which the first `free` nodes never jump and others only depeg."""
        own = self.intensity.copy()
        own[:free] = 0.0
        return replace(self, intensity=own, common_intensity=np.zeros_like(self.common_intensity))

    def add(
        self, increments: FloatArray, *, seed: int, first: int, step: float, antithetic: bool
    ) -> None:
        """Add the jumps of paths first, first + 1, ... to `increments`, shape (count, N, steps)."""
        _add_jumps(
            philox.stream_key(seed),
            first,
            antithetic,
            step / YEAR,
            self.intensity,
            self.mean,
            self.deviation,
            self.common_intensity,
            self.common_mean,
            self.common_deviation,
            np.sqrt(self.common_correlation),
            np.sqrt(1.0 - self.common_correlation),
            increments,
        )


def common_events(
    law: JumpLaw, *, seed: int, first: int, count: int, step: float, steps: int
) -> tuple[FloatArray, FloatArray]:
    """Return what importance sampling must know of the common events that `JumpLaw.add` draws.

    The number of events of each kind on each path and the sum of their shared
    standard normals, both of shape (count, C).
    """
    kinds = len(law.common_intensity)
    events, shared = np.zeros((count, kinds)), np.zeros((count, kinds))
    _count_events(
        philox.stream_key(seed),
        first,
        steps * step / YEAR,
        law.common_intensity,
        len(law.intensity),
        events,
        shared,
    )
    return events, shared


def no_jumps(nodes: int) -> JumpLaw:
    """Return the law of `nodes` logarithms that never jump."""
    zero = np.zeros(nodes)
    return JumpLaw(
        intensity=zero,
        mean=zero,
        deviation=zero,
        common_intensity=np.zeros(0),
        common_mean=np.zeros((0, nodes)),
        common_deviation=np.zeros((0, nodes)),
        common_correlation=0.0,
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _add_jumps(
    key: np.uint64,
    first: int,
    antithetic: bool,
    dt: float,
    intensity: FloatArray,
    mean: FloatArray,
    deviation: FloatArray,
    common_intensity: FloatArray,
    common_mean: FloatArray,
    common_deviation: FloatArray,
    shared: float,
    alone: float,
    out: FloatArray,
) -> None:
    paths, nodes, steps = out.shape
    horizon = steps * dt
    for r in range(paths):
        path = np.int64(first + r)
        sign = 1.0
        if antithetic:
            # The pair shares arrival times; sizes mirror about their means.
            sign = 1.0 - 2.0 * (path & 1)
            path >>= 1
        for c in range(common_intensity.shape[0]):
            if common_intensity[c] <= 0.0:
                continue
            t = 0.0
            event = 0
            while True:
                u, _ = philox.uniform_pair(key, path, _COMMON_STREAM + c, event)
                t -= arithmetic.log(u) / common_intensity[c]
                if t >= horizon:
                    break
                s = min(int(t / dt), steps - 1)
                base = _SIZES + event * (nodes + 1)
                market, _ = philox.normal_pair(key, path, _COMMON_STREAM + c, base)
                for n in range(nodes):
                    own, _ = philox.normal_pair(key, path, _COMMON_STREAM + c, base + 1 + n)
                    z = sign * (shared * market + alone * own)
                    out[r, n, s] += common_mean[c, n] + common_deviation[c, n] * z
                event += 1
        for n in range(nodes):
            if intensity[n] <= 0.0:
                continue
            t = 0.0
            event = 0
            while True:
                u, _ = philox.uniform_pair(key, path, _OWN_STREAM + n, event)
                t -= arithmetic.log(u) / intensity[n]
                if t >= horizon:
                    break
                s = min(int(t / dt), steps - 1)
                z, _ = philox.normal_pair(key, path, _OWN_STREAM + n, _SIZES + event)
                out[r, n, s] += mean[n] + sign * deviation[n] * z
                event += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _count_events(
    key: np.uint64,
    first: int,
    horizon: float,
    intensity: FloatArray,
    nodes: int,
    events: FloatArray,
    shared: FloatArray,
) -> None:
    for r in range(events.shape[0]):
        path = np.int64(first + r)
        for c in range(intensity.shape[0]):
            if intensity[c] <= 0.0:
                continue
            t = 0.0
            event = 0
            while True:
                u, _ = philox.uniform_pair(key, path, _COMMON_STREAM + c, event)
                t -= arithmetic.log(u) / intensity[c]
                if t >= horizon:
                    break
                base = _SIZES + event * (nodes + 1)
                market, _ = philox.normal_pair(key, path, _COMMON_STREAM + c, base)
                events[r, c] += 1.0
                shared[r, c] += market
                event += 1
