"""Intervals from groups of paths that are independent of each other.

Antithetic pairs and points of one scrambled Sobol sequence are not independent
paths; pairs of each other and scramblings of each other are (Owen, "Monte Carlo
theory, methods and examples", 8.2 and 17.3). An estimate is taken as the mean
of one term a path, its variance from what the groups' sums scatter, and
Student's t stands for the normal where there are few groups.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evaluator.stress.battery import Battery
from evaluator.stress.processes.process import SCRAMBLINGS, SOBOL_RUN, Sampling

FloatArray = NDArray[np.float64]
Interval = tuple[float, float, float]  # value, lower, upper

# With fewer paths that decide, or fewer groups, groups tell too little about the scatter:
# the interval of independent paths is kept where it is wider.
_FEW_PATHS, _FEW_GROUPS = 30, 8


def groups_of(paths: int, sampling: Sampling) -> NDArray[np.int64]:
    """Return the group of each of the first `paths` paths, shape (P,)."""
    number = np.arange(paths)
    if sampling is Sampling.ANTITHETIC:
        return number // 2
    if sampling is Sampling.SOBOL:
        return number // SOBOL_RUN % SCRAMBLINGS
    return number


def interval(
    plain: Interval,
    terms: FloatArray,
    battery: Battery,
    *,
    deciding: int,
    least: float = -math.inf,
    most: float = math.inf,
) -> Interval:
    """Return the interval of an estimate under the battery's sampling.

    `plain` is the one for independent paths, `terms` has shape (P,) and the
    estimate as its mean up to a constant, `deciding` is the number of paths it
    rests on, `least` and `most` bound what is estimated.
    """
    n = len(terms)
    if battery.sampling is Sampling.PSEUDO or n < 2:
        return plain
    group = groups_of(n, battery.sampling)
    size = np.bincount(group).astype(np.float64)
    count = len(size)
    value, lower, upper = plain
    if count > 1:
        scatter = np.bincount(group, weights=terms) - size * float(terms.mean())
        error = math.sqrt(count / (count - 1.0) * float(scatter @ scatter)) / n
        half = float(special.stdtrit(count - 1, 0.5 + 0.5 * battery.level)) * error
        low, high = max(value - half, least), min(value + half, most)
    else:
        low, high = lower, upper
    if deciding < _FEW_PATHS or count < _FEW_GROUPS:
        return value, min(low, lower), max(high, upper)
    return value, low, high
