"""What happens to assets in a step, compiled. The twin of `reference.Simulation`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.kernel.compilation import inlined
from evaluator.stress.kernel.layout import (
    ALWAYS,
    BASE,
    BEND_Q,
    BEND_SLOPE,
    BEND_W,
    BENDS,
    BIAS,
    BORROWED_START,
    CAP,
    CASH_START,
    COLUMN,
    DEVIATION,
    FLOOR,
    HEARTBEAT,
    INTEREST_PAID,
    LATENCY,
    NEVER,
    OPTIMAL,
    ORACLE_START,
    PASSED_ON,
    PEAK,
    RATE_BASE,
    REPORTS,
    SLOPE1,
    SLOPE2,
    Settings,
    Table,
)
from evaluator.stress.reference import NO_CASH

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


# Rows of a path's state, one column per reserve.
(
    Q,  # whole tokens net sold into the pools
    X,  # USD, undisturbed market price
    ORACLE_PRICE,  # USD
    UPDATED,  # step of the oracle's last report
    SUPPLY_INDEX,  # 1 at the start
    BORROW_INDEX,  # 1 at the start
    BORROWED,  # whole tokens
    CASH,  # whole tokens
    DEPTH,  # of the pools relative to their curves, this step
    PC,  # oracle price of a unit of collateral: price times supply index
    PD,  # oracle price of a unit of debt: price times borrow index
    XC,  # market price of a unit of collateral
    XD,  # market price of a unit of debt
    MARGINAL,  # USD, market price with the impact of the inventory as it stands
    W,  # of the liquidity curve at the inventory as it stands
    SLOPE,  # of w there, per whole token
    UP,  # whole tokens that can be sold before w bends
    DOWN,  # whole tokens that can be bought before w bends
) = range(18)
STATE = 18


@inlined
def reset(tb: Table, s: Settings, st: FloatArray, history: FloatArray) -> None:
    """Put the state at the start of a path."""
    for a in range(st.shape[1]):
        st[Q, a] = 0.0
        st[DEPTH, a] = s.depth
        st[X, a] = tb.par[BASE, a]
        st[ORACLE_PRICE, a] = tb.par[ORACLE_START, a]
        st[UPDATED, a] = 0
        st[SUPPLY_INDEX, a] = 1.0
        st[BORROW_INDEX, a] = 1.0
        st[BORROWED, a] = tb.par[BORROWED_START, a]
        st[CASH, a] = tb.par[CASH_START, a]
        history[0, a] = tb.par[BASE, a]


@inlined
def trailing(relative: FloatArray, t: int, column: int, window: int) -> float:
    """Highest over lowest of one column in the window that ends at t."""
    low = relative[t, column]
    high = low
    first = t - window
    if first < 0:
        first = 0
    for s in range(first, t):
        x = relative[s, column]
        low = min(low, x)
        high = max(high, x)
    return float(high / low)


@inlined
def w(tb: Table, a: int, q: float) -> float:
    """The liquidity curve's w after q whole tokens were net sold."""
    if q <= tb.bend[BEND_Q, a, 0]:
        return float(tb.bend[BEND_W, a, 0])
    k = 0
    while k + 1 < tb.whole[BENDS, a] and tb.bend[BEND_Q, a, k + 1] <= q:
        k += 1
    return float(tb.bend[BEND_W, a, k] + tb.bend[BEND_SLOPE, a, k] * (q - tb.bend[BEND_Q, a, k]))


@inlined
def sale(tb: Table, a: int, q0: float, q1: float) -> float:
    """Proceeds from q0 up to q1 > q0 net sold, in units of the undisturbed price."""
    total = 0.0
    x = q0
    wx = w(tb, a, x)
    for k in range(tb.whole[BENDS, a]):
        y = tb.bend[BEND_Q, a, k]
        if y > x and y < q1:
            wy = tb.bend[BEND_W, a, k]
            total += (y - x) / (wx * wy)
            x = y
            wx = wy
    return total + (q1 - x) / (wx * w(tb, a, q1))


