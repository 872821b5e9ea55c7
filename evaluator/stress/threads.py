"""Runs a job's blocks on threads of this process; the kernels release the GIL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from evaluator.stress.job import Job
from evaluator.stress.outcome import Outcome

Progress = Callable[[int, int], None]


class Flag(Protocol):
    """Something that can be set from elsewhere, such as threading.Event."""

    def is_set(self) -> bool:
        """Return whether it was set."""
        ...


def available_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def prefix_of(results: dict[int, tuple[Outcome, ...]]) -> list[tuple[Outcome, ...]]:
    """Return the results of blocks 0, 1, ... up to the first that is missing."""
    prefix: list[tuple[Outcome, ...]] = []
    while len(prefix) in results:
        prefix.append(results[len(prefix)])
    return prefix


def run_on_threads(
    job: Job,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    cancelled: Flag | None = None,
) -> list[tuple[Outcome, ...]]:
    """Return the results of all blocks in order, or of those done when stopped, without a gap.

    Stops when `cancelled` is set and on Ctrl-C.
    """
    if cancelled is not None and cancelled.is_set():
        return []
    workers = workers or available_cores()
    models = job.models()
    results: dict[int, tuple[Outcome, ...]] = {}
    stop = threading.Event()
    paths = 0
    waiting = iter(range(len(job)))
    running: dict[Future[tuple[Outcome, ...]], int] = {}
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="battery") as pool:

        def refill() -> None:
            while len(running) < 2 * workers and not stop.is_set():
                block = next(waiting, None)
                if block is None:
                    return
                running[pool.submit(job.run, block, models)] = block

        try:
            refill()
            while running:
                finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    block = running.pop(future)
                    results[block] = future.result()
                    paths += job.count(block)
                    if progress is not None:
                        progress(paths, job.paths)
                if cancelled is not None and cancelled.is_set():
                    stop.set()
                refill()
        except KeyboardInterrupt:
            stop.set()
            for future, block in running.items():
                if not future.cancel():
                    results[block] = future.result()
        except BaseException:
            stop.set()
            for future in running:
                future.cancel()
            raise
    return prefix_of(results)
