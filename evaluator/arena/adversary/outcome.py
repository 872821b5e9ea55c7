"""What an attack came to: the attacker's profit, and who lost what.

Everything is valued at fair prices, those before the attack (or after the move of the
outside market that it waits for), never at prices that the attack printed.

The protocol's loss is what its balance sheet fell by: cash and debts less claims, with
the attacker's own position taken at the least of what it is worth and nothing, because
debt beyond its collateral is never repaid. The same holds for users the attacker
liquidated. Those users' own loss is the fall of their collateral less debt.

Where the attacker governs, what the treasury holds belongs to the protocol as well, and
the votes he governs with are worth nothing to him afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.arena.adversary.compilation import held_by
from evaluator.arena.adversary.ground import ATTACKER, SECOND, Ground
from evaluator.arena.adversary.moves import GOVERNING
from evaluator.arena.adversary.moves import Sequence as Moves
from evaluator.arena.lending import Totals
from evaluator.chain.simulation import SimulatedCall, SimulatedCallResult


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a sequence came to, USD at fair prices."""

    made: bool  # every move that had to succeed did
    reason: str = ""  # why not, "" if it was made
    profit: float = 0.0  # the attacker's wealth after less before; a loan's fee not yet paid
    protocol: float = 0.0  # what the protocol and its suppliers lost
    users: float = 0.0  # what liquidated users lost beyond the debt that was repaid for them
    capital: float = 0.0  # brought into the attack
    frozen: tuple[str, ...] = ()  # reserves whose price can no longer be read, symbols

    @property
    def harm(self) -> float:
        """What others lost, USD."""
        return self.protocol + self.users

    @property
    def score(self) -> float:
        """What the search maximises: harm that pays, USD."""
        return min(self.profit, self.harm)


