"""Runs a battery: blocks of paths, any number of workers, the same result.

Paths are cut into blocks addressed by index. A block's paths follow from the
seed and their numbers alone and every parameter set meets the same ones
(common random numbers), so neither the number of workers nor the order in
which blocks finish can change a digit.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import Cancelled, ConfigurationError
from evaluator.market import Market
from evaluator.stress.battery import Battery
from evaluator.stress.engine import Engine, PathModel, engine_named
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.outcome import Outcome, OutcomePair
from evaluator.stress.processes.process import PriceProcess
from evaluator.stress.response import responding_market
from evaluator.stress.universe import Universe

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]

# Large enough to hide the cost of a call, small enough to stay in a core's cache.
PATHS_PER_BLOCK = 64


class Flag(Protocol):
    """Something that can be set from elsewhere, such as threading.Event."""

    def is_set(self) -> bool:
        """Return whether it was set."""
        ...


@dataclass(frozen=True, kw_only=True)
class Block:
    """Paths first .. first + count of a battery on every parameter set."""

    models: tuple[PathModel, ...]  # one per parameter set
    process: PriceProcess  # where the paths come from
    seed: int  # of the paths
    first: int  # number of the first path
    count: int  # paths in the block
    steps: int  # steps of a path
    columns: int  # assets the process must give

    def run(self) -> tuple[Outcome, ...]:
        """Draw the paths once and simulate every parameter set on them."""
        relative = self.process.paths(
            seed=self.seed, first=self.first, count=self.count, steps=self.steps
        )
        expected = (self.count, self.steps + 1, self.columns)
        if relative.shape != expected:
            raise ConfigurationError(
                f"price process {self.process.name}: paths of shape {expected} (paths, steps + 1, "
                f"assets) expected, got {relative.shape}"
            )
        return tuple(m.simulate(relative) for m in self.models)


def blocks(
    models: Sequence[PathModel],
    *,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    columns: int,
) -> tuple[Block, ...]:
    """Cut the battery's paths into blocks, in order."""
    return tuple(
        Block(
            models=tuple(models),
            process=process,
            seed=seed,
            first=first,
            count=min(PATHS_PER_BLOCK, battery.paths - first),
            steps=battery.steps,
            columns=columns,
        )
        for first in range(0, battery.paths, PATHS_PER_BLOCK)
    )


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
) -> OutcomePair:
    """Run a battery on two readings of a market, on the same paths.

    `process` gives the columns of `Universe.of(before, after)`. A third run,
    with borrowers who use the room the proposal gives, is made when it gives
    any. `progress(done, total)` counts paths. When `cancelled` is set (or
    Ctrl-C is pressed) the pair holds the paths done so far, without a gap;
    Cancelled is raised when there are none.
    """
    universe = Universe.of(before, after)
    existing = existing_bad_debt(before, universe.base[universe.before])
    sets = [(before, universe.before), (after, universe.after)]
    responding = responding_market(before, after)
    if responding is not None:
        sets.append((responding, universe.after))
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
    )
    return OutcomePair(
        before=outcomes[0],
        after=outcomes[1],
        responding=outcomes[2] if responding is not None else None,
        seed=seed,
        complete=complete,
    )


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
) -> tuple[tuple[Outcome, ...], bool]:
    """Run any number of parameter sets, (market, its columns), on the same paths.

    Returns an outcome per market and whether every path was run.
    """
    if abs(process.step / battery.step - 1.0) > 1e-9:
        raise ConfigurationError(
            f"price process {process.name} makes steps of {process.step:g} s, the battery of "
            f"{battery.step:g} s; make the process with the battery's step"
        )
    models = [
        engine(market, columns=columns, universe=universe, battery=battery, existing=existing)
        for market, columns in markets
    ]
    work = blocks(models, process=process, battery=battery, seed=seed, columns=len(universe.assets))
    done = _on_threads(work, workers or available_cores(), progress, cancelled, battery.paths)
    if not done:
        raise Cancelled("the battery was stopped before its first block of paths was done")
    parts = zip(*done, strict=True)
    return tuple(Outcome.concatenate(p) for p in parts), len(done) == len(work)


def available_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _on_threads(
    work: Sequence[Block],
    workers: int,
    progress: Progress | None,
    cancelled: Flag | None,
    total: int,
) -> list[tuple[Outcome, ...]]:
    """Run blocks on threads (the kernels release the GIL); return the finished prefix."""
    results: dict[int, tuple[Outcome, ...]] = {}
    stop = threading.Event()
    if cancelled is not None and cancelled.is_set():
        return []
    paths = 0
    waiting = iter(enumerate(work))
    running: dict[Future[tuple[Outcome, ...]], int] = {}
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="battery") as pool:

        def refill() -> None:
            while len(running) < 2 * workers and not stop.is_set():
                index, block = next(waiting, (-1, None))
                if block is None:
                    return
                running[pool.submit(block.run)] = index

        try:
            refill()
            while running:
                finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    index = running.pop(future)
                    results[index] = future.result()
                    paths += work[index].count
                    if progress is not None:
                        progress(paths, total)
                if cancelled is not None and cancelled.is_set():
                    stop.set()
                refill()
        except KeyboardInterrupt:
            stop.set()
            for future, index in running.items():
                if not future.cancel():
                    results[index] = future.result()
        except BaseException:
            stop.set()
            for future in running:
                future.cancel()
            raise
    prefix: list[tuple[Outcome, ...]] = []
    while len(prefix) in results:
        prefix.append(results[len(prefix)])
    return prefix
