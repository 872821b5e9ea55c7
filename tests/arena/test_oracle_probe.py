"""Where a price comes from and who can move it, found on real bytecode."""

from __future__ import annotations

import math

import pytest

from evaluator.arena.families import lending_of
from evaluator.arena.funds import give
from evaluator.arena.open_setters import STRANGER, selectors_in
from evaluator.arena.oracle_probe import probe_oracles
from evaluator.arena.price_trace import trace_price
from evaluator.chain.abi import Abi, selector
from evaluator.chain.solidity import load_contract
from evaluator.market import OracleKind
from evaluator.protocols.aave_v3 import AaveV3
from evaluator.protocols.compound_v2 import CompoundV2

ORACLE = Abi.parse(["function setAssetSources(address[] assets, address[] sources)"])
DEPLOYER = "0x" + "d0" * 20
OTHER = "0x" + "0f" * 20


def deploy(sandbox, name, *args):
    artifact = load_contract(name)
    return sandbox.deploy(
        DEPLOYER, artifact.creation_code(), artifact.abi.encode_constructor(*args)
    )


def with_source(sandbox, deployment, symbol, source):
    """Let governance make `source` the price source of an asset of Aave V3, and read it."""
    data = ORACLE.encode("setAssetSources", [deployment.tokens[symbol]], [source])
    sandbox.send(deployment.openzeppelin.timelock, deployment.aave.oracle, data)
    return AaveV3().read(sandbox, deployment.aave.pool)


def probed(sandbox, market, symbol, *, kept=()):
    (probe,) = probe_oracles(sandbox, market, reserves=[market.index(symbol)], kept=kept)
    return probe


@pytest.mark.chain
def test_ordinary_feeds_are_followed_without_bounds(read_only_sandbox, deployment, market):
    head = read_only_sandbox.block_number()
    probes = probe_oracles(read_only_sandbox, market)
    assert [p.reserve for p in probes] == list(range(len(market.reserves)))
    for probe in probes:
        # The native market is priced by the feed of its wrapped coin.
        symbol = "WETH" if probe.asset == "ETH" else probe.asset
        assert probe.sources == (deployment.feeds[symbol],)
        assert probe.leaves[0].elasticity == pytest.approx(1.0, abs=0.01)
        assert (probe.floor, probe.cap, probe.refuses) == (0.0, math.inf, ())
        assert (probe.stuck, probe.posted) == (False, False)
        assert (probe.pools, probe.gifts, probe.setters) == ((), (), ())
    assert read_only_sandbox.block_number() == head


@pytest.mark.chain
def test_a_bounded_feed_has_the_floor_and_cap_it_was_built_with(sandbox, deployment):
    feed = deployment.feeds["LINK"]
    bounded = deploy(sandbox, "BoundedFeed", feed, 1075000000, 4300000000)
    market = with_source(sandbox, deployment, "LINK", bounded)
    probe = probed(sandbox, market, "LINK")
    assert probe.price == pytest.approx(21.5)
    assert probe.floor == pytest.approx(10.75)
    assert probe.cap == pytest.approx(43.0)
    assert probe.sources == (feed,)


@pytest.mark.chain
def test_the_spot_of_a_pair_moves_in_the_same_block_and_its_cost_follows_depth(sandbox, deployment):
    pair = next(p for p in deployment.uniswap.v2_pairs if "WETH" in (p.token0, p.token1))
    symbol = pair.token1 if pair.token0 == "WETH" else pair.token0
    spot = deploy(
        sandbox,
        "PairFeed",
        pair.address,
        deployment.tokens["WETH"],
        deployment.feeds[symbol],
    )
    market = with_source(sandbox, deployment, "WETH", spot)
    probe = probed(sandbox, market, "WETH")
    (pool,) = probe.pools
    assert (pool.pool, pool.delay) == (pair.address, 0)
    assert pool.moved == pytest.approx(0.2, abs=0.01)
    abi = Abi.parse(["function balanceOf(address) view returns (uint256)"])
    weth = sandbox.contract(deployment.tokens["WETH"], abi).call("balanceOf", pair.address)
    side = weth / 1e18 * probe.price
    assert pool.capital_usd == pytest.approx(side * (math.sqrt(1.1) - 1.0), rel=0.01)
    assert pool.cost_usd == pytest.approx(0.006 * pool.capital_usd, rel=0.01)
    # Both the pool's reserves and the feed of the other token matter to the price.
    assert deployment.feeds[symbol] in probe.sources
    assert pair.address in probe.sources


@pytest.mark.chain
def test_an_average_moves_only_when_the_pool_is_held(sandbox, deployment):
    pool = deployment.uniswap.v3_pools[0]
    symbols = (pool.token0, pool.token1)
    asset = next(s for s in symbols if s in ("WETH", "wstETH", "WBTC"))
    other = next(s for s in symbols if s != asset)
    grow = Abi.parse(["function increaseObservationCardinalityNext(uint16)"])
    sandbox.send(DEPLOYER, pool.address, grow.encode("increaseObservationCardinalityNext", 8))
    average = deploy(
        sandbox,
        "AverageFeed",
        pool.address,
        deployment.tokens[asset],
        deployment.feeds[other],
        600,
    )
    sandbox.warp(1200)
    sandbox.mine()
    market = with_source(sandbox, deployment, asset, average)
    probe = probed(sandbox, market, asset)
    (found,) = probe.pools
    assert found.pool == pool.address
    assert found.delay > 0


