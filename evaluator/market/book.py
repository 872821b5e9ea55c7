"""The borrowers of a market, as sparse arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseAmounts:
    """Amounts of N positions in A assets, compressed by row (CSR)."""

    indptr: IntArray  # shape (N + 1,); row i is entries indptr[i]:indptr[i + 1]
    asset: IntArray  # shape (nnz,); column, index into Market.reserves, ascending in a row
    amount: FloatArray  # shape (nnz,); whole tokens, > 0

    @classmethod
    def from_rows(cls, rows: Sequence[dict[int, float]]) -> SparseAmounts:
        """Build from one {asset index: amount} per position; zero amounts are dropped."""
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        asset: list[int] = []
        amount: list[float] = []
        for i, row in enumerate(rows):
            for a in sorted(row):
                if row[a] > 0.0:
                    asset.append(a)
                    amount.append(row[a])
            indptr[i + 1] = len(asset)
        return cls(
            indptr=indptr,
            asset=np.asarray(asset, dtype=np.int64),
            amount=np.asarray(amount, dtype=np.float64),
        )

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def row(self) -> IntArray:
        """Position index of every entry, shape (nnz,)."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.indptr))

    def get(self, position: int, asset: int) -> float:
        """Return one amount, whole tokens, 0 if the position has none of the asset."""
        first, end = int(self.indptr[position]), int(self.indptr[position + 1])
        at = first + int(np.searchsorted(self.asset[first:end], asset))
        return float(self.amount[at]) if at < end and self.asset[at] == asset else 0.0

    def dense(self, assets: int) -> FloatArray:
        """Return the amounts as a dense array of shape (N, A)."""
        out = np.zeros((len(self), assets))
        out[self.row, self.asset] = self.amount
        return out

    def total(self, assets: int) -> FloatArray:
        """Return the sum over positions by asset, shape (A,)."""
        return np.bincount(self.asset, weights=self.amount, minlength=assets).astype(np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Book:
    """Every account with debt: its collateral, its debt and its eMode category."""

    accounts: tuple[str, ...]  # N checksummed addresses
    collateral: SparseAmounts  # supplied and enabled as collateral, N rows
    debt: SparseAmounts  # owed with interest to the block, N rows
    emode: IntArray  # shape (N,); eMode category of each account, 0 for none

    def __len__(self) -> int:
        return len(self.accounts)

    @classmethod
    def from_rows(
        cls,
        accounts: Sequence[str],
        collateral: Sequence[dict[int, float]],
        debt: Sequence[dict[int, float]],
        emode: Sequence[int] | None = None,
    ) -> Book:
        """Build from one {asset index: amount} per account on each side."""
        return cls(
            accounts=tuple(accounts),
            collateral=SparseAmounts.from_rows(collateral),
            debt=SparseAmounts.from_rows(debt),
            emode=np.asarray(emode if emode is not None else [0] * len(accounts), dtype=np.int64),
        )
