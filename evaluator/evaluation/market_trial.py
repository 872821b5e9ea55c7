"""One market from its two readings to its section of the report and its evidence."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evaluator.errors import IncompleteState, UnknownProtocol
from evaluator.evaluation.closed_forms import holding_rows, toxic_rows
from evaluator.evaluation.conformance import held_against_contracts, replayed, together
from evaluator.evaluation.loss_profile import asset_odds, fan_of, passage_rows
from evaluator.evaluation.market_sections import (
    book_debt,
    calibration_evidence,
    calibration_rows,
    hurt_section,
    liquidation_maps,
    market_name,
    reserves_usd,
    safe_value_rows,
    unchanged,
    usd,
)
from evaluator.evaluation.measurement import Measurement, Reading
from evaluator.evaluation.odds import MeasuredOdds, loss_exceedance
from evaluator.evaluation.request import EvaluationRequest, Progress
from evaluator.evaluation.safe_values import BesideSearch
from evaluator.evaluation.state import State
from evaluator.evaluation.stressing import Flag, Stressed, stress
from evaluator.report.odds import Fan, MarketSection
from evaluator.stress.battery import Battery
from evaluator.stress.trial import extend
from evaluator.verdict.evidence import MarketEvidence, SafeValueEvidence

if TYPE_CHECKING:
    from evaluator.evaluation.studies import Studies


@dataclass(frozen=True, kw_only=True, eq=False)
class MarketTrial:
    """One market after the battery."""

    reading: Reading  # before and after
    section: MarketSection  # for the report
    evidence: MarketEvidence  # for the verdict
    stressed: Stressed | None  # None: no battery was run


def try_market(
    state: State,
    reading: Reading,
    measurement: Measurement,
    battery: Battery,
    request: EvaluationRequest,
    progress: Progress,
    cancelled: Flag | None,
) -> MarketTrial:
    """Run the battery on one market and say what came of it."""
    before, after = reading.before, reading.after
    name = market_name(before, [r.before for r in measurement.readings])
    shown = before if after is None else after
    section = MarketSection(
        name=name,
        protocol=before.protocol,
        address=before.address,
        supplied_usd=usd(before, "supplied"),
        debt_usd=book_debt(before),
        reserves_usd=reserves_usd(before),
        borrowers=len(shown.book),
        unchanged=after is not None and unchanged(before, after, reading.changes),
    )
    evidence = MarketEvidence(
        name=name,
        supplied_usd=section.supplied_usd,
        debt_usd=section.debt_usd,
        reserves_usd=section.reserves_usd,
        unchanged=section.unchanged,
    )
    if after is None:
        broken = reading.broken
        if reading.unreadable:
            broken = (f"reading the market: {reading.unreadable}", *(broken or ()))
        return MarketTrial(
            reading=reading,
            section=section,
            evidence=replace(evidence, broken_actions=broken),
            stressed=None,
        )
    hurt = hurt_section(after, reading.hurt)
    conformance = held_against_contracts(reading, state.sandbox)
    stressed = stress(
        before,
        reading,
        after,
        battery=battery,
        request=request,
        name=name,
        progress=progress,
        cancelled=cancelled,
    )
    calibration = stressed.calibration
    safe: tuple[SafeValueEvidence, ...] | None = None
    fan: Fan | None = None
    deeper: Studies | None = None
    if request.scenario is None:
        # The battery looks for safe values, and at the days, while the replay waits for the chain.
        with (
            ThreadPoolExecutor(1, thread_name_prefix="fan") as beside,
            BesideSearch(reading, stressed, seed=request.seed, cancelled=cancelled) as search,
        ):
            # Whatever ends the search ends the fan: Ctrl-C waits for neither.
            drawn = beside.submit(fan_of, reading, stressed, seed=request.seed, cancelled=search)
            progress.stage("replay", f"paths with real transactions on {name}")
            # What cannot be replayed is left to the views; the section says how many paths were.
            with contextlib.suppress(IncompleteState, UnknownProtocol):
                paths = replayed(
                    reading, stressed, state.sandbox, seed=request.seed, progress=progress
                )
                conformance = together(conformance, paths)
            progress.stage("safe values", "how far the changed parameters can go")
            safe = search.result(progress)
            fan = drawn.result()
        if request.full:
            # Takes half as long to import as all that the usual evaluation loads.
            from evaluator.evaluation.studies import studies

            deeper = studies(
                reading,
                stressed,
                name=name,
                seed=request.seed,
                progress=progress,
                cancelled=cancelled,
            )
    return MarketTrial(
        reading=reading,
        section=section.model_copy(
            update={
                "hurt": hurt,
                **_of_paths(stressed),
                "fan": fan,
                "scenarios": stressed.scenarios or None,
                "liquidation_maps": liquidation_maps(before, after),
                "safe_values": None if safe is None else safe_value_rows(safe),
                "toxic": toxic_rows(before, after),
                "holding": holding_rows(before, stressed.battery),
                "conformance": conformance,
                "calibration": calibration_rows(calibration, after),
                "greeks": None if deeper is None else deeper.greeks,
                "sensitivity": None if deeper is None else deeper.sensitivity,
                "plausible_loss": None if deeper is None else deeper.plausible_loss,
                "rare": None if deeper is None else deeper.rare,
            }
        ),
        evidence=replace(
            evidence,
            liquidatable_debt_usd=hurt.debt_usd,
            liquidatable_users=hurt.users,
            odds=stressed.odds.evidence(),
            calibrations=calibration_evidence(calibration, after),
            conformance_error=conformance.largest_error,
            broken_actions=reading.broken,
            safe_values=safe,
        ),
        stressed=stressed,
    )


def _of_paths(stressed: Stressed) -> dict[str, object]:
    """Fields of the report's section that more paths make sharper."""
    return {
        "odds": stressed.odds.rows(stressed.battery),
        "assets": asset_odds(stressed),
        "first_passage": passage_rows(stressed),
        "survival": stressed.odds.survival(),
        "loss_exceedance": loss_exceedance(stressed.pair, stressed.battery),
    }


def go_on(
    trial: MarketTrial,
    paths: int,
    request: EvaluationRequest,
    progress: Progress,
    cancelled: Flag | None,
) -> MarketTrial:
    """Run the battery on up to `paths` paths and replace what rests on their number.

    Scenarios, replayed paths and safe values keep their own samples, which they state.
    """
    stressed = trial.stressed
    if stressed is None:
        return trial
    battery = replace(stressed.battery, paths=paths)
    progress.stage(
        "more paths",
        f"up to {paths:,} on {trial.section.name}: the intervals are too wide for a verdict",
    )
    pair = extend(
        stressed.pair,
        *stressed.markets,
        process=stressed.process,
        battery=battery,
        progress=progress.advance,
        cancelled=cancelled,
        scheduler=request.scheduler,
    )
    longer = replace(stressed, battery=battery, pair=pair, odds=MeasuredOdds.of(pair, battery))
    return replace(
        trial,
        section=trial.section.model_copy(update=_of_paths(longer)),
        evidence=replace(trial.evidence, odds=longer.odds.evidence()),
        stressed=longer,
    )
