"""The model held against the contracts: their own views, and replayed paths."""

from __future__ import annotations

import numpy as np

from evaluator.arena.replay import choose_paths, replay_paths
from evaluator.chain.sandbox import Sandbox
from evaluator.evaluation.measurement import Reading
from evaluator.evaluation.request import Progress
from evaluator.evaluation.stressing import Stressed
from evaluator.market import Market, health_factors, liquidity
from evaluator.market.health import collateral_value
from evaluator.report.odds import ConformanceRow, ConformanceSection

# Paths replayed with real transactions: one for each of so many, within bounds, half of
# them the worst by bad debt.
_PATHS_PER_REPLAY = 500
_LEAST_REPLAYED, _MOST_REPLAYED = 2, 4


def held_against_contracts(reading: Reading, sandbox: Sandbox) -> ConformanceSection:
    """Compare every borrower of the market after execution with the protocol's own view.

    Health factors relatively where the protocol has them, liquidity or shortfall
    relative to the account's collateral value otherwise.
    """
    market = reading.after
    if market is None:
        raise ValueError("a market that was not read after execution cannot be compared")
    views = reading.adapter.account_views(sandbox, market, market.book.accounts)
    named = [(v.health_factor, v.liquidity) for v in views]
    theirs = np.array(named, dtype=np.float64).reshape(-1, 2)
    rows = [row for row in (_health(market, theirs[:, 0]), _liquidity(market, theirs[:, 1])) if row]
    largest = max((row.largest_error for row in rows), default=0.0)
    return ConformanceSection(paths=None, largest_error=largest, rows=tuple(rows))


def _health(market: Market, theirs: np.ndarray) -> ConformanceRow | None:
    ours = health_factors(market)
    comparable = np.isfinite(ours) & np.isfinite(theirs)
    if not comparable.any():
        return None
    error = np.abs(ours[comparable] / theirs[comparable] - 1.0)
    return ConformanceRow(
        quantity="health factor of every borrower after execution",
        compared=int(comparable.sum()),
        largest_error=float(error.max()),
    )


def _liquidity(market: Market, theirs: np.ndarray) -> ConformanceRow | None:
    comparable = np.isfinite(theirs)
    scale = np.maximum(collateral_value(market), 1.0)
    if not comparable.any():
        return None
    error = np.abs(liquidity(market) - theirs)[comparable] / scale[comparable]
    return ConformanceRow(
        quantity="liquidity or shortfall of every borrower, relative to its collateral",
        compared=int(comparable.sum()),
        largest_error=float(error.max()),
    )


def replayed(
    reading: Reading, stressed: Stressed, sandbox: Sandbox, *, seed: int, progress: Progress
) -> ConformanceSection:
    """Replay a sample of the battery's paths, always with the worst, on the real contracts.

    The sandbox stands after the execution. Raises IncompleteState, UnknownProtocol
    where the contracts cannot be replayed.
    """
    after = reading.after
    if after is None:
        raise ValueError("a market that was not read after execution cannot be replayed")
    wanted = len(stressed.pair.after) // _PATHS_PER_REPLAY
    count = min(max(wanted, _LEAST_REPLAYED), _MOST_REPLAYED)
    paths = choose_paths(stressed.pair.after, count=count, worst=count // 2)
    worst = choose_paths(stressed.pair.after, count=count // 2, worst=count // 2)
    result = replay_paths(
        sandbox,
        before=reading.before,
        after=after,
        battery=stressed.battery,
        process=stressed.process,
        seed=seed,
        paths=paths,
        worst=worst,
        progress=progress.advance,
    )
    liquidations = result.liquidations
    rows = (
        _replayed("health factor before a liquidation", liquidations, result.health_error),
        _replayed("amount repaid in a liquidation", liquidations, result.repaid_error),
        _replayed("amount seized in a liquidation", liquidations, result.seized_error),
        _replayed("bad debt of a path", len(result.paths), result.bad_debt_error),
        _replayed("debt liquidated on a path", len(result.paths), result.liquidated_error),
    )
    return ConformanceSection(
        paths=len(result.paths), largest_error=result.largest_error, rows=rows
    )


def _replayed(quantity: str, compared: int, error: float) -> ConformanceRow:
    return ConformanceRow(quantity=quantity, compared=compared, largest_error=error)


def together(views: ConformanceSection, paths: ConformanceSection | None) -> ConformanceSection:
    """Return both comparisons as one section."""
    if paths is None:
        return views
    return ConformanceSection(
        paths=paths.paths,
        largest_error=max(views.largest_error, paths.largest_error),
        rows=(*views.rows, *paths.rows),
    )
