"""Deploy the Compound V2 family (Venus 0.7.0) from its npm artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluator.chain.contract import Contract
from evaluator.chain.embedded.assets import token
from evaluator.chain.embedded.deployer import Deployer
from evaluator.chain.embedded.listings import (
    CLOSE_FACTOR,
    LIQUIDATION_INCENTIVE,
    VENUS_MARKETS,
    VenusMarketSpec,
)

_VENUS = "@venusprotocol/venus-protocol/artifacts/contracts"
_V_TOKEN_DECIMALS = 8
# The oracle calls a feed stale that is older; a day and an hour outlasts every heartbeat.
_MAX_STALE_SECONDS = 90_000
# While the book is opened the feeds show their oldest round alone.
_NEVER_STALE = 2**40

_RESTRICTED = (
    "_setCollateralFactor(address,uint256)",
    "_setLiquidationIncentive(uint256)",
    "_supportMarket(address)",
    "_setMarketBorrowCaps(address[],uint256[])",
    "_setMarketSupplyCaps(address[],uint256[])",
    "_setProtocolPaused(bool)",
    "_setActionsPaused(address[],uint256[],bool)",
)


@dataclass(frozen=True, kw_only=True)
class VenusContracts:
    """Handles on a deployed Compound V2 family."""

    comptroller: Contract  # Unitroller, with Comptroller's ABI
    unitroller: Contract  # the same address, with the proxy's own ABI
    oracle: Contract
    access_control: Contract
    v_tokens: Mapping[str, Contract]  # symbol of the underlying -> vToken


def deploy_venus(
    deployer: Deployer, *, tokens: Mapping[str, str], feeds: Mapping[str, str]
) -> VenusContracts:
    """Deploy the comptroller with its five markets; the deployer is the admin."""
    access = deployer.deploy(
        "@venusprotocol/governance-contracts/artifacts/contracts/Governance/"
        "AccessControlManager.sol/AccessControlManager.json"
    )
    comptroller, unitroller = _deploy_comptroller(deployer, access)
    oracle = deployer.deploy(
        f"{_VENUS}/Oracle/VenusChainlinkOracle.sol/VenusChainlinkOracle.json", _NEVER_STALE
    )
    for market in VENUS_MARKETS:
        native = market.symbol == "ETH"
        # The oracle finds the native market's feed by the vToken's own symbol.
        key = market.v_symbol if native else market.symbol
        deployer.send(oracle, "setFeed", key, feeds[token(market.symbol).symbol])
    deployer.send(comptroller, "_setPriceOracle", oracle.address)
    deployer.send(comptroller, "_setCloseFactor", _wad(CLOSE_FACTOR))
    deployer.send(comptroller, "_setLiquidationIncentive", _wad(LIQUIDATION_INCENTIVE))
    logic = deployer.deploy(f"{_VENUS}/Tokens/VTokens/VBep20Delegate.sol/VBep20Delegate.json")
    v_tokens = {
        market.symbol: _deploy_market(
            deployer, market, comptroller=comptroller, logic=logic, tokens=tokens
        )
        for market in VENUS_MARKETS
    }
    addresses = [v_tokens[m.symbol].address for m in VENUS_MARKETS]
    supply_caps = [m.supply_cap * _unit(m) for m in VENUS_MARKETS]
    borrow_caps = [m.borrow_cap * _unit(m) for m in VENUS_MARKETS]
    deployer.send(comptroller, "_setMarketSupplyCaps", addresses, supply_caps)
    deployer.send(comptroller, "_setMarketBorrowCaps", addresses, borrow_caps)
    for market in VENUS_MARKETS:
        deployer.send(
            comptroller,
            "_setCollateralFactor",
            v_tokens[market.symbol].address,
            _wad(market.collateral_factor),
        )
    return VenusContracts(
        comptroller=comptroller,
        unitroller=unitroller,
        oracle=oracle,
        access_control=access,
        v_tokens=v_tokens,
    )


def hand_over(deployer: Deployer, venus: VenusContracts, *, timelock: str) -> None:
    """Make `timelock` the admin of everything and leave the deployer with nothing."""
    access = venus.access_control
    for signature in _RESTRICTED:
        deployer.queue(access, "giveCallPermission", venus.comptroller.address, signature, timelock)
        deployer.queue(
            access,
            "revokeCallPermission",
            venus.comptroller.address,
            signature,
            deployer.account,
        )
    admin_role = access.call("DEFAULT_ADMIN_ROLE")
    deployer.queue(access, "grantRole", admin_role, timelock)
    deployer.queue(access, "renounceRole", admin_role, deployer.account)
    deployer.queue(venus.oracle, "setMaxStalePeriod", _MAX_STALE_SECONDS)
    deployer.queue(venus.oracle, "setAdmin", timelock)
    proxies = (venus.unitroller, *venus.v_tokens.values())
    for proxy in proxies:
        deployer.queue(proxy, "_setPendingAdmin", timelock)
    deployer.flush()
    for proxy in proxies:
        proxy.send("_acceptAdmin", sender=timelock)


def _deploy_comptroller(deployer: Deployer, access: Contract) -> tuple[Contract, Contract]:
    comptroller_path = f"{_VENUS}/Comptroller/Comptroller.sol/Comptroller.json"
    unitroller = deployer.deploy(f"{_VENUS}/Comptroller/Unitroller.sol/Unitroller.json")
    logic = deployer.deploy(comptroller_path)
    deployer.send(unitroller, "_setPendingImplementation", logic.address)
    deployer.send(logic, "_become", unitroller.address)
    comptroller = deployer.at(comptroller_path, unitroller.address)
    lens = deployer.deploy(f"{_VENUS}/Lens/ComptrollerLens.sol/ComptrollerLens.json")
    deployer.send(comptroller, "_setComptrollerLens", lens.address)
    deployer.send(comptroller, "_setAccessControl", access.address)
    for signature in _RESTRICTED:
        deployer.send(
            access, "giveCallPermission", comptroller.address, signature, deployer.account
        )
    return comptroller, unitroller


def _deploy_market(
    deployer: Deployer,
    market: VenusMarketSpec,
    *,
    comptroller: Contract,
    logic: Contract,
    tokens: Mapping[str, str],
) -> Contract:
    rates = deployer.deploy(
        f"{_VENUS}/InterestRateModels/JumpRateModel.sol/JumpRateModel.json",
        _wad(market.base_rate),
        _wad(market.multiplier),
        _wad(market.jump_multiplier),
        _wad(market.kink),
    )
    # One vToken starts at 0.02 of the underlying, the family's custom.
    exchange_rate = 2 * 10 ** (16 + token(market.symbol).decimals - _V_TOKEN_DECIMALS)
    name = f"Venus Seatrial {market.symbol}"
    if market.symbol == "ETH":
        # 0.7.0 ships the native market's source as an archive and its bytecode,
        # unchanged but for the name, as MockVBNB.
        v_token = deployer.deploy(
            f"{_VENUS}/test/MockVBNB.sol/MockVBNB.json",
            comptroller.address,
            rates.address,
            exchange_rate,
            name,
            market.v_symbol,
            _V_TOKEN_DECIMALS,
            deployer.account,
        )
    else:
        proxy = deployer.deploy(
            f"{_VENUS}/Tokens/VTokens/VBep20Delegator.sol/VBep20Delegator.json",
            tokens[market.symbol],
            comptroller.address,
            rates.address,
            exchange_rate,
            name,
            market.v_symbol,
            _V_TOKEN_DECIMALS,
            deployer.account,
            logic.address,
            b"",
        )
        v_token = deployer.at(
            f"{_VENUS}/Tokens/VTokens/VBep20Delegate.sol/VBep20Delegate.json", proxy.address
        )
    deployer.send(comptroller, "_supportMarket", v_token.address)
    deployer.send(v_token, "_setReserveFactor", _wad(market.reserve_factor))
    return v_token


def _unit(market: VenusMarketSpec) -> int:
    return int(10 ** token(market.symbol).decimals)


def _wad(fraction: float) -> int:
    """Return a fraction in 1e18, exact to a millionth."""
    return round(fraction * 10**6) * 10**12
