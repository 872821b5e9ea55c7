"""Working memory of the certificate loop, one set per thread, reused by every path.

Nothing here is cleared by position between paths: what a path wrote is told
apart by its epoch, and pending keys of positions that moved on by a version.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.kernel.series import BUCKETS
from evaluator.stress.kernel.step import STATE

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Buckets of sleeping positions, by the binary exponent of what can be repaid in USD.
SIZES = 48
SMALLEST_EXPONENT = -12

# Columns of Memory.position after those of Table.rows, with which they share a cache line.
(
    VERSION,  # what waits under an earlier one no longer counts
    EPOCH,  # path on which the position was touched last
    SLEEP,  # one of the next three, and the step it fell asleep in times SLEEPS
    KIND,  # see Certificates.kind
) = range(4, 8)
POSITION = 8

# Proved solvent (or nobody asks any more), or possibly not.
AWAKE, SOLVENT, DOUBTFUL = range(3)
SLEEPS = 4

# Columns of Memory.pool, four to a quarter of a cache line.
(
    KEY,  # bits of the key, or of the size of a sleeper, rounded up to single precision
    OWNER,  # position
    THEN,  # its version at the time
    NEXT,  # entry of the same list, -1 for none
) = range(4)

# Rows of Memory.cursor.
POINTER, TOP_BUCKET = range(2)

# Rows of Memory.margin. The first two hold at the moment, the last two at the step's start.
(
    EARNED,  # USD a liquidator gets per USD repaid and this collateral, at most
    COST,  # USD it costs to buy a USD of this debt, at least
    GROWTH,  # price of a unit of this debt over the oracle's price at the start
    HELD_GROWTH,  # price of a unit of this collateral over the oracle's price at the start
    EARNED_FIRST,
    COST_FIRST,
) = range(6)

# Rows of Memory.sleep_limit.
LARGEST, WOKEN_AT = range(2)

# Cells of Memory.counter.
(
    NEXT_FREE,  # entry of the pool never used so far
    FREE,  # head of the list of entries given back, -1 for none
    TOUCHED,  # positions copied on this path
    PAIRS,  # pairs with sleepers on this path
    PATHS,  # number of paths run, the epoch
) = range(5)


class Memory(NamedTuple):
    """Scratch arrays. N positions, L series, U debt assets in use, A reserves."""

    state: FloatArray  # shape (STATE, A), see step.Q and following
    history: FloatArray  # shape (S + 1, A); USD, market prices with impact
    amount: FloatArray  # shape (nnz,) as the table's; rows are copied when first touched
    position: NDArray[np.uint32]  # shape (N, POSITION): Table.rows, then VERSION and following
    touched: NDArray[np.int32]  # shape (N,); positions copied on this path
    word: NDArray[np.uint64]  # candidates: bit per position
    summary: NDArray[np.uint64]  # bit per word
    top: FloatArray  # shape (U, 2 A); highest key of every series that still counts
    flat_top: FloatArray  # shape (L,); the same memory
    pending: FloatArray  # shape (L,); highest pending key of every series
    cursor: IntArray  # shape (2, L), see POINTER and following
    heads: NDArray[np.int32]  # shape (L, BUCKETS); first pending key of each bucket
    sleep_heads: NDArray[np.int32]  # shape (A A, SIZES); first sleeper of each bucket
    pairs: IntArray  # shape (A A,); pairs with sleepers on this path
    sleep_limit: FloatArray  # shape (2, A A), see LARGEST and following
    pool: NDArray[np.int32]  # shape (entries, 4), see KEY and following
    prices: FloatArray  # shape (2 A,); pc, then -pd
    margin: FloatArray  # shape (6, A), see EARNED and following
    doubtful: FloatArray  # shape (1,); size of all DOUBTFUL sleepers together
    counter: IntArray  # shape (5,), see NEXT_FREE and following


def _aligned(positions: int) -> NDArray[np.uint32]:
    """Rows of zeros, none of them across two cache lines."""
    raw = np.zeros((positions + 2) * POSITION, dtype=np.uint32)
    skipped = -raw.ctypes.data % 64 // raw.itemsize
    return raw[skipped : skipped + positions * POSITION].reshape(positions, POSITION)


def memory(positions: int, entries: int, assets: int, groups: int, steps: int) -> Memory:
    """Allocate scratch for books of this shape."""
    series = groups * 2 * assets
    words = (positions + 63) // 64 + 1
    pool = 12 * entries + 4096
    top = np.zeros((groups, 2 * assets))
    return Memory(
        state=np.zeros((STATE, assets)),
        history=np.zeros((steps + 1, assets)),
        amount=np.zeros(entries),
        position=_aligned(max(positions, 1)),
        touched=np.zeros(positions, dtype=np.int32),
        word=np.zeros(words, dtype=np.uint64),
        summary=np.zeros((words + 63) // 64, dtype=np.uint64),
        top=top,
        flat_top=top.ravel(),
        pending=np.zeros(series),
        pairs=np.zeros(assets * assets, dtype=np.int64),
        cursor=np.full((2, series), BUCKETS - 1, dtype=np.int64),
        heads=np.full((series, BUCKETS), -1, dtype=np.int32),
        sleep_heads=np.full((assets * assets, SIZES), -1, dtype=np.int32),
        sleep_limit=np.zeros((2, assets * assets)),
        pool=np.zeros((pool, 4), dtype=np.int32),
        prices=np.zeros(2 * assets),
        margin=np.zeros((6, assets)),
        doubtful=np.zeros(1),
        counter=np.zeros(5, dtype=np.int64),
    )
