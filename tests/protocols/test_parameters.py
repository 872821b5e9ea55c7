"""Every parameter a proposal can set is seen, under its own name and with its own value."""

from __future__ import annotations

import math

import pytest

from evaluator.chain.abi import Abi
from evaluator.market import OracleKind, health_factors, parameter_changes
from evaluator.protocols import disagreement
from evaluator.protocols.aave_v3 import AaveV3
from evaluator.protocols.compound_v2 import CompoundV2

pytestmark = pytest.mark.chain

CONFIGURATOR = Abi.parse(
    [
        "function setReserveFactor(address asset, uint256 value)",
        "function setSupplyCap(address asset, uint256 value)",
        "function setBorrowCap(address asset, uint256 value)",
        "function setReserveFreeze(address asset, bool value)",
        "function setReservePause(address asset, bool value)",
        "function setReserveBorrowing(address asset, bool value)",
        "function setReserveStableRateBorrowing(address asset, bool value)",
        "function setReserveFlashLoaning(address asset, bool value)",
        "function setAssetEModeCategory(address asset, uint8 value)",
        "function setBorrowableInIsolation(address asset, bool value)",
        "function setLiquidationProtocolFee(address asset, uint256 value)",
        "function setUnbackedMintCap(address asset, uint256 value)",
        "function setReserveInterestRateStrategyAddress(address asset, address value)",
        "function setEModeCategory(uint8 id, uint16 ltv, uint16 threshold, uint16 bonus,"
        " address oracle, string label)",
        "function updateFlashloanPremiumTotal(uint128 value)",
        "function updateBridgeProtocolFee(uint256 value)",
    ]
)
ORACLE = Abi.parse(
    [
        "function setAssetSources(address[] assets, address[] sources)",
        "function setFallbackOracle(address value)",
    ]
)
COMPTROLLER = Abi.parse(
    [
        "function _setCloseFactor(uint256 value) returns (uint256)",
        "function _setLiquidationIncentive(uint256 value) returns (uint256)",
        "function _setMarketBorrowCaps(address[] markets, uint256[] values)",
        "function _setMarketSupplyCaps(address[] markets, uint256[] values)",
        "function _setActionsPaused(address[] markets, uint8[] actions, bool value)",
        "function _supportMarket(address market) returns (uint256)",
        "function _setVAIController(address value) returns (uint256)",
        "function _setPauseGuardian(address value) returns (uint256)",
        "function _setReserveFactor(uint256 value) returns (uint256)",
        "function _setInterestRateModel(address value) returns (uint256)",
        "function interestRateModel() view returns (address)",
        "function setFeed(string symbol, address feed)",
        "function setDirectPrice(address asset, uint256 price)",
        "function admin() view returns (address)",
    ]
)


def differences(adapter, sandbox, root, change):
    before = adapter.read(sandbox, root)
    change()
    after = adapter.read(sandbox, root)
    found = parameter_changes(adapter.parameters(before), adapter.parameters(after))
    return after, {c.path.partition(".")[2]: (c.before, c.after) for c in found}


