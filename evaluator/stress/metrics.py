"""Survival metrics of one outcome, and the paired difference of two.

Losses are new bad debt in USD. VaR_a is the a-quantile of loss, ES_a the mean
of the worst 1 - a; S(t) = P(T > t) with T the first step at which bad debt
exceeds the battery's threshold; a path that never gets there is censored at
the horizon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.stress import estimate as est
from evaluator.stress import replicates
from evaluator.stress.battery import Battery
from evaluator.stress.estimate import BoolArray, Estimate, FloatArray
from evaluator.stress.outcome import Outcome, OutcomePair
from evaluator.stress.survival import (
    SurvivalCurve,
    chance_interval,
    survival_curve,
    survival_difference,
)

# The bootstrap's own stream; an interval must not change with the price paths' seed.
_BOOTSTRAP_SEED = 20200312


@dataclass(frozen=True, kw_only=True, eq=False)
class SurvivalMetrics:
    """Every metric of one parameter set, or of the difference of two on the same paths."""

    bad_debt_probability: Estimate  # P(new bad debt above the battery's threshold)
    expected_bad_debt: Estimate  # USD
    value_at_risk_95: Estimate  # USD of new bad debt
    value_at_risk_99: Estimate  # USD of new bad debt
    value_at_risk_999: Estimate  # USD of new bad debt
    expected_shortfall_95: Estimate  # USD of new bad debt
    expected_shortfall_99: Estimate  # USD of new bad debt
    expected_shortfall_999: Estimate  # USD of new bad debt
    expected_liquidated: Estimate  # USD of debt
    liquidations_at_risk_95: Estimate  # USD of debt, the 95% quantile
    liquidations_at_risk_99: Estimate  # USD of debt, the 99% quantile
    expected_user_harm: Estimate  # USD lost by borrowers healthy at market prices
    expected_liquidator_profit: Estimate  # USD
    expected_interest: Estimate  # USD accrued on debts
    freeze_probability: Estimate  # P(some asset cannot be withdrawn at some step)
    borrowing_power_used: Estimate  # debt over LTV-weighted collateral at the start, no sampling
    survival: SurvivalCurve  # S(t)

    def estimates(self) -> tuple[Estimate, ...]:
        """Return every Estimate in the order above."""
        values = (getattr(self, f.name) for f in fields(self))
        return tuple(v for v in values if isinstance(v, Estimate))


@dataclass(frozen=True, kw_only=True, eq=False)
class AssetMetrics:
    """Metrics of the bad debt in one asset, or of their difference."""

    symbol: str  # debt asset
    expected_bad_debt: Estimate  # USD
    expected_shortfall_99: Estimate  # USD


@dataclass(frozen=True)
class _Frame:
    """What every Estimate of one table has in common."""

    level: float  # confidence level
    horizon: float  # s
    samples: int  # paths

    @classmethod
    def of(cls, outcome: Outcome, battery: Battery) -> _Frame:
        return cls(battery.level, battery.horizon, len(outcome))

    def estimate(
        self,
        name: str,
        interval: tuple[float, float, float],
        events: int,
        unit: str = "USD",
        percentile: float | None = None,
    ) -> Estimate:
        value, lower, upper = interval
        return Estimate(
            name=name,
            value=value,
            lower=lower,
            upper=upper,
            level=self.level,
            percentile=percentile,
            horizon=self.horizon,
            samples=self.samples,
            events=events,
            unit=unit,
        )


def _nonzero(x: FloatArray) -> int:
    return int(np.count_nonzero(x))


def _beyond(x: FloatArray, a: float) -> int:
    """Number of paths beyond a quantile, which decide it."""
    return int(len(x) * (1.0 - a))


def _mean(x: FloatArray, battery: Battery) -> tuple[float, float, float]:
    plain = est.mean_interval(x, battery.level, _BOOTSTRAP_SEED)
    return replicates.interval(plain, x, battery, deciding=_nonzero(x))


def _shortfall(x: FloatArray, a: float, battery: Battery) -> tuple[float, float, float]:
    return replicates.interval(
        est.shortfall_interval(x, a, battery.level),
        est.shortfall_influence(x, a),
        battery,
        deciding=_beyond(x, a),
        least=0.0 if float(x.min()) >= 0.0 else -np.inf,
    )


def _shortfall_difference(
    x: FloatArray, y: FloatArray, a: float, battery: Battery
) -> tuple[float, float, float]:
    return replicates.interval(
        est.shortfall_difference(x, y, a, battery.level),
        est.shortfall_influence(y, a) - est.shortfall_influence(x, a),
        battery,
        deciding=_beyond(x, a),
    )


@dataclass(frozen=True)
class _Chance:
    """The chance of an event on a path."""

    happens: Callable[[Outcome, Battery], BoolArray]  # shape (P,)

    def of(self, outcome: Outcome, battery: Battery, name: str) -> Estimate:
        frame = _Frame.of(outcome, battery)
        k = int(np.count_nonzero(self.happens(outcome, battery)))
        return frame.estimate(
            name, chance_interval(self.happens(outcome, battery), battery), k, "fraction"
        )

    def difference(self, before: Outcome, after: Outcome, battery: Battery, name: str) -> Estimate:
        a, b = self.happens(before, battery), self.happens(after, battery)
        events = int(np.count_nonzero(a != b))
        interval = replicates.interval(
            est.paired_share_interval(a, b, battery.level),
            b.astype(np.float64) - a,
            battery,
            deciding=events,
            least=-1.0,
            most=1.0,
        )
        return _Frame.of(before, battery).estimate(name, interval, events, "fraction")


@dataclass(frozen=True)
class _Mean:
    """The mean of a quantity over the paths."""

    amount: Callable[[Outcome], FloatArray]  # shape (P,); USD

    def of(self, outcome: Outcome, battery: Battery, name: str) -> Estimate:
        x = self.amount(outcome)
        interval = _mean(x, battery)
        return _Frame.of(outcome, battery).estimate(name, interval, _nonzero(x))

    def difference(self, before: Outcome, after: Outcome, battery: Battery, name: str) -> Estimate:
        d = self.amount(after) - self.amount(before)
        interval = _mean(d, battery)
        return _Frame.of(before, battery).estimate(name, interval, _nonzero(d))


@dataclass(frozen=True)
class _Quantile:
    """A quantile of a quantity over the paths."""

    amount: Callable[[Outcome], FloatArray]  # shape (P,); USD
    percentile: float  # fraction

    def of(self, outcome: Outcome, battery: Battery, name: str) -> Estimate:
        x, a = self.amount(outcome), self.percentile
        interval = replicates.interval(
            est.quantile_interval(x, a, battery.level),
            est.quantile_influence(x, a),
            battery,
            deciding=_beyond(x, a),
            least=float(x.min()),
            most=float(x.max()),
        )
        return _Frame.of(outcome, battery).estimate(name, interval, _nonzero(x), percentile=a)

    def difference(self, before: Outcome, after: Outcome, battery: Battery, name: str) -> Estimate:
        x, y, a = self.amount(before), self.amount(after), self.percentile
        interval = replicates.interval(
            est.quantile_difference(x, y, a, battery.level),
            est.quantile_influence(y, a) - est.quantile_influence(x, a),
            battery,
            deciding=_beyond(x, a),
        )
        return _Frame.of(before, battery).estimate(name, interval, _nonzero(y - x), percentile=a)


@dataclass(frozen=True)
class _Shortfall:
    """The mean of the worst share of new bad debt."""

    percentile: float  # fraction

    def of(self, outcome: Outcome, battery: Battery, name: str) -> Estimate:
        x, a = outcome.new_bad_debt, self.percentile
        interval = _shortfall(x, a, battery)
        return _Frame.of(outcome, battery).estimate(name, interval, _nonzero(x), percentile=a)

    def difference(self, before: Outcome, after: Outcome, battery: Battery, name: str) -> Estimate:
        x, y, a = before.new_bad_debt, after.new_bad_debt, self.percentile
        interval = _shortfall_difference(x, y, a, battery)
        return _Frame.of(before, battery).estimate(name, interval, _nonzero(y - x), percentile=a)


class _BorrowingPower:
    """Debt over LTV-weighted collateral at the start: no sampling, no interval."""

    def of(self, outcome: Outcome, battery: Battery, name: str) -> Estimate:
        used = outcome.borrowing_power_used
        frame = _Frame.of(outcome, battery)
        return frame.estimate(name, (used, used, used), len(outcome), "fraction")

    def difference(self, before: Outcome, after: Outcome, battery: Battery, name: str) -> Estimate:
        used = after.borrowing_power_used - before.borrowing_power_used
        frame = _Frame.of(before, battery)
        return frame.estimate(name, (used, used, used), len(before), "fraction")


def _loss(outcome: Outcome) -> FloatArray:
    return outcome.new_bad_debt


def _liquidated(outcome: Outcome) -> FloatArray:
    return outcome.liquidated


_TABLE: dict[str, _Chance | _Mean | _Quantile | _Shortfall | _BorrowingPower] = {
    "bad_debt_probability": _Chance(lambda o, b: o.new_bad_debt > b.insolvency_threshold),
    "expected_bad_debt": _Mean(_loss),
    "value_at_risk_95": _Quantile(_loss, 0.95),
    "value_at_risk_99": _Quantile(_loss, 0.99),
    "value_at_risk_999": _Quantile(_loss, 0.999),
    "expected_shortfall_95": _Shortfall(0.95),
    "expected_shortfall_99": _Shortfall(0.99),
    "expected_shortfall_999": _Shortfall(0.999),
    "expected_liquidated": _Mean(_liquidated),
    "liquidations_at_risk_95": _Quantile(_liquidated, 0.95),
    "liquidations_at_risk_99": _Quantile(_liquidated, 0.99),
    "expected_user_harm": _Mean(lambda o: o.user_harm),
    "expected_liquidator_profit": _Mean(lambda o: o.liquidator_profit),
    "expected_interest": _Mean(lambda o: o.interest),
    "freeze_probability": _Chance(lambda o, _: o.frozen_steps > 0),
    "borrowing_power_used": _BorrowingPower(),
}
METRICS = tuple(_TABLE)


def survival_metric(outcome: Outcome, battery: Battery, name: str) -> Estimate:
    """Return one metric of one outcome, by its name in SurvivalMetrics."""
    return _TABLE[name].of(outcome, battery, name)


def metric_difference(before: Outcome, after: Outcome, battery: Battery, name: str) -> Estimate:
    """Return one metric's paired difference, `after` less `before`."""
    return _TABLE[name].difference(before, after, battery, name)


