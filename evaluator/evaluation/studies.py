"""What is worked out on demand: what drives the loss, and how a large one may come."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.evaluation.market_sections import book_debt, book_shares
from evaluator.evaluation.measurement import Reading
from evaluator.evaluation.odds import STATIC, TODAY, estimate_row
from evaluator.evaluation.request import Progress
from evaluator.evaluation.stressing import Flag, Stressed, independently
from evaluator.market import AssetClass, Market
from evaluator.report.odds import (
    GreekRow,
    RareRow,
    Sensitivity,
    SensitivityRow,
)
from evaluator.stress.greeks import Greek, greeks
from evaluator.stress.lever import find_lever
from evaluator.stress.processes.jump_diffusion import JumpDiffusion
from evaluator.stress.rare import METHOD as RARE_METHOD
from evaluator.stress.rare import RareEstimate, rare_probability
from evaluator.stress.reverse import ReverseStress, reverse_stress
from evaluator.stress.sensitivity import sensitivity
from evaluator.verdict import figures

# Paths of each bump: more would narrow the intervals of Greeks that few decide by.
_GREEK_PATHS = 4_000
_MOST_BUMPED = 6  # assets of the largest share of the book
_MOST_PARAMETERS = 12
_SENSITIVITY_SAMPLES = 16
_SENSITIVITY_PATHS = 256
_GENERATIONS = 10
_LOSS_SHARE = 0.01  # of the market's debt, the loss whose most plausible way is looked for
_RARE_SHARES = (0.01, 0.1)  # of the market's debt, losses whose chances are looked for
_RARE_PATHS, _RARE_SEARCH = 4_000, 1_000  # weighted ones for each, and of a round before
_HOURS = 24.0
_LEAST_MOVE = 0.005  # moves of a scenario that are worth a word


@dataclass(frozen=True, kw_only=True)
class Studies:
    """What takes many more runs of the battery than the odds do."""

    greeks: tuple[GreekRow, ...]  # of expected bad debt
    sensitivity: Sensitivity  # of expected bad debt after execution
    plausible_loss: str  # in words
    rare: tuple[RareRow, ...] | None  # None: the process cannot be tilted


def studies(
    reading: Reading,
    stressed: Stressed,
    *,
    name: str,
    seed: int,
    progress: Progress,
    cancelled: Flag | None = None,
) -> Studies | None:
    """Work out Greeks, sensitivity and the most plausible way to a large loss.

    None when the market cannot be read after execution. Raises Cancelled.
    """
    if reading.after is None:
        return None
    stressed = independently(stressed)
    return Studies(
        greeks=_greeks(reading.before, reading.after, reading, stressed, seed, progress, cancelled),
        sensitivity=_sensitivity(reading.after, stressed, name, seed, progress, cancelled),
        plausible_loss=_plausible(reading.before, reading.after, stressed, name, seed, progress),
        rare=_rare(reading.before, reading.after, stressed, name, seed, progress, cancelled),
    )


def _bumped(market: Market) -> tuple[str, ...]:
    shares = book_shares(market)
    volatile = [
        r.asset.symbol
        for r in market.reserves
        if r.asset.asset_class is not AssetClass.STABLE and shares[r.asset.symbol] > 0.0
    ]
    return tuple(sorted(volatile, key=lambda s: -shares[s])[:_MOST_BUMPED])


def _levers(markets: Sequence[Market], reading: Reading) -> tuple[str, ...]:
    """Paths of changed parameters that the battery can move in all markets."""
    paths = []
    for change in reading.changes:
        with contextlib.suppress(ConfigurationError):
            for market in markets:
                find_lever(market, change.path)
            paths.append(change.path)
    return tuple(paths[:_MOST_PARAMETERS])


def _greeks(
    before: Market,
    after: Market,
    reading: Reading,
    stressed: Stressed,
    seed: int,
    progress: Progress,
    cancelled: Flag | None,
) -> tuple[GreekRow, ...]:
    battery = replace(stressed.battery, paths=min(stressed.battery.paths, _GREEK_PATHS))
    held = set(before.symbols)
    assets = tuple(s for s in _bumped(after) if s in held)
    parameters = _levers((before, after), reading)
    progress.stage("Greeks", f"{battery.paths:,} paths on both sides of every bump")
    tables: list[tuple[Greek, ...]] = []
    for k, market in enumerate((before, after)):

        def told(done: int, total: int, first: int = k) -> None:
            progress.advance(first * total + done, 2 * total)

        tables.append(
            greeks(
                market,
                process=stressed.process,
                battery=battery,
                seed=seed,
                assets=assets,
                parameters=parameters,
                today=before,
                progress=told,
                cancelled=cancelled,
            )
        )
    return tuple(
        GreekRow(
            name=a.name,
            what=a.what or "the whole market",
            per=a.per,
            today=estimate_row(a.value),
            after=estimate_row(b.value),
        )
        for a, b in zip(*tables, strict=True)
    )


def _sensitivity(
    after: Market,
    stressed: Stressed,
    name: str,
    seed: int,
    progress: Progress,
    cancelled: Flag | None,
) -> Sensitivity:
    progress.stage("sensitivity", f"{_SENSITIVITY_PATHS} paths for each set of assumptions")
    found = sensitivity(
        after,
        process=stressed.process,
        battery=stressed.battery,
        seed=seed,
        samples=_SENSITIVITY_SAMPLES,
        paths=_SENSITIVITY_PATHS,
        progress=progress.advance,
        cancelled=cancelled,
    )
    return Sensitivity(
        metric=f"expected bad debt of {name} after execution",
        unit=found.unit,
        base=found.base,
        level=found.level,
        horizon=stressed.battery.horizon,
        samples=found.paths,
        evaluations=found.evaluations,
        rows=tuple(
            SensitivityRow(
                name=i.assumption.label,
                low_setting=figures.number(i.assumption.low),
                high_setting=figures.number(i.assumption.high),
                low=i.at_low,
                high=i.at_high,
                first_order=i.first_order,
                first_order_error=i.first_order_error,
                total=i.total,
                total_error=i.total_error,
            )
            for i in found.influences
        ),
    )


def _plausible(
    before: Market, after: Market, stressed: Stressed, name: str, seed: int, progress: Progress
) -> str:
    battery = stressed.battery
    loss = _round_loss(max(_LOSS_SHARE * book_debt(before), battery.insolvency_threshold))
    progress.stage("plausible loss", f"{figures.money(loss)} USD on {name}")
    found = []
    for k, market in enumerate((before, after)):

        def told(done: int, total: int, first: int = k) -> None:
            progress.advance(first * total + done, 2 * total)

        found.append(
            reverse_stress(
                market,
                loss,
                process=stressed.process,
                battery=battery,
                seed=seed,
                hours=_HOURS,
                today=before,
                generations=_GENERATIONS,
                progress=told,
            )
        )
    return " ".join(
        _told(when, one, battery.horizon)
        for when, one in zip(("Today", "After"), found, strict=True)
    )


def _rare(
    before: Market,
    after: Market,
    stressed: Stressed,
    name: str,
    seed: int,
    progress: Progress,
    cancelled: Flag | None,
) -> tuple[RareRow, ...] | None:
    """Return the chances of large losses; None where the process cannot be tilted."""
    if not isinstance(stressed.process, JumpDiffusion):
        return None
    debt = book_debt(before)
    losses = sorted({_round_loss(max(share * debt, 1.0)) for share in _RARE_SHARES})
    asked = [(loss, state, m) for loss in losses for state, m in ((TODAY, before), (STATIC, after))]
    progress.stage("rare losses", f"{', '.join(map(figures.money, losses))} USD on {name}")
    rows = []
    for k, (loss, state, market) in enumerate(asked):
        progress.advance(k, len(asked))
        found = rare_probability(
            market,
            process=stressed.process,
            battery=stressed.battery,
            seed=seed,
            level=loss,
            paths=_RARE_PATHS,
            search=_RARE_SEARCH,
            today=before,
            cancelled=cancelled,
        )
        rows.append(rare_row(state, found))
    return tuple(rows)


def rare_row(state: str, found: RareEstimate) -> RareRow:
    """Return a rare probability as the report keeps it."""
    return RareRow(
        state=state,
        loss=found.level,
        chance=estimate_row(found.probability),
        expected=estimate_row(found.expected_loss),
        relative_error=found.relative_error if np.isfinite(found.relative_error) else None,
        effective=found.effective_paths,
        drawn=found.paths,
        method=RARE_METHOD,
    )


def _told(when: str, one: ReverseStress, horizon: float) -> str:
    over = f"over {figures.number(one.hours)} hours, lasting to {figures.duration(horizon)}"
    if one.move is None:
        return (
            f"{when}: no move of prices up to {figures.number(one.distance)} standard deviations "
            f"{over}, loses {figures.money(one.loss)} USD of new bad debt."
        )
    order = np.argsort(-np.abs(one.move))
    moves = ", ".join(
        f"{one.symbols[a]} {100.0 * one.move[a]:+.1f}%"
        for a in order
        if abs(one.move[a]) >= _LEAST_MOVE
    )
    far = "none" if one.sampled == 0.0 else figures.share(one.sampled)
    return (
        f"{when}: {moves} {over}, loses {figures.money(one.reached)} USD of new bad debt (asked "
        f"for: {figures.money(one.loss)} USD). It is the nearest such move that was found, "
        f"{figures.number(one.distance)} standard deviations of the calibrated law's moves to the "
        f"horizon; {far} of {one.samples:,} paths of that law goes as far in "
        f"this direction."
    )


def _round_loss(loss: float) -> float:
    """Round up to one digit."""
    unit = 10.0 ** np.floor(np.log10(loss))
    return float(np.ceil(loss / unit) * unit)
