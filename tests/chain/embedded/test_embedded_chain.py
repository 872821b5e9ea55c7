"""The embedded chain as it stands: parameters, book, pools, feeds, governors."""

from __future__ import annotations

import numpy as np
import pytest

from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import load_artifact
from evaluator.chain.embedded import (
    EMBEDDED_CHAIN_ID,
    EMBEDDED_LABEL,
    HEAD_TIMESTAMP,
    propose_collateral_factor_cut,
    propose_weth_threshold_cut,
)
from evaluator.chain.embedded.assets import TOKENS, token
from evaluator.chain.embedded.listings import (
    AAVE_RESERVES,
    CLOSE_FACTOR,
    EMODES,
    LIQUIDATION_INCENTIVE,
    VENUS_MARKETS,
)
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.solidity import load_contract
from evaluator.errors import TransactionReverted

pytestmark = pytest.mark.chain

AAVE = "@aave/core-v3/artifacts/contracts"
VENUS = "@venusprotocol/venus-protocol/artifacts/contracts"
POOL = f"{AAVE}/protocol/pool/Pool.sol/Pool.json"
CONFIGURATOR = f"{AAVE}/protocol/pool/PoolConfigurator.sol/PoolConfigurator.json"
DATA_PROVIDER = f"{AAVE}/misc/AaveProtocolDataProvider.sol/AaveProtocolDataProvider.json"
ACL = f"{AAVE}/protocol/configuration/ACLManager.sol/ACLManager.json"
COMPTROLLER = f"{VENUS}/Comptroller/Comptroller.sol/Comptroller.json"
V_TOKEN = f"{VENUS}/Tokens/VTokens/VBep20Delegate.sol/VBep20Delegate.json"
QUOTER = "@uniswap/v3-periphery/artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json"
PAIR = Abi.parse(["function getReserves() view returns (uint112 r0, uint112 r1, uint32 t)"])
WAD = 10**18


def bound(chain, address, path):
    return chain.contract(address, load_artifact(path).abi)


def read_many(chain, contract, calls):
    """Call one contract many times in batches; decoded answers."""
    answers = chain.call_many([(contract.address, contract.encode(*call)) for call in calls])
    for answer in answers:
        if isinstance(answer, TransactionReverted):
            raise answer
    return [
        contract.abi.decode_output(call[0], answer)
        for call, answer in zip(calls, answers, strict=True)
    ]


def health_factors(chain, deployment):
    pool = bound(chain, deployment.aave.pool, POOL)
    data = read_many(chain, pool, [("getUserAccountData", a) for a in deployment.aave.borrowers])
    return np.array([d.healthFactor / WAD for d in data])


def shortfalls(chain, deployment):
    comptroller = bound(chain, deployment.venus.comptroller, COMPTROLLER)
    data = read_many(
        chain, comptroller, [("getAccountLiquidity", a) for a in deployment.venus.borrowers]
    )
    assert {d[0] for d in data} == {0}
    return np.array([d[2] / WAD for d in data])


def test_it_says_what_it_is(read_only_sandbox, deployment):
    assert deployment.label == EMBEDDED_LABEL == "real bytecode, seeded state"
    assert read_only_sandbox.chain_id == deployment.chain_id == EMBEDDED_CHAIN_ID
    assert read_only_sandbox.block_number() == deployment.block
    assert read_only_sandbox.timestamp() == deployment.timestamp == HEAD_TIMESTAMP


def test_aave_lists_nine_assets_with_their_parameters(read_only_sandbox, deployment):
    provider = bound(read_only_sandbox, deployment.aave.data_provider, DATA_PROVIDER)
    assert len(AAVE_RESERVES) == len(provider.call("getAllReservesTokens")) == 9
    for r in AAVE_RESERVES:
        asset = deployment.tokens[r.symbol]
        found = provider.call("getReserveConfigurationData", asset)
        assert found.decimals == token(r.symbol).decimals
        assert (found.ltv, found.liquidationThreshold, found.liquidationBonus) == (
            r.ltv,
            r.liquidation_threshold,
            r.liquidation_bonus,
        )
        assert found.reserveFactor == r.reserve_factor
        assert found.usageAsCollateralEnabled
        assert found.borrowingEnabled is r.borrowing
        assert found.isActive
        assert not found.isFrozen
        caps = provider.call("getReserveCaps", asset)
        assert (caps.supplyCap, caps.borrowCap) == (r.supply_cap, r.borrow_cap)
        assert provider.call("getReserveEModeCategory", asset) == r.emode
        fee = provider.call("getLiquidationProtocolFee", asset)
        assert fee == r.liquidation_protocol_fee


