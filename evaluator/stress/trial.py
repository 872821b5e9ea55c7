"""Runs a battery on two readings of a market, or on any number of parameter sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import Cancelled
from evaluator.market import Market
from evaluator.stress.battery import Battery
from evaluator.stress.engine import Engine, engine_named
from evaluator.stress.job import PATHS_PER_BLOCK, Job
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.outcome import Outcome, OutcomePair
from evaluator.stress.processes.process import PriceProcess
from evaluator.stress.response import responding_market
from evaluator.stress.threads import Flag, Progress, available_cores, run_on_threads
from evaluator.stress.universe import Universe

__all__ = [
    "PATHS_PER_BLOCK",
    "Flag",
    "Progress",
    "available_cores",
    "extend",
    "parameter_sets",
    "run",
    "simulate",
]


def run(
    before: Market,
    after: Market,
    *,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    workers: int | None = None,
    progress: Progress | None = None,
    cancelled: Flag | None = None,
    engine: str = "certificate",
    scheduler: str | None = None,
) -> OutcomePair:
    """Run a battery on two readings of a market, on the same paths.

    `process` gives the columns of `Universe.of(before, after)`. A third run,
    with borrowers who use the room the proposal gives, is made when it gives
    any. `progress(done, total)` counts paths. `workers` threads run here, or
    the workers of a Dask `scheduler` ("tcp://...") with the same digests. When
    `cancelled` is set (or Ctrl-C is pressed) the pair holds the paths done so
    far, without a gap; Cancelled is raised when there are none.
    """
    universe, existing, sets = parameter_sets(before, after)
    outcomes, complete = simulate(
        sets,
        universe=universe,
        existing=existing,
        process=process,
        battery=battery,
        seed=seed,
        workers=workers,
        progress=progress,
        cancelled=cancelled,
        engine=engine_named(engine),
        scheduler=scheduler,
    )
    return OutcomePair(
        before=outcomes[0],
        after=outcomes[1],
        responding=outcomes[2] if len(sets) > 2 else None,
        seed=seed,
        complete=complete,
    )


def extend(
    pair: OutcomePair,
    before: Market,
    after: Market,
    *,
    process: PriceProcess,
    battery: Battery,
    workers: int | None = None,
    progress: Progress | None = None,
    cancelled: Flag | None = None,
    scheduler: str | None = None,
) -> OutcomePair:
    """Go on with a complete pair up to `battery.paths` paths.

    The result is, to the bit, that of `run` with as many paths. When stopped
    early the pair that was given is returned, marked as not complete.
    """
    universe, existing, sets = parameter_sets(before, after)
    try:
        outcomes, complete = simulate(
            sets,
            universe=universe,
            existing=existing,
            process=process,
            battery=battery,
            seed=pair.seed,
            workers=workers,
            progress=progress,
            cancelled=cancelled,
            engine=engine_named("certificate"),
            scheduler=scheduler,
            first=len(pair.before),
        )
    except Cancelled:
        return replace(pair, complete=False)
    earlier = (pair.before, pair.after, pair.responding)
    joined = [
        Outcome.concatenate([old, new])
        for old, new in zip(earlier, outcomes, strict=False)
        if old is not None
    ]
    return OutcomePair(
        before=joined[0],
        after=joined[1],
        responding=joined[2] if len(joined) > 2 else None,
        seed=pair.seed,
        complete=complete,
    )


def parameter_sets(
    before: Market, after: Market
) -> tuple[Universe, float, tuple[tuple[Market, NDArray[np.int64]], ...]]:
    """Return the assets, today's bad debt (USD) and what is compared, each with its columns.

    Compared are today's market, the proposal's with the same book and, where
    the proposal gives borrowers room, with a book that uses it.
    """
    universe = Universe.of(before, after)
    existing = existing_bad_debt(before, universe.base[universe.before])
    sets = [(before, universe.before), (after, universe.after)]
    responding = responding_market(before, after)
    if responding is not None:
        sets.append((responding, universe.after))
    return universe, existing, tuple(sets)


def simulate(
    markets: Sequence[tuple[Market, NDArray[np.int64]]],
    *,
    universe: Universe,
    existing: float,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    engine: Engine,
    workers: int | None = None,
    progress: Progress | None = None,
    cancelled: Flag | None = None,
    scheduler: str | None = None,
    first: int = 0,
) -> tuple[tuple[Outcome, ...], bool]:
    """Run any number of parameter sets, (market, its columns), on the same paths.

    The paths are `first` to `battery.paths` less one; `extend` joins them to earlier ones.
    Returns an outcome per market and whether every path was run.
    """
    job = Job(
        markets=tuple(markets),
        universe=universe,
        existing=existing,
        process=process,
        battery=battery,
        seed=seed,
        engine=engine,
        first=first,
    )
    if scheduler is None:
        done = run_on_threads(job, workers=workers, progress=progress, cancelled=cancelled)
    else:
        from evaluator.stress.cluster import run_on_cluster  # Dask is an extra

        done = run_on_cluster(job, scheduler, progress=progress, cancelled=cancelled)
    if not done:
        raise Cancelled("the battery was stopped before its first block of paths was done")
    parts = zip(*done, strict=True)
    return tuple(Outcome.concatenate(p) for p in parts), len(done) == len(job)