@pytest.mark.chain
@pytest.mark.parametrize(("owner", "open_to_all"), [("0x" + "0" * 40, True), (OTHER, False)])
def test_a_feed_is_open_when_it_has_no_owner(sandbox, deployment, owner, open_to_all):
    feed = deploy(sandbox, "PriceFeed", 8, "CRV / USD", owner)
    push = Abi.parse(["function push(int256 answer)"])
    sandbox.send(owner, feed, push.encode("push", 95_000_000))
    market = with_source(sandbox, deployment, "CRV", feed)
    probe = probed(sandbox, market, "CRV")
    assert bool(probe.setters) is open_to_all
    if open_to_all:
        setter = next(s for s in probe.setters if s.data[:4] == selector("push(int256)"))
        lending = lending_of(sandbox, market)
        question = lending.price(probe.reserve)
        sandbox.send(STRANGER, feed, setter.encode(7.0))
        told = int.from_bytes(sandbox.call(question.to, question.data), "big")
        assert told == 7 * probe.trace.raw
        assert probed(sandbox, market, "CRV", kept=[feed]).setters == ()


# By hand: latestAnswer() answers slot 0, 0x11223344(address, uint) writes it.
OPEN_MAPPING = bytes.fromhex(
    "60003560e01c"
    "806350d25bcd14601d57"
    "631122334414602957"
    "600080fd"
    "5b60005460005260206000f3"
    "5b60243560005500"
)


@pytest.mark.chain
def test_a_setter_of_any_name_is_found_by_calling_it(sandbox, deployment):
    where = "0x" + "ab" * 20
    sandbox.set_code(where, OPEN_MAPPING)
    sandbox.set_storage(where, 0, 95_000_000)
    sandbox.mine()
    assert selector("latestAnswer()").hex() == "50d25bcd"
    market = with_source(sandbox, deployment, "CRV", where)
    probe = probed(sandbox, market, "CRV")
    (setter,) = probe.setters
    assert (setter.contract, setter.selector) == (where, "0x11223344")
    assert setter.ratio == pytest.approx(2.0)


@pytest.mark.chain
def test_a_price_computed_from_a_balance_is_moved_by_a_gift(sandbox, deployment):
    # latestAnswer() = DAI.balanceOf(HOLDER) / 1e10, by hand.
    holder, dai = "0x" + "cd" * 20, deployment.tokens["DAI"]
    code = bytes.fromhex(
        "6370a0823160e01b600052"  # selector to memory
        f"73{holder[2:]}600452"
        f"602060006024600073{dai[2:]}5afa50"
        "6402540be40060005104" + "60005260206000f3"
    )
    where = "0x" + "ac" * 20
    sandbox.set_code(where, code)
    give(sandbox, dai, holder, 10**18)
    sandbox.mine()
    market = with_source(sandbox, deployment, "CRV", where)
    probe = probed(sandbox, market, "CRV")
    (gift,) = probe.gifts
    assert (gift.token, gift.holder) == (dai, holder)
    assert gift.moved == pytest.approx(0.1, rel=1e-3)


@pytest.mark.chain
def test_a_price_that_depends_on_nothing_is_stuck(sandbox, deployment):
    where = "0x" + "ad" * 20
    sandbox.set_code(where, bytes.fromhex("6305f5e10060005260206000f3"))
    sandbox.mine()
    market = with_source(sandbox, deployment, "CRV", where)
    probe = probed(sandbox, market, "CRV")
    assert probe.stuck
    assert (probe.floor, probe.cap) == (1.0, 1.0)


@pytest.mark.chain
def test_venus_prices_are_traced_through_another_oracle(sandbox, deployment):
    oracle = deploy(
        sandbox,
        "MarketOracle",
        deployment.venus.v_tokens["ETH"],
        deployment.feeds["WETH"],
        OTHER,
    )
    fn = Abi.parse(
        [
            "function setFeed(address token, address feed)",
            "function _setPriceOracle(address oracle) returns (uint256)",
        ]
    )
    for symbol in deployment.venus.v_tokens:
        if symbol != "ETH":
            data = fn.encode("setFeed", deployment.tokens[symbol], deployment.feeds[symbol])
            sandbox.send(OTHER, oracle, data)
    sandbox.send(
        deployment.bravo.timelock,
        deployment.venus.comptroller,
        fn.encode("_setPriceOracle", oracle),
    )
    market = CompoundV2().read(sandbox, deployment.venus.comptroller)
    probes = probe_oracles(sandbox, market)
    assert len(probes) == len(market.reserves)
    for probe in probes:
        assert probe.trace.oracle == oracle.lower()
        assert not probe.setters
        assert probe.updated_at is not None


def test_selectors_are_read_from_code_and_pushed_data_is_skipped():
    code = bytes.fromhex("63aabbccdd14" + "6563112233445563010203040014")
    assert selectors_in(code) == (bytes.fromhex("aabbccdd"), bytes.fromhex("01020304"))


@pytest.mark.chain
def test_the_trace_stops_at_the_contracts_that_ask_nobody(read_only_sandbox, aave_market):
    lending = lending_of(read_only_sandbox, aave_market)
    trace = trace_price(read_only_sandbox, lending.price(0))
    assert trace is not None
    assert trace.raw == round(aave_market.prices[0] * 1e8)
    assert [e.end for e in trace.exchanges] == [True]
    assert aave_market.reserves[0].oracle.kind is OracleKind.FEED
