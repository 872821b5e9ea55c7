"""Safe values: how far a parameter may go and still keep a promise.

A promise bounds a metric, by a number ("P(insolvency) <= 0.001") or by today's
value ("P(insolvency) <= today"). It is kept at a value when the whole interval
keeps it, in the book as it is and in the one that uses all new room; every
value is tried on the same paths.

Several parameters are moved together along the line from today's values to the
proposed ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.market import Market
from evaluator.stress.battery import Battery
from evaluator.stress.engine import engine_named
from evaluator.stress.estimate import Estimate
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.lever import Lever, find_lever
from evaluator.stress.metrics import (
    METRICS,
    SurvivalMetrics,
    metric_difference,
    survival_metric,
    survival_metrics,
)
from evaluator.stress.outcome import Outcome
from evaluator.stress.processes.process import PriceProcess
from evaluator.stress.response import responding_market
from evaluator.stress.trial import Flag, simulate
from evaluator.stress.universe import Universe

# How a promise may name a metric.
_NAMES = {
    "p(insolvency)": "bad_debt_probability",
    "p(bad debt)": "bad_debt_probability",
    "e(bad debt)": "expected_bad_debt",
    "var95": "value_at_risk_95",
    "var99": "value_at_risk_99",
    "es95": "expected_shortfall_95",
    "es99": "expected_shortfall_99",
    "es99.9": "expected_shortfall_999",
    "lar95": "liquidations_at_risk_95",
    "p(freeze)": "freeze_probability",
}
_PROMISE = re.compile(r"^\s*(?P<metric>.+?)\s*<=\s*(?P<bound>[^\s]+)\s*$")

# "Today's odds" are kept when the paired interval excludes a rise of more than
# this share of today's value, or of more than this many of the unit.
SLACK_SHARE = 0.10
SLACK_FRACTION = 0.001
SLACK_USD = 10_000.0
# Values tried between today's and the proposed one before the nearest is refined.
GRID = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """An upper bound on a metric of SurvivalMetrics."""

    metric: str  # name of the field
    bound: float | None  # in the metric's unit; None: what it is today

    @classmethod
    def parse(cls, text: str) -> Promise:
        """Read "P(insolvency) <= 0.001", "es99 <= 2e6" or "P(insolvency) <= today"."""
        found = _PROMISE.match(text)
        name = found["metric"].lower() if found else ""
        metric = _NAMES.get(name, name)
        if not found or metric not in METRICS:
            raise ConfigurationError(
                f"cannot read the promise {text!r}; expected a metric, <= and a number or "
                f"'today', for example 'P(insolvency) <= 0.001'; metrics are "
                + ", ".join([*_NAMES, *sorted(METRICS)])
            )
        if found["bound"].lower() == "today":
            return cls(metric=metric, bound=None)
        try:
            return cls(metric=metric, bound=float(found["bound"]))
        except ValueError as error:
            raise ConfigurationError(
                f"the promise {text!r} needs a number or 'today' after <=, got {found['bound']!r}"
            ) from error


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One point that was tried."""

    position: float  # 0 is today's parameters, 1 the proposed ones
    values: tuple[float, ...]  # of each lever
    kept: bool  # the promise, with confidence, in both books
    metric: Estimate  # the promised metric in the worse of the two books
    change: Estimate  # its paired difference to today, in the same book


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The furthest values towards the proposed ones that keep a promise."""

    paths: tuple[str, ...]  # of the levers
    today: tuple[float, ...]  # their values
    proposed: tuple[float, ...]  # their values
    safe: tuple[float, ...] | None  # their values; None: even today's do not keep the promise
    promise: Promise  # what is kept
    level: float  # confidence
    trials: tuple[Trial, ...]  # every point tried, by position

    @property
    def beyond(self) -> bool:
        """Whether the proposed values are further than the safe ones."""
        return self.safe != self.proposed


@dataclass(frozen=True)
class _Course:
    """Runs parameter sets on common paths, today's first."""

    today: Market
    battery: Battery
    process: PriceProcess
    seed: int
    engine: str
    workers: int | None
    cancelled: Flag | None

    def outcomes(self, markets: Sequence[Market]) -> list[tuple[Outcome, Outcome]]:
        """Outcomes of each market with its own book and with the responding one."""
        universe = Universe.of(self.today, self.today)
        sets = []
        for m in markets:
            sets += [m, responding_market(self.today, m) or m]
        distinct = list({id(m): m for m in sets}.values())
        got, _ = simulate(
            [(m, universe.before) for m in distinct],
            universe=universe,
            existing=existing_bad_debt(self.today, universe.base),
            process=self.process,
            battery=self.battery,
            seed=self.seed,
            engine=engine_named(self.engine),
            workers=self.workers,
            cancelled=self.cancelled,
        )
        by_market = {id(m): o for m, o in zip(distinct, got, strict=True)}
        return [
            (by_market[id(sets[2 * k])], by_market[id(sets[2 * k + 1])])
            for k in range(len(markets))
        ]


