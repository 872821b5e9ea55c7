"""What works on a market, and what a change of governance breaks."""

from __future__ import annotations

import pytest

from evaluator.arena.board import Answer, board_code
from evaluator.arena.liveness import Action, broken_actions, try_actions
from evaluator.chain.abi import Abi
from evaluator.errors import ProtocolError
from evaluator.protocols.aave_v3 import AaveV3
from evaluator.protocols.compound_v2 import CompoundV2

pytestmark = pytest.mark.chain

ADMIN = Abi.parse(
    [
        "function _setPriceOracle(address newOracle) returns (uint256)",
        "function _setActionsPaused(address[] markets, uint8[] actions, bool paused)",
        "function setReserveFreeze(address asset, bool freeze)",
        "function setReservePause(address asset, bool paused)",
        "function setSupplyCap(address asset, uint256 newSupplyCap)",
        "function configureReserveAsCollateral(address,uint256,uint256,uint256)",
        "function getUnderlyingPrice(address vToken) view returns (uint256)",
        "function isPriceOracle() view returns (bool)",
        "function setAssetSources(address[] assets, address[] sources)",
    ]
)
NEW_ORACLE = "0x00000000000000000000000000000000000c0117"


def word(value):
    return value.to_bytes(32, "big")


def configure(sandbox, deployment, fn, *args):
    sandbox.send(
        deployment.openzeppelin.timelock, deployment.aave.pool_configurator, ADMIN.encode(fn, *args)
    )


def replace_oracle(sandbox, deployment, lending_prices):
    """Let Venus ask an oracle that answers only for the markets given."""
    answers = [Answer(selector=ADMIN.encode("isPriceOracle"), data=word(1))]
    for vtoken, price in lending_prices.items():
        asked = ADMIN.encode("getUnderlyingPrice", vtoken)
        answers.append(Answer(selector=asked[:4], argument=asked[4:], data=word(price)))
    sandbox.set_code(NEW_ORACLE, board_code(answers))
    sandbox.mine()
    sandbox.send(
        deployment.bravo.timelock,
        deployment.venus.comptroller,
        ADMIN.encode("_setPriceOracle", NEW_ORACLE),
    )


def venus_prices(sandbox, deployment):
    return {
        vtoken: int.from_bytes(
            sandbox.call(deployment.venus.oracle, ADMIN.encode("getUnderlyingPrice", vtoken)),
            "big",
        )
        for vtoken in deployment.venus.v_tokens.values()
    }


def test_everything_that_can_work_on_the_embedded_markets_works(market, sandbox):
    head = sandbox.block_number()
    live = try_actions(sandbox, market)
    assert len(live.trials) == len(Action) * len(market.reserves)
    bad = {t.name for t in live.trials if not t.works}
    # AAVE is listed as collateral only.
    allowed = {"borrow AAVE", "repay AAVE", "liquidation of debt in AAVE"}
    assert bad == (allowed if market.protocol == "aave_v3" else set())
    assert broken_actions(live, live, reading=market) == ()
    assert sandbox.block_number() == head


def test_an_oracle_that_reverts_on_the_native_market_is_caught(venus_market, sandbox, deployment):
    before = try_actions(sandbox, venus_market)
    prices = venus_prices(sandbox, deployment)
    del prices[deployment.venus.v_tokens["ETH"]]
    replace_oracle(sandbox, deployment, prices)
    with pytest.raises(ProtocolError):
        CompoundV2().read(sandbox, deployment.venus.comptroller)
    after = try_actions(sandbox, venus_market, setting=before.setting)
    broken = " | ".join(broken_actions(before, after, reading=None))
    for action in ("price ETH", "borrow ETH", "withdraw ETH", "liquidation of collateral in ETH"):
        assert action in broken
    # Whoever has no ether goes on.
    assert "price USDC" not in broken
    assert "repay USDC" not in broken


def test_an_oracle_that_handles_the_native_market_breaks_nothing(venus_market, sandbox, deployment):
    before = try_actions(sandbox, venus_market)
    replace_oracle(sandbox, deployment, venus_prices(sandbox, deployment))
    market = CompoundV2().read(sandbox, deployment.venus.comptroller)
    after = try_actions(sandbox, market)
    assert broken_actions(before, after, reading=market) == ()


def test_a_feed_that_reverts_stops_an_aave_reserve(aave_market, sandbox, deployment):
    before = try_actions(sandbox, aave_market)
    sandbox.set_code(NEW_ORACLE, bytes.fromhex("5f5ffd"))
    sandbox.mine()
    sandbox.send(
        deployment.openzeppelin.timelock,
        deployment.aave.oracle,
        ADMIN.encode("setAssetSources", [deployment.tokens["LINK"]], [NEW_ORACLE]),
    )
    after = try_actions(sandbox, aave_market, setting=before.setting)
    broken = broken_actions(before, after, reading=None)
    names = " | ".join(broken)
    assert "price LINK" in names
    assert "borrow LINK" in names
    assert "borrow DAI" not in names


def test_a_pause_counts_as_broken_and_a_freeze_or_full_cap_does_not(
    aave_market, sandbox, deployment
):
    before = try_actions(sandbox, aave_market)
    configure(sandbox, deployment, "setReserveFreeze", deployment.tokens["CRV"], True)
    configure(sandbox, deployment, "setSupplyCap", deployment.tokens["LINK"], 1)
    configure(sandbox, deployment, "setReservePause", deployment.tokens["WBTC"], True)
    market = AaveV3().read(sandbox, deployment.aave.pool)
    after = try_actions(sandbox, market)
    broken = broken_actions(before, after, reading=market)
    assert {b.split(":")[0].rsplit(" ", 1)[1] for b in broken} == {"WBTC"}
    assert {b.split(":")[0] for b in broken} >= {
        "withdraw WBTC",
        "repay WBTC",
        "liquidation of collateral in WBTC",
    }


def test_a_change_of_thresholds_breaks_nothing(aave_market, sandbox, deployment):
    before = try_actions(sandbox, aave_market)
    configure(
        sandbox,
        deployment,
        "configureReserveAsCollateral",
        deployment.tokens["WETH"],
        7000,
        7250,
        10500,
    )
    market = AaveV3().read(sandbox, deployment.aave.pool)
    assert broken_actions(before, try_actions(sandbox, market), reading=market) == ()
