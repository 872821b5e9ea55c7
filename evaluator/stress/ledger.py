"""The book in the order in which a battery serves it.

Liquidators turn to the largest debts first, so positions are ordered by debt
value at the start, descending, equal ones in the book's own order.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.market import Family, Market

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# See evaluator.market.health: what counts as a whole basis point of an average.
AVERAGE_EPSILON = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Ledger:
    """N positions, each a run of collateral entries followed by a run of debt entries."""

    order: IntArray  # shape (N,); index in the book of each position
    start: IntArray  # shape (N + 1,); row i is entries start[i]:start[i + 1]
    split: IntArray  # shape (N,); first debt entry of row i
    asset: IntArray  # shape (nnz,); index into Market.reserves, ascending in each run
    amount: FloatArray  # shape (nnz,); whole tokens at the start
    category: IntArray  # shape (N,); eMode category
    watched: NDArray[np.bool_]  # shape (N,); the borrower tops up when liquidation is near

    def __len__(self) -> int:
        return len(self.order)

    @classmethod
    def of(cls, market: Market, *, top_up_share: float = 0.0) -> Ledger:
        """Order a market's book.

        Collateral that the protocol does not count and nobody may seize is
        left out (Aave V3: no liquidation threshold of its own). Who watches
        is decided by the address, so that it is the same in both readings.
        """
        book = market.book
        c, d = book.collateral, book.debt
        counts = np.ones(len(market.reserves), dtype=np.bool_)
        if market.family is Family.AAVE_V3:
            counts = np.array([r.parameters.liquidation_threshold > 0.0 for r in market.reserves])
        value = np.zeros(len(book))
        np.add.at(value, d.row, d.amount * market.prices[d.asset])
        order = np.argsort(-value, kind="stable").astype(np.int64)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))

        kept = counts[c.asset]
        position = np.concatenate([rank[c.row[kept]], rank[d.row]])
        side = np.concatenate(
            [np.zeros(int(kept.sum()), np.int64), np.ones(len(d.asset), np.int64)]
        )
        asset = np.concatenate([c.asset[kept], d.asset])
        amount = np.concatenate([c.amount[kept], d.amount])
        by = np.lexsort((asset, side, position))
        held = np.bincount(position[side == 0], minlength=len(book))
        every = np.bincount(position, minlength=len(book))
        start = np.concatenate([[0], np.cumsum(every)]).astype(np.int64)
        return cls(
            order=order,
            start=start,
            split=(start[:-1] + held).astype(np.int64),
            asset=asset[by].astype(np.int64),
            amount=amount[by].astype(np.float64),
            category=book.emode[order].astype(np.int64),
            watched=np.array(
                [_watches(book.accounts[i], top_up_share) for i in order], dtype=np.bool_
            ),
        )


def _watches(account: str, share: float) -> bool:
    if share <= 0.0:
        return False
    digest = hashlib.blake2b(account.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2.0**64


def existing_bad_debt(market: Market, prices: FloatArray) -> float:
    """Return the debt that no collateral pays at `prices` (A,), USD."""
    ledger = Ledger.of(market)
    position = np.repeat(np.arange(len(ledger)), np.diff(ledger.start))
    value = ledger.amount * prices[ledger.asset]
    owed = np.arange(len(value)) >= ledger.split[position]
    # Added up one by one, whatever the length of the book: the same digits everywhere.
    debt, collateral = (
        np.bincount(position, weights=np.where(mine, value, 0.0), minlength=len(ledger))
        for mine in (owed, ~owed)
    )
    return float(np.cumsum(np.maximum(debt - collateral, 0.0))[-1]) if len(ledger) else 0.0


def insolvency_bar(threshold: float, existing: float) -> float:
    """Return the new bad debt, USD, beyond which a path is insolvent.

    The threshold, and what summing up the debt that was bad before may be off by: with a
    threshold of nothing, rounding would be an event.
    """
    return threshold + 1e-9 * existing


def borrowing_power_used(market: Market) -> float:
    """Return all debt over all LTV-weighted collateral, at oracle prices."""
    c, d = market.book.collateral, market.book.debt
    p = market.prices
    power = float((c.amount * p[c.asset] * market.ltvs()[market.book.emode[c.row], c.asset]).sum())
    owed = float((d.amount * p[d.asset]).sum())
    return owed / power if power > 0.0 else 0.0
