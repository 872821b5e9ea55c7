"""When bad debt first exceeds the threshold, with censoring at the horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluator.stress.battery import Battery
from evaluator.stress.estimate import Estimate, quantile_interval
from evaluator.stress.outcome import Outcome


@dataclass(frozen=True, kw_only=True, eq=False)
class FirstPassage:
    """First-passage times of one parameter set, known to a step."""

    events: int  # paths that became insolvent
    censored: int  # paths that reached the horizon without
    median: Estimate | None  # s, of the paths that became insolvent; None: none did


def first_passage(outcome: Outcome, battery: Battery) -> FirstPassage:
    """Return how many paths became insolvent and the median time at which they did."""
    first = outcome.first_insolvency
    times = first[first >= 0].astype(np.float64) * battery.step
    median = None
    if len(times):
        value, lower, upper = quantile_interval(times, 0.5, battery.level)
        median = Estimate(
            name="first_passage",
            value=value,
            lower=lower,
            upper=upper,
            level=battery.level,
            percentile=0.5,
            horizon=battery.horizon,
            samples=len(times),
            events=len(times),
            unit="s",
        )
    return FirstPassage(events=len(times), censored=len(first) - len(times), median=median)
