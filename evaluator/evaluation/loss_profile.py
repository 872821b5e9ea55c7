"""How losses spread: over time, over assets, and until the first insolvency."""

from __future__ import annotations

from evaluator.evaluation.measurement import Reading
from evaluator.evaluation.odds import RESPONDING, STATIC, TODAY, estimate_row
from evaluator.evaluation.stressing import Flag, Stressed
from evaluator.report.odds import AssetOdds, Fan, FanSeries, FirstPassageRow, OddsRow
from evaluator.stress.fan import bad_debt_fan
from evaluator.stress.first_passage import first_passage
from evaluator.stress.metrics import asset_differences, asset_metrics
from evaluator.stress.outcome import Outcome


def fan_of(
    reading: Reading, stressed: Stressed, *, seed: int, cancelled: Flag | None = None
) -> Fan | None:
    """Return bad debt over time; None when the market cannot be read after execution."""
    if reading.after is None:
        return None
    fan = bad_debt_fan(
        reading.before,
        reading.after,
        process=stressed.process,
        battery=stressed.battery,
        seed=seed,
        pair=stressed.pair,
        cancelled=cancelled,
    )
    named = [(TODAY, fan.before), (STATIC, fan.after)]
    if fan.responding is not None:
        named.append((RESPONDING, fan.responding))
    return Fan(
        time=tuple(fan.time.tolist()),
        levels=fan.levels,
        series=tuple(
            FanSeries(name=name, quantiles=tuple(tuple(q) for q in table.tolist()))
            for name, table in named
        ),
        samples=fan.samples,
    )


def asset_odds(stressed: Stressed) -> tuple[AssetOdds, ...]:
    """Return the bad debt of every asset that was left unpaid on some path."""
    pair, battery = stressed.pair, stressed.battery
    today, after = asset_metrics(pair.before, battery), asset_metrics(pair.after, battery)
    change = asset_differences(pair.before, pair.after, battery)
    responding, moved = None, None
    if pair.responding is not None:
        responding = asset_metrics(pair.responding, battery)
        moved = asset_differences(pair.before, pair.responding, battery)
    named = (
        ("expected_bad_debt", "expected bad debt"),
        ("expected_shortfall_99", "expected bad debt, worst 1% of paths"),
    )
    return tuple(
        AssetOdds(
            asset=symbol,
            rows=tuple(
                OddsRow(
                    name=name,
                    label=label,
                    today=estimate_row(getattr(today[a], name)),
                    after_static=estimate_row(getattr(after[a], name)),
                    after_responding=(
                        None if responding is None else estimate_row(getattr(responding[a], name))
                    ),
                    difference=estimate_row(getattr(change[a], name)),
                    difference_responding=(
                        None if moved is None else estimate_row(getattr(moved[a], name))
                    ),
                )
                for name, label in named
            ),
        )
        for a, symbol in enumerate(pair.before.symbols)
        if any(o.bad_debt_by_asset[:, a].any() for o in _outcomes(stressed))
    )


def _outcomes(stressed: Stressed) -> tuple[Outcome, ...]:
    pair = stressed.pair
    return (pair.before, pair.after, *(() if pair.responding is None else (pair.responding,)))


def passage_rows(stressed: Stressed) -> tuple[FirstPassageRow, ...]:
    """Return when paths became insolvent, and how many never did."""
    rows = []
    for name, outcome in zip((TODAY, STATIC, RESPONDING), _outcomes(stressed), strict=False):
        found = first_passage(outcome, stressed.battery)
        rows.append(
            FirstPassageRow(
                name=name,
                events=found.events,
                censored=found.censored,
                median=None if found.median is None else estimate_row(found.median),
            )
        )
    return tuple(rows)
