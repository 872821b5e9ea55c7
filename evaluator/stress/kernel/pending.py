"""Pending certificates and sleepers of one path, compiled; see `series` for the mathematics.

Healthy positions wait in the series of their certificate until a price falls
below their key. Positions nobody can earn on wait by size in the list of each
of their (collateral, debt) pairs until the pair's margin pays for gas: for any
size r of a liquidation

    profit <= r kappa - gas,    kappa = received_c m_c / o_c - m_d / o_d

with m marginal market prices, o oracle prices, received_c the collateral per
value repaid that the liquidator keeps. This holds because proceeds are concave
and costs convex in size. A pair's size is bounded by its debt, by what its
collateral pays for, and by the close factor while a certificate says that the
position is not far enough under water to be closed as a whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.kernel.bits import ONE, ask_for_line, insert
from evaluator.stress.kernel.compilation import called, inlined
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
    AWAKE,
    COST,
    DOUBTFUL,
    EARNED,
    EPOCH,
    FREE,
    GROWTH,
    HELD_GROWTH,
    KEY,
    KIND,
    LARGEST,
    NEXT,
    NEXT_FREE,
    OWNER,
    PAIRS,
    PATHS,
    POINTER,
    POSITION,
    SIZES,
    SLEEP,
    SLEEPS,
    SMALLEST_EXPONENT,
    THEN,
    TOP_BUCKET,
    TOUCHED,
    VERSION,
    WOKEN_AT,
    Memory,
)
from evaluator.stress.kernel.position import ABOVE, BELOW
from evaluator.stress.kernel.series import BUCKETS, ROUNDING, SINGLE, Certificates
from evaluator.stress.kernel.step import MARGINAL, ORACLE_PRICE, PC, PD, XC, XD

FloatArray = NDArray[np.float64]

# How many positions ahead of the one that is touched memory is asked for.
AHEAD = 6

# Stands for the largest size of a pair that has no sleeper left.
TINY = 1e-300

# Keys kept in single precision are raised by this much, so that rounding cannot lower them,
# and to this least one: without gas even what is left of dust is liquidated.
SINGLE_ROUNDING, LEAST_SINGLE = 1.2e-7, 1.2e-38


@inlined
def bucket(key: float, low: float, scale: float) -> int:
    """Bucket of a key in its series; the outermost hold everything beyond."""
    z = (key - low) * scale
    if z < 0.0:
        return 0
    if z > BUCKETS - 1.0:
        return BUCKETS - 1
    return int(z)


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
def take(m: Memory) -> int:
    """A free entry of the pool, or -1 when there is none."""
    x = m.counter[FREE]
    if x >= 0:
        m.counter[FREE] = m.pool[x, NEXT]
        return int(x)
    x = m.counter[NEXT_FREE]
    if x >= len(m.pool):
        return -1
    m.counter[NEXT_FREE] = x + 1
    return int(x)


@inlined
def write(m: Memory, x: int, key: float, i: int) -> None:
    """Fill an entry of the pool for position i as it is now."""
    above = key + abs(key) * SINGLE_ROUNDING
    if key > 0.0:
        above = max(above, LEAST_SINGLE)
    m.pool[x, KEY] = np.float32(above).view(np.int32)
    m.pool[x, OWNER] = i
    m.pool[x, THEN] = m.position[i, VERSION]


@inlined
def key_of(m: Memory, x: int) -> float:
    """Key of an entry, not below the one that was written."""
    return float(np.int32(m.pool[x, KEY]).view(np.float32))


@inlined
def owner(m: Memory, x: int) -> int:
    """Position of an entry."""
    return int(m.pool[x, OWNER])


@inlined
def is_stale(m: Memory, x: int, i: int) -> bool:
    """Whether position i of an entry has moved on since."""
    return bool(np.int64(m.pool[x, THEN]) != np.int64(m.position[i, VERSION]))


@inlined
def give_back(m: Memory, x: int) -> None:
    """Return an entry to the pool."""
    m.pool[x, NEXT] = m.counter[FREE]
    m.counter[FREE] = x


@inlined
def room_in_pool(m: Memory, entries: int) -> bool:
    """Whether the pool is sure to hold that many more entries."""
    return bool(m.counter[NEXT_FREE] + entries <= len(m.pool))


@inlined
def touch(tb: Table, m: Memory, i: int) -> None:
    """Copy a position for this path if that was not done yet, and make it a candidate."""
    if m.position[i, EPOCH] != m.counter[PATHS]:
        m.position[i, EPOCH] = m.counter[PATHS]
        m.position[i, SLEEP] = AWAKE
        m.touched[m.counter[TOUCHED]] = i
        m.counter[TOUCHED] += 1
        for n in range(np.uint64(tb.rows[i, START]), np.uint64(tb.rows[i, END]) + ONE):
            m.amount[n] = tb.amount[n]
        insert(m.word, m.summary, i)


@inlined
def rouse(tb: Table, m: Memory, i: int) -> None:
    """Make a candidate of a position that was waiting somewhere."""
    if m.position[i, SLEEP] % SLEEPS == DOUBTFUL:
        m.doubtful[0] -= m.amount[np.uint64(tb.rows[i, END])]
    m.position[i, VERSION] += 1
    m.position[i, SLEEP] = AWAKE
    insert(m.word, m.summary, i)


@inlined
def wait(c: Certificates, m: Memory, i: int, series: int, key: float) -> None:
    """Let position i wait in a series until it falls below a key."""
    b = bucket(key, c.grid[0, series], c.grid[1, series])
    entry = take(m)
    write(m, entry, key, i)
    m.pool[entry, NEXT] = m.heads[series, b]
    m.heads[series, b] = entry
    m.cursor[TOP_BUCKET, series] = max(b, m.cursor[TOP_BUCKET, series])
    m.pending[series] = max(key, m.pending[series])
    m.flat_top[series] = max(key, m.flat_top[series])


@inlined
def certify(tb: Table, c: Certificates, m: Memory, i: int, single: float, level: float) -> bool:
    """Put position i's certificate among the pending ones; False if it has none.

    It proves collateral weighted by `weight` >= `level` times debt. With
    `single` > 0 that is the weight of every collateral.
    """
    start = np.uint64(tb.rows[i, START])
    split = np.uint64(tb.rows[i, SPLIT])
    end = np.uint64(tb.rows[i, END])
    if not room_in_pool(m, int(np.int64(end - start))):
        return False
    k = np.uint64(tb.rows[i, CATEGORY])
    if m.position[i, KIND] == SINGLE:
        # One collateral and one debt: the key is the exact trigger, whatever the weights.
        asset = int(np.int64(tb.asset[start]))
        debt = np.uint64(tb.asset[split])
        lt = single if single > 0.0 else c.weight[0, k + np.uint64(tb.asset[start])]
        h = m.amount[start] * m.state[PC, asset] * lt
        e = level * m.amount[split] * m.state[PD, debt]
        margin = h - e - ROUNDING * (h + e)
        if not margin > 0.0:
            return False
        key = m.state[PC, asset] / m.state[PD, debt] * (1.0 - margin / h)
        wait(c, m, i, c.group[debt] * 2 * m.state.shape[1] + asset, key)
        return True
    several = 1 if split - start > 1 else 0
    h = 0.0
    e = 0.0
    largest = -1.0
    n = np.uint64(0)
    for x in range(split, end):
        a = np.uint64(tb.asset[x])
        worth = m.amount[x] * m.state[PD, a]
        e += worth
        if worth > largest:
            largest = worth
            n = a
    g = c.group[n]
    total = 0.0
    for x in range(start, split):
        a = np.uint64(tb.asset[x])
        lt = single if single > 0.0 else c.weight[several, k + a]
        worth = m.amount[x] * m.state[PC, a] * lt
        h += worth
        total += worth * c.spread[g, a]
    for x in range(split, end):
        a = np.uint64(tb.asset[x])
        if a != n:
            total += level * m.amount[x] * m.state[PD, a] * c.spread[g, a]
    margin = h - level * e - ROUNDING * (h + level * e)
    if not margin > 0.0 or not total > 0.0:
        return False
    room = margin / total
    base = 1.0 / m.state[PD, n]
    assets = m.state.shape[1]
    for x in range(start, end):
        if m.amount[x] <= 0.0:
            continue
        asset = int(np.int64(tb.asset[x]))
        if x < split:
            key = m.state[PC, asset] * base * (1.0 - room * c.spread[g, asset])
            if key <= 0.0:
                continue
            series = g * 2 * assets + asset
        else:
            if np.uint64(asset) == n:
                continue
            key = -m.state[PD, asset] * base * (1.0 + room * c.spread[g, asset])
            series = g * 2 * assets + assets + asset
        wait(c, m, i, series, key)
    return True


@inlined
def open_series(tb: Table, c: Certificates, m: Memory, series: int, y: float) -> None:
    """Make candidates of all whose key in a series is above its value y."""
    p = m.cursor[POINTER, series]
    end = c.first[series + 1]
    while p < end and c.key[p] > y:
        if p + AHEAD < end:
            ask_for_line(m.position, c.owner[p + AHEAD] * POSITION)
        touch(tb, m, c.owner[p])
        p += 1
    m.cursor[POINTER, series] = p
    if y < m.pending[series]:
        low = c.grid[0, series]
        scale = c.grid[1, series]
        lowest = bucket(y, low, scale)
        b = m.cursor[TOP_BUCKET, series]
        top = -np.inf
        while b >= lowest:
            x = m.heads[series, b]
            kept = np.int64(-1)
            while x >= 0:
                after = m.pool[x, NEXT]
                i = owner(m, x)
                if is_stale(m, x, i):
                    give_back(m, x)
                elif key_of(m, x) > y:
                    rouse(tb, m, i)
                    give_back(m, x)
                else:
                    top = max(top, key_of(m, x))
                    m.pool[x, NEXT] = kept
                    kept = x
                x = after
            m.heads[series, b] = kept
            if kept >= 0:
                break
            b -= 1
        while b >= 0 and m.heads[series, b] < 0:
            b -= 1
        m.cursor[TOP_BUCKET, series] = b
        if b >= 0 and b < lowest:
            top = low + (b + 1) / scale
            top += 1e-9 * abs(top)
        m.pending[series] = top
    highest = m.pending[series]
    if p < end and c.key[p] > highest:
        highest = c.key[p]
    m.flat_top[series] = highest


@inlined
def ask_prices(m: Memory, pc: int, pd: int) -> None:
    """Set the prices that the keys of all series are compared with."""
    assets = m.state.shape[1]
    for a in range(assets):
        m.prices[a] = m.state[pc, a]
        m.prices[assets + a] = -m.state[pd, a]


@inlined
def below_any_key(c: Certificates, m: Memory) -> bool:
    """Whether some series is below its highest key at oracle prices."""
    ask_prices(m, PC, PD)
    below = 0
    for g in range(m.top.shape[0]):
        numeraire = m.state[PD, c.used[g]]
        for a in range(m.top.shape[1]):
            below += m.prices[a] < m.top[g, a] * numeraire
    return below > 0


@called
def scan(tb: Table, c: Certificates, m: Memory, at_market: bool) -> None:
    """Open every series that is below its highest key, at market or at oracle prices."""
    pc = XC if at_market else PC
    pd = XD if at_market else PD
    ask_prices(m, pc, pd)
    series = m.top.shape[1]
    for g in range(m.top.shape[0]):
        numeraire = m.state[pd, c.used[g]]
        below = 0  # counted first, which takes no branches
        for a in range(series):
            below += m.prices[a] < m.top[g, a] * numeraire
        if below == 0:
            continue
        for a in range(series):
            if m.prices[a] < m.top[g, a] * numeraire:
                open_series(tb, c, m, g * series + a, m.prices[a] / numeraire)


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
