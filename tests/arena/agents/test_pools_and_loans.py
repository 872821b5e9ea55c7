"""Agents that use real pools: a liquidity provider, and a liquidator without money."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluator.arena.agents import agent_by_name, run_arena
from evaluator.arena.agents.builtin import OracleKeeper
from evaluator.arena.agents.flash_liquidator import (
    CONTRACT,
    LIQUIDATED,
    FlashLiquidator,
    Source,
    routes_between,
)
from evaluator.arena.agents.liquidity_provider import LiquidityProvider
from evaluator.arena.families import lending_of
from evaluator.arena.funds import give
from evaluator.arena.lending import TOKEN
from evaluator.arena.pricing import FEED
from evaluator.chain.solidity import load_contract
from evaluator.market import health_factors
from evaluator.protocols.pools import PoolKind, open_pools

pytestmark = pytest.mark.chain

OWNER = "0x5ea70000000000000000000000000000000000a3"
GWEI = 10**9


def owner_of(sandbox, feed):
    owner = "0x" + sandbox.call(feed, FEED.encode("owner"))[12:].hex()
    sandbox.set_balance(owner, 10**20)
    return owner


@pytest.fixture
def provider(sandbox, deployment):
    """A provider to the WETH / USDC pair, and what it needs."""
    pair = next(p for p in deployment.uniswap.v2_pairs if {p.token0, p.token1} == {"WETH", "USDC"})
    symbols = (pair.token0, pair.token1)
    decimals = tuple({"WETH": 18, "USDC": 6}[s] for s in symbols)
    units = tuple({"WETH": 10**19, "USDC": 40_000 * 10**6}[s] for s in symbols)
    for symbol, amount in zip(symbols, units, strict=True):
        give(sandbox, deployment.tokens[symbol], OWNER, amount)
    sandbox.set_balance(OWNER, 10**20)
    sandbox.mine()
    return LiquidityProvider(
        name="provider",
        account=OWNER,
        router=deployment.uniswap.v2_router,
        pair=pair.address,
        tokens=tuple(deployment.tokens[s] for s in symbols),
        decimals=decimals,
        feeds=tuple(deployment.feeds[s] for s in symbols),
        units=units,
        fee=GWEI,
    )


def test_a_provider_enters_flees_and_returns_by_the_feeds(sandbox, deployment, provider):
    feed = deployment.feeds["WETH"]
    price = 3350.0 * 1e8
    keeper = OracleKeeper(
        name="keeper",
        feed=feed,
        sender=owner_of(sandbox, feed),
        answers=np.array([price, price, price * 0.9, price * 0.9, price]),
        fee=GWEI,
    )
    sandbox.mine()
    run = run_arena(sandbox, [keeper, provider], blocks=7, seed=0)
    mine = [r for r in run.reports if r.agent == "provider"]
    assert all(r.succeeded for r in mine)
    by_block = {b: {r.transaction.what for r in mine if r.block == b} for b in range(7)}
    # A push of one block is seen in the next.
    assert by_block == {
        0: {"add liquidity"},
        1: set(),
        2: set(),
        3: {"remove liquidity"},
        4: set(),
        5: {"add liquidity"},
        6: set(),
    }
    shares = sandbox.call(provider.pair, TOKEN.encode("balanceOf", OWNER))
    assert int.from_bytes(shares, "big") == 0  # the arena undid it all


def test_a_provider_without_tokens_or_a_pool_does_nothing(sandbox, deployment, provider):
    poor = replace(provider, account="0x5ea70000000000000000000000000000000000a9")
    nowhere = replace(provider, name="nowhere", pair=deployment.tokens["USDC"])
    assert run_arena(sandbox, [poor, nowhere], blocks=1, seed=0).reports == ()


@pytest.mark.parametrize("source", list(Source))
def test_a_liquidator_without_money_liquidates_on_a_loan(sandbox, deployment, market, source):
    """On both families, by flash loans of the Aave pool and by flash swaps of pairs."""
    lending = lending_of(sandbox, market)
    moved = market.prices.copy()
    btc, feed = market.index("WBTC"), deployment.feeds["WBTC"]
    moved[btc] *= 0.6
    answer = round(float(moved[btc]) * 1e8)
    sandbox.send(owner_of(sandbox, feed), feed, FEED.encode("push", answer))
    artifact = load_contract("FlashLiquidator")
    contract = sandbox.deploy(
        OWNER, artifact.creation_code(), artifact.abi.encode_constructor(OWNER)
    )
    sandbox.set_balance(OWNER, 10**20)
    sandbox.mine()
    addresses = [p.address for p in (*deployment.uniswap.v2_pairs, *deployment.uniswap.v3_pools)]
    pools = open_pools(sandbox, addresses, block=sandbox.block_number())
    lenders = {}
    for a, reserve in enumerate(market.reserves):
        token = reserve.asset.address.lower()
        pairs = [
            p for p in pools if p.kind is PoolKind.UNISWAP_V2 and token in (p.token0, p.token1)
        ]
        if source is Source.AAVE and reserve.asset.symbol in deployment.aave.a_tokens:
            lenders[a] = deployment.aave.pool
        elif source is Source.PAIR and pairs:
            lenders[a] = pairs[0].address
    routes = routes_between(market, pools)
    if source is Source.PAIR:
        # A pair that lends is locked while it does: what is seized is sold elsewhere.
        kept = set(lenders.values())
        routes = {k: r for k, r in routes.items() if not kept & {pool for pool, _ in r}}
    sick = np.flatnonzero(health_factors(market, moved) < 1.0)
    agent = FlashLiquidator(
        name="flash",
        lending=lending,
        account=OWNER,
        contract=contract,
        source=source,
        lenders=lenders,
        routes=routes,
        watched=tuple(int(i) for i in sick),
        share=0.02,
        fee=GWEI,
        at_once=12,
    )
    run = run_arena(sandbox, [agent], blocks=1, seed=0)
    done = [r for r in run.reports if r.succeeded]
    assert done, {r.reason for r in run.reports}
    for report in done:
        assert lending.liquidated(report.logs)
        (log,) = [x for x in report.logs if x.topics[0] == LIQUIDATED]
        event = CONTRACT.decode_log(log)
        assert event is not None
        assert event["profit"] > 0


def test_a_loss_reverts_and_costs_the_gas_only(sandbox, deployment, aave_market):
    lending = lending_of(sandbox, aave_market)
    feed = deployment.feeds["WBTC"]
    a = aave_market.index("WBTC")
    moved = aave_market.prices.copy()
    moved[a] *= 0.6
    sandbox.send(owner_of(sandbox, feed), feed, FEED.encode("push", round(moved[a] * 1e8)))
    artifact = load_contract("FlashLiquidator")
    contract = sandbox.deploy(
        OWNER, artifact.creation_code(), artifact.abi.encode_constructor(OWNER)
    )
    sandbox.set_balance(OWNER, 10**20)
    sandbox.mine()
    pools = open_pools(
        sandbox, [p.address for p in deployment.uniswap.v3_pools], block=sandbox.block_number()
    )
    greedy = FlashLiquidator(
        name="greedy",
        lending=lending,
        account=OWNER,
        contract=contract,
        source=Source.AAVE,
        lenders=dict.fromkeys(range(len(aave_market.reserves)), deployment.aave.pool),
        routes=routes_between(aave_market, pools),
        watched=tuple(int(i) for i in np.flatnonzero(health_factors(aave_market, moved) < 1.0)),
        least_profit=1e9,
        fee=GWEI,
        at_once=2,
    )
    reports = run_arena(sandbox, [greedy], blocks=1, seed=0).reports
    assert reports
    for report in reports:
        assert not report.succeeded
        assert report.paid == report.gas_used * GWEI > 0


def test_routes_prefer_one_deep_pool_and_go_by_two(sandbox, deployment, aave_market):
    addresses = [p.address for p in (*deployment.uniswap.v2_pairs, *deployment.uniswap.v3_pools)]
    pools = open_pools(sandbox, addresses, block=sandbox.block_number())
    routes = routes_between(aave_market, pools)
    by_address = {p.address: p for p in pools}
    for (sold, bought), route in routes.items():
        token = aave_market.reserves[sold].asset.address.lower()
        for address, v3 in route:
            pool = by_address[address]
            assert token in (pool.token0, pool.token1)
            assert v3 is (pool.kind is PoolKind.UNISWAP_V3)
            token = pool.other(token)
        assert token == aave_market.reserves[bought].asset.address.lower()
        assert 1 <= len(route) <= 2


def test_both_are_registered():
    assert agent_by_name("liquidity_provider") is LiquidityProvider
    assert agent_by_name("flash_liquidator") is FlashLiquidator