def _slack(today: Estimate) -> float:
    least = SLACK_FRACTION if today.unit == "fraction" else SLACK_USD
    return max(SLACK_SHARE * abs(today.value), least)


def _judge(
    promise: Promise,
    today: Outcome,
    books: tuple[Outcome, Outcome],
    battery: Battery,
    position: float,
    values: tuple[float, ...],
) -> Trial:
    base = survival_metric(today, battery, promise.metric)
    worst: tuple[float, Estimate, Estimate] | None = None
    kept = True
    for outcome in {id(o): o for o in books}.values():
        metric = survival_metric(outcome, battery, promise.metric)
        change = metric_difference(today, outcome, battery, promise.metric)
        if promise.bound is not None:
            kept = kept and metric.upper <= promise.bound
        else:
            same = change.events == 0  # not one path differs
            kept = kept and (same or change.upper <= _slack(base))
        if worst is None or metric.value > worst[0]:
            worst = (metric.value, metric, change)
    assert worst is not None  # there is always a book
    return Trial(position=position, values=values, kept=kept, metric=worst[1], change=worst[2])


def recommend(
    market: Market,
    targets: Sequence[tuple[str, float]],
    *,
    promise: Promise,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    engine: str = "certificate",
    workers: int | None = None,
    refinements: int = 5,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Flag | None = None,
) -> Recommendation:
    """Return the values nearest to `targets`, (path, value) each, that keep `promise`.

    A grid from today's values to the targets is tried on common paths, then
    the interval between the last value that keeps the promise and the first
    that does not is halved `refinements` times. Values beyond the first
    failure are not recommended even if they keep it again.
    """
    levers = [find_lever(market, path) for path, _ in targets]
    proposed = tuple(value for _, value in targets)
    course = _Course(market, battery, process, seed, engine, workers, cancelled)

    def values_at(position: float) -> tuple[float, ...]:
        if position >= 1.0:
            return proposed
        return tuple(
            lever.rounded(lever.value + position * (value - lever.value))
            for lever, value in zip(levers, proposed, strict=True)
        )

    def market_at(position: float) -> Market:
        return _with_values(market, levers, values_at(position))

    total = GRID + 1 + refinements
    positions = [float(x) for x in np.linspace(0.0, 1.0, GRID + 1)]
    books = course.outcomes([market if x == 0.0 else market_at(x) for x in positions])
    today = books[0][0]
    trials = [
        _judge(promise, today, b, battery, x, values_at(x))
        for x, b in zip(positions, books, strict=True)
    ]
    if progress is not None:
        progress(GRID + 1, total)
    failed = next((k for k, t in enumerate(trials) if not t.kept), None)
    if failed is None:
        safe: tuple[float, ...] | None = proposed
    elif failed == 0:
        safe = None
    else:
        good, bad = positions[failed - 1], positions[failed]
        safe = values_at(good)
        for n in range(refinements):
            middle = 0.5 * (good + bad)
            values = values_at(middle)
            if values in (values_at(good), values_at(bad)):
                break  # the protocol knows nothing in between
            (b,) = course.outcomes([market_at(middle)])
            trial = _judge(promise, today, b, battery, middle, values)
            trials.append(trial)
            if trial.kept:
                good, safe = middle, values
            else:
                bad = middle
            if progress is not None:
                progress(GRID + 2 + n, total)
    return Recommendation(
        paths=tuple(path for path, _ in targets),
        today=tuple(lever.value for lever in levers),
        proposed=proposed,
        safe=safe,
        promise=promise,
        level=battery.level,
        trials=tuple(sorted(trials, key=lambda t: t.position)),
    )


def _with_values(market: Market, levers: Sequence[Lever], values: Sequence[float]) -> Market:
    for lever, value in zip(levers, values, strict=True):
        market = lever.apply(market, value)
    return market


@dataclass(frozen=True, kw_only=True)
class SweepPoint:
    """The metrics of one combination of values."""

    values: tuple[float, ...]  # of each lever
    static: SurvivalMetrics  # with the book as it is
    responding: SurvivalMetrics | None  # with the book that uses new room, if there is any


def sweep(
    market: Market,
    axes: Sequence[tuple[str, Sequence[float]]],
    *,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    engine: str = "certificate",
    workers: int | None = None,
    cancelled: Flag | None = None,
) -> tuple[SweepPoint, ...]:
    """Return the metrics on the grid of all combinations of `axes`, (path, values) each.

    The last axis varies fastest. Every point runs on the same paths.
    """
    levers = [find_lever(market, path) for path, _ in axes]
    grid = np.stack(np.meshgrid(*[v for _, v in axes], indexing="ij"), axis=-1)
    combinations = [tuple(float(x) for x in row) for row in grid.reshape(-1, len(axes))]
    course = _Course(market, battery, process, seed, engine, workers, cancelled)
    books = course.outcomes([_with_values(market, levers, c) for c in combinations])
    return tuple(
        SweepPoint(
            values=values,
            static=survival_metrics(static, battery),
            responding=None if other is static else survival_metrics(other, battery),
        )
        for values, (static, other) in zip(combinations, books, strict=True)
    )
