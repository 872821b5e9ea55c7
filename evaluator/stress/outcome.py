"""What a battery produced: one number per path and quantity.

Shapes: P paths, A assets (columns of the price process), S steps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """Results of one parameter set on P paths. Losses are positive USD."""

    symbols: tuple[str, ...]  # A symbols, columns of `bad_debt_by_asset`
    bad_debt: FloatArray  # shape (P,); USD, debt at market prices that no collateral pays
    bad_debt_by_asset: FloatArray  # shape (P, A); USD, the same by debt asset
    liquidated: FloatArray  # shape (P,); USD of debt repaid by liquidators, at oracle prices
    liquidations: IntArray  # shape (P,); number of liquidations
    seized: FloatArray  # shape (P,); USD of collateral taken, at oracle prices
    protocol_fee: FloatArray  # shape (P,); USD of seized collateral the protocol kept
    liquidator_profit: FloatArray  # shape (P,); USD after slippage and gas
    wrongful: FloatArray  # shape (P,); USD of debt liquidated though healthy at market prices
    user_harm: FloatArray  # shape (P,); USD such borrowers lost by it, at market prices
    topped_up: FloatArray  # shape (P,); USD of debt borrowers repaid to stay above water
    interest: FloatArray  # shape (P,); USD of interest accrued on debts, at market prices
    first_insolvency: IntArray  # shape (P,); first step with bad debt above threshold, -1 for none
    frozen_steps: IntArray  # shape (P,); steps in which some asset could not be withdrawn
    peak_utilisation: FloatArray  # shape (P,); highest utilisation of any asset
    existing_bad_debt: float  # USD no collateral paid before the first step, in `bad_debt` as well
    borrowing_power_used: float  # debt over LTV-weighted collateral of the book at the start

    def __len__(self) -> int:
        return len(self.bad_debt)

    @property
    def new_bad_debt(self) -> FloatArray:
        """Bad debt beyond what existed before the first step, USD, shape (P,)."""
        return np.maximum(self.bad_debt - self.existing_bad_debt, 0.0)

    def digest(self) -> str:
        """Return a SHA-256 over every array, equal for equal results only."""
        h = hashlib.sha256("\n".join(self.symbols).encode())
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, np.ndarray):
                h.update(f.name.encode())
                h.update(np.ascontiguousarray(value).tobytes())
            elif isinstance(value, float):
                h.update(np.float64(value).tobytes())
        return h.hexdigest()

    @classmethod
    def concatenate(cls, parts: Sequence[Outcome]) -> Outcome:
        """Join blocks of paths of one parameter set, in the order given."""
        first = parts[0]
        joined = {}
        for f in fields(cls):
            value = getattr(first, f.name)
            if isinstance(value, np.ndarray):
                value = np.concatenate([getattr(p, f.name) for p in parts])
            joined[f.name] = value
        return cls(**joined)


@dataclass(frozen=True, kw_only=True, eq=False)
class OutcomePair:
    """Outcomes of two parameter sets on the same paths."""

    before: Outcome  # today's parameters, today's book
    after: Outcome  # the proposal's parameters, today's book
    responding: Outcome | None  # the proposal's, borrowers use all new room; None: no new room
    seed: int  # of the price paths
    complete: bool  # False: stopped early, all outcomes hold the same shorter set of paths

    def digest(self) -> str:
        """Return a SHA-256 over the outcomes."""
        parts = [self.before.digest(), self.after.digest()]
        if self.responding is not None:
            parts.append(self.responding.digest())
        return hashlib.sha256("".join(parts).encode()).hexdigest()
