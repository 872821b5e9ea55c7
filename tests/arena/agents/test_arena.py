"""Agents on the embedded chain: order, gas, reports, the same run twice and nothing left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from evaluator.arena.agents import Sequencing, Transaction, agent_by_name, run_arena
from evaluator.arena.agents.builtin import (
    Arbitrageur,
    Attacker,
    Borrower,
    Liquidator,
    OracleKeeper,
    Supplier,
    transfer,
)
from evaluator.arena.families import lending_of
from evaluator.arena.funds import give
from evaluator.arena.pricing import FEED
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError
from evaluator.market import health_factors

pytestmark = pytest.mark.chain

RICH = "0x5ea70000000000000000000000000000000000a1"
POOR = "0x5ea70000000000000000000000000000000000a2"
GWEI = 10**9


@dataclass(frozen=True)
class Sender:
    """Sends one transfer a block for a given fee."""

    name: str
    account: str
    token: str
    units: int
    fee: int = 0
    hostile: bool = False

    def act(self, view, rng):
        call = transfer(self.account, self.token, POOR, self.units + int(rng.integers(10)))
        return [Transaction(call=call, fee=self.fee)]


@pytest.fixture
def funded(sandbox, deployment):
    """A fork on which RICH has a million of every dollar token, ether and WETH."""
    for symbol, decimals in {"USDC": 6, "DAI": 18, "WETH": 18}.items():
        give(sandbox, deployment.tokens[symbol], RICH, 10**6 * 10**decimals)
    sandbox.set_balance(RICH, 10**20)
    sandbox.mine()
    return sandbox


def owner_of(sandbox, feed):
    """Who may push to a feed, with ether for gas."""
    owner = "0x" + sandbox.call(feed, FEED.encode("owner"))[12:].hex()
    sandbox.set_balance(owner, 10**20)
    sandbox.mine()
    return owner


def senders(deployment):
    token = deployment.tokens["USDC"]
    return [
        Sender("slow", RICH, token, 100, fee=GWEI),
        Sender("fast", RICH, token, 200, fee=5 * GWEI),
        Sender("thief", RICH, token, 300, fee=2 * GWEI, hostile=True),
    ]


def names(run):
    return [r.agent for r in run.reports]


def test_the_sequencer_orders_as_it_is_told(funded, deployment):
    agents = senders(deployment)
    by_fee = run_arena(funded, agents, blocks=1, seed=0)
    assert names(by_fee) == ["fast", "thief", "slow"]
    against = run_arena(funded, agents, blocks=1, seed=0, sequencing=Sequencing.AGAINST_VICTIM)
    assert names(against) == ["thief", "fast", "slow"]
    orders = {
        tuple(names(run_arena(funded, agents, blocks=1, seed=s, sequencing=Sequencing.FIRST_COME)))
        for s in range(6)
    }
    assert len(orders) > 1


def test_gas_is_charged_and_failures_have_reasons(funded, deployment):
    agents = [
        Sender("pays", RICH, deployment.tokens["USDC"], 100, fee=3 * GWEI),
        Sender("broke", POOR, deployment.tokens["USDC"], 100, fee=GWEI),
    ]
    funded.set_balance(POOR, 0)
    run = run_arena(funded, agents, blocks=1, seed=0)
    pays, broke = sorted(run.reports, key=lambda r: r.agent == "broke")
    assert pays.succeeded
    assert pays.paid == pays.gas_used * 3 * GWEI > 0
    assert len(pays.logs) == 1
    assert not broke.succeeded
    assert "fund" in broke.reason.lower() or "gas" in broke.reason.lower()
    funded.set_balance(POOR, 10**18)
    too_much = Sender("too much", POOR, deployment.tokens["USDC"], 10**12, fee=GWEI)
    (reverted,) = run_arena(funded, [too_much], blocks=1, seed=0).reports
    assert not reverted.succeeded
    assert reverted.reason
    assert reverted.paid > 0


def test_nothing_leaks_from_one_run_to_the_next(funded, deployment, market):
    lending = lending_of(funded, market)
    a = market.index("USDC")
    other = Supplier(name="supplier", lending=lending, account=RICH, asset=a, units=10**9)
    first = run_arena(funded, senders(deployment), blocks=3, seed=7)
    between = run_arena(funded, [other], blocks=3, seed=7)
    again = run_arena(funded, senders(deployment), blocks=3, seed=7)
    assert between.reports
    assert first.digest() == again.digest() != between.digest()
    assert run_arena(funded, senders(deployment), blocks=3, seed=8).digest() != first.digest()


def test_the_same_seed_is_the_same_run_on_another_node(funded, read_only_sandbox, deployment):
    digests = [run_arena(funded, senders(deployment), blocks=2, seed=0).digest()]
    with Sandbox.fork(read_only_sandbox.rpc.urls) as other:
        for symbol, decimals in {"USDC": 6, "DAI": 18, "WETH": 18}.items():
            give(other, deployment.tokens[symbol], RICH, 10**6 * 10**decimals)
        other.set_balance(RICH, 10**20)
        other.mine()
        digests.append(run_arena(other, senders(deployment), blocks=2, seed=0).digest())
    assert digests[0] == digests[1]


def test_a_falling_price_reaches_the_feed_and_the_liquidator(funded, deployment, aave_market):
    lending = lending_of(funded, aave_market)
    eth = aave_market.index("WETH")
    price = aave_market.prices[eth]
    fall = np.array([price, price, price * 0.8]) * 1e8
    crashed = aave_market.prices.copy()
    crashed[eth] *= 0.8
    sick = np.flatnonzero(health_factors(aave_market, crashed) < 1.0)
    debts = aave_market.book.debt
    dai = aave_market.index("DAI")
    usdc = aave_market.index("USDC")
    mine = [
        int(i)
        for i in sick
        if set(debts.asset[debts.indptr[i] : debts.indptr[i + 1]].tolist()) <= {dai, usdc}
    ][:4]
    assert mine
    agents = [
        OracleKeeper(
            name="keeper",
            feed=deployment.feeds["WETH"],
            sender=owner_of(funded, deployment.feeds["WETH"]),
            answers=fall,
            fee=GWEI,
        ),
        Liquidator(
            name="liquidator", lending=lending, account=RICH, watched=tuple(mine), fee=2 * GWEI
        ),
    ]
    run = run_arena(funded, agents, blocks=4, seed=0)
    pushes = [r for r in run.reports if r.agent == "keeper"]
    assert [r.block for r in pushes] == [2]
    done = [r for r in run.reports if lending.liquidated(r.logs)]
    # The push of block 2 is seen in block 3.
    assert done
    assert {r.block for r in done} == {3}


def test_an_arbitrageur_brings_a_pair_back(funded, deployment):
    pair = next(p for p in deployment.uniswap.v2_pairs if {p.token0, p.token1} == {"WETH", "USDC"})
    symbols = (pair.token0, pair.token1)
    agent = Arbitrageur(
        name="arbitrageur",
        account=RICH,
        router=deployment.uniswap.v2_router,
        pair=pair.address,
        tokens=tuple(deployment.tokens[s] for s in symbols),
        decimals=tuple({"WETH": 18, "USDC": 6}[s] for s in symbols),
        feeds=tuple(deployment.feeds[s] for s in symbols),
    )
    give(funded, deployment.tokens["USDC"], RICH, 10**15)
    funded.mine()
    price = 1e8 * 3350.0 * 1.1
    keeper = OracleKeeper(
        name="keeper",
        feed=deployment.feeds["WETH"],
        sender=owner_of(funded, deployment.feeds["WETH"]),
        answers=np.array([price]),
    )
    run = run_arena(funded, [keeper, agent], blocks=4, seed=0)
    swaps = [r for r in run.reports if r.agent == "arbitrageur" and len(r.logs) > 1]
    assert all(r.succeeded for r in swaps)
    # One trade is enough: afterwards the pair is within the fee of the feeds.
    assert len(swaps) == 1


def test_a_borrower_borrows_and_an_attacker_strikes_in_its_block(funded, deployment, aave_market):
    lending = lending_of(funded, aave_market)
    borrower = Borrower(
        name="borrower",
        lending=lending,
        account=RICH,
        collateral=aave_market.index("WETH"),
        debt=aave_market.index("DAI"),
        supplied=10**19,
        borrowed=10**20,
    )
    attacker = Attacker(
        name="attacker",
        sequence=(transfer(RICH, deployment.tokens["USDC"], POOR, 5),) * 2,
        block=2,
    )
    run = run_arena(funded, [borrower, attacker], blocks=3, seed=0)
    assert all(r.succeeded for r in run.reports)
    assert [r.block for r in run.reports if r.agent == "attacker"] == [2, 2]
    assert [r.block for r in run.reports if r.transaction.what == "borrow"] == [1, 2]


def test_names_must_differ(funded, deployment):
    agents = senders(deployment)
    with pytest.raises(ConfigurationError):
        run_arena(funded, [agents[0], agents[0]], blocks=1, seed=0)


def test_built_in_agents_are_registered_like_plugins():
    assert agent_by_name("liquidator") is Liquidator
    with pytest.raises(ConfigurationError, match=r"choose one of .*oracle_keeper"):
        agent_by_name("nobody")
