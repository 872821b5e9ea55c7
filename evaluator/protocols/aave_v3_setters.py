"""The calls that set what Aave V3 is set to.

Sources: core-v3 1.19.3, IPoolConfigurator.sol, IAaveOracle.sol,
IPoolAddressesProvider.sol, DefaultReserveInterestRateStrategy.sol; of later cores
(aave-v3-origin) IPoolConfigurator.sol and IDefaultInterestRateStrategyV2.sol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import load_artifact
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError, IncompleteState
from evaluator.market import EMode, Market, Reserve
from evaluator.protocols.fixed_point import BASIS_POINTS, RAY
from evaluator.protocols.interfaces import AAVE
from evaluator.protocols.rate_models import is_build_of, new_model, one_curve
from evaluator.protocols.reading import NULL_ADDRESS, Query, read_all, read_one
from evaluator.protocols.setting import Setting, SettingCall, basis_points, endless, refuse

CALLS = Abi.parse(
    [
        "function configureReserveAsCollateral(address asset, uint256 ltv,"
        " uint256 liquidationThreshold, uint256 liquidationBonus)",
        "function setReserveBorrowing(address asset, bool enabled)",
        "function setReserveStableRateBorrowing(address asset, bool enabled)",
        "function setReserveFlashLoaning(address asset, bool enabled)",
        "function setReserveActive(address asset, bool active)",
        "function setReserveFreeze(address asset, bool freeze)",
        "function setReservePause(address asset, bool paused)",
        "function setReserveFactor(address asset, uint256 newReserveFactor)",
        "function setReserveInterestRateStrategyAddress(address asset, address newStrategy)",
        "function setReserveInterestRateData(address asset, bytes rateData)",
        "function setBorrowCap(address asset, uint256 newBorrowCap)",
        "function setSupplyCap(address asset, uint256 newSupplyCap)",
        "function setUnbackedMintCap(address asset, uint256 newUnbackedMintCap)",
        "function setLiquidationProtocolFee(address asset, uint256 newFee)",
        "function setDebtCeiling(address asset, uint256 newDebtCeiling)",
        "function setSiloedBorrowing(address asset, bool siloed)",
        "function setBorrowableInIsolation(address asset, bool borrowable)",
        "function setAssetEModeCategory(address asset, uint8 newCategoryId)",
        "function setEModeCategory(uint8 categoryId, uint16 ltv, uint16 liquidationThreshold,"
        " uint16 liquidationBonus, address oracle, string label)",
        "function setEModeCategory(uint8 categoryId, uint16 ltv, uint16 liquidationThreshold,"
        " uint16 liquidationBonus, string label)",
        "function setAssetCollateralInEMode(address asset, uint8 categoryId, bool allowed)",
        "function updateFlashloanPremiumTotal(uint128 newFlashloanPremiumTotal)",
        "function updateFlashloanPremiumToProtocol(uint128 newFlashloanPremiumToProtocol)",
        "function updateBridgeProtocolFee(uint256 newBridgeProtocolFee)",
        "function setAssetSources(address[] assets, address[] sources)",
        "function setFallbackOracle(address fallbackOracle)",
        "function setPriceOracle(address newPriceOracle)",
        "function setPriceOracleSentinel(address newPriceOracleSentinel)",
        "function setACLManager(address newAclManager)",
        "function setACLAdmin(address newAclAdmin)",
        "function setPoolImpl(address newPoolImpl)",
        "function setPoolConfiguratorImpl(address newPoolConfiguratorImpl)",
    ]
)
_RATE_DATA = Abi.parse(
    [
        "function interestRateData(uint16 optimalUsageRatio, uint32 baseVariableBorrowRate,"
        " uint32 variableRateSlope1, uint32 variableRateSlope2)"
    ]
)
STRATEGY = (
    "@aave/core-v3/artifacts/contracts/protocol/pool/DefaultReserveInterestRateStrategy.sol/"
    "DefaultReserveInterestRateStrategy.json"
)
_CEILING_DECIMALS = 2  # ReserveConfiguration.DEBT_CEILING_DECIMALS


def _flag(setting: Setting) -> bool:
    return bool(setting.value)


def _cap(setting: Setting) -> int:
    return endless(setting, decimals=0)


def _ceiling(setting: Setting) -> int:
    return endless(setting, decimals=_CEILING_DECIMALS)


def _whole(setting: Setting) -> int:
    value = float(setting.value)
    if not value.is_integer():
        raise ConfigurationError(f"{setting.parameter.path} is {value:g}; it takes a whole number")
    return int(value)


def _address(setting: Setting) -> str:
    return str(setting.value)


_Convert = Callable[[Setting], object]
_COLLATERAL = ("ltv", "liquidation_threshold", "liquidation_bonus")
_CURVE = ("rate_curve.optimal", "rate_curve.base", "rate_curve.slope1", "rate_curve.slope2")
_CATEGORY = ("label", "ltv", "liquidation_threshold", "liquidation_bonus", "price_source")
_OF_RESERVE: Mapping[str, tuple[str, _Convert]] = {
    "borrowing_enabled": ("setReserveBorrowing", _flag),
    "stable_borrowing_enabled": ("setReserveStableRateBorrowing", _flag),
    "flash_loan_enabled": ("setReserveFlashLoaning", _flag),
    "active": ("setReserveActive", _flag),
    "frozen": ("setReserveFreeze", _flag),
    "paused": ("setReservePause", _flag),
    "reserve_factor": ("setReserveFactor", basis_points),
    "borrow_cap": ("setBorrowCap", _cap),
    "supply_cap": ("setSupplyCap", _cap),
    "unbacked_mint_cap": ("setUnbackedMintCap", _whole),
    "liquidation_protocol_fee": ("setLiquidationProtocolFee", basis_points),
    "debt_ceiling": ("setDebtCeiling", _ceiling),
    "siloed_borrowing": ("setSiloedBorrowing", _flag),
    "borrowable_in_isolation": ("setBorrowableInIsolation", _flag),
    "emode_category": ("setAssetEModeCategory", _whole),
    "rate_strategy": ("setReserveInterestRateStrategyAddress", _address),
}
_OF_POOL: Mapping[str, tuple[str, _Convert]] = {
    "flash_loan_premium_total": ("updateFlashloanPremiumTotal", basis_points),
    "flash_loan_premium_to_protocol": ("updateFlashloanPremiumToProtocol", basis_points),
    "bridge_protocol_fee": ("updateBridgeProtocolFee", basis_points),
}
_OF_PROVIDER: Mapping[str, str] = {
    "oracle": "setPriceOracle",
    "price_oracle_sentinel": "setPriceOracleSentinel",
    "acl_manager": "setACLManager",
    "acl_admin": "setACLAdmin",
    "pool.implementation": "setPoolImpl",
    "pool_configurator.implementation": "setPoolConfiguratorImpl",
}
_OF_ORACLE = ("oracle.source", "fallback_oracle")
_CODE = "it is a constant in the Pool's code"
_UPGRADE = "draft pool.implementation with the address of a Pool that has another"
_FEED = "it is what the price source's own contract allows"
_OTHER_FEED = "draft oracle.source with the address of another price source"
_WHY: Mapping[str, tuple[str, str]] = {
    "close_factor": (_CODE, _UPGRADE),
    "full_close_below": (_CODE, _UPGRADE),
    "pool.revision": (_CODE, _UPGRADE),
    "oracle.floor": (_FEED, _OTHER_FEED),
    "oracle.cap": (_FEED, _OTHER_FEED),
    "pool_configurator": (
        "the proxy stays where it is",
        "draft pool_configurator.implementation for other code behind it",
    ),
}


def can_be_set(name: str) -> bool:
    """Tell whether a call sets the parameters of this name."""
    if name.startswith("emode."):
        return True
    known = (_COLLATERAL, _CURVE, _OF_RESERVE, _OF_POOL, _OF_PROVIDER, _OF_ORACLE)
    return any(name in group for group in known)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Places:
    """The contracts that are called."""

    provider: str
    configurator: str
    oracle: str


def setting_calls(
    sandbox: Sandbox, market: Market, settings: Sequence[Setting]
) -> tuple[SettingCall, ...]:
    """See ParameterSetter.setting_calls; collateral settings come first."""
    one_curve(settings, "rate_strategy")
    at = _places(sandbox, market)
    first: list[SettingCall] = []
    calls: list[SettingCall] = []
    for names, make in ((_COLLATERAL, _collateral), (_CURVE, _curve)):
        some = [s for s in settings if s.parameter.name in names]
        for asset in dict.fromkeys(s.parameter.asset for s in some):
            own = [s for s in some if s.parameter.asset == asset]
            (first if make is _collateral else calls).extend(make(sandbox, market, at, own))
    categories: dict[int, list[Setting]] = {}
    for setting in settings:
        name = setting.parameter.name
        if name in _COLLATERAL or name in _CURVE:
            continue
        if name.startswith("emode."):
            categories.setdefault(int(name.split(".")[1]), []).append(setting)
        else:
            calls.append(_plain(market, at, setting))
    for category, some in categories.items():
        calls += _category(sandbox, market, at, category, some)
    return (*first, *calls)


def _places(sandbox: Sandbox, market: Market) -> _Places:
    provider = sandbox.contract(market.address, AAVE).call("ADDRESSES_PROVIDER")
    contract = sandbox.contract(provider, AAVE)
    configurator = str(contract.call("getPoolConfigurator"))
    if configurator == NULL_ADDRESS:
        raise IncompleteState(f"the pool {market.address} has no configurator")
    return _Places(
        provider=str(provider),
        configurator=configurator,
        oracle=str(contract.call("getPriceOracle")),
    )


def _reserve(market: Market, setting: Setting) -> Reserve:
    if setting.parameter.asset not in market.symbols:
        raise refuse(setting, "the reserve has no price yet and could not be read")
    return market.reserves[market.index(setting.parameter.asset)]


def _plain(market: Market, at: _Places, setting: Setting) -> SettingCall:
    """Return the call of a parameter that has one to itself."""
    name, value = setting.parameter.name, setting.value
    if name in _OF_RESERVE:
        function, convert = _OF_RESERVE[name]
        asset = _reserve(market, setting).asset.address
        to, data = at.configurator, CALLS.encode(function, asset, convert(setting))
    elif name in _OF_POOL:
        function, convert = _OF_POOL[name]
        to, data = at.configurator, CALLS.encode(function, convert(setting))
    elif name in _OF_PROVIDER:
        to, data = at.provider, CALLS.encode(_OF_PROVIDER[name], str(value))
    elif name == "oracle.source":
        asset = _reserve(market, setting).asset.address
        to, data = at.oracle, CALLS.encode("setAssetSources", [asset], [str(value)])
    elif name == "fallback_oracle":
        to, data = at.oracle, CALLS.encode("setFallbackOracle", str(value))
    else:
        raise refuse(setting, *_WHY.get(name, ()))
    return SettingCall(target=to, calldata=data, sets=(setting,))


def _collateral(
    sandbox: Sandbox,  # noqa: ARG001 - the makers are called alike
    market: Market,
    at: _Places,
    settings: Sequence[Setting],
) -> list[SettingCall]:
    reserve = _reserve(market, settings[0])
    now = {n: round(getattr(reserve.parameters, n) * BASIS_POINTS) for n in _COLLATERAL}
    now |= {s.parameter.name: basis_points(s) for s in settings}
    # An asset that is no collateral keeps a bonus of 0, not of 100%.
    gross = BASIS_POINTS + now["liquidation_bonus"] if now["liquidation_threshold"] else 0
    data = CALLS.encode(
        "configureReserveAsCollateral",
        reserve.asset.address,
        now["ltv"],
        now["liquidation_threshold"],
        gross,
    )
    return [SettingCall(target=at.configurator, calldata=data, sets=tuple(settings))]


def _curve(
    sandbox: Sandbox, market: Market, at: _Places, settings: Sequence[Setting]
) -> list[SettingCall]:
    """Set a curve in place where the core can (3.1 and later), else by a new strategy."""
    asset = _reserve(market, settings[0]).asset.address
    block = sandbox.block_number()
    data = read_one(sandbox, AAVE, market.address, "getReserveData", asset, block=block)
    strategy = data.interestRateStrategy
    in_place = read_one(
        sandbox, AAVE, strategy, "getOptimalUsageRatio(address)", asset,
        block=block, optional=True,
    )  # fmt: skip
    if in_place is not None:
        curve = _reserve(market, settings[0]).rate_curve
        points = {n: round(getattr(curve, n.split(".")[1]) * BASIS_POINTS) for n in _CURVE}
        points |= {s.parameter.name: basis_points(s) for s in settings}
        call = CALLS.encode("setReserveInterestRateData", asset, rate_data(points))
        return [SettingCall(target=at.configurator, calldata=call, sets=tuple(settings))]
    artifact = load_artifact(STRATEGY)
    if not is_build_of(sandbox.get_code(strategy), artifact):
        raise refuse(
            settings[0],
            f"the strategy {strategy} keeps its curve for good and is not Aave's default one of "
            "core-v3 1.19.3, of which a new one could be created",
            f"deploy a strategy and draft aave_v3.{settings[0].parameter.asset}.rate_strategy with "
            "its address",
        )
    provider, *values = _arguments(sandbox, strategy, artifact.abi, block)
    for setting in settings:
        # A float of 12 digits as a ray: 0.045 is 45e24, not what the float is nearest to.
        units = round(float(setting.value) * 10**12) * (RAY // 10**12)
        values[_CURVE.index(setting.parameter.name)] = units
    made = new_model(
        sandbox, artifact, (provider, *values), settings, place="interest rate strategy"
    )
    call = CALLS.encode("setReserveInterestRateStrategyAddress", asset, made.address)
    return [
        *made.creation,
        SettingCall(target=at.configurator, calldata=call, sets=tuple(settings)),
    ]


def rate_data(points: Mapping[str, int]) -> bytes:
    """Return a curve as later cores take it, `points` basis points by parameter name."""
    return _RATE_DATA.encode("interestRateData", *(points[n] for n in _CURVE))[4:]


def _arguments(sandbox: Sandbox, strategy: str, abi: Abi, block: int) -> list[object]:
    """Return what a strategy was constructed with: the provider and nine rays."""
    names = (
        "ADDRESSES_PROVIDER",
        "OPTIMAL_USAGE_RATIO",
        "getBaseVariableBorrowRate",
        "getVariableRateSlope1",
        "getVariableRateSlope2",
        "getStableRateSlope1",
        "getStableRateSlope2",
        "getBaseStableBorrowRate",
        "getStableRateExcessOffset",
        "OPTIMAL_STABLE_TO_TOTAL_DEBT_RATIO",
    )
    found = read_all(sandbox, [Query(to=strategy, abi=abi, fn=n) for n in names], block=block)
    # The stable base rate is told as slope 1 and an offset.
    found[7] -= found[3]
    return list(found)


def _category(
    sandbox: Sandbox, market: Market, at: _Places, category: int, settings: Sequence[Setting]
) -> list[SettingCall]:
    emode = next(e for e in market.emodes if e.category == category)
    calls = []
    own = [s for s in settings if s.parameter.name.split(".")[2] in _CATEGORY]
    if own:
        calls.append(_category_settings(sandbox, market, at, emode, own))
    for setting in settings:
        if setting not in own:
            calls += _members(market, at, emode, setting)
    return calls


def _category_settings(
    sandbox: Sandbox, market: Market, at: _Places, emode: EMode, settings: Sequence[Setting]
) -> SettingCall:
    now = sandbox.contract(market.address, AAVE).call("getEModeCategoryData", emode.category)
    new = {s.parameter.name.split(".")[2]: s for s in settings}

    def points(name: str, present: int, *, net_of: int = 0) -> int:
        return net_of + basis_points(new[name]) if name in new else present

    ltv = points("ltv", now.ltv)
    threshold = points("liquidation_threshold", now.liquidationThreshold)
    bonus = points("liquidation_bonus", now.liquidationBonus, net_of=BASIS_POINTS)
    label = str(new["label"].value) if "label" in new else now.label
    source = str(new["price_source"].value) if "price_source" in new else now.priceSource
    numbers = (emode.category, ltv, threshold, bonus)
    if emode.collateral is None:
        signature = "setEModeCategory(uint8,uint16,uint16,uint16,address,string)"
        data = CALLS.encode(signature, *numbers, source, label)
    elif "price_source" in new:
        raise refuse(new["price_source"], "core 3.2 and later have no price source of a category")
    else:
        signature = "setEModeCategory(uint8,uint16,uint16,uint16,string)"
        data = CALLS.encode(signature, *numbers, label)
    return SettingCall(target=at.configurator, calldata=data, sets=tuple(settings))


def _members(market: Market, at: _Places, emode: EMode, setting: Setting) -> list[SettingCall]:
    """Let assets into a category and others out (core 3.2 and later)."""
    wanted = {s.strip() for s in str(setting.value).split(",") if s.strip()}
    unknown = wanted - set(market.symbols)
    if unknown:
        raise ConfigurationError(
            f"{setting.parameter.path} names {', '.join(sorted(unknown))}; the market lists "
            f"{', '.join(market.symbols)}"
        )
    present = {market.symbols[a] for a in emode.collateral or ()}
    return [
        SettingCall(
            target=at.configurator,
            calldata=CALLS.encode(
                "setAssetCollateralInEMode",
                market.reserves[market.index(symbol)].asset.address,
                emode.category,
                symbol in wanted,
            ),
            sets=(setting,),
        )
        for symbol in sorted(wanted ^ present)
    ]