def test_aave_has_its_emodes(read_only_sandbox, deployment):
    pool = bound(read_only_sandbox, deployment.aave.pool, POOL)
    for mode in EMODES:
        found = pool.call("getEModeCategoryData", mode.category)
        assert (found.ltv, found.liquidationThreshold, found.liquidationBonus, found.label) == (
            mode.ltv,
            mode.liquidation_threshold,
            mode.liquidation_bonus,
            mode.label,
        )


def test_indices_have_left_one(read_only_sandbox, deployment):
    pool = bound(read_only_sandbox, deployment.aave.pool, POOL)
    for r in AAVE_RESERVES:
        data = pool.call("getReserveData", deployment.tokens[r.symbol])
        if r.borrowing:
            assert data.liquidityIndex > 10**27
            assert data.variableBorrowIndex > 10**27 + 10**23
    for m in VENUS_MARKETS:
        market = bound(read_only_sandbox, deployment.venus.v_tokens[m.symbol], V_TOKEN)
        assert market.call("borrowIndex") > WAD + 10**13


def test_four_hundred_aave_borrowers_start_healthy(read_only_sandbox, deployment):
    factors = health_factors(read_only_sandbox, deployment)
    assert len(factors) >= 400
    assert factors.min() >= 1.01
    assert factors.max() < 1e6
    assert (factors < 1.05).sum() >= 8
    assert 1.3 < np.median(factors) < 2.1


def test_a_hundred_venus_borrowers_start_without_shortfall(read_only_sandbox, deployment):
    assert len(deployment.venus.borrowers) == 100
    assert shortfalls(read_only_sandbox, deployment).max() == 0.0


def test_venus_lists_five_markets_with_their_parameters(read_only_sandbox, deployment):
    comptroller = bound(read_only_sandbox, deployment.venus.comptroller, COMPTROLLER)
    assert list(comptroller.call("getAllMarkets")) == list(deployment.venus.v_tokens.values())
    assert len(VENUS_MARKETS) == 5
    assert comptroller.call("closeFactorMantissa") / WAD == CLOSE_FACTOR
    assert comptroller.call("liquidationIncentiveMantissa") / WAD == LIQUIDATION_INCENTIVE
    for m in VENUS_MARKETS:
        address = deployment.venus.v_tokens[m.symbol]
        market = bound(read_only_sandbox, address, V_TOKEN)
        assert market.call("symbol") == m.v_symbol
        factor = comptroller.call("markets", address).collateralFactorMantissa
        assert factor / WAD == pytest.approx(m.collateral_factor, abs=1e-15)
        assert market.call("reserveFactorMantissa") / WAD == pytest.approx(m.reserve_factor)
        unit = 10 ** token(m.symbol).decimals
        assert comptroller.call("supplyCaps", address) == m.supply_cap * unit
        assert comptroller.call("borrowCaps", address) == m.borrow_cap * unit


def test_both_oracles_read_the_feeds(read_only_sandbox, deployment):
    oracle = read_only_sandbox.contract(
        deployment.aave.oracle, Abi.parse(["function getAssetPrice(address) view returns (uint)"])
    )
    for t in TOKENS:
        price = oracle.call("getAssetPrice", deployment.tokens[t.symbol])
        assert price == round(t.price * 10**8)
    venus = read_only_sandbox.contract(
        deployment.venus.oracle,
        Abi.parse(["function getUnderlyingPrice(address) view returns (uint)"]),
    )
    for m in VENUS_MARKETS:
        price = venus.call("getUnderlyingPrice", deployment.venus.v_tokens[m.symbol])
        whole = price / 10 ** (36 - token(m.symbol).decimals)
        assert whole == pytest.approx(token(m.symbol).price, rel=1e-12)