def test_aave(sandbox, deployment):
    tokens, timelock = deployment.tokens, deployment.openzeppelin.timelock
    adapter = AaveV3()
    market = adapter.read(sandbox, deployment.aave.pool)
    strategies = {p.asset: p.value for p in adapter.parameters(market) if p.name == "rate_strategy"}

    def change():
        calls = [
            ("setReserveFactor", tokens["WETH"], 2222),
            ("setSupplyCap", tokens["WETH"], 0),
            ("setBorrowCap", tokens["WETH"], 77),
            ("setReserveFreeze", tokens["LINK"], True),
            ("setReservePause", tokens["CRV"], True),
            ("setReserveBorrowing", tokens["WBTC"], False),
            ("setReserveFlashLoaning", tokens["WBTC"], False),
            ("setAssetEModeCategory", tokens["WETH"], 0),
            ("setBorrowableInIsolation", tokens["AAVE"], True),
            ("setLiquidationProtocolFee", tokens["WBTC"], 1500),
            ("setUnbackedMintCap", tokens["WBTC"], 5),
            ("setReserveInterestRateStrategyAddress", tokens["LINK"], strategies["CRV"]),
            (
                "setEModeCategory",
                9,
                9100,
                9200,
                10300,
                tokens["WETH"],
                "new\u202e <b>one</b>",
            ),
            ("updateFlashloanPremiumTotal", 42),
            ("updateBridgeProtocolFee", 11),
        ]
        for name, *arguments in calls:
            data = CONFIGURATOR.encode(name, *arguments)
            sandbox.send(timelock, deployment.aave.pool_configurator, data)
        data = ORACLE.encode("setAssetSources", [tokens["AAVE"]], [deployment.feeds["LINK"]])
        sandbox.send(timelock, deployment.aave.oracle, data)
        data = ORACLE.encode("setFallbackOracle", deployment.feeds["LINK"])
        sandbox.send(timelock, deployment.aave.oracle, data)

    after, found = differences(adapter, sandbox, deployment.aave.pool, change)
    now = {path: value for path, (_, value) in found.items()}
    checked = {p: v for p, v in now.items() if not isinstance(v, str)}
    assert checked == pytest.approx(
        {
            "WETH.reserve_factor": 0.2222,
            "WETH.supply_cap": math.inf,
            "WETH.borrow_cap": 77.0,
            "WETH.emode_category": 0.0,
            "LINK.frozen": True,
            "CRV.paused": True,
            "WBTC.borrowing_enabled": False,
            "WBTC.flash_loan_enabled": False,
            "AAVE.borrowable_in_isolation": True,
            "WBTC.liquidation_protocol_fee": 0.15,
            "WBTC.unbacked_mint_cap": 5.0,
            "LINK.rate_curve.base": 0.03,
            "LINK.rate_curve.slope1": 0.14,
            "LINK.rate_curve.optimal": 0.7,
            "emode.9.ltv": 0.91,
            "emode.9.liquidation_threshold": 0.92,
            "emode.9.liquidation_bonus": 0.03,
            "flash_loan_premium_total": 0.0042,
            "bridge_protocol_fee": 0.0011,
        }
    )
    assert {p: v.lower() for p, v in now.items() if isinstance(v, str)} == {
        "LINK.rate_strategy": strategies["CRV"].lower(),
        "AAVE.oracle.source": deployment.feeds["LINK"],
        "emode.9.label": "new bone/b",
        "emode.9.price_source": tokens["WETH"],
        "fallback_oracle": deployment.feeds["LINK"],
    }
    assert found["emode.9.ltv"][0] is None
    assert any("eMode category 9" in c for c in after.caveats)
    aave, link = after.index("AAVE"), after.index("LINK")
    assert after.prices[aave] == after.prices[link]


def test_an_emode_price_source_of_its_own_keeps_health_exact(sandbox, deployment, push_price):
    tokens = deployment.tokens
    data = CONFIGURATOR.encode(
        "setEModeCategory", 1, 9300, 9500, 10100, tokens["WETH"], "ETH correlated"
    )
    sandbox.send(deployment.openzeppelin.timelock, deployment.aave.pool_configurator, data)
    push_price(sandbox, deployment.feeds["wstETH"], 3800.0)
    adapter = AaveV3()
    market = adapter.read(sandbox, deployment.aave.pool)
    inside = [a for a, e in zip(market.book.accounts, market.book.emode, strict=True) if e == 1]
    assert inside
    views = adapter.account_views(sandbox, market, market.book.accounts)
    assert health_factors(market) == pytest.approx([v.health_factor for v in views], rel=1e-9)


def test_compound(sandbox, deployment):
    tokens, timelock = deployment.venus.v_tokens, deployment.bravo.timelock
    root, oracle = deployment.venus.comptroller, deployment.venus.oracle
    adapter = CompoundV2()

    def ask(to, name):
        return COMPTROLLER.decode_output(name, sandbox.call(to, COMPTROLLER.encode(name)))

    model = ask(tokens["LINK"], "interestRateModel")

    def change():
        for name, *arguments in [
            ("_setCloseFactor", 4 * 10**17),
            ("_setLiquidationIncentive", 108 * 10**16),
            ("_setMarketBorrowCaps", [tokens["LINK"]], [0]),
            ("_setMarketSupplyCaps", [tokens["LINK"], tokens["ETH"]], [2**256 - 1, 0]),
            ("_setActionsPaused", [tokens["WBTC"]], [2, 5], True),
        ]:
            sandbox.send(timelock, root, COMPTROLLER.encode(name, *arguments))
        admin = ask(tokens["USDC"], "admin")
        for name, value in (("_setReserveFactor", 3 * 10**17), ("_setInterestRateModel", model)):
            sandbox.send(admin, tokens["USDC"], COMPTROLLER.encode(name, value))
        owner = ask(oracle, "admin")
        data = COMPTROLLER.encode("setFeed", "WBTC", deployment.feeds["WETH"])
        sandbox.send(owner, oracle, data)
        data = COMPTROLLER.encode("setDirectPrice", deployment.tokens["USDT"], 10**18)
        sandbox.send(owner, oracle, data)

    after, found = differences(adapter, sandbox, root, change)
    now = {path: value for path, (_, value) in found.items()}
    assert {p: v for p, v in now.items() if not isinstance(v, str)} == pytest.approx(
        {
            "close_factor": 0.4,
            "liquidation_incentive": 0.08,
            "LINK.borrow_cap": math.inf,
            "LINK.supply_cap": math.inf,
            "ETH.supply_cap": 0.0,
            "WBTC.paused": True,
            "WBTC.paused.borrow": True,
            "WBTC.paused.liquidate": True,
            "USDC.reserve_factor": 0.3,
            "USDC.rate_curve.base": 0.02,
            "USDC.rate_curve.slope1": 0.09,
            "USDC.rate_curve.slope2": 1.2,
            "USDC.rate_curve.optimal": 0.6,
        },
        rel=1e-6,
    )
    assert {p: v.lower() for p, v in now.items() if isinstance(v, str)} == {
        "USDC.rate_model": model,
        "WBTC.oracle.source": deployment.feeds["WETH"],
        "USDT.oracle.source": oracle,
    }
    wbtc = after.reserves[after.index("WBTC")]
    assert not wbtc.parameters.borrowing_enabled
    assert wbtc.asset.price == pytest.approx(3350.0)
    assert after.reserves[after.index("USDT")].oracle.kind is OracleKind.FIXED