@inlined
def impact(tb: Table, st: FloatArray, a: int) -> None:
    """Set the marginal price of one asset, and w around its inventory."""
    depth = st[DEPTH, a]
    q = st[Q, a] / depth
    k = -1
    while k + 1 < tb.whole[BENDS, a] and tb.bend[BEND_Q, a, k + 1] <= q:
        k += 1
    if k < 0:
        st[W, a] = tb.bend[BEND_W, a, 0]
        st[SLOPE, a] = 0.0
        st[DOWN, a] = np.inf
    else:
        at = tb.bend[BEND_Q, a, k]
        st[W, a] = tb.bend[BEND_W, a, k] + tb.bend[BEND_SLOPE, a, k] * (q - at)
        st[SLOPE, a] = tb.bend[BEND_SLOPE, a, k] / depth
        st[DOWN, a] = (q - at) * depth
    st[UP, a] = np.inf
    if k + 1 < tb.whole[BENDS, a]:
        st[UP, a] = (tb.bend[BEND_Q, a, k + 1] - q) * depth
    st[MARGINAL, a] = st[X, a] * (1.0 / (st[W, a] * st[W, a]))


@inlined
def sold(tb: Table, st: FloatArray, a: int, amount: float) -> float:
    """What selling `amount` > 0 whole tokens now pays, in units of the undisturbed price."""
    if amount <= st[UP, a]:
        return float(amount / (st[W, a] * (st[W, a] + st[SLOPE, a] * amount)))
    depth = st[DEPTH, a]
    return float(sale(tb, a, st[Q, a] / depth, (st[Q, a] + amount) / depth) * depth)


@inlined
def bought(tb: Table, st: FloatArray, a: int, amount: float) -> float:
    """What buying `amount` > 0 whole tokens now costs, in units of the undisturbed price."""
    if amount <= st[DOWN, a]:
        return float(amount / (st[W, a] * (st[W, a] - st[SLOPE, a] * amount)))
    depth = st[DEPTH, a]
    return float(sale(tb, a, (st[Q, a] - amount) / depth, st[Q, a] / depth) * depth)


@inlined
def refill(s: Settings, st: FloatArray) -> None:
    """Decay the inventory."""
    for a in range(st.shape[1]):
        st[Q, a] *= s.decay


@inlined
def set_depth(tb: Table, s: Settings, st: FloatArray, relative: FloatArray, t: int) -> None:
    """Let LPs leave as the range of prices that ends at t tells them."""
    if s.depth_elasticity > 0.0:
        for a in range(st.shape[1]):
            width = trailing(relative, t, tb.whole[COLUMN, a], s.window)
            st[DEPTH, a] = s.depth * width**-s.depth_elasticity


@inlined
def move_prices(
    tb: Table, s: Settings, st: FloatArray, history: FloatArray, relative: FloatArray, t: int
) -> None:
    """Read the exogenous prices of step t and apply the inventory's impact."""
    if s.held_asset >= 0 and s.held_from <= t < s.held_to:
        st[Q, s.held_asset] = s.held_quantity * st[DEPTH, s.held_asset]
    for a in range(st.shape[1]):
        c = tb.whole[COLUMN, a]
        st[X, a] = relative[t, c] * tb.par[BASE, a]
        if st[Q, a] == 0.0:
            history[t, a] = st[X, a]
        else:
            x = w(tb, a, st[Q, a] / st[DEPTH, a])
            history[t, a] = st[X, a] * (1.0 / (x * x))