def test_feeds_keep_a_month_of_rounds(read_only_sandbox, deployment):
    abi = load_contract("PriceFeed").abi
    for t in TOKENS:
        feed = read_only_sandbox.contract(deployment.feeds[t.symbol], abi)
        assert "seeded history" in feed.call("description")
        latest = feed.call("latestRoundData")
        assert latest[1] == round(t.price * 10**8)
        assert 0 <= deployment.timestamp - latest[3] <= 3_600
        ids = range(1, latest[0] + 1)
        read = read_many(read_only_sandbox, feed, [("getRoundData", i) for i in ids])
        times = np.array([r[3] for r in read])
        assert (np.diff(times) > 0).all()
        assert times[-1] - times[0] >= 30 * 86_400
        assert len({r[1] for r in read}) > len(read) // 4


def test_every_pool_quotes_the_oracle_price(read_only_sandbox, deployment):
    quoter = bound(read_only_sandbox, deployment.uniswap.v3_quoter, QUOTER)
    routed = set()
    for p in deployment.uniswap.v3_pools:
        sold, bought = token(p.token0), token(p.token1)
        amount = int(1_000.0 / sold.price * 10**sold.decimals)
        ends = (deployment.tokens[p.token0], deployment.tokens[p.token1])
        out = quoter.call("quoteExactInputSingle", (*ends, amount, p.fee, 0))[0]
        paid = out / 10**bought.decimals * bought.price
        assert paid == pytest.approx(1_000.0 * (1 - p.fee / 1e6), rel=1e-3)
        routed |= {p.token0, p.token1}
    assert routed == {t.symbol for t in TOKENS}
    for p in deployment.uniswap.v2_pairs:
        reserves = read_only_sandbox.contract(p.address, PAIR).call("getReserves")
        values = [
            reserve / 10 ** token(s).decimals * token(s).price
            for reserve, s in zip(reserves[:2], (p.token0, p.token1), strict=True)
        ]
        assert values[0] == pytest.approx(values[1], rel=1e-6)
        assert values[0] > 1e6


def test_depth_is_of_the_real_order(read_only_sandbox, deployment):
    """Ten million dollars move WETH by about a per cent, CRV by tens of per cent."""
    quoter = bound(read_only_sandbox, deployment.uniswap.v3_quoter, QUOTER)

    def lost(symbol, against, fee, usd):
        amount = int(usd / token(symbol).price * 10 ** token(symbol).decimals)
        ends = (deployment.tokens[symbol], deployment.tokens[against])
        out = quoter.call("quoteExactInputSingle", (*ends, amount, fee, 0))[0]
        paid = out / 10 ** token(against).decimals * token(against).price
        return 1.0 - paid / usd

    assert 0.005 < lost("WETH", "USDC", 500, 10e6) < 0.02
    assert lost("USDC", "USDT", 100, 10e6) < 0.001
    assert 0.2 < lost("CRV", "WETH", 3000, 10e6) < 0.6


def test_borrowers_are_found_in_the_logs(read_only_sandbox, deployment):
    abi = load_artifact(POOL).abi
    logs = read_only_sandbox.logs(
        address=deployment.aave.pool, topics=[abi.event_topic("Borrow")], from_block=0
    )
    found = {abi.decode_log(log)["onBehalfOf"] for log in logs}
    assert set(deployment.aave.borrowers) < found
    assert found.isdisjoint(deployment.aave.suppliers)


def test_the_timelocks_own_the_protocols(read_only_sandbox, deployment):
    acl = bound(read_only_sandbox, deployment.aave.acl_manager, ACL)
    timelock = deployment.openzeppelin.timelock
    assert acl.call("isPoolAdmin", timelock)
    assert acl.call("isRiskAdmin", timelock)
    assert acl.call("hasRole", acl.call("DEFAULT_ADMIN_ROLE"), timelock)
    owner = Abi.parse(["function owner() view returns (address)"])
    provider = read_only_sandbox.contract(deployment.aave.addresses_provider, owner)
    assert provider.call("owner") == timelock
    comptroller = bound(read_only_sandbox, deployment.venus.comptroller, COMPTROLLER)
    assert comptroller.call("admin") == deployment.bravo.timelock
    for address in deployment.venus.v_tokens.values():
        market = bound(read_only_sandbox, address, V_TOKEN)
        assert market.call("admin") == deployment.bravo.timelock


