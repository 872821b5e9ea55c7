"""Pending certificates of one path, compiled; see `series` for the mathematics.

Healthy positions wait in the series of their certificate until a price falls
below their key.
"""

from __future__ import annotations

import numpy as np

from evaluator.stress.kernel.bits import ONE, ask_for_line, insert
from evaluator.stress.kernel.compilation import called, inlined
from evaluator.stress.kernel.layout import CATEGORY, END, SPLIT, START, Table
from evaluator.stress.kernel.memory import (
    AWAKE,
    DOUBTFUL,
    EPOCH,
    KIND,
    NEXT,
    PATHS,
    POINTER,
    POSITION,
    SLEEP,
    SLEEPS,
    TOP_BUCKET,
    TOUCHED,
    VERSION,
    Memory,
)
from evaluator.stress.kernel.pool import (
    give_back,
    is_stale,
    key_of,
    owner,
    room_in_pool,
    take,
    write,
)
from evaluator.stress.kernel.series import BUCKETS, ROUNDING, SINGLE, Certificates
from evaluator.stress.kernel.step import PC, PD, XC, XD

# How many positions ahead of the one that is touched memory is asked for.
AHEAD = 6


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
