"""From outcomes of the battery to the report's odds, curves and the verdict's evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.report.odds import Curves, EstimateRow, OddsRow, Series
from evaluator.stress.battery import Battery
from evaluator.stress.estimate import Estimate
from evaluator.stress.metrics import SurvivalMetrics, difference, survival_metrics
from evaluator.stress.outcome import Outcome, OutcomePair
from evaluator.stress.survival import chance_interval
from evaluator.verdict.evidence import OddsEvidence

TODAY, STATIC, RESPONDING = "today", "after, same borrowers", "after, borrowers use the room"
SAME_BORROWERS, FULL_RESPONSE = "same borrowers", "borrowers use the room"

# Metrics of the report in order: field of SurvivalMetrics, words, on the first screen.
_METRICS = (
    ("bad_debt_probability", "chance of bad debt above {threshold} USD", True),
    ("expected_shortfall_99", "expected bad debt, worst 1% of paths", True),
    ("liquidations_at_risk_95", "liquidated, worst 5% of paths begin at", True),
    ("borrowing_power_used", "borrowing power used", True),
    ("expected_bad_debt", "expected bad debt", False),
    ("value_at_risk_95", "value at risk of bad debt, 95%", False),
    ("value_at_risk_99", "value at risk of bad debt, 99%", False),
    ("value_at_risk_999", "value at risk of bad debt, 99.9%", False),
    ("expected_shortfall_95", "expected shortfall of bad debt, 95%", False),
    ("expected_shortfall_999", "expected shortfall of bad debt, 99.9%", False),
    ("expected_liquidated", "expected debt liquidated", False),
    ("liquidations_at_risk_99", "liquidations at risk, 99%", False),
    ("expected_user_harm", "expected loss of borrowers healthy at market prices", False),
    ("expected_liquidator_profit", "expected profit of liquidators", False),
    ("expected_interest", "expected interest accrued on debts", False),
    ("freeze_probability", "chance that some asset cannot be withdrawn", False),
)
_EXCEEDANCE_POINTS = 41


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredOdds:
    """Metrics of every parameter set of a pair, and their paired differences."""

    before: SurvivalMetrics  # today's parameters and book
    after: SurvivalMetrics  # the proposal's parameters, today's book
    change: SurvivalMetrics  # paired, after less before
    responding: SurvivalMetrics | None  # borrowers use the room; None: no new room
    change_responding: SurvivalMetrics | None  # paired, responding less before

    @classmethod
    def of(cls, pair: OutcomePair, battery: Battery) -> MeasuredOdds:
        """Compute every metric of a pair."""
        responding = pair.responding
        return cls(
            before=survival_metrics(pair.before, battery),
            after=survival_metrics(pair.after, battery),
            change=difference(pair.before, pair.after, battery),
            responding=None if responding is None else survival_metrics(responding, battery),
            change_responding=(
                None if responding is None else difference(pair.before, responding, battery)
            ),
        )

    def evidence(self) -> tuple[OddsEvidence, ...]:
        """Return what the verdict rests on, one for each assumption on borrowers."""
        cases = [(SAME_BORROWERS, self.after, self.change)]
        if self.responding is not None and self.change_responding is not None:
            cases.append((FULL_RESPONSE, self.responding, self.change_responding))
        return tuple(
            OddsEvidence(
                response=response,
                bad_debt_chance_before=self.before.bad_debt_probability,
                bad_debt_chance_after=after.bad_debt_probability,
                bad_debt_chance_difference=change.bad_debt_probability,
                shortfall_before=self.before.expected_shortfall_99,
                shortfall_after=after.expected_shortfall_99,
                shortfall_difference=change.expected_shortfall_99,
            )
            for response, after, change in cases
        )

    def rows(self, battery: Battery) -> tuple[OddsRow, ...]:
        """Return the report's rows."""
        threshold = f"{battery.insolvency_threshold:,.0f}"
        rows = []
        for name, label, headline in _METRICS:
            responding = self.responding
            rows.append(
                OddsRow(
                    name=name,
                    label=label.format(threshold=threshold),
                    today=estimate_row(getattr(self.before, name)),
                    after_static=estimate_row(getattr(self.after, name)),
                    after_responding=(
                        None if responding is None else estimate_row(getattr(responding, name))
                    ),
                    difference=estimate_row(getattr(self.change, name)),
                    difference_responding=(
                        None
                        if self.change_responding is None
                        else estimate_row(getattr(self.change_responding, name))
                    ),
                    headline=headline,
                )
            )
        return tuple(rows)

    def survival(self) -> Curves:
        """Return the survival functions with their bands."""
        named = [(TODAY, self.before), (STATIC, self.after)]
        if self.responding is not None:
            named.append((RESPONDING, self.responding))
        return Curves(
            x=_floats(self.before.survival.time),
            series=tuple(
                Series(
                    name=name,
                    value=_floats(metrics.survival.value),
                    lower=_floats(metrics.survival.lower),
                    upper=_floats(metrics.survival.upper),
                )
                for name, metrics in named
            ),
            level=self.before.survival.level,
        )


def estimate_row(estimate: Estimate) -> EstimateRow:
    """Return an estimate as the report keeps it."""
    return EstimateRow(
        value=estimate.value,
        lower=estimate.lower,
        upper=estimate.upper,
        level=estimate.level,
        percentile=estimate.percentile,
        horizon=estimate.horizon,
        samples=estimate.samples,
        events=estimate.events,
        unit=estimate.unit,
    )


def loss_exceedance(pair: OutcomePair, battery: Battery) -> Curves | None:
    """Return P(new bad debt > x) over losses seen, with intervals; None if there were none."""
    outcomes: list[tuple[str, Outcome]] = [(TODAY, pair.before), (STATIC, pair.after)]
    if pair.responding is not None:
        outcomes.append((RESPONDING, pair.responding))
    worst = max(float(o.new_bad_debt.max()) for _, o in outcomes)
    if not worst > 0.0:
        return None
    least = min(battery.insolvency_threshold or 1.0, worst) / 10.0
    x = np.geomspace(max(least, 1.0), max(worst, 2.0), _EXCEEDANCE_POINTS)
    series = []
    for name, outcome in outcomes:
        ends = [chance_interval(outcome.new_bad_debt > at, battery) for at in x]
        series.append(
            Series(
                name=name,
                value=tuple(value for value, _, _ in ends),
                lower=tuple(low for _, low, _ in ends),
                upper=tuple(high for _, _, high in ends),
            )
        )
    return Curves(x=_floats(x), series=tuple(series), level=battery.level)


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