@inlined
def report(tb: Table, st: FloatArray, history: FloatArray, now: int, t: int) -> None:
    """Let the oracles look and report; `now` is the last row of `history`."""
    for a in range(st.shape[1]):
        if tb.whole[REPORTS, a] == NEVER:
            continue
        at = now - tb.whole[LATENCY, a]
        if at < 0:
            at = 0
        answer = history[at, a] * tb.par[BIAS, a]
        answer = min(max(answer, tb.par[FLOOR, a]), tb.par[CAP, a])
        moved = abs(answer - st[ORACLE_PRICE, a]) > tb.par[DEVIATION, a] * st[ORACLE_PRICE, a]
        overdue = t - st[UPDATED, a] >= tb.whole[HEARTBEAT, a]
        if tb.whole[REPORTS, a] == ALWAYS or moved or overdue:
            st[ORACLE_PRICE, a] = answer
            st[UPDATED, a] = t


@inlined
def utilisation(st: FloatArray, a: int) -> float:
    """Borrowed over supplied, 0 when empty."""
    total = st[BORROWED, a] + st[CASH, a]
    if total > 0.0:
        return float(st[BORROWED, a] / total)
    return 0.0


@inlined
def accrue(tb: Table, s: Settings, st: FloatArray, out: FloatArray) -> None:
    """Grow debts and deposits."""
    interest = 0.0
    for a in range(st.shape[1]):
        total = st[BORROWED, a] + st[CASH, a]
        u = st[BORROWED, a] / total if total > 0.0 else 0.0
        best = tb.par[OPTIMAL, a]
        near = u if u < best else best
        beyond = u - best if u > best else 0.0
        rate = tb.par[RATE_BASE, a] + tb.par[SLOPE1, a] * near + tb.par[SLOPE2, a] * beyond
        growth = rate * s.years
        earned = growth * u * tb.par[PASSED_ON, a]
        interest += st[BORROWED, a] * growth * st[X, a]
        st[BORROW_INDEX, a] *= 1.0 + growth
        st[SUPPLY_INDEX, a] *= 1.0 + earned
        st[BORROWED, a] *= 1.0 + growth
    out[INTEREST_PAID] += interest


@inlined
def run_of_suppliers(s: Settings, st: FloatArray) -> bool:
    """Pay suppliers who leave what cash there is; return whether somebody went without."""
    frozen = False
    if s.run_rate <= 0.0:
        return frozen
    for a in range(st.shape[1]):
        if utilisation(st, a) > s.run_above:
            wanted = s.run_rate * (st[BORROWED, a] + st[CASH, a])
            paid = min(wanted, st[CASH, a])
            st[CASH, a] -= paid
            if paid < wanted:
                frozen = True
    return frozen


@inlined
def close_step(st: FloatArray, out: FloatArray) -> bool:
    """Note utilisation; return whether some asset has no cash left."""
    frozen = False
    for a in range(st.shape[1]):
        if st[BORROWED, a] > 0.0:
            supply = st[BORROWED, a] + st[CASH, a]
            if st[BORROWED, a] > out[PEAK] * supply:
                out[PEAK] = st[BORROWED, a] / supply
            if st[CASH, a] <= NO_CASH * supply:
                frozen = True
    return frozen


@inlined
def unit_prices(st: FloatArray) -> None:
    """Set the prices that positions are valued at."""
    for a in range(st.shape[1]):
        st[PC, a] = st[ORACLE_PRICE, a] * st[SUPPLY_INDEX, a]
        st[PD, a] = st[ORACLE_PRICE, a] * st[BORROW_INDEX, a]
        st[XC, a] = st[X, a] * st[SUPPLY_INDEX, a]
        st[XD, a] = st[X, a] * st[BORROW_INDEX, a]


@inlined
def oracle_near_market(st: FloatArray, highest: float) -> bool:
    """Whether no position that is healthy at oracle prices can be insolvent at market prices.

    A healthy one has debt <= `highest` threshold times collateral; market
    prices take at most lo / hi off that.
    """
    lo = np.inf
    hi = 0.0
    for a in range(st.shape[1]):
        ratio = st[X, a] / st[ORACLE_PRICE, a]
        lo = min(lo, ratio)
        hi = max(hi, ratio)
    return bool(lo >= hi * highest * 1.000001)
