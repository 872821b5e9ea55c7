"""Sleepers of one path, compiled: positions nobody can earn on, by size and pair.

They wait in the list of each of their (collateral, debt) pairs until the
pair's margin pays for gas: for any size r of a liquidation

    profit <= r kappa - gas,    kappa = received_c m_c / o_c - m_d / o_d

with m marginal market prices, o oracle prices, received_c the collateral per
value repaid that the liquidator keeps. This holds because proceeds are concave
and costs convex in size. A pair's size is bounded by its debt, by what its
collateral pays for, and by the close factor while a certificate says that the
position is not far enough under water to be closed as a whole.
"""

from __future__ import annotations

import numpy as np

from evaluator.stress.kernel.compilation import inlined
from evaluator.stress.kernel.layout import (
    CATEGORY,
    END,
    OPEN,
    ORACLE_START,
    SIZE_ROUNDING,
    SPLIT,
    START,
    Table,
)
from evaluator.stress.kernel.memory import (
    COST,
    DOUBTFUL,
    EARNED,
    GROWTH,
    HELD_GROWTH,
    LARGEST,
    NEXT,
    PAIRS,
    SIZES,
    SLEEP,
    SLEEPS,
    SMALLEST_EXPONENT,
    WOKEN_AT,
    Memory,
)
from evaluator.stress.kernel.pending import rouse
from evaluator.stress.kernel.pool import (
    give_back,
    is_stale,
    key_of,
    owner,
    room_in_pool,
    take,
    write,
)
from evaluator.stress.kernel.position import ABOVE, BELOW
from evaluator.stress.kernel.step import MARGINAL, ORACLE_PRICE

# Stands for the largest size of a pair that has no sleeper left.
TINY = 1e-300


@inlined
def size_bucket(size: float) -> int:
    """Bucket of a sleeper by the binary exponent of its size."""
    e = int((np.float64(size).view(np.int64) >> np.int64(52)) - 1023 - SMALLEST_EXPONENT)
    if e < 0:
        return 0
    if e > SIZES - 1:
        return SIZES - 1
    return e


@inlined
def could_pay(
    tb: Table, m: Memory, i: int, share: float, earned: int, cost: int, least: float
) -> bool:
    """Whether repaying up to `share` of a debt of position i may earn more than `least` USD.

    `earned` and `cost` are the rows of `margin` to go by.
    """
    split = np.uint64(tb.rows[i, SPLIT])
    end = np.uint64(tb.rows[i, END])
    k = np.uint64(tb.rows[i, CATEGORY])
    for j in range(np.uint64(tb.rows[i, START]), split):
        a = np.uint64(tb.asset[j])
        held = m.amount[j] * tb.par[ORACLE_START, a] / (1.0 + tb.rule[1, k + a])
        for x in range(split, end):
            d = np.uint64(tb.asset[x])
            size = min(share * m.amount[x] * tb.par[ORACLE_START, d], held)
            size *= max(m.margin[HELD_GROWTH, a], m.margin[GROWTH, d]) * (1.0 + SIZE_ROUNDING)
            if size * (m.margin[earned, a] - m.margin[cost, d]) > least:
                return True
    return False


@inlined
def fall_asleep(tb: Table, m: Memory, i: int, share: float, how: int, t: int) -> bool:
    """Put position i into the lists of its pairs; False if the pool is full.

    At most `share` of a debt can be repaid at once; `how` is SOLVENT or
    DOUBTFUL, `t` the step.
    """
    split = np.uint64(tb.rows[i, SPLIT])
    end = np.uint64(tb.rows[i, END])
    start = np.uint64(tb.rows[i, START])
    if not m.amount[end] > 0.0:
        return True  # owes nothing: nothing can ever happen
    if not room_in_pool(m, int(np.int64((split - start) * (end - split)))):
        return False
    assets = m.state.shape[1]
    k = np.uint64(tb.rows[i, CATEGORY])
    for j in range(start, split):
        a = np.uint64(tb.asset[j])
        held = m.amount[j] * tb.par[ORACLE_START, a] / (1.0 + tb.rule[1, k + a])
        for n in range(split, end):
            d = np.uint64(tb.asset[n])
            size = min(share * m.amount[n] * tb.par[ORACLE_START, d], held) * (1.0 + SIZE_ROUNDING)
            if not size > 0.0:
                continue
            b = size_bucket(size)
            pair = np.int64(a) * assets + np.int64(d)
            x = take(m)
            write(m, x, size, i)
            m.pool[x, NEXT] = m.sleep_heads[pair, b]
            m.sleep_heads[pair, b] = x
            if m.sleep_limit[LARGEST, pair] == 0.0:
                m.pairs[m.counter[PAIRS]] = pair
                m.counter[PAIRS] += 1
                m.sleep_limit[WOKEN_AT, pair] = np.inf
            m.sleep_limit[LARGEST, pair] = max(size, m.sleep_limit[LARGEST, pair])
    m.position[i, SLEEP] = how + SLEEPS * t
    if how == DOUBTFUL:
        m.doubtful[0] += m.amount[end]
    return True


@inlined
def wake(tb: Table, m: Memory, pair: int, least: float, beyond: int) -> None:
    """Make candidates of a pair's sleepers above a size, those after position `beyond` only."""
    lowest = size_bucket(least)
    largest = 0.0
    b = SIZES - 1
    while b >= 0 and (b >= lowest or largest == 0.0):
        x = m.sleep_heads[pair, b]
        kept = np.int64(-1)
        while x >= 0:
            after = m.pool[x, NEXT]
            i = owner(m, x)
            if is_stale(m, x, i):
                give_back(m, x)
            elif key_of(m, x) > least and i > beyond:
                rouse(tb, m, i)
                give_back(m, x)
            else:
                largest = max(largest, key_of(m, x))
                m.pool[x, NEXT] = kept
                kept = x
            x = after
        m.sleep_heads[pair, b] = kept
        b -= 1
    # Never 0 again on this path: the pair stays listed.
    m.sleep_limit[LARGEST, pair] = max(largest, TINY)


@inlined
def set_margin(tb: Table, m: Memory, a: int, received: float) -> None:
    """Bound what an asset earns as collateral and costs as debt, at its marginal price.

    `received` is the collateral a liquidator keeps per value repaid, at most.
    """
    if tb.whole[OPEN, a] == 1:
        ratio = m.state[MARGINAL, a] / m.state[ORACLE_PRICE, a]
        m.margin[EARNED, a] = received * ratio * ABOVE
        m.margin[COST, a] = ratio * BELOW
    else:
        m.margin[EARNED, a] = 0.0
        m.margin[COST, a] = np.inf


@inlined
def remeasure(tb: Table, m: Memory, i: int) -> None:
    """Bound position i's debt again after part of it was repaid."""
    total = 0.0
    for x in range(np.uint64(tb.rows[i, SPLIT]), np.uint64(tb.rows[i, END])):
        total += m.amount[x] * tb.par[ORACLE_START, np.uint64(tb.asset[x])]
    m.amount[np.uint64(tb.rows[i, END])] = total * (1.0 + SIZE_ROUNDING)
