"""What a replay of the model's paths on the real contracts came to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayedLiquidation:
    """One liquidation, by the model and by the contracts; amounts in whole tokens."""

    step: int  # of the battery, from 1
    account: str  # checksummed address of the borrower
    collateral: str  # symbol
    debt: str  # symbol
    debt_value: float  # USD, all debt of the borrower right before, by the model
    value: float  # USD repaid by the model, at the oracle's price
    health_model: float  # health factor right before
    health_contract: float  # the same by the contracts' own view; nan if they could not say
    repaid_model: float  # of the debt asset
    repaid_contract: float  # same; 0 if refused
    seized_model: float  # of the collateral asset, protocol fee included
    seized_contract: float  # same; 0 if refused
    refused: str  # why the contracts did not do it, "" if they did

    @property
    def health_error(self) -> float:
        """Relative difference of the health factors."""
        return relative(self.health_model, self.health_contract)

    @property
    def repaid_error(self) -> float:
        """Relative difference of what was repaid; nan if refused."""
        return math.nan if self.refused else relative(self.repaid_model, self.repaid_contract)

    @property
    def seized_error(self) -> float:
        """Relative difference of what was seized; nan if refused."""
        return math.nan if self.refused else relative(self.seized_model, self.seized_contract)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayedPath:
    """One path of the battery, by the model and by the contracts."""

    path: int  # its number
    worst: bool  # chosen because its bad debt is among the largest
    liquidations: tuple[ReplayedLiquidation, ...]  # in the order they were made
    liquidated_model: float  # USD of debt repaid, at oracle prices
    liquidated_contract: float  # same
    bad_debt_model: float  # USD, recognised on the way or left at the horizon
    bad_debt_contract: float  # same accounts, from the contracts' balances
    accounts_at_horizon: int  # accounts whose bad debt was read at the horizon
    gas_used: int  # gas units of the liquidations

    @property
    def refused(self) -> int:
        """Liquidations of the model that the contracts did not do."""
        return sum(bool(x.refused) for x in self.liquidations)

    @property
    def bad_debt_error(self) -> float:
        """Difference of the bad debts, relative to the larger, below a dollar to a dollar."""
        scale = max(self.bad_debt_model, self.bad_debt_contract, 1.0)
        return abs(self.bad_debt_model - self.bad_debt_contract) / scale

    @property
    def liquidated_error(self) -> float:
        """Difference of what was liquidated in all, relative to the larger."""
        scale = max(self.liquidated_model, self.liquidated_contract, 1.0)
        return abs(self.liquidated_model - self.liquidated_contract) / scale

    @property
    def health_error(self) -> float:
        """Relative errors of the health factors, each weighed by the borrower's debt."""
        return _weighted((x.health_error, x.debt_value) for x in self.liquidations)

    @property
    def repaid_error(self) -> float:
        """Relative errors of what was repaid, each weighed by its value."""
        return _weighted((x.repaid_error, x.value) for x in self.liquidations)

    @property
    def seized_error(self) -> float:
        """Relative errors of what was seized, each weighed by what was repaid for it."""
        return _weighted((x.seized_error, x.value) for x in self.liquidations)

    @property
    def largest_error(self) -> float:
        """The largest of the path's errors."""
        return max(
            self.health_error,
            self.repaid_error,
            self.seized_error,
            self.bad_debt_error,
            self.liquidated_error,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Conformance:
    """The model held against real bytecode on a sample of paths."""

    paths: tuple[ReplayedPath, ...]  # in the order of their numbers
    way: str  # how transactions were run
    prices: str  # how prices were set
    notes: tuple[str, ...]  # what is and what is not compared

    @property
    def liquidations(self) -> int:
        """Liquidations replayed."""
        return sum(len(p.liquidations) for p in self.paths)

    @property
    def refused(self) -> int:
        """Liquidations of the model that the contracts did not do."""
        return sum(p.refused for p in self.paths)

    @property
    def health_error(self) -> float:
        """Largest relative error of one health factor before a liquidation."""
        return _largest(x.health_error for p in self.paths for x in p.liquidations)

    @property
    def repaid_error(self) -> float:
        """Largest relative error of one amount repaid."""
        return _largest(x.repaid_error for p in self.paths for x in p.liquidations)

    @property
    def seized_error(self) -> float:
        """Largest relative error of one amount seized."""
        return _largest(x.seized_error for p in self.paths for x in p.liquidations)

    @property
    def bad_debt_error(self) -> float:
        """Largest relative error of a path's bad debt."""
        return _largest(p.bad_debt_error for p in self.paths)

    @property
    def liquidated_error(self) -> float:
        """Largest relative error of a path's liquidations in all, refused ones counted."""
        return _largest(p.liquidated_error for p in self.paths)

    @property
    def largest_error(self) -> float:
        """The largest error of a path, by value; 0 where nothing was to be compared.

        What is left of a position after many liquidations may be a hundred dollars, and
        a difference in the sixth digit of what went before is in its third: single
        liquidations weigh what they are worth.
        """
        return _largest(p.largest_error for p in self.paths)


def relative(a: float, b: float) -> float:
    """Return |a - b| over the larger of the two; 0 for two zeros, nan if one is."""
    scale = max(abs(a), abs(b))
    return abs(a - b) / scale if scale > 0.0 else abs(a - b)


def _largest(errors: Iterable[float]) -> float:
    return max((e for e in errors if not math.isnan(e)), default=0.0)


def _weighted(errors: Iterable[tuple[float, float]]) -> float:
    """Mean of (error, weight) pairs; what is not a number is left out."""
    known = [(e, w) for e, w in errors if not math.isnan(e)]
    total = sum(w for _, w in known)
    return sum(e * w for e, w in known) / total if total > 0.0 else 0.0
