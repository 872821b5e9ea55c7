"""Philox4x32-10, the counter-based generator behind every price path.

A number is a pure function of (key, path, stream, index), so a path is the same
whichever block or worker computes it. Source: Salmon, Moraes, Dror and Shaw,
"Parallel random numbers: as easy as 1, 2, 3", SC11; tests hold the published
known answers. NumPy's own Philox cannot be addressed by path without building
a generator for each, and its normals cannot be drawn inside compiled code.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from evaluator.errors import ConfigurationError
from evaluator.stress.processes import arithmetic

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_ONE_BITS = np.uint64(0x3FF0000000000000)  # of the float64 1.0
_MANTISSA_SHIFT = np.uint64(12)
_HALF_ULP = 1.1102230246251565e-16  # 2**-53

_nogil = njit(nogil=True, cache=True, error_model="numpy")


def stream_key(seed: int) -> np.uint64:
    """Return the 64-bit key of a seed; ConfigurationError below 0."""
    if seed < 0:
        raise ConfigurationError(f"seed is {seed}; give an integer of 0 or more")
    return np.uint64(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])


@njit(inline="always", error_model="numpy")
def philox(
    k0: np.uint64, k1: np.uint64, c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Return the four 32-bit words of counter (c0..c3) under key (k0, k1).

    Words are held in the low half of 64-bit integers, which multiplies without
    overflow and vectorises.
    """
    for _ in range(10):
        p = _MULTIPLIER_0 * c0
        q = _MULTIPLIER_1 * c2
        n0 = ((q >> _SHIFT) ^ c1 ^ k0) & _LOW
        n2 = ((p >> _SHIFT) ^ c3 ^ k1) & _LOW
        c1 = q & _LOW
        c3 = p & _LOW
        c0 = n0
        c2 = n2
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@njit(inline="always", error_model="numpy")
def uniform_pair(key: np.uint64, path: np.int64, stream: int, index: int) -> tuple[float, float]:
    """Return two independent uniforms on the open interval (0, 1), 52 bits each."""
    p = np.uint64(path)
    a, b, c, d = philox(
        key & _LOW, key >> _SHIFT, np.uint64(index), np.uint64(stream), p & _LOW, p >> _SHIFT
    )
    u = np.uint64((((a << _SHIFT) | b) >> _MANTISSA_SHIFT) | _ONE_BITS).view(np.float64)
    v = np.uint64((((c << _SHIFT) | d) >> _MANTISSA_SHIFT) | _ONE_BITS).view(np.float64)
    return (u - 1.0) + _HALF_ULP, (v - 1.0) + _HALF_ULP


@njit(inline="always", error_model="numpy")
def normal_pair(key: np.uint64, path: np.int64, stream: int, index: int) -> tuple[float, float]:
    """Return two independent standard normals (Box and Muller)."""
    u, v = uniform_pair(key, path, stream, index)
    radius = np.sqrt(-2.0 * arithmetic.log(u))
    s, c = arithmetic.sine_cosine(v)
    return radius * c, radius * s


@njit(nogil=True, cache=True, error_model="numpy")
def _box_muller(
    key: np.uint64,
    stream: int,
    path: np.int64,
    sign: float,
    cosines: NDArray[np.float64],
    sines: NDArray[np.float64],
) -> None:
    for i in range(sines.shape[0]):
        a, b = normal_pair(key, path, stream, i)
        cosines[i] = sign * a
        sines[i] = sign * b


@_nogil
def fill_normals(
    key: np.uint64, stream: int, first: int, antithetic: bool, out: NDArray[np.float64]
) -> None:
    """Fill `out`, shape (paths, n), with standard normals; row r belongs to path first + r.

    With `antithetic`, paths 2k and 2k + 1 share their numbers with opposite signs.
    """
    n = out.shape[1]
    whole = n // 2
    half = n - whole
    for r in range(out.shape[0]):
        path = np.int64(first + r)
        sign = 1.0
        if antithetic:
            sign = 1.0 - 2.0 * (path & 1)
            path >>= 1
        # Two slices, not one row with offsets: only so does LLVM vectorise the loop.
        _box_muller(key, stream, path, sign, out[r, :whole], out[r, half:])
        if whole < half:
            out[r, whole] = sign * normal_pair(key, path, stream, whole)[0]
