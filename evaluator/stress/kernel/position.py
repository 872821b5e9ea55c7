"""What happens to one position, compiled. The twin of `reference.Simulation.liquidate`.

`amount` holds the working amounts of every entry, whole tokens over index;
positions address it through the table's `start` and `split`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.kernel.compilation import called, inlined
from evaluator.stress.kernel.layout import (
    BAD_DEBT,
    CATEGORY,
    COUNT,
    END,
    FEE,
    FEE_SHARE,
    HARM,
    LIQUIDATED,
    OPEN,
    POOL_KEEPS,
    PROFIT,
    SEIZED,
    SPLIT,
    START,
    TOPPED_UP,
    WRONGFUL,
    Settings,
    Table,
)
from evaluator.stress.kernel.step import (
    BORROW_INDEX,
    BORROWED,
    CASH,
    DEPTH,
    MARGINAL,
    ORACLE_PRICE,
    PC,
    PD,
    SUPPLY_INDEX,
    XC,
    XD,
    Q,
    X,
    bought,
    impact,
    sale,
    sold,
    trailing,
)
from evaluator.stress.ledger import AVERAGE_EPSILON

FloatArray = NDArray[np.float64]


# Rounding down the average threshold takes less than this share of the collateral.
FLOOR_MARGIN = 1.01e-4

# Room for rounding in bounds that must hold.
ABOVE, BELOW = 1.0 + 1e-12, 1.0 - 1e-12
SURELY = 1e-9


@inlined
def linear(
    tb: Table, amount: FloatArray, i: int, st: FloatArray, pc: int, pd: int
) -> tuple[float, float, float]:
    """Collateral, weighted collateral before any rounding, and debt of position i in USD.

    `pc` and `pd` are the rows of `st` that hold the prices of a unit of
    collateral and of debt.
    """
    v = 0.0
    h = 0.0
    e = 0.0
    k = np.uint64(tb.rows[i, CATEGORY])
    split = np.uint64(tb.rows[i, SPLIT])
    for n in range(np.uint64(tb.rows[i, START]), split):
        a = np.uint64(tb.asset[n])
        x = amount[n] * st[pc, a]
        v += x
        h += x * tb.rule[0, k + a]
    for n in range(split, np.uint64(tb.rows[i, END])):
        e += amount[n] * st[pd, np.uint64(tb.asset[n])]
    return v, h, e


@inlined
def rounded(floors: bool, v: float, h: float) -> float:
    """Weighted collateral with the average threshold rounded down where the protocol does."""
    if floors and v > 0.0:
        return v * (math.floor(h / v * 1e4 + AVERAGE_EPSILON) / 1e4)
    return h


@inlined
def value(
    tb: Table, floors: bool, amount: FloatArray, i: int, st: FloatArray, pc: int, pd: int
) -> tuple[float, float, float]:
    """Collateral, weighted collateral and debt of position i in USD, as the protocol counts."""
    v, h, e = linear(tb, amount, i, st, pc, pd)
    return v, rounded(floors, v, h), e


@inlined
def shortfall(tb: Table, amount: FloatArray, i: int, st: FloatArray) -> tuple[float, float]:
    """Debt beyond collateral, 0 if none, and debt, of position i in USD at market prices."""
    v = 0.0
    e = 0.0
    for n in range(np.uint64(tb.rows[i, START]), np.uint64(tb.rows[i, SPLIT])):
        v += amount[n] * st[XC, np.uint64(tb.asset[n])]
    for n in range(np.uint64(tb.rows[i, SPLIT]), np.uint64(tb.rows[i, END])):
        e += amount[n] * st[XD, np.uint64(tb.asset[n])]
    if e > v:
        return e - v, e
    return 0.0, e


@inlined
def recognise(
    tb: Table,
    st: FloatArray,
    amount: FloatArray,
    i: int,
    share: float,
    out: FloatArray,
    by_asset: FloatArray,
) -> None:
    """Book a share of what position i owes as bad debt, at market prices."""
    for n in range(np.uint64(tb.rows[i, SPLIT]), np.uint64(tb.rows[i, END])):
        a = tb.asset[n]
        lost = amount[n] * st[XD, a] * share
        out[BAD_DEBT] += lost
        by_asset[a] += lost


@inlined
def gas_multiple(s: Settings, relative: FloatArray, t: int) -> float:
    """Gas price in step t over the one at the start."""
    if s.native < 0:
        return 1.0
    return float(trailing(relative, t, s.native, s.window) ** s.gas_elasticity)


@inlined
def gas_cost_now(s: Settings, relative: FloatArray, t: int, multiple: float) -> float:
    """USD of gas for a liquidation in step t."""
    if s.native < 0:
        return s.gas
    return float(s.gas * multiple * relative[t, s.native])


@inlined
def capital_now(s: Settings, multiple: float) -> float:
    """USD of debt that liquidators can repay in a step of this gas price."""
    return float(s.capital * multiple**-s.inclusion_elasticity)


def _liquidate(
    tb: Table,
    s: Settings,
    st: FloatArray,
    amount: FloatArray,
    i: int,
    h: float,
    e: float,
    capital: float,
    gas: float,
    out: FloatArray,
    by_asset: FloatArray,
) -> tuple[float, int, int]:
    """Liquidate position i once if it pays.

    Return the USD of debt repaid, the collateral asset and the debt asset.
    """
    if not capital > 0.0:
        return 0.0, -1, -1
    c, nc = -1, -1
    most = 0.0
    for n in range(np.uint64(tb.rows[i, START]), np.uint64(tb.rows[i, SPLIT])):
        a = tb.asset[n]
        x = amount[n] * st[PC, a]
        if x > most and tb.whole[OPEN, a] == 1:
            most = x
            c = int(np.int64(a))  # signed, as -1 stands for none
            nc = int(np.int64(n))
    d, nd = -1, -1
    most = 0.0
    for n in range(np.uint64(tb.rows[i, SPLIT]), np.uint64(tb.rows[i, END])):
        a = tb.asset[n]
        x = amount[n] * st[PD, a]
        if x > most and tb.whole[OPEN, a] == 1:
            most = x
            d = int(np.int64(a))
            nd = int(np.int64(n))
    if c < 0 or d < 0:
        return 0.0, -1, -1
    factor = s.close_factor
    if s.full_close_below > 0.0 and h <= s.full_close_below * e:
        factor = 1.0
    held = amount[nc] * st[SUPPLY_INDEX, c]
    owed = amount[nd] * st[BORROW_INDEX, d]
    price_c = st[ORACLE_PRICE, c]
    price_d = st[ORACLE_PRICE, d]
    incentive = 1.0 + tb.rule[1, int(np.int64(tb.rows[i, CATEGORY])) + c]
    offer = capital / price_d
    cost = gas + s.least_profit
    most = 0.0
    previous = -np.inf
    for halvings in range(s.halvings + 1):
        repaid = min(offer, owed * factor)
        if s.aave:
            seized = repaid * price_d / price_c * incentive
            if seized > held:
                seized = held
                repaid = held * price_c / price_d / incentive
            fee = (seized - seized / incentive) * tb.par[FEE_SHARE, c]
        else:
            accepted = held * price_c / (price_d * incentive)
            if repaid >= accepted:
                repaid = accepted
                seized = held
            else:
                seized = min(repaid * incentive * price_d / price_c, held)
            fee = seized * tb.par[FEE_SHARE, c]
        received = seized - fee
        # Proceeds are concave and costs convex in size: no smaller size earns more than it
        # would at marginal prices, and once halving does not help it never will (two pools).
        if halvings == 0:
            most = received * st[MARGINAL, c] * ABOVE - repaid * st[MARGINAL, d] * BELOW
        else:
            most *= 0.5
        if not most > cost:
            return 0.0, -1, -1
        offer = repaid * 0.5
        if not repaid > 0.0 or received > st[CASH, c]:
            continue
        earned = 0.0
        if received > 0.0:
            earned = st[X, c] * tb.par[POOL_KEEPS, c] * sold(tb, st, c, received)
        if c == d:
            depth = st[DEPTH, d]
            q1 = st[Q, d] + received
            paid = sale(tb, d, (q1 - repaid) / depth, q1 / depth) * depth
        else:
            paid = bought(tb, st, d, repaid)
        profit = earned - st[X, d] * paid / tb.par[POOL_KEEPS, d] - gas
        if not profit > s.least_profit:
            if c != d and profit < previous - SURELY * (earned + cost):
                return 0.0, -1, -1
            previous = profit
            continue
        spent = repaid * price_d
        _, healthy, due = value(tb, s.floors, amount, i, st, XC, XD)
        if healthy >= due:
            out[WRONGFUL] += spent
            out[HARM] += max(seized * st[X, c] - repaid * st[X, d], 0.0)
        out[COUNT] += 1.0
        out[LIQUIDATED] += spent
        out[SEIZED] += seized * price_c
        out[FEE] += fee * price_c
        out[PROFIT] += profit
        amount[nc] = 0.0 if seized >= held else amount[nc] - seized / st[SUPPLY_INDEX, c]
        amount[nd] = 0.0 if repaid >= owed else amount[nd] - repaid / st[BORROW_INDEX, d]
        st[Q, c] += received
        st[Q, d] -= repaid
        impact(tb, st, c)
        impact(tb, st, d)
        st[CASH, c] -= received
        st[CASH, d] += repaid
        st[BORROWED, d] = max(st[BORROWED, d] - repaid, 0.0)
        left = False
        for n in range(np.uint64(tb.rows[i, START]), np.uint64(tb.rows[i, SPLIT])):
            left |= amount[n] > 0.0
        if not left:
            recognise(tb, st, amount, i, 1.0, out, by_asset)
            for n in range(np.uint64(tb.rows[i, SPLIT]), np.uint64(tb.rows[i, END])):
                amount[n] = 0.0
        return float(spent), c, d
    return 0.0, -1, -1


# Copied into the certificate loop, where most that is looked at is tried; kept out of the
# dense loop, which would be slower for carrying it.
liquidate_here = inlined(_liquidate)
liquidate = called(_liquidate)


@inlined
def top_up(
    tb: Table, s: Settings, st: FloatArray, amount: FloatArray, i: int, out: FloatArray
) -> None:
    """Let a borrower who watches repay if liquidation is near."""
    v, h, e = value(tb, s.floors, amount, i, st, PC, PD)
    if h < s.top_up_below * e and v >= e and h > 0.0:
        keep = h / (s.top_up_to * e)
        for n in range(np.uint64(tb.rows[i, SPLIT]), np.uint64(tb.rows[i, END])):
            a = tb.asset[n]
            repaid = amount[n] * st[BORROW_INDEX, a] * (1.0 - keep)
            amount[n] *= keep
            st[BORROWED, a] = max(st[BORROWED, a] - repaid, 0.0)
            st[CASH, a] += repaid
        out[TOPPED_UP] += e * (1.0 - keep)
