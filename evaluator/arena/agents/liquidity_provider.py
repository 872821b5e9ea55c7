"""An agent that provides liquidity to a Uniswap V2 pair, and flees when its price is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluator.arena.agents.agent import Transaction, View
from evaluator.arena.lending import TOKEN, approvals
from evaluator.arena.pricing import FEED
from evaluator.chain.abi import Abi
from evaluator.chain.simulation import SimulatedCall
from evaluator.errors import ChainError, TransactionReverted
from evaluator.protocols.interfaces import UNISWAP

# Uniswap v2-periphery 1.1.0-beta.0, UniswapV2Router02.
LIQUIDITY = Abi.parse(
    [
        "function addLiquidity(address tokenA, address tokenB, uint256 amountADesired,"
        " uint256 amountBDesired, uint256 amountAMin, uint256 amountBMin, address to,"
        " uint256 deadline) returns (uint256 amountA, uint256 amountB, uint256 liquidity)",
        "function removeLiquidity(address tokenA, address tokenB, uint256 liquidity,"
        " uint256 amountAMin, uint256 amountBMin, address to, uint256 deadline)"
        " returns (uint256 amountA, uint256 amountB)",
    ]
)
_HOUR = 3600  # seconds a transaction stays good


@dataclass(frozen=True, kw_only=True, eq=False)
class LiquidityProvider:
    """Adds to a pair while its price is that of two feeds, and takes everything out otherwise.

    It keeps nothing in mind: whether it is in or out stands on the chain.
    """

    name: str
    account: str  # holds both tokens
    router: str
    pair: str
    tokens: tuple[str, str]  # token0 and token1 of the pair
    decimals: tuple[int, int]  # of them
    feeds: tuple[str, str]  # in the same unit
    units: tuple[int, int]  # most base units of each token it provides
    flees_at: float = 0.02  # relative gap between pair and feeds at which it leaves
    returns_at: float = 0.005  # relative gap below which it comes back
    fee: int = 0  # wei a unit of gas
    hostile: bool = False

    # `rng` is the interface's; nothing here is left to chance.
    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:  # noqa: ARG002
        """See Agent.act."""
        gap = self._gap(view)
        if gap is None:
            return []
        shares = view.word(self.pair, TOKEN.encode("balanceOf", self.account)) or 0
        if shares > 0:
            return self._leave(view, shares) if gap > self.flees_at else []
        return self._enter(view) if gap < self.returns_at else []

    def _gap(self, view: View) -> float | None:
        """How far the pair's price is from the feeds', relative; None if it cannot be told."""
        try:
            r = UNISWAP.decode_output(
                "getReserves", view.read(self.pair, UNISWAP.encode("getReserves"))
            )
            p0, p1 = (
                FEED.decode_output("latestRoundData", view.read(f, FEED.encode("latestRoundData")))
                for f in self.feeds
            )
        except (TransactionReverted, ChainError):
            return None
        x, y = r.reserve0 / 10 ** self.decimals[0], r.reserve1 / 10 ** self.decimals[1]
        if x <= 0.0 or p0.answer <= 0 or p1.answer <= 0:
            return None
        return float(abs(y / x * p1.answer / p0.answer - 1.0))

    def _enter(self, view: View) -> list[Transaction]:
        units = [
            min(most, view.word(token, TOKEN.encode("balanceOf", self.account)) or 0)
            for token, most in zip(self.tokens, self.units, strict=True)
        ]
        if min(units) <= 0:
            return []
        allow = [
            call
            for token, amount in zip(self.tokens, units, strict=True)
            for call in approvals(self.account, token, self.router, amount)
        ]
        # The pair takes of each what its price asks for; the rest stays here.
        data = LIQUIDITY.encode(
            "addLiquidity", *self.tokens, *units, 0, 0, self.account, view.timestamp + _HOUR
        )
        return self._sent([*allow, self._call(data)], "add liquidity")

    def _leave(self, view: View, shares: int) -> list[Transaction]:
        data = LIQUIDITY.encode(
            "removeLiquidity", *self.tokens, shares, 0, 0, self.account, view.timestamp + _HOUR
        )
        allow = approvals(self.account, self.pair, self.router, shares)
        return self._sent([*allow, self._call(data)], "remove liquidity")

    def _call(self, data: bytes) -> SimulatedCall:
        return SimulatedCall(sender=self.account, to=self.router, data=data)

    def _sent(self, calls: list[SimulatedCall], what: str) -> list[Transaction]:
        return [Transaction(call=c, fee=self.fee, what=what) for c in calls]
