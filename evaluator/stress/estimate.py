"""Numbers estimated from a sample of paths, each with its confidence interval.

Intervals: Clopper-Pearson or Wilson for shares, Bonett and Price (2012) for
paired shares, the central limit theorem or a seeded bootstrap for means, order
statistics for quantiles, the influence function for expected shortfall. L is
the loss per path, a the percentile, n the number of paths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Below this many paths that are not 0 the normal interval of a mean is too
# narrow for a skewed loss, and the bootstrap takes over.
_FEW = 1000
_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """One estimated number; nothing about it is left to be guessed."""

    name: str  # "expected_shortfall", "bad_debt_probability", ...
    value: float  # point estimate
    lower: float  # lower end of the interval
    upper: float  # upper end of the interval
    level: float  # confidence level of the interval, fraction
    percentile: float | None  # of the loss distribution, fraction; None where it has no meaning
    horizon: float  # s after execution
    samples: int  # paths
    events: int  # paths on which the quantity is not 0
    unit: str  # "fraction", "USD", ...


def normal_quantile(level: float) -> float:
    """Return z with P(|Z| <= z) = level."""
    return float(special.ndtri(0.5 + 0.5 * level))


def share_interval(events: int, samples: int, level: float) -> tuple[float, float]:
    """Return the interval of a share: Clopper-Pearson for few events, else Wilson.

    As `scipy.stats.binomtest(...).proportion_ci`, whose set-up takes a thousand times as long.
    """
    k, n = float(events), float(samples)
    tail = 0.5 * (1.0 - level)
    if min(events, samples - events) < 10:
        low = float(special.betaincinv(k, n - k + 1.0, tail)) if events > 0 else 0.0
        high = float(special.betaincinv(k + 1.0, n - k, 1.0 - tail)) if events < samples else 1.0
        return low, high
    z = normal_quantile(level)
    share = k / n
    middle = (share + z * z / (2.0 * n)) / (1.0 + z * z / n)
    half = z / (1.0 + z * z / n) * math.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def paired_share_interval(
    before: BoolArray, after: BoolArray, level: float
) -> tuple[float, float, float]:
    """Return P(after) - P(before) on the same paths with its interval.

    Adjusted Wald interval of Bonett and Price, "Adjusted Wald confidence
    interval for a difference of binomial proportions based on paired data",
    J. Educ. Behav. Stat. 37 (2012).
    """
    n = len(before)
    gained = int(np.count_nonzero(after & ~before))
    lost = int(np.count_nonzero(before & ~after))
    p12, p21 = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    middle = p12 - p21
    half = normal_quantile(level) * math.sqrt(max(p12 + p21 - middle * middle, 0.0) / (n + 2))
    value = (gained - lost) / n
    return (value, max(min(middle - half, value), -1.0), min(max(middle + half, value), 1.0))


def mean_interval(x: FloatArray, level: float, seed: int) -> tuple[float, float, float]:
    """Return the mean of `x` with its interval.

    With few values that are not 0, a percentile bootstrap seeded by `seed`
    that draws the number of such values and then the values; otherwise the
    normal interval.
    """
    n = len(x)
    mean = float(x.mean())
    moved = x[x != 0.0]
    if len(moved) == 0 or n < 2:
        return mean, mean, mean
    if len(moved) >= _FEW:
        half = normal_quantile(level) * float(x.std(ddof=1)) / math.sqrt(n)
        return mean, mean - half, mean + half
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0xB007,)))
    counts = rng.binomial(n, len(moved) / n, size=_RESAMPLES)
    draws = rng.choice(moved, size=int(counts.sum()))
    ends = np.concatenate(([0.0], np.cumsum(draws)))
    at = np.concatenate(([0], np.cumsum(counts)))
    means = (ends[at[1:]] - ends[at[:-1]]) / n
    low, high = np.quantile(means, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return mean, min(float(low), mean), max(float(high), mean)


def _binomial_quantile(q: float, n: int, a: float) -> int:
    """Return the least k with P(Binomial(n, a) <= k) >= q."""
    k = max(math.ceil(special.bdtrik(q, n, a)), 0)
    # The inverse is continuous in k and may end a hair above a whole number.
    return k - 1 if k > 0 and special.bdtr(k - 1, n, a) >= q else k


def quantile_ranks(n: int, a: float, level: float) -> tuple[int, int, int]:
    """Return 0-based ranks (point, lower, upper) of the a-quantile among n ordered values."""
    point = min(max(math.ceil(a * n) - 1, 0), n - 1)
    tail = 0.5 * (1.0 - level)
    low = _binomial_quantile(tail, n, a) - 1
    high = _binomial_quantile(1.0 - tail, n, a)
    return point, min(max(low, 0), point), max(min(high, n - 1), point)


def quantile_interval(x: FloatArray, a: float, level: float) -> tuple[float, float, float]:
    """Return the a-quantile of `x` with its order-statistic interval.

    With fewer than a handful of values above it the upper end is the sample's
    maximum, which then covers less often than `level`.
    """
    point, low, high = quantile_ranks(len(x), a, level)
    ordered = np.partition(x, (low, point, high))
    return float(ordered[point]), float(ordered[low]), float(ordered[high])


def quantile_influence(x: FloatArray, a: float) -> FloatArray:
    """Per-path influence on the a-quantile, the density taken from order statistics.

    The spacing of the 68% order-statistic interval estimates 1 / f (Siddiqui;
    Bloch and Gastwirth).
    """
    n = len(x)
    value, low, high = quantile_interval(x, a, 0.6827)
    sparsity = (high - low) / (2.0 * math.sqrt(a * (1.0 - a) / n))
    return sparsity * (a - (x <= value).astype(np.float64))


def shortfall_influence(x: FloatArray, a: float) -> FloatArray:
    """Per-path terms whose mean is the expected shortfall at a (Rockafellar and Uryasev)."""
    point, _, _ = quantile_ranks(len(x), a, 0.95)
    value = float(np.partition(x, point)[point])
    return value + np.maximum(x - value, 0.0) / (1.0 - a)


def shortfall_interval(x: FloatArray, a: float, level: float) -> tuple[float, float, float]:
    """Return the mean of the worst 1 - a of `x` with its interval (never below VaR's sign)."""
    terms = shortfall_influence(x, a)
    value = float(terms.mean())
    if len(x) < 2:
        return value, value, value
    half = normal_quantile(level) * float(terms.std(ddof=1)) / math.sqrt(len(x))
    low = max(value - half, 0.0) if float(x.min()) >= 0.0 else value - half
    return value, low, value + half


def quantile_difference(
    before: FloatArray, after: FloatArray, a: float, level: float
) -> tuple[float, float, float]:
    """Return the difference of a-quantiles on the same paths with its normal interval."""
    point, _, _ = quantile_ranks(len(before), a, level)
    value = float(np.partition(after, point)[point] - np.partition(before, point)[point])
    d = quantile_influence(after, a) - quantile_influence(before, a)
    half = normal_quantile(level) * float(d.std(ddof=1)) / math.sqrt(len(d)) if len(d) > 1 else 0.0
    return value, value - half, value + half


def shortfall_difference(
    before: FloatArray, after: FloatArray, a: float, level: float
) -> tuple[float, float, float]:
    """Return the difference of expected shortfalls on the same paths with its interval."""
    d = shortfall_influence(after, a) - shortfall_influence(before, a)
    value = float(d.mean())
    half = normal_quantile(level) * float(d.std(ddof=1)) / math.sqrt(len(d)) if len(d) > 1 else 0.0
    return value, value - half, value + half
