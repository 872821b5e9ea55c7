"""A market, its book and a battery as flat arrays for compiled loops.

Shapes: A reserves, N positions with nnz entries, K eMode categories plus one,
M bends of the longest liquidity curve.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluator.market import Family, LiquidityCurve, Market, OracleKind, OracleSpec, RateCurve
from evaluator.market.liquidity import DRY
from evaluator.stress.battery import Battery, Event
from evaluator.stress.ledger import Ledger, insolvency_bar
from evaluator.stress.manipulation import inventory_at
from evaluator.stress.reference import YEAR, heartbeat_steps, latency_steps
from evaluator.stress.surroundings import gas_cost, window_steps
from evaluator.stress.universe import Universe

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Codes of events inside compiled loops.
REFILL, PRICES, ORACLE, INTEREST, SUPPLIERS, BORROWERS, LIQUIDATIONS = range(7)
_CODE = {
    Event.REFILL: REFILL,
    Event.PRICES: PRICES,
    Event.ORACLE: ORACLE,
    Event.INTEREST: INTEREST,
    Event.SUPPLIERS: SUPPLIERS,
    Event.BORROWERS: BORROWERS,
    Event.LIQUIDATIONS: LIQUIDATIONS,
}

# When an oracle reports.
NEVER, ON_DEVIATION, ALWAYS = range(3)

# Columns of a path's result.
(
    BAD_DEBT,
    LIQUIDATED,
    COUNT,
    SEIZED,
    FEE,
    PROFIT,
    WRONGFUL,
    HARM,
    TOPPED_UP,
    INTEREST_PAID,
    FIRST,
    FROZEN,
    PEAK,
) = range(13)
RESULTS = 13


# Rows of Table.par, one column per reserve.
(
    BASE,  # USD, market price at the start
    ORACLE_START,  # USD, the oracle's price at the start
    BIAS,  # lasting error times factor of the oracle
    DEVIATION,  # fraction
    FLOOR,  # USD
    CAP,  # USD
    BORROWED_START,  # whole tokens
    CASH_START,  # whole tokens
    RATE_BASE,  # per year
    SLOPE1,  # per year and unit of utilisation up to the optimal one
    SLOPE2,  # per year and unit of utilisation beyond it
    OPTIMAL,  # utilisation
    PASSED_ON,  # 1 - reserve factor
    FEE_SHARE,  # see RiskParameters.protocol_fee
    POOL_KEEPS,  # 1 - fee of the pools
) = range(15)

# Rows of Table.whole, one column per reserve.
(
    COLUMN,  # of the price process
    REPORTS,  # NEVER, ON_DEVIATION or ALWAYS
    HEARTBEAT,  # steps
    LATENCY,  # steps
    OPEN,  # 1 if it may be liquidated
    BENDS,  # of the liquidity curve
) = range(6)

# Columns of Table.rows, one row per position.
(
    START,  # first entry
    SPLIT,  # first debt entry
    END,  # after the last entry; what is there bounds the debt, see `_entries`
    CATEGORY,  # eMode category times A
) = range(4)

# Rounding that a bound of a position's debt allows for.
SIZE_ROUNDING = 1e-9

# Layers of Table.bend.
(
    BEND_Q,  # whole tokens net sold at a bend; the first is where the pool is dry
    BEND_W,  # w there
    BEND_SLOPE,  # of w from there on
) = range(3)


class Table(NamedTuple):
    """What does not change along a path. Few arrays: each costs time to compile.

    Indices are unsigned: a signed one is tested for being negative at every use.
    """

    par: FloatArray  # shape (15, A), see BASE and following
    whole: IntArray  # shape (6, A), see COLUMN and following
    bend: FloatArray  # shape (3, A, M), see BEND_Q and following
    rule: FloatArray  # shape (2, K * A): liquidation thresholds, net bonuses
    rows: NDArray[np.uint32]  # shape (N, 4), see START and following
    watched: NDArray[np.uint8]  # shape (N,); 1 if the borrower tops up
    asset: NDArray[np.uint16]  # shape (nnz,), of every entry
    amount: FloatArray  # shape (nnz,); whole tokens at the start; at END: USD owed, at most
    order: IntArray  # shape (7,), codes of events


class Settings(NamedTuple):
    """What a battery and a market say in one number each."""

    aave: bool  # else Compound V2
    floors: bool  # the average threshold is rounded down to whole basis points
    close_factor: float
    full_close_below: float  # 0 for never
    decay: float  # of inventory in a step
    years: float  # of a step
    gas: float  # USD of a liquidation at the start
    gas_elasticity: float
    inclusion_elasticity: float
    window: int  # steps of the trailing range
    native: int  # column of the native token, -1 for none
    capital: float  # USD a step
    absent: bool  # no keepers
    attempts: int
    halvings: int
    least_profit: float
    threshold: float  # USD of new bad debt that is insolvency
    existing: float  # USD of bad debt at the start
    depth: float
    depth_elasticity: float
    run_above: float
    run_rate: float
    watching: bool  # somebody tops up
    top_up_below: float
    top_up_to: float
    held_asset: int  # whose price a manipulator holds, -1 for none
    held_quantity: float  # net sold that holds it, at the curve's own depth
    held_from: int  # first step
    held_to: int  # step after the last


def table(market: Market, columns: IntArray, universe: Universe, battery: Battery) -> Table:
    """Lay a market out, its book in the order of `Ledger`."""
    ledger = Ledger.of(market, top_up_share=battery.top_up_share)
    A = len(market.reserves)
    base = universe.base[columns]
    curves = [_bends(r.liquidity) for r in market.reserves]
    M = max(len(x) for x, _, _ in curves)

    def floats(values: list[float]) -> FloatArray:
        return np.array(values, dtype=np.float64)

    def padded(part: int, rest: float) -> FloatArray:
        out = np.full((A, M), rest)
        for a, curve in enumerate(curves):
            out[a, : len(curve[part])] = curve[part]
        return out

    reserves = market.reserves
    par = np.array(
        [
            base,
            market.prices,
            market.prices / base * floats([r.oracle.factor for r in reserves]),
            floats([r.oracle.deviation_threshold for r in reserves]),
            floats([r.oracle.floor for r in reserves]),
            floats([r.oracle.cap for r in reserves]),
            floats([r.borrowed for r in reserves]),
            floats([r.cash for r in reserves]),
            *_slopes([r.rate_curve for r in reserves]),
            floats([1.0 - r.parameters.reserve_factor for r in reserves]),
            floats([r.parameters.protocol_fee for r in reserves]),
            floats([1.0 - r.liquidity.fee for r in reserves]),
        ]
    )
    whole = np.array(
        [
            columns,
            [_reports(r.oracle) for r in reserves],
            [heartbeat_steps(r.oracle.heartbeat, battery) for r in reserves],
            [latency_steps(r.oracle.latency, battery) for r in reserves],
            [int(r.parameters.active and not r.parameters.paused) for r in reserves],
            [len(x) for x, _, _ in curves],
        ],
        dtype=np.int64,
    )
    start, split, end, asset, amount = _entries(ledger, market.prices)
    return Table(
        par=par,
        whole=whole,
        bend=np.array([padded(0, math.inf), padded(1, 1.0), padded(2, 0.0)]),
        rule=np.array(
            [market.liquidation_thresholds().ravel(), market.liquidation_bonuses().ravel()]
        ),
        rows=np.stack([start, split, end, ledger.category * A], axis=1).astype(np.uint32),
        watched=ledger.watched.astype(np.uint8),
        asset=asset,
        amount=amount,
        order=np.array([_CODE[e] for e in battery.order], dtype=np.int64),
    )


def _entries(
    ledger: Ledger, prices: FloatArray
) -> tuple[IntArray, IntArray, IntArray, NDArray[np.uint16], FloatArray]:
    """Start, split and end of each position, and asset and amount of each entry.

    One more entry after each position holds a bound of its debt in USD at
    `prices`, so that it shares the amounts' cache line.
    """
    N = len(ledger)
    shift = np.arange(N)
    start, split, end = ledger.start[:-1] + shift, ledger.split + shift, ledger.start[1:] + shift
    row = np.repeat(shift, np.diff(ledger.start))
    at = np.arange(len(ledger.asset)) + row
    asset = np.zeros(len(ledger.asset) + N, dtype=np.uint16)
    amount = np.zeros(len(asset))
    asset[at] = ledger.asset
    amount[at] = ledger.amount
    owed = np.where(at >= split[row], ledger.amount * prices[ledger.asset], 0.0)
    amount[end] = np.bincount(row, weights=owed, minlength=N) * (1.0 + SIZE_ROUNDING)
    return start, split, end, asset, amount


def _slopes(curves: list[RateCurve]) -> FloatArray:
    """Rows RATE_BASE, SLOPE1, SLOPE2 and OPTIMAL: a kinked curve without divisions.

    The rate is base + slope1 min(u, optimal) + slope2 max(u - optimal, 0); with
    an optimal utilisation of 0 the first slope is there from the start.
    """
    rows = []
    for c in curves:
        at_once = c.optimal <= 0.0
        rows.append(
            (
                c.base + (c.slope1 if at_once else 0.0),
                0.0 if at_once else c.slope1 / c.optimal,
                c.slope2 / (1.0 - c.optimal) if c.optimal < 1.0 else 0.0,
                min(max(c.optimal, 0.0), 1.0),
            )
        )
    return np.array(rows, dtype=np.float64).reshape(-1, 4).T


def _reports(spec: OracleSpec) -> int:
    if spec.stuck or spec.kind is OracleKind.FIXED:
        return NEVER
    return ALWAYS if spec.kind is OracleKind.POOL else ON_DEVIATION


def settings(market: Market, universe: Universe, battery: Battery, existing: float) -> Settings:
    """Gather a battery's and a market's single numbers."""
    held = market.index(battery.manipulated) if battery.manipulated in market.symbols else -1
    return Settings(
        aave=market.family is Family.AAVE_V3,
        floors=market.family is Family.AAVE_V3 and market.whole_basis_points,
        close_factor=float(market.close_factor),
        full_close_below=float(market.full_close_below),
        decay=float(battery.refill_decay),
        years=battery.step / YEAR,
        gas=float(gas_cost(universe, battery)),
        gas_elasticity=float(battery.gas_elasticity),
        inclusion_elasticity=float(battery.inclusion_elasticity),
        window=window_steps(battery),
        native=int(universe.native),
        capital=float(battery.liquidator_capital),
        absent=bool(battery.keepers_absent),
        attempts=int(battery.attempts),
        halvings=int(battery.size_halvings),
        least_profit=float(battery.least_profit),
        threshold=insolvency_bar(battery.insolvency_threshold, existing),
        existing=float(existing),
        depth=float(battery.depth_factor),
        depth_elasticity=float(battery.depth_elasticity),
        run_above=float(battery.supplier_run_above),
        run_rate=float(battery.supplier_run_rate),
        watching=bool(battery.top_up_share > 0.0),
        top_up_below=float(battery.top_up_below),
        top_up_to=float(battery.top_up_to),
        held_asset=held,
        held_quantity=(
            inventory_at(market.reserves[held].liquidity, battery.manipulation_factor)
            if held >= 0
            else 0.0
        ),
        held_from=int(battery.manipulation_start),
        held_to=int(battery.manipulation_start + battery.manipulation_steps),
    )


def _bends(curve: LiquidityCurve) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bends of w(q) where it is above DRY, w there, and the slope that follows each."""
    x, y = curve.quantity, curve.inverse_root
    slope = np.diff(y) / np.diff(x)
    wet = y > DRY
    dry = curve.dry_quantity
    inner = np.append(slope, slope[-1])[wet]
    first = slope[max(int(np.searchsorted(y, DRY, side="right")) - 1, 0)]
    return (
        np.concatenate([[dry], x[wet]]),
        np.concatenate([[DRY], y[wet]]),
        np.concatenate([[first], inner]),
    )
