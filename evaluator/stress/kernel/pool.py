"""The entries that waiting positions are listed under, taken from one pool per thread, compiled.

An entry holds a key or a size in single precision, its position and the
position's version at the time: it is stale once the position has moved on.
"""

from __future__ import annotations

import numpy as np

from evaluator.stress.kernel.compilation import inlined
from evaluator.stress.kernel.memory import FREE, KEY, NEXT, NEXT_FREE, OWNER, THEN, VERSION, Memory

# Keys kept in single precision are raised by this much, so that rounding cannot lower them,
# and to this least one: without gas even what is left of dust is liquidated.
SINGLE_ROUNDING, LEAST_SINGLE = 1.2e-7, 1.2e-38


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