def survival_metrics(outcome: Outcome, battery: Battery) -> SurvivalMetrics:
    """Return every metric of one outcome with its interval at `battery.level`.

    Raises ConfigurationError for an outcome without paths.
    """
    if len(outcome) == 0:
        raise ConfigurationError("metrics need at least one path, the outcome has none")
    return SurvivalMetrics(
        **{name: survival_metric(outcome, battery, name) for name in METRICS},
        survival=survival_curve(outcome, battery),
    )


def compare(pair: OutcomePair, battery: Battery) -> SurvivalMetrics:
    """Return after less before on the same paths, each with its paired interval."""
    return difference(pair.before, pair.after, battery)


def difference(before: Outcome, after: Outcome, battery: Battery) -> SurvivalMetrics:
    """Return `after` less `before`, two outcomes of the same paths in the same order.

    `events` counts the paths on which the two differ. Raises
    ConfigurationError when they do not have the same number of paths.
    """
    n = len(before)
    if n != len(after) or n == 0:
        raise ConfigurationError(
            f"a paired difference needs the same paths, got {n} and {len(after)}"
        )
    return SurvivalMetrics(
        **{name: metric_difference(before, after, battery, name) for name in METRICS},
        survival=survival_difference(before, after, battery),
    )


def asset_metrics(outcome: Outcome, battery: Battery) -> tuple[AssetMetrics, ...]:
    """Return the bad debt by debt asset, in the order of `outcome.symbols`.

    It includes what existed before the first step.
    """
    frame = _Frame(battery.level, battery.horizon, len(outcome))
    table = []
    for a, symbol in enumerate(outcome.symbols):
        x = np.ascontiguousarray(outcome.bad_debt_by_asset[:, a])
        mean = _mean(x, battery)
        tail = _shortfall(x, 0.99, battery)
        table.append(_asset(frame, symbol, x, mean, tail))
    return tuple(table)


