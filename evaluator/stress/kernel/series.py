"""Certificates: what proves a position healthy for many steps at once.

For each debt asset n taken as numeraire there are 2 A series of prices,

    y = pc_a / pd_n      of every asset as collateral, and
    y = -pd_a / pd_n     of every asset as another debt

(pc, pd: oracle prices of a unit of collateral and of debt). Let n be the
position's largest debt, G = H - k E its margin (H weighted collateral, E
debt, k = 1 or the health factor at which its borrower tops up), s > 0 weights
and

    lambda = G / (sum over collateral c pc LT s + sum over other debts k d pd s).

While no series of the position is below its key, y (1 - lambda s) and on the
negative series y (1 + lambda s), H >= k E holds: the loss of G is linear in
the moves. With one collateral and one debt the key is the exact trigger. The
weights, typical relative moves, only decide how tight it is.

Aave rounds the average threshold down to a basis point; LT is lowered by that
much where there is more than one collateral.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.kernel.layout import (
    CATEGORY,
    END,
    ORACLE_START,
    SPLIT,
    START,
    Settings,
    Table,
)
from evaluator.stress.kernel.position import FLOOR_MARGIN
from evaluator.stress.ledger import AVERAGE_EPSILON

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Buckets of pending keys per series.
BUCKETS = 64
# Width of a bucket in typical relative moves.
BUCKET_WIDTH = 0.6
# Relative rounding that a margin must exceed.
ROUNDING = 1e-12
# Smallest typical move of a step, relative.
LEAST_MOVE = 1e-5


# Positions with one collateral and one debt, those whose borrower tops up, and the rest.
OTHER, SINGLE, WATCHED = range(3)


class Certificates(NamedTuple):
    """Certificates at the start, shared by all paths. U debt assets in use, L = U * 2 A series."""

    used: IntArray  # shape (U,); debt asset of each group of series
    group: IntArray  # shape (A,); group of each debt asset, -1 for none
    spread: FloatArray  # shape (U, A); s
    grid: FloatArray  # shape (2, L): lowest key of bucket 1, buckets per unit of key
    first: IntArray  # shape (L + 1,); series l is keys first[l]:first[l + 1]
    key: FloatArray  # shape (M,); descending in each series
    owner: NDArray[np.int32]  # shape (M,); position of each key
    weight: FloatArray  # shape (2, K * A): LT for one collateral, LT for several
    kind: NDArray[np.uint8]  # shape (N,); SINGLE, WATCHED or OTHER


def typical_moves(relative: FloatArray, columns: IntArray) -> FloatArray:
    """Return the typical move in a step of asset a against asset n, shape (A, A).

    `relative` has shape (P, S + 1, U). Only speed depends on it, not results.
    """
    x = np.diff(np.log(relative[:16][:, :, columns]), axis=1)
    second = np.einsum("psa,psb->ab", x, x) / max(x.shape[0] * x.shape[1], 1)
    own = np.diag(second)
    return np.asarray(np.sqrt(np.maximum(own[:, None] + own[None, :] - 2 * second, LEAST_MOVE**2)))


def certificates(tb: Table, s: Settings, moves: FloatArray) -> Certificates:
    """Certify every position at the start's oracle prices."""
    A = tb.par.shape[1]
    N = len(tb.rows)
    rows = tb.rows.astype(np.int64)
    price = tb.par[ORACLE_START]
    row = np.repeat(np.arange(N), rows[:, END] - rows[:, START])
    entry = np.arange(len(row)) + row  # one entry after each position is not an amount
    asset = tb.asset[entry].astype(np.int64)
    is_debt = entry >= rows[row, SPLIT]
    worth = tb.amount[entry] * price[asset]

    exact = tb.rule[0]
    one = np.floor(exact * 1e4 + AVERAGE_EPSILON) / 1e4 if s.floors else exact
    several = exact - FLOOR_MARGIN if s.floors else exact
    weight = np.array([one, several])
    collaterals = rows[:, SPLIT] - rows[:, START]
    debts = rows[:, END] - rows[:, SPLIT]
    watched = tb.watched > 0
    level = np.where(watched, s.top_up_below, 1.0)
    lt = weight[(collaterals[row] > 1).astype(np.int64), rows[row, CATEGORY] + asset]

    H = np.bincount(row, weights=np.where(is_debt, 0.0, worth * lt), minlength=N)
    E = np.bincount(row, weights=np.where(is_debt, worth, 0.0), minlength=N)
    # Numeraire: the largest debt, the first of equals.
    numeraire = np.zeros(N, dtype=np.int64)
    largest = np.full(N, -1.0)
    for e in np.flatnonzero(is_debt):
        if worth[e] > largest[row[e]]:
            largest[row[e]] = worth[e]
            numeraire[row[e]] = asset[e]
    used = np.unique(asset[is_debt])
    group = np.full(A, -1, dtype=np.int64)
    group[used] = np.arange(len(used))

    n = numeraire[row]
    other = is_debt & (asset != n)
    move = moves[asset, n]
    load = np.where(is_debt, level[row] * worth * other, worth * lt) * move
    total = np.bincount(row, weights=load, minlength=N)
    G = H - level * E - ROUNDING * (H + level * E)
    room = np.divide(G, total, out=np.full(N, -1.0), where=(G > 0.0) & (total > 0.0))

    active = (E > 0.0)[row]
    y = price[asset] / price[n]
    key = np.where(is_debt, -y * (1.0 + room[row] * move), y * (1.0 - room[row] * move))
    bound = (room > 0.0)[row]
    # Not certified: a key above any price makes it a candidate at the first look.
    listed = active & bound & np.where(is_debt, other, key > 0.0)
    series = group[n] * (2 * A) + np.where(is_debt, A, 0) + asset
    loose = np.flatnonzero((E > 0.0) & ~(room > 0.0))
    L = len(used) * 2 * A
    all_series = np.concatenate([series[listed], group[numeraire[loose]] * (2 * A)])
    all_keys = np.concatenate([key[listed], np.full(len(loose), np.inf)])
    all_owners = np.concatenate([row[listed], loose])
    by = np.lexsort((all_owners, -all_keys, all_series))
    first = np.searchsorted(all_series[by], np.arange(L + 1)).astype(np.int64)

    spread = moves[:, used].T.copy()
    ratio = price[None, :] / price[used][:, None]
    width = BUCKET_WIDTH * np.maximum(spread, LEAST_MOVE)
    low = np.stack(
        [ratio * (1.0 - 0.9 * BUCKETS * width), -ratio * (1.0 + 0.9 * BUCKETS * width)], axis=1
    )
    scale = np.stack([1.0 / (ratio * width)] * 2, axis=1)
    return Certificates(
        used=used.astype(np.int64),
        group=group,
        spread=np.ascontiguousarray(spread),
        grid=np.array([low.ravel(), scale.ravel()]),
        first=first,
        key=np.ascontiguousarray(all_keys[by]),
        owner=all_owners[by].astype(np.int32),
        weight=weight,
        kind=np.where(
            watched, WATCHED, np.where((collaterals == 1) & (debts == 1), SINGLE, OTHER)
        ).astype(np.uint8),
    )
