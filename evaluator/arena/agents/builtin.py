"""The agents that come with the arena."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.arena.agents.agent import Transaction, View
from evaluator.arena.lending import TOKEN, Lending, Step, approvals
from evaluator.arena.pricing import FEED
from evaluator.chain.abi import Abi
from evaluator.chain.simulation import SimulatedCall
from evaluator.errors import ChainError, TransactionReverted
from evaluator.market.book import FloatArray
from evaluator.protocols.interfaces import UNISWAP

ROUTER = Abi.parse(
    [
        "function swapExactTokensForTokens(uint256 amountIn, uint256 amountOutMin, address[] path,"
        " address to, uint256 deadline) returns (uint256[] amounts)",
    ]
)


@dataclass(frozen=True, kw_only=True, eq=False)
class OracleKeeper:
    """Pushes a market price into a feed on deviation or heartbeat."""

    name: str
    feed: str  # address
    sender: str  # may push
    answers: FloatArray  # by block of the arena, in the feed's units; the last one stays
    deviation: float = 0.005  # relative move that triggers a push
    heartbeat: float = 3600.0  # s after which it pushes anyway
    latency: int = 0  # blocks it sees the market late
    failure: float = 0.0  # chance that it misses a block
    fee: int = 0  # wei a unit of gas
    hostile: bool = False

    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:
        """See Agent.act."""
        missed = rng.random() < self.failure
        at = min(max(view.block - self.latency, 0), len(self.answers) - 1)
        seen = round(float(self.answers[at]))
        try:
            last = FEED.decode_output(
                "latestRoundData", view.read(self.feed, FEED.encode("latestRoundData"))
            )
        except (TransactionReverted, ChainError):
            return []
        moved = abs(seen - last.answer) > self.deviation * last.answer
        if missed or not (moved or view.timestamp - last.updatedAt >= self.heartbeat):
            return []
        call = SimulatedCall(sender=self.sender, to=self.feed, data=FEED.encode("push", seen))
        return [Transaction(call=call, fee=self.fee, what=f"push {seen}")]


def least_healthy(view: View, lending: Lending, watched: Sequence[int]) -> list[int]:
    """Return which of some positions of the market's book fall short, the worst first."""
    sick: list[tuple[float, int]] = []
    for i in watched:
        call = lending.solvency(lending.market.book.accounts[i])
        try:
            said = lending.read_solvency(view.read(call.to, call.data))
        except (TransactionReverted, ChainError):
            continue
        if said.liquidity < 0.0:
            sick.append((said.liquidity, i))
    return [i for _, i in sorted(sick)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Liquidator:
    """Liquidates with its own tokens, the least healthy account first."""

    name: str
    lending: Lending
    account: str  # holds the debt tokens
    watched: tuple[int, ...]  # positions of the market's book
    at_once: int = 5  # liquidations in a block
    share: float = 0.49  # of a debt; what exceeds a close factor Compound's contracts refuse
    fee: int = 0  # wei a unit of gas
    hostile: bool = False

    # `rng` is the interface's; nothing here is left to chance.
    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:  # noqa: ARG002
        """See Agent.act."""
        book = self.lending.market.book
        out: list[Transaction] = []
        for i in least_healthy(view, self.lending, self.watched)[: self.at_once]:
            step = self._step(view, i)
            if step is not None:
                out += _transactions(step, self.fee, f"liquidate {book.accounts[i]}")
        return out

    def _step(self, view: View, i: int) -> Step | None:
        """Largest debt against largest collateral, as they stand."""
        market = self.lending.market
        account = market.book.accounts[i]
        held: dict[int, float] = {}
        owed: dict[int, float] = {}
        for a in range(len(market.reserves)):
            asked = self.lending.balances(account, a)
            b = self.lending.read_balances(a, [view.read(c.to, c.data) for c in asked])
            held[a] = b.collateral * float(market.prices[a])
            owed[a] = b.debt * float(market.prices[a])
        c, d = max(held, key=lambda a: held[a]), max(owed, key=lambda a: owed[a])
        if held[c] <= 0.0 or owed[d] <= 0.0:
            return None
        usd = min(self.share * owed[d], 0.9 * held[c])
        units = int(usd / float(market.prices[d]) * 10 ** market.reserves[d].asset.decimals)
        if units <= 0:
            return None
        return self.lending.liquidate(self.account, account, collateral=c, debt=d, units=units)


@dataclass(frozen=True, kw_only=True, eq=False)
class Supplier:
    """Supplies or withdraws random amounts."""

    name: str
    lending: Lending
    account: str  # holds the tokens
    asset: int  # index of the reserve
    units: int  # most base units moved in a block
    fee: int = 0  # wei a unit of gas
    hostile: bool = False

    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:
        """See Agent.act."""
        units = max(int(rng.random() * self.units), 1)
        if view.block % 2 == 0:
            step = self.lending.supply(self.account, self.asset, units)
            return _transactions(step, self.fee, "supply")
        return _transactions(
            self.lending.withdraw(self.account, self.asset, units), self.fee, "withdraw"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Borrower:
    """Supplies collateral in its first block and borrows a random amount in later ones."""

    name: str
    lending: Lending
    account: str  # holds the collateral
    collateral: int  # index of the reserve
    debt: int  # index of the reserve
    supplied: int  # base units of collateral
    borrowed: int  # most base units borrowed in a block
    fee: int = 0  # wei a unit of gas
    hostile: bool = False

    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:
        """See Agent.act."""
        if view.block == 0:
            step = self.lending.supply(self.account, self.collateral, self.supplied)
            out = _transactions(step, self.fee, "supply collateral")
            enter = self.lending.enter(self.account, self.collateral)
            return out + ([] if enter is None else _transactions(enter, self.fee, "enter"))
        units = max(int(rng.random() * self.borrowed), 1)
        return _transactions(
            self.lending.borrow(self.account, self.debt, units), self.fee, "borrow"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Arbitrageur:
    """Trades a Uniswap V2 pair back to the price two feeds say."""

    name: str
    account: str  # holds both tokens
    router: str
    pair: str
    tokens: tuple[str, str]  # token0 and token1 of the pair
    decimals: tuple[int, int]  # of them
    feeds: tuple[str, str]  # in the same unit
    tolerance: float = 0.005  # relative gap left alone
    fee: int = 0  # wei a unit of gas
    hostile: bool = False

    # `rng` is the interface's; nothing here is left to chance.
    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:  # noqa: ARG002
        """See Agent.act."""
        try:
            r = UNISWAP.decode_output(
                "getReserves", view.read(self.pair, UNISWAP.encode("getReserves"))
            )
            p0, p1 = (
                FEED.decode_output("latestRoundData", view.read(f, FEED.encode("latestRoundData")))
                for f in self.feeds
            )
        except (TransactionReverted, ChainError):
            return []
        x = r.reserve0 / 10 ** self.decimals[0]
        y = r.reserve1 / 10 ** self.decimals[1]
        fair = p0.answer / p1.answer  # token1 for one token0
        if abs(y / x / fair - 1.0) <= self.tolerance:
            return []
        # Along x * y = k the pool is at the fair price with x = sqrt(k / fair).
        sold = 0 if y / x > fair else 1
        amount = (x * y / fair) ** 0.5 - x if sold == 0 else (x * y * fair) ** 0.5 - y
        has = view.word(self.tokens[sold], TOKEN.encode("balanceOf", self.account)) or 0
        units = min(int(amount * 10 ** self.decimals[sold]), has)
        if units <= 0:
            return []
        path = [self.tokens[sold], self.tokens[1 - sold]]
        data = ROUTER.encode(
            "swapExactTokensForTokens", units, 0, path, self.account, view.timestamp + 3600
        )
        swap = SimulatedCall(sender=self.account, to=self.router, data=data)
        allow = approvals(self.account, path[0], self.router, units)
        return _transactions(Step(calls=(*allow, swap)), self.fee, "arbitrage")


@dataclass(frozen=True, kw_only=True, eq=False)
class Attacker:
    """Sends a prepared sequence in one block."""

    name: str
    sequence: tuple[SimulatedCall, ...]
    block: int = 0  # of the arena
    fee: int = 0  # wei a unit of gas
    hostile: bool = True

    # `rng` is the interface's; nothing here is left to chance.
    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:  # noqa: ARG002
        """See Agent.act."""
        if view.block != self.block:
            return []
        return _transactions(Step(calls=self.sequence), self.fee, "attack")


def transfer(sender: str, token: str, to: str, units: int) -> SimulatedCall:
    """Return a plain token transfer."""
    return SimulatedCall(sender=sender, to=token, data=TOKEN.encode("transfer", to, units))


def _transactions(step: Step, fee: int, what: str) -> list[Transaction]:
    calls: Sequence[SimulatedCall] = step.calls
    return [Transaction(call=c, fee=fee, what=what) for c in calls]