def test_nobody_else_may_change_a_parameter(sandbox, deployment):
    configurator = bound(sandbox, deployment.aave.pool_configurator, CONFIGURATOR)
    asset = deployment.tokens["WETH"]
    order = ("configureReserveAsCollateral", asset, 7000, 7250, 10500)
    stranger = deployment.openzeppelin.proposer
    with pytest.raises(TransactionReverted):
        configurator.send(*order, sender=stranger)
    configurator.send(*order, sender=deployment.openzeppelin.timelock)


def test_it_can_be_forked_and_goes_on_from_its_head(sandbox, deployment):
    assert sandbox.block.number == deployment.block
    before = health_factors(sandbox, deployment)
    sandbox.warp(60)
    assert sandbox.block_number() == deployment.block + 1
    assert sandbox.timestamp() == deployment.timestamp + 60
    assert health_factors(sandbox, deployment) == pytest.approx(before, rel=1e-6)


def test_a_loaded_chain_goes_on_from_its_own_time(embedded_dump, deployment):
    with Sandbox.from_state(embedded_dump) as chain:
        chain.mine()
        assert 0 < chain.timestamp() - deployment.timestamp < 60


def test_the_weth_proposal_makes_some_borrowers_liquidatable(sandbox, deployment):
    ref = propose_weth_threshold_cut(sandbox, deployment)
    state = sandbox.contract(ref.governor, Abi.parse(["function state(uint) view returns (uint8)"]))
    assert ref.governor == deployment.openzeppelin.governor
    assert state.call("state", ref.proposal_id) == 0  # pending
    # What it will do, done by the timelock at once; the vote is the governance room's.
    configurator = bound(sandbox, deployment.aave.pool_configurator, CONFIGURATOR)
    weth = deployment.tokens["WETH"]
    order = ("configureReserveAsCollateral", weth, 7600, 7850, 10500)
    configurator.send(*order, sender=deployment.openzeppelin.timelock)
    hurt = (health_factors(sandbox, deployment) < 1.0).sum()
    assert 3 <= hurt <= 40


def test_the_collateral_factor_proposal_makes_shortfalls(sandbox, deployment):
    ref = propose_collateral_factor_cut(sandbox, deployment)
    state = sandbox.contract(ref.governor, Abi.parse(["function state(uint) view returns (uint8)"]))
    assert ref.governor == deployment.bravo.governor
    assert ref.proposal_id == 2
    assert state.call("state", ref.proposal_id) == 0  # pending
    comptroller = bound(sandbox, deployment.venus.comptroller, COMPTROLLER)
    comptroller.send(
        "_setCollateralFactor",
        deployment.venus.v_tokens["ETH"],
        74 * 10**16,
        sender=deployment.bravo.timelock,
    )
    assert (shortfalls(sandbox, deployment) > 0.0).sum() >= 2


def test_voters_reach_quorum_and_threshold(read_only_sandbox, deployment):
    governor = read_only_sandbox.contract(
        deployment.openzeppelin.governor,
        Abi.parse(
            [
                "function getVotes(address, uint256) view returns (uint256)",
                "function quorum(uint256) view returns (uint256)",
                "function proposalThreshold() view returns (uint256)",
            ]
        ),
    )
    past = deployment.block - 1
    proposer = governor.call("getVotes", deployment.openzeppelin.proposer, past)
    assert proposer >= governor.call("proposalThreshold")
    votes = sum(governor.call("getVotes", v, past) for v in deployment.openzeppelin.voters)
    assert votes > governor.call("quorum", past)
    vault = read_only_sandbox.contract(
        deployment.bravo.vault,
        Abi.parse(["function getPriorVotes(address, uint256) view returns (uint96)"]),
    )
    assert vault.call("getPriorVotes", deployment.bravo.proposer, past) > 300_000 * WAD
    locked = sum(vault.call("getPriorVotes", v, past) for v in deployment.bravo.voters)
    assert locked > 600_000 * WAD
