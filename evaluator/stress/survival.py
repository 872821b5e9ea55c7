"""The survival function of one outcome, and the difference of two on the same paths.

S(t) = P(T > t) with T the first step at which bad debt exceeds the battery's
threshold; a path that never gets there is censored at the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.stress import estimate as est
from evaluator.stress import replicates
from evaluator.stress.battery import Battery
from evaluator.stress.estimate import BoolArray, FloatArray
from evaluator.stress.outcome import Outcome
from evaluator.stress.processes.process import Sampling


@dataclass(frozen=True, kw_only=True, eq=False)
class SurvivalCurve:
    """S(t) with pointwise bands, or the difference of two."""

    time: FloatArray  # shape (S + 1,); s after execution
    value: FloatArray  # shape (S + 1,); probability of no insolvency up to and including t
    lower: FloatArray  # shape (S + 1,); pointwise
    upper: FloatArray  # shape (S + 1,); pointwise
    level: float  # confidence level of the bands
    samples: int  # paths
    censored: int  # paths that reached the horizon without insolvency (both of a pair)
    step: float  # s between looks


def chance_interval(happens: BoolArray, battery: Battery) -> tuple[float, float, float]:
    """Return the share of paths, shape (P,), on which something happens, with its interval."""
    k, n = int(np.count_nonzero(happens)), len(happens)
    return replicates.interval(
        (k / n, *est.share_interval(k, n, battery.level)),
        happens.astype(np.float64),
        battery,
        deciding=min(k, n - k),
        least=0.0,
        most=1.0,
    )


def _alive(outcome: Outcome, steps: int) -> NDArray[np.int64]:
    first = outcome.first_insolvency
    deaths = np.bincount(first[first >= 0], minlength=steps + 1)[: steps + 1]
    return (len(first) - np.cumsum(deaths)).astype(np.int64)


def survival_curve(outcome: Outcome, battery: Battery) -> SurvivalCurve:
    """Return S(t) at every step with pointwise intervals.

    Every path is watched to the horizon, so censoring happens there only and
    the Kaplan-Meier estimate is the share alive.
    """
    n, steps = len(outcome), battery.steps
    alive = _alive(outcome, steps)
    first = np.where(outcome.first_insolvency < 0, steps + 1, outcome.first_insolvency)
    ends = {
        int(k): chance_interval(first > int(np.argmax(alive == k)), battery)[1:]
        for k in np.unique(alive)
    }
    return SurvivalCurve(
        time=np.arange(steps + 1, dtype=np.float64) * battery.step,
        value=alive / n,
        lower=np.array([ends[int(k)][0] for k in alive]),
        upper=np.array([ends[int(k)][1] for k in alive]),
        level=battery.level,
        samples=n,
        censored=int(alive[-1]),
        step=battery.step,
    )


def survival_difference(before: Outcome, after: Outcome, battery: Battery) -> SurvivalCurve:
    """Return how much higher S(t) is after than before on the same paths."""
    n, steps = len(before), battery.steps
    a = np.where(before.first_insolvency < 0, steps + 1, before.first_insolvency)
    b = np.where(after.first_insolvency < 0, steps + 1, after.first_insolvency)
    t = np.arange(steps + 1)
    # Paths that live longer after than before, and the other way round, at each t.
    gained = np.zeros(steps + 2, dtype=np.int64)
    lost = np.zeros(steps + 2, dtype=np.int64)
    for better, worse, count in ((b, a, gained), (a, b, lost)):
        longer = better > worse
        np.add.at(count, worse[longer], 1)
        np.add.at(count, better[longer], -1)
    p12 = (np.cumsum(gained)[: steps + 1] + 1) / (n + 2)
    p21 = (np.cumsum(lost)[: steps + 1] + 1) / (n + 2)
    value = (np.cumsum(gained) - np.cumsum(lost))[: steps + 1] / n
    middle = p12 - p21
    half = est.normal_quantile(battery.level) * np.sqrt((p12 + p21 - middle**2) / (n + 2))
    lower, upper = np.minimum(middle - half, value), np.maximum(middle + half, value)
    if battery.sampling is not Sampling.PSEUDO:
        for s in t:
            moved = (b > s).astype(np.float64) - (a > s)
            _, lower[s], upper[s] = replicates.interval(
                (float(value[s]), float(lower[s]), float(upper[s])),
                moved,
                battery,
                deciding=int(np.count_nonzero(moved)),
                least=-1.0,
                most=1.0,
            )
    return SurvivalCurve(
        time=t.astype(np.float64) * battery.step,
        value=value,
        lower=lower,
        upper=upper,
        level=battery.level,
        samples=n,
        censored=int(np.count_nonzero((a > steps) & (b > steps))),
        step=battery.step,
    )
