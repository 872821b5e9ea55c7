"""A liquidator without money of its own: flash loan, liquidation, sale, repayment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from evaluator.arena.agents.agent import Transaction, View
from evaluator.arena.agents.builtin import least_healthy
from evaluator.arena.lending import Lending
from evaluator.chain.abi import Abi
from evaluator.chain.simulation import SimulatedCall
from evaluator.market import Family, Market
from evaluator.protocols.pools import Pool, PoolKind

# contracts/contracts/FlashLiquidator.sol
CONTRACT = Abi.parse(
    [
        "function withFlashLoan(address source, (bool compound, address protocol,"
        " address collateral, address debt, address borrower, uint256 amount,"
        " (address pool, bool v3)[] route, uint256 leastProfit) job)",
        "function withFlashSwap(address source, (bool compound, address protocol,"
        " address collateral, address debt, address borrower, uint256 amount,"
        " (address pool, bool v3)[] route, uint256 leastProfit) job)",
        "event Liquidated(address indexed borrower, address indexed debt, uint256 repaid,"
        " uint256 profit)",
    ]
)
LIQUIDATED = CONTRACT.event_topic("Liquidated")

Route = tuple[tuple[str, bool], ...]  # pools to sell through, and whether each is a V3 pool


class Source(StrEnum):
    """Where the money for a moment comes from."""

    AAVE = "withFlashLoan"  # flash loan of an Aave pool
    PAIR = "withFlashSwap"  # flash swap of a Uniswap V2 pair


def routes_between(market: Market, pools: Sequence[Pool]) -> dict[tuple[int, int], Route]:
    """Return a route from every reserve to every other that pools allow, two hops at most.

    Keyed by (sold, bought), reserves by index; of several pools the one deepest in what
    is sold, one pool before two.
    """
    tokens = {r.asset.address.lower(): a for a, r in enumerate(market.reserves)}
    best: dict[tuple[str, str], tuple[float, tuple[str, bool]]] = {}
    for pool in pools:
        for sold, held in ((pool.token0, pool.reserve0), (pool.token1, pool.reserve1)):
            key, hop = (sold, pool.other(sold)), (pool.address, pool.kind is PoolKind.UNISWAP_V3)
            if held > best.get(key, (0.0, hop))[0]:
                best[key] = (float(held), hop)
    out: dict[tuple[int, int], Route] = {}
    for (sold, bought), (_, hop) in best.items():
        if sold in tokens and bought in tokens:
            out[tokens[sold], tokens[bought]] = (hop,)
    for (sold, between), (_, first) in best.items():
        for (again, bought), (_, second) in best.items():
            if again == between and sold in tokens and bought in tokens and sold != bought:
                out.setdefault((tokens[sold], tokens[bought]), (first, second))
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class FlashLiquidator:
    """Liquidates on borrowed money, the least healthy account first; a loss reverts it all."""

    name: str
    lending: Lending
    account: str  # owner of the contract, who gets the profit
    contract: str  # a FlashLiquidator of the account's
    source: Source  # what lends
    lenders: Mapping[int, str]  # Aave pool or V2 pair that lends a debt asset, by reserve
    routes: Mapping[tuple[int, int], Route]  # from collateral to debt, see routes_between
    watched: tuple[int, ...]  # positions of the market's book
    at_once: int = 5  # liquidations in a block
    share: float = 0.49  # of a debt; what exceeds a close factor Compound's contracts refuse
    least_profit: float = 0.0  # USD
    fee: int = 0  # wei a unit of gas
    hostile: bool = False

    # `rng` is the interface's; nothing here is left to chance.
    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:  # noqa: ARG002
        """See Agent.act."""
        worst = least_healthy(view, self.lending, self.watched)[: self.at_once]
        jobs = (self._job(view, i) for i in worst)
        return [t for t in jobs if t is not None]

    def _job(self, view: View, i: int) -> Transaction | None:
        """The most valuable debt that somebody lends, against the collateral with most value."""
        market, lending = self.lending.market, self.lending
        borrower = market.book.accounts[i]
        held: dict[int, float] = {}
        owed: dict[int, float] = {}
        for a in range(len(market.reserves)):
            if lending.pays_in_native(a):
                continue
            asked = lending.balances(borrower, a)
            b = lending.read_balances(a, [view.read(c.to, c.data) for c in asked])
            held[a] = b.collateral * float(market.prices[a])
            owed[a] = b.debt * float(market.prices[a]) if a in self.lenders else 0.0
        d = max(owed, key=lambda a: owed[a], default=-1)
        reachable = {c: v for c, v in held.items() if c == d or (c, d) in self.routes}
        c = max(reachable, key=lambda a: reachable[a], default=-1)
        if d < 0 or c < 0 or owed[d] <= 0.0 or held[c] <= 0.0:
            return None
        debt, price = market.reserves[d], float(market.prices[d])
        unit = 10**debt.asset.decimals
        amount = int(min(self.share * owed[d], 0.9 * held[c]) / price * unit)
        compound = market.family is Family.COMPOUND_V2
        job = (
            compound,
            debt.receipt_token if compound else market.address,
            market.reserves[c].receipt_token if compound else market.reserves[c].asset.address,
            debt.asset.address,
            borrower,
            amount,
            list(self.routes.get((c, d), ())),
            int(self.least_profit / price * unit),
        )
        call = SimulatedCall(
            sender=self.account,
            to=self.contract,
            data=CONTRACT.encode(self.source.value, self.lenders[d], job),
        )
        return Transaction(call=call, fee=self.fee, what=f"liquidate {borrower}")
