"""Every read and every user action of a market, tried; and which of them stopped working.

Each is tried by an account that is given tokens for it, or by a borrower the market
has already, in a bundle that is forgotten. An action works if one of its candidates
gets through. To liquidate somebody, prices are moved through the feeds until an
account is liquidatable; where the contracts then still find it healthy, nothing was
learnt and the action counts as not tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from evaluator.arena.bundles import BLOCK_GAS, CALL_GAS, BundleEngine, open_engine
from evaluator.arena.families import lending_of
from evaluator.arena.funds import balance_slot, funding
from evaluator.arena.lending import Lending, Step, base_units
from evaluator.arena.pricing import PriceSetting, PriceWay, price_setting
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import (
    SimulatedBlock,
    SimulatedBlockResult,
    SimulatedCall,
    StateOverride,
)
from evaluator.errors import ChainError, ProtocolError
from evaluator.market import Market, health_factors, liquidity
from evaluator.market.book import FloatArray
from evaluator.market.health import debt_value, weighted_collateral

USER = "0x5ea7000000000000000000000000000000000007"
SUPPLIED = 10_000.0  # USD of collateral the user brings
TRIED = 50.0  # USD that are supplied, borrowed, repaid or liquidated
CANDIDATES = 3  # accounts or collaterals tried for each action
_UNHEALTHY = 0.9  # health factor an account is brought to before it is liquidated


class Action(StrEnum):
    """What is tried of every reserve."""

    PRICE = "price"
    SUPPLY = "supply"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    REPAY = "repay"
    LIQUIDATE_DEBT = "liquidation of debt in"
    LIQUIDATE_COLLATERAL = "liquidation of collateral in"


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionTrial:
    """One action on one reserve."""

    action: Action
    asset: str  # symbol
    works: bool | None  # None: there was nobody to try it with
    reason: str  # why it does not work, "" if it does

    @property
    def name(self) -> str:
        """The action in words, "borrow DAI"."""
        return f"{self.action} {self.asset}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Liveness:
    """What works on one market in one state."""

    market: Market  # the reading that accounts were chosen from
    trials: tuple[ActionTrial, ...]  # by reserve, then by action
    setting: PriceSetting | None  # how feeds were moved; None: liquidations were not tried

    @property
    def tried(self) -> int:
        """Actions of which it is known whether they work."""
        return sum(t.works is not None for t in self.trials)


def try_actions(
    sandbox: Sandbox, market: Market, *, setting: PriceSetting | None = None
) -> Liveness:
    """Try every action of every reserve of `market` on the sandbox's head.

    After an execution that left the market unreadable, give the reading before it and
    the `setting` that was found then. The head stays as it was. Raises UnknownProtocol,
    and IncompleteState or RpcError when the market's own addresses cannot be read.
    """
    engine = open_engine(sandbox)
    lending = lending_of(sandbox, market)
    try:
        found = price_setting(sandbox, engine, lending)
        # An oracle that was put in place by us says nothing about the real one.
        setting = None if found.way is PriceWay.ORACLE else found
    except (ProtocolError, ChainError):
        setting = None if setting is None else replace(setting, lending=lending)
    tester = _Tester(sandbox=sandbox, engine=engine, lending=lending, setting=setting)
    trials = [tester.trial(action, a) for a in range(len(market.reserves)) for action in Action]
    return Liveness(market=market, trials=tuple(trials), setting=setting)


def broken_actions(before: Liveness, after: Liveness, *, reading: Market | None) -> tuple[str, ...]:
    """Name the actions that work before and not after, with the reason.

    `reading` is the market after execution, None if it cannot be read. New supply or
    borrowing that governance has closed in so many words (frozen, disabled, a full cap)
    is a parameter change and no broken market: it is left out.
    """
    worked = {(t.action, t.asset) for t in before.trials if t.works}
    return tuple(
        f"{t.name}: {t.reason}"
        for t in after.trials
        if t.works is False and (t.action, t.asset) in worked and not _closed(t, reading)
    )


def _closed(trial: ActionTrial, market: Market | None) -> bool:
    if market is None or trial.asset not in market.symbols:
        return False
    reserve = market.reserves[market.index(trial.asset)]
    p = reserve.parameters
    if p.paused or not p.active:
        return False
    price = max(reserve.asset.price, 1e-18)
    if trial.action is Action.SUPPLY:
        return p.frozen or reserve.supplied + TRIED / price > p.supply_cap
    if trial.action is Action.BORROW:
        full = reserve.borrowed + TRIED / price > p.borrow_cap
        return p.frozen or not p.borrowing_enabled or full
    return False


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """One way to try an action: a block of calls, of which one decides."""

    calls: tuple[SimulatedCall, ...]
    decisive: int  # index of the call that must get through
    guard: int = -1  # index of a solvency view that must not say healthy, -1 for none
    prices: FloatArray | None = None  # shape (A,); set first, None leaves them


@dataclass(kw_only=True)
class _Tester:
    """Tries actions on one state."""

    sandbox: Sandbox
    engine: BundleEngine
    lending: Lending
    setting: PriceSetting | None

    def __post_init__(self) -> None:
        self.market = self.lending.market
        self.time = self.sandbox.timestamp() + 12
        self.health = health_factors(self.market)
        self.spare = liquidity(self.market)
        places = []
        self.unfunded = set()
        for a, reserve in enumerate(self.market.reserves):
            if self.lending.pays_in_native(a):
                continue
            slot = balance_slot(self.sandbox, reserve.asset.address, USER)
            if slot is None:
                self.unfunded.add(a)
            else:
                places.append((slot, 10 * self.units(a, SUPPLIED)))
        self.funds = (*funding(places), StateOverride(address=USER, balance=10**24))

    def trial(self, action: Action, asset: int) -> ActionTrial:
        """Try one action on one reserve."""
        symbol = self.market.symbols[asset]
        candidates = self.candidates(action, asset)
        works: bool | None = None
        reason = ""
        if candidates:
            results = self.engine.run([self._block(k, c) for k, c in enumerate(candidates)])
            for candidate, result in zip(candidates, results, strict=True):
                refusal = self._refusal(action, candidate, result)
                if refusal == "":
                    works, reason = True, ""
                    break
                if refusal is not None:
                    works, reason = False, reason or refusal
        return ActionTrial(action=action, asset=symbol, works=works, reason=reason)

    def candidates(self, action: Action, a: int) -> list[_Candidate]:
        """Ways to try an action on reserve `a`, at most a few."""
        lending = self.lending
        if action is Action.PRICE:
            return [_Candidate(calls=(lending.price(a),), decisive=0)]
        if action is Action.LIQUIDATE_DEBT:
            return self._liquidations(a, as_debt=True)
        if action is Action.LIQUIDATE_COLLATERAL:
            return self._liquidations(a, as_debt=False)
        if action is Action.WITHDRAW:
            mine = []
            if a not in self.unfunded:
                half = lending.withdraw(USER, a, self.units(a, TRIED / 2))
                mine.append(_in_turn(self._supplied(a, TRIED), half))
            return mine + self._withdrawals(a)
        if action is Action.BORROW:
            return self._borrowings(a)
        if a in self.unfunded:
            return []
        if action is Action.SUPPLY:
            return [_in_turn(lending.supply(USER, a, self.units(a, TRIED)))]
        return self._repayments(a)

    def units(self, asset: int, usd: float) -> int:
        """Base units of an asset that are worth `usd`."""
        price = self.market.reserves[asset].asset.price
        return max(base_units(self.market, asset, usd / price), 1)

    # ------------------------------------------------------------------ candidates

    def _supplied(self, a: int, usd: float) -> Step:
        """Supply, and use as collateral."""
        supply = self.lending.supply(USER, a, self.units(a, usd))
        enter = self.lending.enter(USER, a)
        return supply if enter is None else Step(calls=(*supply.calls, *enter.calls))

    def _withdrawals(self, a: int) -> list[_Candidate]:
        c = self.market.book.collateral
        rows = c.row[c.asset == a]
        amounts = c.amount[c.asset == a]
        safe = self.health[rows] > 1.2
        order = np.argsort(-amounts[safe], kind="stable")[:CANDIDATES]
        return [
            _in_turn(
                self.lending.withdraw(
                    self.market.book.accounts[int(rows[safe][k])],
                    a,
                    max(base_units(self.market, a, float(amounts[safe][k]) * 1e-3), 1),
                )
            )
            for k in order
        ]

    def _borrowings(self, a: int) -> list[_Candidate]:
        lending, units = self.lending, self.units(a, TRIED)
        reserves = self.market.reserves
        by_ltv = sorted(
            (k for k in range(len(reserves)) if k not in self.unfunded and k != a),
            key=lambda k: -reserves[k].parameters.ltv,
        )
        strong = [k for k in by_ltv if reserves[k].parameters.ltv > 0.0][:CANDIDATES]
        out = [
            _in_turn(self._supplied(k, SUPPLIED), lending.borrow(USER, a, units)) for k in strong
        ]
        # Borrowers the market has: whoever owes the asset already may, in eMode or isolation too.
        d = self.market.book.debt
        rows = d.row[d.asset == a]
        able = rows[self.spare[rows] > 10.0 * TRIED]
        order = np.argsort(-self.spare[able], kind="stable")[:CANDIDATES]
        return out + [
            _in_turn(lending.borrow(self.market.book.accounts[int(able[k])], a, units))
            for k in order
        ]

    def _repayments(self, a: int) -> list[_Candidate]:
        d = self.market.book.debt
        rows, amounts = d.row[d.asset == a], d.amount[d.asset == a]
        most = TRIED / self.market.reserves[a].asset.price
        order = np.argsort(-amounts, kind="stable")[:CANDIDATES]
        return [
            _in_turn(
                self.lending.repay(
                    USER,
                    a,
                    max(base_units(self.market, a, min(most, float(amounts[k]) / 2)), 1),
                    debtor=self.market.book.accounts[int(rows[k])],
                )
            )
            for k in order
        ]

    def _liquidations(self, a: int, *, as_debt: bool) -> list[_Candidate]:
        if self.setting is None:
            return []
        book, market = self.market.book, self.market
        side = book.debt if as_debt else book.collateral
        rows = side.row[side.asset == a]
        value = side.amount[side.asset == a]
        out = []
        for k in np.argsort(-value, kind="stable")[: 8 * CANDIDATES]:
            i = int(rows[k])
            other = self._largest(i, as_debt=not as_debt, besides=a)
            if other is None:
                continue
            c, d = (other, a) if as_debt else (a, other)
            if d in self.unfunded or market.reserves[c].parameters.liquidation_threshold <= 0.0:
                continue
            prices = self._distress(i, c, d)
            if prices is None:
                continue
            owed = book.debt.get(i, d)
            repaid = min(0.1 * owed, TRIED / float(prices[d]))
            step = self.lending.liquidate(
                USER,
                book.accounts[i],
                collateral=c,
                debt=d,
                units=max(base_units(market, d, repaid), 1),
            )
            calls = (self.lending.solvency(book.accounts[i]), *step.calls)
            out.append(_Candidate(calls=calls, decisive=len(calls) - 1, guard=0, prices=prices))
            if len(out) == CANDIDATES:
                break
        return out

    def _largest(self, i: int, *, as_debt: bool, besides: int) -> int | None:
        side = self.market.book.debt if as_debt else self.market.book.collateral
        first, end = int(side.indptr[i]), int(side.indptr[i + 1])
        worth = {
            int(side.asset[k]): float(side.amount[k] * self.market.prices[side.asset[k]])
            for k in range(first, end)
            if int(side.asset[k]) != besides
        }
        return max(worth, key=lambda x: worth[x]) if worth else None

    def _distress(self, i: int, c: int, d: int) -> FloatArray | None:
        """Prices at which position i is liquidatable: its collateral's fall, or its debt's rise."""
        prices = self.market.prices
        for asset, factors in (
            (c, (1.0, 0.9, 0.8, 0.65, 0.5, 0.35, 0.2, 0.1)),
            (d, (1.2, 1.5, 2.0, 4.0, 10.0)),
        ):
            for factor in factors:
                moved = prices.copy()
                moved[asset] *= factor
                weighted = float(weighted_collateral(self.market, moved)[i])
                if weighted < _UNHEALTHY * float(debt_value(self.market, moved)[i]):
                    return moved if weighted > 0.0 else None
        return None

    # ------------------------------------------------------------------ running

    def _block(self, number: int, candidate: _Candidate) -> SimulatedBlock:
        calls, overrides = candidate.calls, self.funds if number == 0 else ()
        time = self.time + 12 * number
        if self.setting is not None:
            # Candidates share a bundle: prices that one moved are put back for the next.
            put = self.market.prices if candidate.prices is None else candidate.prices
            if candidate.prices is not None or number > 0:
                pushes, boards = self.setting.put(put, timestamp=time)
                calls, overrides = (*pushes, *calls), (*overrides, *boards)
        return SimulatedBlock(
            calls=tuple(replace(c, gas=c.gas or CALL_GAS) for c in calls),
            timestamp=time,
            gas_limit=BLOCK_GAS,
            overrides=overrides,
        )

    def _refusal(
        self, action: Action, candidate: _Candidate, result: SimulatedBlockResult
    ) -> str | None:
        """Why a candidate did not get through, "" if it did, None if nothing was learnt."""
        calls = result.calls[len(result.calls) - len(candidate.calls) :]
        decisive = calls[candidate.decisive]
        if action is Action.PRICE:
            if not decisive.succeeded:
                return decisive.reason
            return "" if int.from_bytes(decisive.return_data[:32], "big") > 0 else "a price of 0"
        if action in (Action.LIQUIDATE_DEBT, Action.LIQUIDATE_COLLATERAL):
            if decisive.succeeded and self.lending.liquidated(decisive.logs):
                return ""
            view = calls[candidate.guard]
            if view.succeeded and self._healthy(view.return_data):
                return None
        return self.lending.refusal(decisive) or (
            "nothing was liquidated"
            if action in (Action.LIQUIDATE_DEBT, Action.LIQUIDATE_COLLATERAL)
            else ""
        )

    def _healthy(self, data: bytes) -> bool:
        try:
            said = self.lending.read_solvency(data)
        except ChainError:
            return False
        if said.health_factor is not None:
            return said.health_factor >= 1.0
        return said.liquidity > 0.0


def _in_turn(*steps: Step) -> _Candidate:
    """Steps one after the other, of which the last one decides."""
    calls: Sequence[SimulatedCall] = [c for s in steps for c in s.calls]
    return _Candidate(calls=tuple(calls), decisive=len(calls) - 1)
