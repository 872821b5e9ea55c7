"""Jumps and tails in past returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import CalibrationError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_BIPOWER = np.pi / 2.0  # 1 / E|Z|^2 for a standard normal Z


def bipower_variance(returns: FloatArray) -> float:
    """Return the variance per step that jumps do not inflate (Barndorff-Nielsen, Shephard 2004)."""
    if len(returns) < 2:
        raise CalibrationError("bipower variation needs at least two returns")
    size = np.abs(returns)
    return float(_BIPOWER * np.mean(size[1:] * size[:-1]))


def detect_jumps(returns: FloatArray, *, window: int, level: float = 0.01) -> BoolArray:
    """Return which returns are jumps, by the test of Lee and Mykland (RFS 21(6), 2008).

    Each return is divided by the bipower deviation of the `window` returns
    before it; the largest of all these ratios would pass the limit with chance
    `level` if returns were normal. The first `window` returns are judged by the deviation
    of that window itself, which looks ahead; later ones never do.
    """
    n = len(returns)
    if n < 10:
        return np.zeros(n, dtype=np.bool_)
    window = max(5, min(window, n - 1))
    size = np.abs(returns)
    products = np.concatenate([[0.0], np.cumsum(size[1:] * size[:-1])])
    # products[i] sums |r_j r_{j-1}| for j <= i; a window ends before the return judged.
    end = np.maximum(np.arange(n) - 1, window - 1)
    local = _BIPOWER * (products[end] - products[end - (window - 1)]) / (window - 1)
    positive = local[local > 0.0]
    if not len(positive):
        return size > 0.0
    # A feed that stood still for a window has no local variance; take the smallest there is.
    deviation = np.sqrt(np.where(local > 0.0, local, positive.min()))
    c = np.sqrt(2.0 / np.pi)
    spread = np.sqrt(2.0 * np.log(n))
    centre = spread / c - (np.log(np.pi) + np.log(np.log(n))) / (2.0 * c * spread)
    limit = centre - np.log(-np.log(1.0 - level)) / (c * spread)
    # The paper's statistic has deviation 1/c for normal returns, as `local` divides by E|Z|^2.
    return np.asarray(size > limit * c * deviation)


@dataclass(frozen=True, kw_only=True, slots=True)
class TailIndex:
    """How fast a tail falls: P(|r| > x) ~ x^-index."""

    index: float  # larger is thinner; infinite for a tail that falls exponentially
    standard_error: float  # of `index`
    exceedances: int  # order statistics used
    lowest: float  # index over the range of exceedances looked at, smallest
    highest: float  # index over the range of exceedances looked at, largest


def tail_index(losses: FloatArray) -> TailIndex:
    """Return Hill's estimate for the upper tail of `losses` where it is most stable.

    Hill (1975) is computed for 1% to 10% of the sample; the estimate is taken
    in the middle of the quarter of that range over which it changes least.
    Raises CalibrationError for fewer than 100 positive losses.
    """
    ordered = np.sort(losses[losses > 0.0])[::-1]
    n = len(ordered)
    if n < 100:
        raise CalibrationError(f"{n} losses cannot show a tail; give at least 100")
    low, high = max(10, n // 100), max(20, n // 10)
    logs = np.log(ordered[: high + 1])
    k = np.arange(low, high + 1)
    xi = np.cumsum(logs)[k - 1] / k - logs[k]
    if not np.all(xi > 0.0):
        raise CalibrationError("the largest losses are all equal; they show no tail")
    width = max(2, len(k) // 4)
    spans = np.array([np.ptp(xi[i : i + width]) for i in range(len(k) - width + 1)])
    chosen = int(np.argmin(spans)) + width // 2
    index = 1.0 / xi[chosen]
    return TailIndex(
        index=float(index),
        standard_error=float(index / np.sqrt(k[chosen])),
        exceedances=int(k[chosen]),
        lowest=float(1.0 / xi.max()),
        highest=float(1.0 / xi.min()),
    )