def test_a_market_listed_before_it_has_a_price_is_named_and_left_out(
    sandbox, deployment, answering
):
    def word(value):
        return value.to_bytes(32, "big")

    listed = "0x" + "d2" * 20
    raw = sandbox.call(deployment.venus.v_tokens["LINK"], COMPTROLLER.encode("interestRateModel"))
    nothing = dict.fromkeys(
        (
            "totalSupply()",
            "totalBorrows()",
            "totalReserves()",
            "getCash()",
            "reserveFactorMantissa()",
            "borrowRatePerBlock()",
            "borrowIndex()",
        ),
        word(0),
    )
    sandbox.set_code(
        listed,
        answering(
            nothing
            | {
                "isVToken()": word(1),
                "underlying()": word(int(deployment.tokens["CRV"], 16)),
                "exchangeRateStored()": word(10**18),
                "interestRateModel()": raw,
                "symbol()": word(32) + word(4) + b"vCRV".ljust(32, b"\0"),
            }
        ),
    )

    def change():
        data = COMPTROLLER.encode("_supportMarket", listed)
        sandbox.send(deployment.bravo.timelock, deployment.venus.comptroller, data)

    adapter = CompoundV2()
    after, found = differences(adapter, sandbox, deployment.venus.comptroller, change)
    assert found["CRV.listed"] == (None, True)
    assert found["CRV.supply_cap"] == (None, 0.0)
    assert all(path.startswith("CRV.") for path in found)
    assert "CRV" not in after.symbols
    assert any("CRV is listed" in c for c in after.caveats)


def test_vai_minted_against_collateral_is_debt(sandbox, deployment, answering):
    controller = "0x" + "d1" * 20
    owed = (1234 * 10**18).to_bytes(32, "big")
    sandbox.set_code(controller, answering({"getVAIRepayAmount(address)": owed}))
    sandbox.send(
        deployment.bravo.timelock,
        deployment.venus.comptroller,
        COMPTROLLER.encode("_setVAIController", controller),
    )
    adapter = CompoundV2()
    market = adapter.read(sandbox, deployment.venus.comptroller)
    assert market.symbols[-1] == "VAI"
    vai = market.reserves[-1]
    assert vai.borrowed == pytest.approx(1234.0 * len(market.book))
    # The Comptroller counts it the same way, over the whole book.
    views = adapter.account_views(sandbox, market, market.book.accounts)
    assert disagreement(market, views) < 1e-9
    assert any("stability fee" in c for c in market.caveats)


def test_a_payload_contract_leads_to_the_market_it_acts_on(sandbox, deployment):
    payload = "0x" + "cc" * 20
    code = b"\x73" + bytes.fromhex(deployment.aave.pool_configurator[2:]) + b"\x50\x00"
    sandbox.set_code(payload, code)
    sandbox.mine()
    assert AaveV3().discover(sandbox, [payload]) == (deployment.aave.pool,)
    assert CompoundV2().discover(sandbox, [payload]) == ()


def test_a_rate_model_leads_to_the_market_that_uses_it(read_only_sandbox, deployment):
    data = COMPTROLLER.encode("interestRateModel")
    raw = read_only_sandbox.call(deployment.venus.v_tokens["LINK"], data)
    model = COMPTROLLER.decode_output("interestRateModel", raw)
    found = CompoundV2().discover(read_only_sandbox, [model])
    assert found == (deployment.venus.comptroller,)
