"""Puts one market through the battery, and through every scenario of the library."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from evaluator.evaluation.measurement import Reading
from evaluator.evaluation.odds import MeasuredOdds, estimate_row
from evaluator.evaluation.request import EvaluationRequest, Progress
from evaluator.market import Market, PriceHistory
from evaluator.report.odds import EstimateRow, ScenarioRow
from evaluator.stress.battery import Battery
from evaluator.stress.estimate import Estimate
from evaluator.stress.metrics import survival_metric
from evaluator.stress.outcome import Outcome, OutcomePair
from evaluator.stress.price_process import (
    CalibrationReport,
    PriceProcess,
    Sampling,
    process_by_name,
)
from evaluator.stress.scenarios.library import find_scenario, scenario_names
from evaluator.stress.scenarios.scenario import Scenario
from evaluator.stress.threads import available_cores
from evaluator.stress.trial import run
from evaluator.stress.universe import Universe

# A scenario fixes the course of prices; what is left to chance needs fewer paths.
_SHARE_OF_PATHS = 50
_LEAST_PATHS = 20


class Flag(Protocol):
    """Something that can be set from elsewhere, such as threading.Event."""

    def is_set(self) -> bool:
        """Return whether it was set."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Stressed:
    """What the battery came to on one market."""

    battery: Battery  # as it was run, with the scenario's settings if one was asked for
    markets: tuple[Market, Market]  # before and after, with the scenario's shocks if any
    process: PriceProcess  # the paths came from
    pair: OutcomePair  # outcomes on the same paths
    odds: MeasuredOdds  # metrics of the pair
    calibration: CalibrationReport  # where the price process comes from
    scenarios: tuple[ScenarioRow, ...]  # one for each scenario of the library
    scenario_digests: tuple[tuple[str, str], ...]  # name and digest of every scenario's outcome


def stress(
    before: Market,
    reading: Reading,
    after: Market,
    *,
    battery: Battery,
    request: EvaluationRequest,
    name: str,
    progress: Progress,
    cancelled: Flag | None = None,
) -> Stressed:
    """Run the battery and the scenario library on a market's two readings.

    Raises ConfigurationError for an unknown scenario, Cancelled when stopped
    before the first block of paths.
    """
    assets = Universe.of(before, after).assets
    process = process_by_name(request.process)(
        assets, histories_of(reading, request), step=battery.step, sampling=battery.sampling
    )
    asked = None if request.scenario is None else find_scenario(request.scenario)
    progress.stage("stress", f"{battery.paths:,} paths on {name}")

    def tried(scenario: Scenario | None, settings: Battery, told: Progress) -> OutcomePair:
        law: PriceProcess = process
        markets = (before, after)
        if scenario is not None:
            law = scenario.apply(process, assets)
            markets = (scenario.apply_market(before), scenario.apply_market(after))
        return run(
            *markets,
            process=law,
            battery=settings,
            seed=request.seed,
            progress=told.advance,
            cancelled=cancelled,
            scheduler=request.scheduler,
        )

    settings = battery if asked is None else asked.apply_battery(battery)
    pair = tried(asked, settings, progress)
    rows, digests = [], []
    if asked is None:
        names = scenario_names()
        few = max(battery.paths // _SHARE_OF_PATHS, min(_LEAST_PATHS, battery.paths))
        progress.stage("scenarios", f"{len(names)} scenarios, {few:,} paths each, on {name}")

        def one(called: str) -> tuple[ScenarioRow, tuple[str, str]]:
            scenario = find_scenario(called)
            shocked = scenario.apply_battery(replace(battery, paths=few))
            outcome = tried(scenario, shocked, _Unheard())
            return scenario_row(scenario, outcome, shocked), (
                f"scenario {called}",
                outcome.digest(),
            )

        # So few paths are one block, which keeps one core busy: several scenarios at a time.
        pool = ThreadPoolExecutor(1 if request.scheduler else available_cores())
        try:
            for i, (row, digest) in enumerate(pool.map(one, names)):
                progress.advance(i, len(names))
                rows.append(row)
                digests.append(digest)
        finally:
            pool.shutdown(cancel_futures=True)
    return Stressed(
        battery=settings,
        markets=(
            (before, after)
            if asked is None
            else (asked.apply_market(before), asked.apply_market(after))
        ),
        process=process if asked is None else asked.apply(process, assets),
        pair=pair,
        odds=MeasuredOdds.of(pair, settings),
        calibration=process.calibration,
        scenarios=tuple(rows),
        scenario_digests=tuple(digests),
    )


def independently(stressed: Stressed) -> Stressed:
    """Return the same with independent paths, for what takes its paths to be that."""
    if stressed.battery.sampling is Sampling.PSEUDO:
        return stressed
    return replace(
        stressed,
        battery=replace(stressed.battery, sampling=Sampling.PSEUDO),
        # Every fitted process is a dataclass, which its Protocol cannot say.
        process=replace(stressed.process, sampling=Sampling.PSEUDO),  # type: ignore[type-var]
    )


def histories_of(reading: Reading, request: EvaluationRequest) -> tuple[PriceHistory, ...]:
    """Return the prices a process is fitted to: the file's where it has an asset, else rounds."""
    return preferred_histories(reading.histories, request.prices)


def preferred_histories(
    rounds: Sequence[PriceHistory], prices: Path | None
) -> tuple[PriceHistory, ...]:
    """Return a file's prices where it has an asset, else feed rounds."""
    if prices is None:
        return tuple(rounds)
    from evaluator.stress.calibration.price_files import read_prices  # with all of pandas

    given = read_prices(prices)
    told = {h.symbol for h in given}
    return (*given, *(h for h in rounds if h.symbol not in told))


def scenario_row(scenario: Scenario, pair: OutcomePair, battery: Battery) -> ScenarioRow:
    """Return a scenario's odds as the report keeps them; after: the worse of both responses."""
    after = pair.after

    def shortfall(outcome: Outcome) -> Estimate:
        return survival_metric(outcome, battery, "expected_shortfall_99")

    def chance(outcome: Outcome) -> EstimateRow:
        return estimate_row(survival_metric(outcome, battery, "bad_debt_probability"))

    if pair.responding is not None and shortfall(pair.responding).value > shortfall(after).value:
        after = pair.responding
    return ScenarioRow(
        name=scenario.title,
        what=scenario.summary,
        chance_today=chance(pair.before),
        chance_after=chance(after),
        shortfall_today=estimate_row(shortfall(pair.before)),
        shortfall_after=estimate_row(shortfall(after)),
    )


class _Unheard:
    """Swallows the counts of single scenarios; the library's own count is told."""

    def stage(self, name: str, detail: str = "") -> None:
        """Ignore the stage."""

    def advance(self, done: int, total: int) -> None:
        """Ignore the count."""
