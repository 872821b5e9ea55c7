"""Bad debt over time: its quantiles across paths at the end of every day.

The battery values what no collateral pays at its horizon, so each mark is a
run of its own that ends there, on the beginnings of the same paths. The last
mark is the battery's own horizon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluator.market import Market
from evaluator.stress.battery import Battery
from evaluator.stress.engine import engine_named
from evaluator.stress.estimate import quantile_interval
from evaluator.stress.outcome import OutcomePair
from evaluator.stress.processes.process import PriceProcess
from evaluator.stress.stored import StoredPaths
from evaluator.stress.trial import Flag, parameter_sets, simulate

FloatArray = NDArray[np.float64]

LEVELS = (0.5, 0.9, 0.95, 0.99)
# More paths would narrow quantiles that a chart shows by the width of a line.
MOST_PATHS = 1_000
MARKS = 7


@dataclass(frozen=True, kw_only=True, eq=False)
class BadDebtFan:
    """Quantiles of new bad debt over time, one table for each parameter set. K marks."""

    time: FloatArray  # shape (K + 1,); s after execution, 0 first
    levels: tuple[float, ...]  # ascending quantile levels
    before: FloatArray  # shape (levels, K + 1); USD, today's parameters and book
    after: FloatArray  # shape (levels, K + 1); USD, the proposal's parameters, same book
    responding: FloatArray | None  # the same, borrowers use the room; None: no new room
    samples: int  # paths


def bad_debt_fan(
    before: Market,
    after: Market,
    *,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    pair: OutcomePair | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Flag | None = None,
) -> BadDebtFan:
    """Return the fan of two readings of a market on the first paths of the battery's seed.

    `pair` is what the battery came to if it was run already: the last mark is its own.
    """
    universe, existing, sets = parameter_sets(before, after)
    paths = min(battery.paths, MOST_PATHS)
    K = min(MARKS, battery.steps)
    ends = [round(battery.steps * (k + 1) / K) for k in range(K)]
    table = np.zeros((len(sets), len(LEVELS), K + 1))
    law = StoredPaths.draw(process, seed=seed, paths=paths, steps=battery.steps)
    known = None if pair is None or len(pair.before) < paths else pair
    for k, end in enumerate(ends):
        if known is not None and end == battery.steps:
            runs = (known.before, known.after, known.responding)
            outcomes = tuple(outcome for outcome in runs if outcome is not None)
        else:
            outcomes, _ = simulate(
                sets,
                universe=universe,
                existing=existing,
                process=law,
                battery=replace(battery, paths=paths, horizon=end * battery.step),
                seed=seed,
                engine=engine_named("certificate"),
                workers=workers,
                cancelled=cancelled,
            )
        for i, outcome in enumerate(outcomes):
            loss = outcome.new_bad_debt[:paths]
            table[i, :, k + 1] = [quantile_interval(loss, a, battery.level)[0] for a in LEVELS]
        if progress is not None:
            progress(k + 1, K)
    return BadDebtFan(
        time=np.array([0, *ends], dtype=np.float64) * battery.step,
        levels=LEVELS,
        before=table[0],
        after=table[1],
        responding=table[2] if len(sets) > 2 else None,
        samples=paths,
    )