FAILED = Outcome(made=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Account:
    """What an account has supplied and owes, by token, whole tokens."""

    collateral: Mapping[str, float]
    debt: Mapping[str, float]

    def net(self, fair: Mapping[str, float]) -> float:
        """Collateral less debt, USD."""
        has = sum(v * fair[t] for t, v in self.collateral.items())
        return has - sum(v * fair[t] for t, v in self.debt.items())


@dataclass(frozen=True, kw_only=True, eq=False)
class Ledger:
    """Everything that is counted, at one moment."""

    purse: Mapping[str, float]  # the attacker's tokens, whole tokens
    sheets: Mapping[str, Totals]  # balance sheets of the reserves it touches, by token
    attacker: tuple[Account, ...]  # positions of its accounts
    debtors: tuple[Account, ...]  # those it liquidates
    frozen: tuple[str, ...]  # reserves without a readable price, symbols
    treasury: Mapping[str, float]  # what the DAO holds, whole tokens, if it is governed


class Counting:
    """The views that make a ledger for one sequence, and how their answers are read."""

    def __init__(self, ground: Ground, sequence: Moves) -> None:
        self._ground = ground
        pooled = [
            t for p in sequence.pools if p in ground.pools
            for t in (ground.pools[p].token0, ground.pools[p].token1)
        ]  # fmt: skip
        polity = ground.polity
        governs = polity is not None and any(m.kind in GOVERNING for m in sequence.moves)
        self.treasury = tuple(t for t, _ in polity.holdings) if polity and governs else ()
        self._executor = polity.terms.executor if polity else ""
        votes = polity.terms.token if polity and governs else ""
        named = dict.fromkeys((*sequence.tokens, *pooled, *self.treasury))
        self.tokens = tuple(t for t in named if t in ground.tokens and t != votes)
        self.reserves = tuple(t for t in self.tokens if ground.index(t) is not None)
        self.own = (ATTACKER, SECOND) if sequence.seconded else (ATTACKER,)
        self.debtors = tuple(d for d in sequence.debtors if d not in self.own)
        self.calls: tuple[SimulatedCall, ...] = tuple(self._views())

    def _views(self) -> list[SimulatedCall]:
        out = [held_by(self._ground, t, who) for t in self.tokens for who in self.own]
        out += [held_by(self._ground, t, self._executor) for t in self.treasury]
        for token in self.reserves:
            out += self._sheet(token)
            for who in (*self.own, *self.debtors):
                out += self._position(token, who)
        return out

    def _sheet(self, token: str) -> tuple[SimulatedCall, ...]:
        """Balance sheet and price of a reserve; the questions are the same for every sequence."""
        views, lending = self._ground.views, self._ground.lending
        if (token,) not in views:
            asset = self._asset(token)
            views[token,] = (*lending.totals(asset), lending.price(asset))
        return views[token,]

    def _position(self, token: str, who: str) -> tuple[SimulatedCall, ...]:
        views = self._ground.views
        if (token, who) not in views:
            views[token, who] = self._ground.lending.balances(who, self._asset(token))
        return views[token, who]

    def _asset(self, token: str) -> int:
        asset = self._ground.index(token)
        assert asset is not None  # `reserves` holds no others
        return asset

    def read(self, results: Sequence[SimulatedCallResult]) -> Ledger | None:
        """Read the answers to `calls`; None if a reserve itself does not answer."""
        lending, ground = self._ground.lending, self._ground
        left = iter(results)
        purse = {
            t: sum(_word(next(left)) for _ in self.own) / 10 ** ground.tokens[t].decimals
            for t in self.tokens
        }
        treasury = {t: _word(next(left)) / 10 ** ground.tokens[t].decimals for t in self.treasury}
        sheets: dict[str, Totals] = {}
        frozen = []
        whose = (*self.own, *self.debtors)
        accounts = [Account(collateral={}, debt={}) for _ in whose]
        for token in self.reserves:
            asset = self._asset(token)
            *answers, price = [next(left) for _ in self._sheet(token)]
            owned = [[next(left) for _ in self._position(token, who)] for who in whose]
            if not all(r.succeeded for r in (*answers, *(r for rs in owned for r in rs))):
                return None
            sheets[token] = lending.read_totals(asset, [r.return_data for r in answers])
            if not price.succeeded or _word(price) == 0:
                frozen.append(ground.tokens[token].symbol)
            for i, rows in enumerate(owned):
                found = lending.read_balances(asset, [r.return_data for r in rows])
                accounts[i] = Account(
                    collateral={**accounts[i].collateral, token: found.collateral},
                    debt={**accounts[i].debt, token: found.debt},
                )
        return Ledger(
            purse=purse,
            sheets=sheets,
            attacker=tuple(accounts[: len(self.own)]),
            debtors=tuple(accounts[len(self.own) :]),
            frozen=tuple(frozen),
            treasury=treasury,
        )


def settle(before: Ledger, after: Ledger, fair: Mapping[str, float], capital: float) -> Outcome:
    """Compare two ledgers at `fair` prices (USD per whole token, by token)."""
    purse = sum((after.purse[t] - before.purse[t]) * fair[t] for t in after.purse)
    # What is left in the market is worth nothing to an attacker who owes more than it.
    position = [sum(max(a.net(fair), 0.0) for a in x.attacker) for x in (before, after)]
    equity = [
        _equity(x.sheets, fair) + sum(min(a.net(fair), 0.0) for a in x.attacker)
        + sum(min(d.net(fair), 0.0) for d in x.debtors)
        + sum(v * fair[t] for t, v in x.treasury.items())
        for x in (before, after)
    ]  # fmt: skip
    users = [sum(max(d.net(fair), 0.0) for d in x.debtors) for x in (before, after)]
    return Outcome(
        made=True,
        profit=purse + position[1] - position[0],
        protocol=max(equity[0] - equity[1], 0.0),
        users=max(users[0] - users[1], 0.0),
        capital=capital,
        frozen=tuple(s for s in after.frozen if s not in before.frozen),
    )


def _equity(sheets: Mapping[str, Totals], fair: Mapping[str, float]) -> float:
    return sum((s.cash + s.debts - s.claims) * fair[t] for t, s in sheets.items())


def _word(result: SimulatedCallResult) -> int:
    return int.from_bytes(result.return_data[:32], "big") if result.succeeded else 0
