"""The plain battery with a pencil: which liquidations a path made, and in what state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from evaluator.market import Liquidation, Market
from evaluator.market.book import FloatArray
from evaluator.stress.battery import Battery
from evaluator.stress.ledger import Ledger, existing_bad_debt
from evaluator.stress.reference import PathResult, Simulation
from evaluator.stress.surroundings import Surroundings, surroundings
from evaluator.stress.universe import Universe

# A repayment within this share of the largest allowed one is the largest.
_LARGEST = 1.0 - 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedLiquidation:
    """One liquidation of the model; amounts in whole tokens."""

    step: int  # number of the step, from 1
    position: int  # index in Market.book
    collateral: int  # index in Market.reserves
    debt: int  # index in Market.reserves
    health_factor: float  # right before
    repaid: float  # of the debt asset
    seized: float  # of the collateral asset, protocol fee included
    largest: bool  # all that the protocol allows, not less for want of capital or profit
    debt_value: float  # USD, all debt of the position right before, at oracle prices


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedPath:
    """What the model did on one path."""

    path: int  # its number
    result: PathResult  # totals
    liquidations: tuple[RecordedLiquidation, ...]  # in the order they were made
    oracle: dict[int, FloatArray]  # by step with liquidations: oracle prices (A,), USD
    market: FloatArray  # shape (S + 1, A); undisturbed market prices, USD
    recognised: tuple[tuple[int, int], ...]  # (liquidation, position): it took the last collateral
    insolvent: tuple[int, ...]  # positions whose collateral nearly fails to pay at the horizon
    topped_up: bool  # borrowers repaid, which is not among the liquidations


class Recorder(Simulation):
    """The simulation of one market on one path that notes every liquidation."""

    def __init__(
        self,
        market: Market,
        ledger: Ledger,
        battery: Battery,
        around: Surroundings,
        *,
        existing: float,
    ) -> None:
        super().__init__(market, ledger, battery, around, existing=existing)
        self.ledger = ledger
        self.noted: list[RecordedLiquidation] = []
        self.oracle_at: dict[int, FloatArray] = {}
        self.emptied: list[tuple[int, int]] = []

    def settle(
        self, i: int, c: int, d: int, offer: Liquidation, profit: float, held: float, owed: float
    ) -> None:
        """Note what is settled, then settle it."""
        _, h, e = (float(x[0]) for x in self.values(np.array([i]), self.oracle))
        self.oracle_at.setdefault(self.t, self.oracle.copy())
        self.noted.append(
            RecordedLiquidation(
                step=self.t,
                position=int(self.ledger.order[i]),
                collateral=c,
                debt=d,
                health_factor=h / e if e > 0.0 else math.inf,
                repaid=offer.repaid,
                seized=offer.seized,
                largest=offer.repaid >= self.most(i, c, d) * _LARGEST,
                debt_value=e,
            )
        )
        super().settle(i, c, d, offer, profit, held, owed)
        if not (self.C[i] > 0.0).any():
            self.emptied.append((len(self.noted) - 1, int(self.ledger.order[i])))

    def most(self, i: int, c: int, d: int) -> float:
        """Return the most the protocol allows to repay, whatever it costs, whole tokens."""
        owed = float(self.D[i, d] * self.borrow_index[d])
        held = float(self.C[i, c] * self.supply_index[c])
        _, h, e = (float(x[0]) for x in self.values(np.array([i]), self.oracle))
        full = self.market.full_close_below > 0.0 and h <= self.market.full_close_below * e
        share = 1.0 if full else self.market.close_factor
        bonus = float(self.bonus[i, c])
        paid_by_collateral = held * float(self.oracle[c]) / float(self.oracle[d]) / (1.0 + bonus)
        return min(owed * share, paid_by_collateral)

    def nearly_insolvent(self, margin: float) -> tuple[int, ...]:
        """Positions whose collateral is worth less than `margin` of their debt, at market."""
        value, _, debt = self.values(slice(None), self.X)
        rows = np.flatnonzero((debt > 0.0) & (value < margin * debt))
        return tuple(int(self.ledger.order[i]) for i in rows)


def record_path(
    market: Market,
    *,
    before: Market,
    relative: FloatArray,
    path: int,
    battery: Battery,
    margin: float,
) -> RecordedPath:
    """Run the plain battery on one path of `market` and note what it does.

    `relative` has shape (S + 1, U), prices over those at the start, columns as in
    `Universe.of(before, market)`; positions below `margin` of their debt are named.
    """
    universe = Universe.of(before, market)
    around = surroundings(relative, universe=universe, battery=battery).of(universe.after)
    recorder = Recorder(
        market,
        Ledger.of(market, top_up_share=battery.top_up_share),
        battery,
        around,
        existing=existing_bad_debt(before, universe.base[universe.before]),
    )
    result = recorder.run()
    return RecordedPath(
        path=path,
        result=result,
        liquidations=tuple(recorder.noted),
        oracle=recorder.oracle_at,
        market=around.prices,
        recognised=tuple(recorder.emptied),
        insolvent=recorder.nearly_insolvent(margin),
        topped_up=result.topped_up > 0.0,
    )
