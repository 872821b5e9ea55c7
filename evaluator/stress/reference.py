"""The battery written to be read: one market on one path, every position at every step.

The fast kernels must agree with this module to 1e-9. What a step does, in the
order of `Battery.order`:

refill        the inventory q that liquidations left in the pools decays
prices        market price = exogenous price / w(q)^2; a manipulator sets q of one asset
oracle        each oracle looks at the market of `latency` ago and reports when the
              report would move by its deviation threshold, or its heartbeat is over;
              a pool oracle reports always, a stuck or fixed one never
interest      debts and deposits grow at the rates of current utilisation
suppliers     above a utilisation they ask for their money, and get what cash there is
borrowers     those who watch repay when their health factor gets near 1
liquidations  positions below 1 are served largest debt first: the largest collateral
              that may be seized against the largest debt that may be repaid, by the rule
              of the market's family, if the bonus pays slippage on both sides and gas;
              a size that does not pay is halved, a few times

Bad debt is debt, at undisturbed market prices, beyond the collateral that is
left: recognised when a liquidation takes the last collateral, else counted at
the horizon. A path is insolvent from the first step in which the bad debt that
liquidators find, beyond what existed at the start, exceeds the threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.market import (
    Family,
    Liquidation,
    Market,
    OracleKind,
    aave_v3_liquidation,
    compound_v2_liquidation,
)
from evaluator.stress.battery import Battery, Event
from evaluator.stress.ledger import AVERAGE_EPSILON, Ledger, insolvency_bar
from evaluator.stress.manipulation import inventory_at
from evaluator.stress.surroundings import Surroundings

FloatArray = NDArray[np.float64]

YEAR = 365 * 86_400.0
# Less cash than this share of a reserve's supply counts as none: withdrawals are frozen.
NO_CASH = 1e-9


@dataclass(kw_only=True)
class PathResult:
    """What one path did to one market; fields as in Outcome, for one path."""

    bad_debt: float
    bad_debt_by_asset: FloatArray  # shape (A,)
    liquidated: float = 0.0
    liquidations: int = 0
    seized: float = 0.0
    protocol_fee: float = 0.0
    liquidator_profit: float = 0.0
    wrongful: float = 0.0
    user_harm: float = 0.0
    topped_up: float = 0.0
    interest: float = 0.0
    first_insolvency: int = -1
    frozen_steps: int = 0
    peak_utilisation: float = 0.0


class Simulation:
    """One market on one path; the fields are the state that events change."""

    def __init__(
        self,
        market: Market,
        ledger: Ledger,
        battery: Battery,
        around: Surroundings,
        *,
        existing: float,
    ) -> None:
        self.market, self.battery, self.around, self.existing = market, battery, around, existing
        self.bar = insolvency_bar(battery.insolvency_threshold, existing)
        self.A = len(market.reserves)
        self.category = ledger.category
        self.watched = ledger.watched
        self.C = np.zeros((len(ledger), self.A))  # collateral, whole tokens over supply index
        self.D = np.zeros((len(ledger), self.A))  # debt, whole tokens over borrow index
        for i in range(len(ledger)):
            for e in range(ledger.start[i], ledger.start[i + 1]):
                side = self.C if e < ledger.split[i] else self.D
                side[i, ledger.asset[e]] = ledger.amount[e]
        self.threshold = market.liquidation_thresholds()[self.category]  # shape (N, A)
        self.bonus = market.liquidation_bonuses()[self.category]  # shape (N, A)

        self.X = around.prices[0].copy()  # undisturbed market prices
        self.oracle = market.prices  # what the protocol believes
        self.bias = market.prices / around.prices[0]  # lasting error of each oracle
        self.market_prices = [around.prices[0].copy()]  # by step, with impact
        self.updated = np.zeros(self.A, dtype=np.int64)  # step of each oracle's last report
        self.q = np.zeros(self.A)  # net sold into the pools, whole tokens
        self.supply_index = np.ones(self.A)
        self.borrow_index = np.ones(self.A)
        self.borrowed = np.array([r.borrowed for r in market.reserves])
        self.cash = np.array([r.cash for r in market.reserves])
        self.frozen = False  # this step
        self.t = 0  # number of the step
        self.out = PathResult(bad_debt=0.0, bad_debt_by_asset=np.zeros(self.A))

    def run(self) -> PathResult:
        """Go from the start to the horizon."""
        act = {
            Event.REFILL: self.refill,
            Event.PRICES: self.prices,
            Event.ORACLE: self.report,
            Event.INTEREST: self.accrue,
            Event.SUPPLIERS: self.suppliers,
            Event.BORROWERS: self.borrowers,
            Event.LIQUIDATIONS: self.liquidations,
        }
        for t in range(1, len(self.around.prices)):
            self.t = t
            self.frozen = False
            for event in self.battery.order:
                act[event]()
            self.close_step()
        self.horizon()
        return self.out

    # ------------------------------------------------------------ markets and oracles

    def refill(self) -> None:
        self.q = self.q * self.battery.refill_decay

    def prices(self) -> None:
        self.X = self.around.prices[self.t]
        b = self.battery
        held_from, held_to = b.manipulation_start, b.manipulation_start + b.manipulation_steps
        if b.manipulated in self.market.symbols and held_from <= self.t < held_to:
            a = self.market.index(b.manipulated)
            held = inventory_at(self.market.reserves[a].liquidity, b.manipulation_factor)
            self.q[a] = held * self.around.depth[self.t, a]
        now = np.empty(self.A)
        for a, reserve in enumerate(self.market.reserves):
            now[a] = self.X[a] * reserve.liquidity.price_factor(
                self.q[a] / self.around.depth[self.t, a]
            )
        self.market_prices.append(now)

    def report(self) -> None:
        for a, reserve in enumerate(self.market.reserves):
            spec = reserve.oracle
            if spec.stuck or spec.kind is OracleKind.FIXED:
                continue
            late = latency_steps(spec.latency, self.battery)
            seen = self.market_prices[max(len(self.market_prices) - 1 - late, 0)][a]
            answer = min(max(seen * spec.factor * self.bias[a], spec.floor), spec.cap)
            moved = abs(answer - self.oracle[a]) > spec.deviation_threshold * self.oracle[a]
            overdue = self.t - self.updated[a] >= heartbeat_steps(spec.heartbeat, self.battery)
            if spec.kind is OracleKind.POOL or moved or overdue:
                self.oracle[a] = answer
                self.updated[a] = self.t

    # ------------------------------------------------------------ interest and suppliers

    def utilisation(self, a: int) -> float:
        total = self.borrowed[a] + self.cash[a]
        return float(self.borrowed[a] / total) if total > 0.0 else 0.0

    def accrue(self) -> None:
        years = self.battery.step / YEAR
        for a, reserve in enumerate(self.market.reserves):
            u = self.utilisation(a)
            rate = reserve.rate_curve.borrow_rate(u)
            earned = rate * u * (1.0 - reserve.parameters.reserve_factor)
            self.out.interest += self.borrowed[a] * (rate * years) * self.X[a]
            self.borrow_index[a] *= 1.0 + rate * years
            self.supply_index[a] *= 1.0 + earned * years
            self.borrowed[a] *= 1.0 + rate * years

    def suppliers(self) -> None:
        if self.battery.supplier_run_rate <= 0.0:
            return
        for a in range(self.A):
            if self.utilisation(a) > self.battery.supplier_run_above:
                wanted = self.battery.supplier_run_rate * (self.borrowed[a] + self.cash[a])
                paid = min(wanted, self.cash[a])
                self.cash[a] -= paid
                self.frozen = self.frozen or paid < wanted

    def close_step(self) -> None:
        for a in range(self.A):
            if self.borrowed[a] > 0.0:
                self.out.peak_utilisation = max(self.out.peak_utilisation, self.utilisation(a))
                supply = self.borrowed[a] + self.cash[a]
                self.frozen = self.frozen or self.cash[a] <= NO_CASH * supply
        self.out.frozen_steps += self.frozen

    # ------------------------------------------------------------ positions

    def values(
        self, rows: NDArray[np.int64] | slice, prices: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Collateral, weighted collateral and debt of positions in USD at `prices`."""
        C, D, LT = self.C[rows], self.D[rows], self.threshold[rows]
        unit = prices * self.supply_index
        value, weighted = C @ unit, (C * LT) @ unit
        debt = D @ (prices * self.borrow_index)
        if self.market.family is Family.AAVE_V3 and self.market.whole_basis_points:
            average = np.divide(weighted, value, out=np.zeros_like(value), where=value > 0.0)
            weighted = value * (np.floor(average * 1e4 + AVERAGE_EPSILON) / 1e4)
        return value, weighted, debt

    def borrowers(self) -> None:
        if not self.watched.any():
            return
        value, weighted, debt = self.values(slice(None), self.oracle)
        near = self.watched & (weighted < self.battery.top_up_below * debt) & (value >= debt)
        for i in np.flatnonzero(near & (weighted > 0.0)):
            keep = weighted[i] / (self.battery.top_up_to * debt[i])
            repaid = self.D[i] * self.borrow_index * (1.0 - keep)
            self.D[i] *= keep
            self.borrowed = np.maximum(self.borrowed - repaid, 0.0)
            self.cash = self.cash + repaid
            self.out.topped_up += float(debt[i] * (1.0 - keep))

    def liquidations(self) -> None:
        _, weighted, debt = self.values(slice(None), self.oracle)
        if self.out.first_insolvency < 0:
            worth, _, owed = self.values(slice(None), self.X)
            found = self.out.bad_debt + float(np.maximum(owed - worth, 0.0).sum())
            if found - self.existing > self.bar:
                self.out.first_insolvency = self.t
        if self.battery.keepers_absent:
            return
        capital = float(self.around.capital[self.t])
        for i in np.flatnonzero(weighted < debt):
            for _ in range(self.battery.attempts):
                spent = self.liquidate(int(i), capital)
                capital -= spent
                if spent <= 0.0:
                    break
                _, h, e = (float(x[0]) for x in self.values(np.array([i]), self.oracle))
                if not h < e:
                    break

    def largest(self, amounts: FloatArray, prices: FloatArray) -> int:
        """Asset of largest value among those that may be liquidated, the first of equals, or -1."""
        best, most = -1, 0.0
        for a, reserve in enumerate(self.market.reserves):
            if reserve.parameters.paused or not reserve.parameters.active:
                continue
            if amounts[a] * prices[a] > most:
                best, most = a, float(amounts[a] * prices[a])
        return best

    def liquidate(self, i: int, capital: float) -> float:
        """Liquidate position i once if it pays; return the USD of debt repaid."""
        if not capital > 0.0:
            return 0.0
        c = self.largest(self.C[i], self.oracle * self.supply_index)
        d = self.largest(self.D[i], self.oracle * self.borrow_index)
        if c < 0 or d < 0:
            return 0.0
        _, h, e = (float(x[0]) for x in self.values(np.array([i]), self.oracle))
        full = self.market.full_close_below > 0.0 and h <= self.market.full_close_below * e
        held = float(self.C[i, c] * self.supply_index[c])
        owed = float(self.D[i, d] * self.borrow_index[d])

        def deal(repay: float) -> Liquidation:
            rule = (
                aave_v3_liquidation
                if self.market.family is Family.AAVE_V3
                else compound_v2_liquidation
            )
            return rule(
                repay=repay,
                debt=owed,
                collateral=held,
                debt_price=float(self.oracle[d]),
                collateral_price=float(self.oracle[c]),
                bonus=float(self.bonus[i, c]),
                protocol_fee=self.market.reserves[c].parameters.protocol_fee,
                close_factor=1.0 if full else self.market.close_factor,
            )

        largest = deal(capital / float(self.oracle[d]))
        for halvings in range(self.battery.size_halvings + 1):
            offer = largest if halvings == 0 else deal(largest.repaid * 0.5**halvings)
            if offer.repaid <= 0.0 or offer.received > self.cash[c]:
                continue
            profit = self.profit(c, d, offer)
            if profit > self.battery.least_profit:
                self.settle(i, c, d, offer, profit, held, owed)
                return float(offer.repaid * self.oracle[d])
        return 0.0

    def profit(self, c: int, d: int, offer: Liquidation) -> float:
        """Sell what was received, buy what was repaid, pay for gas; USD."""
        deep_c, deep_d = self.around.depth[self.t, c], self.around.depth[self.t, d]
        pool_c, pool_d = self.market.reserves[c].liquidity, self.market.reserves[d].liquidity
        q0, q1 = self.q[c], self.q[c] + offer.received
        sold = pool_c.proceeds(q0 / deep_c, q1 / deep_c) * deep_c * (1.0 - pool_c.fee)
        b0 = q1 if c == d else self.q[d]
        b1 = b0 - offer.repaid
        bought = -pool_d.proceeds(b0 / deep_d, b1 / deep_d) * deep_d / (1.0 - pool_d.fee)
        return float(self.X[c] * sold - self.X[d] * bought - self.around.gas_cost[self.t])

    def settle(
        self, i: int, c: int, d: int, offer: Liquidation, profit: float, held: float, owed: float
    ) -> None:
        row = np.array([i])
        _, healthy, due = (float(x[0]) for x in self.values(row, self.X))
        repaid = float(offer.repaid * self.oracle[d])
        out = self.out
        if healthy >= due:
            out.wrongful += repaid
            lost = float(offer.seized * self.X[c] - offer.repaid * self.X[d])
            out.user_harm += max(lost, 0.0)
        out.liquidations += 1
        out.liquidated += repaid
        out.seized += float(offer.seized * self.oracle[c])
        out.protocol_fee += float(offer.protocol_fee * self.oracle[c])
        out.liquidator_profit += profit

        taken_all, paid_all = offer.seized >= held, offer.repaid >= owed
        self.C[i, c] = 0.0 if taken_all else self.C[i, c] - offer.seized / self.supply_index[c]
        self.D[i, d] = 0.0 if paid_all else self.D[i, d] - offer.repaid / self.borrow_index[d]
        self.q[c] += offer.received
        self.q[d] -= offer.repaid
        self.cash[c] -= offer.received
        self.cash[d] += offer.repaid
        self.borrowed[d] = max(self.borrowed[d] - offer.repaid, 0.0)
        if not (self.C[i] > 0.0).any():
            self.recognise(i, 1.0)
            self.D[i] = 0.0

    def recognise(self, i: int, share: float) -> None:
        """Book a share of what position i owes as bad debt, at market prices."""
        lost = self.D[i] * (self.X * self.borrow_index) * share
        self.out.bad_debt += float(lost.sum())
        self.out.bad_debt_by_asset += lost

    def horizon(self) -> None:
        """Count what is left without collateral at the end."""
        value, _, debt = self.values(slice(None), self.X)
        for i in np.flatnonzero(value < debt):
            self.recognise(int(i), float((debt[i] - value[i]) / debt[i]))
        new = self.out.bad_debt - self.existing
        if self.out.first_insolvency < 0 and new > self.bar:
            self.out.first_insolvency = len(self.around.prices) - 1


def latency_steps(latency: float, battery: Battery) -> int:
    """Return how many steps ago an oracle with this latency (s) looks."""
    return math.floor(latency / battery.step + 0.5) + battery.latency_steps


def heartbeat_steps(heartbeat: float, battery: Battery) -> int:
    """Return after how many steps an oracle with this heartbeat (s) reports again."""
    if not heartbeat < math.inf:
        return 1 << 40
    return max(math.ceil(heartbeat / battery.step - 1e-9), 1)
