"""Deploy Aave V3 from its npm artifacts and list the nine assets on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evaluator.chain.contract import Contract
from evaluator.chain.embedded.assets import TOKENS, token
from evaluator.chain.embedded.deployer import ZERO_ADDRESS, Deployer
from evaluator.chain.embedded.listings import AAVE_RESERVES, EMODES, AaveReserveSpec

_CORE = "@aave/core-v3/artifacts/contracts"
_LOGIC = f"{_CORE}/protocol/libraries/logic"
_RAY_PER_BASIS_POINT = 10**23
_PRICE_UNIT = 10**8  # the oracle's USD

# Pool and PoolConfigurator are linked with these; FlashLoanLogic needs BorrowLogic.
_PLAIN_LIBRARIES = (
    "BorrowLogic",
    "BridgeLogic",
    "ConfiguratorLogic",
    "EModeLogic",
    "LiquidationLogic",
    "PoolLogic",
    "SupplyLogic",
)


@dataclass(frozen=True, kw_only=True)
class AaveContracts:
    """Handles on a deployed Aave V3."""

    pool: Contract  # proxy, with Pool's ABI
    addresses_provider: Contract
    pool_configurator: Contract  # proxy, with PoolConfigurator's ABI
    oracle: Contract
    acl_manager: Contract
    data_provider: Contract
    treasury: str
    a_tokens: Mapping[str, str]  # symbol -> aToken
    variable_debt_tokens: Mapping[str, str]  # symbol -> variable debt token


def deploy_aave(
    deployer: Deployer, *, tokens: Mapping[str, str], feeds: Mapping[str, str], treasury: str
) -> AaveContracts:
    """Deploy Aave V3 with every asset listed; the deployer holds all roles.

    Until `close_ltvs` is called each LTV stands at its liquidation threshold, so
    that a book can be opened as if prices had since moved against it.
    """
    provider = deployer.deploy(
        f"{_CORE}/protocol/configuration/PoolAddressesProvider.sol/PoolAddressesProvider.json",
        "Seatrial embedded market",
        deployer.account,
    )
    acl, pool, configurator, data_provider = _deploy_core(deployer, provider)
    oracle = deployer.deploy(
        f"{_CORE}/misc/AaveOracle.sol/AaveOracle.json",
        provider.address,
        [tokens[t.symbol] for t in TOKENS],
        [feeds[t.symbol] for t in TOKENS],
        ZERO_ADDRESS,
        ZERO_ADDRESS,
        _PRICE_UNIT,
    )
    deployer.send(provider, "setPriceOracle", oracle.address)
    _list_reserves(deployer, provider, configurator, tokens=tokens, treasury=treasury)
    a_tokens: dict[str, str] = {}
    debt_tokens: dict[str, str] = {}
    for reserve in AAVE_RESERVES:
        a_token, _, debt_token = data_provider.call(
            "getReserveTokensAddresses", tokens[reserve.symbol]
        )
        a_tokens[reserve.symbol] = a_token
        debt_tokens[reserve.symbol] = debt_token
    return AaveContracts(
        pool=pool,
        addresses_provider=provider,
        pool_configurator=configurator,
        oracle=oracle,
        acl_manager=acl,
        data_provider=data_provider,
        treasury=treasury,
        a_tokens=a_tokens,
        variable_debt_tokens=debt_tokens,
    )


def close_ltvs(deployer: Deployer, configurator: Contract, *, tokens: Mapping[str, str]) -> None:
    """Set every LTV to the value the asset is listed with."""
    for reserve in AAVE_RESERVES:
        _configure(deployer, configurator, reserve, tokens[reserve.symbol], ltv=reserve.ltv)
    for mode in EMODES:
        deployer.queue(
            configurator,
            "setEModeCategory",
            mode.category,
            mode.ltv,
            mode.liquidation_threshold,
            mode.liquidation_bonus,
            ZERO_ADDRESS,
            mode.label,
        )
    deployer.flush()


def hand_over(deployer: Deployer, aave: AaveContracts, *, timelock: str) -> None:
    """Give every role and the provider to `timelock` and leave the deployer with none."""
    acl = aave.acl_manager
    admin_role = acl.call("DEFAULT_ADMIN_ROLE")
    deployer.queue(acl, "grantRole", admin_role, timelock)
    deployer.queue(acl, "addPoolAdmin", timelock)
    deployer.queue(acl, "addRiskAdmin", timelock)
    deployer.queue(acl, "addEmergencyAdmin", timelock)
    deployer.queue(aave.addresses_provider, "setACLAdmin", timelock)
    deployer.queue(aave.addresses_provider, "transferOwnership", timelock)
    deployer.queue(acl, "removePoolAdmin", deployer.account)
    deployer.queue(acl, "renounceRole", admin_role, deployer.account)
    deployer.flush()


def _deploy_core(
    deployer: Deployer, provider: Contract
) -> tuple[Contract, Contract, Contract, Contract]:
    """Deploy libraries, access control, pool, configurator and data provider."""
    registry = deployer.deploy(
        f"{_CORE}/protocol/configuration/PoolAddressesProviderRegistry.sol/"
        "PoolAddressesProviderRegistry.json",
        deployer.account,
    )
    deployer.send(registry, "registerAddressesProvider", provider.address, 1)
    libraries = {
        name: deployer.deploy(f"{_LOGIC}/{name}.sol/{name}.json").address
        for name in _PLAIN_LIBRARIES
    }
    libraries["FlashLoanLogic"] = deployer.deploy(
        f"{_LOGIC}/FlashLoanLogic.sol/FlashLoanLogic.json", libraries=libraries
    ).address
    deployer.send(provider, "setACLAdmin", deployer.account)
    acl = deployer.deploy(
        f"{_CORE}/protocol/configuration/ACLManager.sol/ACLManager.json", provider.address
    )
    deployer.send(provider, "setACLManager", acl.address)
    deployer.send(acl, "addPoolAdmin", deployer.account)

    pool_path = f"{_CORE}/protocol/pool/Pool.sol/Pool.json"
    configurator_path = f"{_CORE}/protocol/pool/PoolConfigurator.sol/PoolConfigurator.json"
    pool_code = deployer.deploy(pool_path, provider.address, libraries=libraries)
    deployer.send(provider, "setPoolImpl", pool_code.address)
    configurator_code = deployer.deploy(configurator_path, libraries=libraries)
    deployer.send(provider, "setPoolConfiguratorImpl", configurator_code.address)
    data_provider = deployer.deploy(
        f"{_CORE}/misc/AaveProtocolDataProvider.sol/AaveProtocolDataProvider.json",
        provider.address,
    )
    deployer.send(provider, "setPoolDataProvider", data_provider.address)
    pool = deployer.at(pool_path, provider.call("getPool"))
    configurator = deployer.at(configurator_path, provider.call("getPoolConfigurator"))
    return acl, pool, configurator, data_provider


def _list_reserves(
    deployer: Deployer,
    provider: Contract,
    configurator: Contract,
    *,
    tokens: Mapping[str, str],
    treasury: str,
) -> None:
    pool = provider.call("getPool")
    kinds = f"{_CORE}/protocol/tokenization"
    a_token = deployer.deploy(f"{kinds}/AToken.sol/AToken.json", pool)
    stable_debt = deployer.deploy(f"{kinds}/StableDebtToken.sol/StableDebtToken.json", pool)
    variable_debt = deployer.deploy(f"{kinds}/VariableDebtToken.sol/VariableDebtToken.json", pool)
    inputs = []
    for reserve in AAVE_RESERVES:
        strategy = deployer.deploy(
            f"{_CORE}/protocol/pool/DefaultReserveInterestRateStrategy.sol/"
            "DefaultReserveInterestRateStrategy.json",
            provider.address,
            reserve.optimal_utilisation * _RAY_PER_BASIS_POINT,
            reserve.base_rate * _RAY_PER_BASIS_POINT,
            reserve.slope1 * _RAY_PER_BASIS_POINT,
            reserve.slope2 * _RAY_PER_BASIS_POINT,
            0,
            0,
            0,
            0,
            0,
        )
        symbol = reserve.symbol
        inputs.append(
            (
                a_token.address,
                stable_debt.address,
                variable_debt.address,
                token(symbol).decimals,
                strategy.address,
                tokens[symbol],
                treasury,
                ZERO_ADDRESS,
                f"Aave Seatrial {symbol}",
                f"a{symbol}",
                f"Aave Seatrial Variable Debt {symbol}",
                f"variableDebt{symbol}",
                f"Aave Seatrial Stable Debt {symbol}",
                f"stableDebt{symbol}",
                b"",
            )
        )
    # Three proxies a reserve: three reserves stay inside a block's gas.
    for start in range(0, len(inputs), 3):
        deployer.send(configurator, "initReserves", inputs[start : start + 3])
    for mode in EMODES:
        deployer.queue(
            configurator,
            "setEModeCategory",
            mode.category,
            mode.liquidation_threshold,
            mode.liquidation_threshold,
            mode.liquidation_bonus,
            ZERO_ADDRESS,
            mode.label,
        )
    for reserve in AAVE_RESERVES:
        asset = tokens[reserve.symbol]
        _configure(deployer, configurator, reserve, asset, ltv=reserve.liquidation_threshold)
        deployer.queue(configurator, "setReserveBorrowing", asset, reserve.borrowing)
        deployer.queue(configurator, "setReserveFactor", asset, reserve.reserve_factor)
        deployer.queue(configurator, "setSupplyCap", asset, reserve.supply_cap)
        deployer.queue(configurator, "setBorrowCap", asset, reserve.borrow_cap)
        deployer.queue(
            configurator, "setLiquidationProtocolFee", asset, reserve.liquidation_protocol_fee
        )
        deployer.queue(configurator, "setReserveFlashLoaning", asset, True)
        if reserve.emode:
            deployer.queue(configurator, "setAssetEModeCategory", asset, reserve.emode)
    deployer.queue(configurator, "updateFlashloanPremiumTotal", 5)
    deployer.flush()


def _configure(
    deployer: Deployer, configurator: Contract, reserve: AaveReserveSpec, asset: str, *, ltv: int
) -> None:
    deployer.queue(
        configurator,
        "configureReserveAsCollateral",
        asset,
        ltv,
        reserve.liquidation_threshold,
        reserve.liquidation_bonus,
    )