def asset_differences(
    before: Outcome, after: Outcome, battery: Battery
) -> tuple[AssetMetrics, ...]:
    """Return `after` less `before` by debt asset, two outcomes of the same paths."""
    if len(before) != len(after) or before.symbols != after.symbols:
        raise ConfigurationError(
            f"a paired difference needs the same paths and assets, got {len(before)} and "
            f"{len(after)} paths of {len(before.symbols)} and {len(after.symbols)} assets"
        )
    frame = _Frame(battery.level, battery.horizon, len(before))
    table = []
    for a, symbol in enumerate(before.symbols):
        x = np.ascontiguousarray(before.bad_debt_by_asset[:, a])
        y = np.ascontiguousarray(after.bad_debt_by_asset[:, a])
        mean = _mean(y - x, battery)
        tail = _shortfall_difference(x, y, 0.99, battery)
        table.append(_asset(frame, symbol, y - x, mean, tail))
    return tuple(table)


def _asset(
    frame: _Frame,
    symbol: str,
    moved: FloatArray,
    mean: tuple[float, float, float],
    tail: tuple[float, float, float],
) -> AssetMetrics:
    events = _nonzero(moved)
    return AssetMetrics(
        symbol=symbol,
        expected_bad_debt=frame.estimate("expected_bad_debt", mean, events),
        expected_shortfall_99=frame.estimate(
            "expected_shortfall_99", tail, events, percentile=0.99
        ),
    )
