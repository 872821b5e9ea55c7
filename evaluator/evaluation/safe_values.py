"""How far the changed parameters of a market may go and keep today's odds."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import replace
from types import TracebackType

from evaluator.errors import ConfigurationError
from evaluator.evaluation.measurement import Reading
from evaluator.evaluation.request import Progress
from evaluator.evaluation.stressing import Flag, Stressed
from evaluator.stress.lever import find_lever
from evaluator.stress.recommendation import Promise, recommend
from evaluator.verdict.evidence import SafeValueEvidence

# Fewer paths cannot tell a rise of a tenth from none; more add little to a search.
_LEAST_SAFE, _MOST_SAFE = 1_000, 4_000
_LOOK = 0.2  # s between looks at the search


def safe_values(
    reading: Reading,
    stressed: Stressed,
    *,
    seed: int,
    progress: Callable[[int, int], None],
    cancelled: Flag | None = None,
) -> tuple[SafeValueEvidence, ...] | None:
    """Return how far the changed parameters may go together and keep today's odds.

    `progress` is told how many values of how many were tried. None where no changed
    parameter can be moved by degrees, where the market has other reserves after
    execution, and where there are too few paths to tell.
    """
    before, after = reading.before, reading.after
    few = stressed.battery.paths < _LEAST_SAFE
    if after is None or before.symbols != after.symbols or few:
        return None
    targets = []
    for change in reading.changes:
        a, b = change.before, change.after
        if isinstance(a, bool | str | None) or isinstance(b, bool | str | None):
            continue
        if not (math.isfinite(a) and math.isfinite(b)):
            continue
        # A parameter the battery has no lever for says nothing here.
        with contextlib.suppress(ConfigurationError):
            find_lever(before, change.path)
            targets.append((change, b))
    if not targets:
        return None
    battery = replace(
        stressed.battery,
        paths=min(stressed.battery.paths, _MOST_SAFE),
    )
    found = recommend(
        before,
        [(change.path, value) for change, value in targets],
        promise=Promise(metric="bad_debt_probability", bound=None),
        process=stressed.process,
        battery=battery,
        seed=seed,
        refinements=4,
        progress=progress,
        cancelled=cancelled,
    )
    safe = found.safe or found.today
    return tuple(
        SafeValueEvidence(
            path=change.path,
            label=f"{change.asset} {change.label}".strip(),
            unit=change.unit,
            today=today,
            proposed=proposed,
            safe=value,
            confidence=found.level,
        )
        for (change, _), today, proposed, value in zip(
            targets, found.today, found.proposed, safe, strict=True
        )
    )


class BesideSearch:
    """The search for safe values in a thread; leaving the context ends it."""

    def __init__(
        self, reading: Reading, stressed: Stressed, *, seed: int, cancelled: Flag | None
    ) -> None:
        self._asked = cancelled
        self._left = threading.Event()
        self._count = (0, 1)  # values tried, of how many
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="safe values")
        self._search = self._pool.submit(
            safe_values, reading, stressed, seed=seed, progress=self._counted, cancelled=self
        )

    def __enter__(self) -> BesideSearch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._pool.shutdown()

    def is_set(self) -> bool:
        """Whether the search is to end."""
        return self._left.is_set() or (self._asked is not None and self._asked.is_set())

    def _counted(self, done: int, total: int) -> None:
        self._count = (done, total)

    def result(self, progress: Progress) -> tuple[SafeValueEvidence, ...] | None:
        """Wait for what `safe_values` returns or raises."""
        while True:
            try:
                return self._search.result(timeout=_LOOK)
            except NotYet:
                if self._search.done():
                    raise
                progress.advance(*self._count)
