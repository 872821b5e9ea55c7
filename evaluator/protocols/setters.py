"""From a parameter and its new value to the call that sets it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evaluator.chain.abi import Abi
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError, IncompleteState
from evaluator.market import Family, Market, Parameter, Reserve, Unit
from evaluator.protocols.fixed_point import BASIS_POINTS, WAD
from evaluator.protocols.interfaces import AAVE
from evaluator.protocols.reading import NULL_ADDRESS

# Aave core-v3 1.19.3, IPoolConfigurator.sol and IAaveOracle.sol.
CONFIGURATOR = Abi.parse(
    [
        "function configureReserveAsCollateral(address asset, uint256 ltv,"
        " uint256 liquidationThreshold, uint256 liquidationBonus)",
        "function setReserveBorrowing(address asset, bool enabled)",
        "function setReserveFlashLoaning(address asset, bool enabled)",
        "function setReserveActive(address asset, bool active)",
        "function setReserveFreeze(address asset, bool freeze)",
        "function setReservePause(address asset, bool paused)",
        "function setReserveFactor(address asset, uint256 newReserveFactor)",
        "function setBorrowCap(address asset, uint256 newBorrowCap)",
        "function setSupplyCap(address asset, uint256 newSupplyCap)",
        "function setLiquidationProtocolFee(address asset, uint256 newFee)",
        "function setDebtCeiling(address asset, uint256 newDebtCeiling)",
        "function setSiloedBorrowing(address asset, bool siloed)",
        "function setBorrowableInIsolation(address asset, bool borrowable)",
        "function setAssetEModeCategory(address asset, uint8 newCategoryId)",
        "function setAssetSources(address[] assets, address[] sources)",
    ]
)
# Venus protocol 0.7.0, Comptroller.sol and VToken.sol; Compound V2 has the first five.
COMPTROLLER = Abi.parse(
    [
        "function _setCollateralFactor(address vToken, uint256 newCollateralFactorMantissa)",
        "function _setCloseFactor(uint256 newCloseFactorMantissa)",
        "function _setLiquidationIncentive(uint256 newLiquidationIncentiveMantissa)",
        "function _setPriceOracle(address newOracle)",
        "function _setReserveFactor(uint256 newReserveFactorMantissa)",
        "function _setMarketBorrowCaps(address[] vTokens, uint256[] newBorrowCaps)",
        "function _setMarketSupplyCaps(address[] vTokens, uint256[] newSupplyCaps)",
        "function _setActionsPaused(address[] markets, uint8[] actions, bool paused)",
    ]
)
_DEBT_CEILING_DECIMALS = 2  # ReserveConfiguration.DEBT_CEILING_DECIMALS
Value = float | bool | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A parameter with the value it is to have."""

    parameter: Parameter  # as it reads today
    value: Value  # new value, in the parameter's unit


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingCall:
    """One call that sets one or more parameters."""

    target: str  # contract
    calldata: bytes  # with its selector
    sets: tuple[Setting, ...]  # what it sets


def parse_value(parameter: Parameter, text: str) -> Value:
    """Read a value as people type it: 0.8, 80%, 250bps, 1.5M, none, on, 0x address.

    Raises ConfigurationError saying what the parameter takes.
    """
    given = text.strip().lower().replace(",", "").replace("_", "")
    if parameter.unit is Unit.FLAG:
        if given in ("on", "yes", "true", "1"):
            return True
        if given in ("off", "no", "false", "0"):
            return False
        raise ConfigurationError(f"{parameter.path} is {text!r}; it takes on or off")
    if parameter.unit in (Unit.ADDRESS, Unit.TEXT):
        return text.strip()
    if given in ("none", "inf", "no limit", "unlimited"):
        return math.inf
    scale = 1.0
    for suffix, size in (("%", 0.01), ("bps", 1e-4), ("k", 1e3), ("m", 1e6), ("b", 1e9)):
        if given.endswith(suffix):
            given, scale = given.removesuffix(suffix), size
            break
    try:
        number = float(given) * scale
    except ValueError:
        number = math.nan
    fraction = parameter.unit in (Unit.FRACTION, Unit.PER_YEAR)
    if math.isnan(number) or number < 0.0 or (fraction and number > 10.0):
        expected = "a fraction such as 0.8, or 80%" if fraction else f"a number ({parameter.unit})"
        raise ConfigurationError(f"{parameter.path} is {text!r}; it takes {expected}")
    # 80% must be the same number as 0.8.
    return round(number, 12) if fraction else number


def setting_calls(
    sandbox: Sandbox, market: Market, settings: Sequence[Setting]
) -> tuple[SettingCall, ...]:
    """Return the calls that set `settings`, those that belong together as one.

    Raises ConfigurationError for a parameter that no call known here sets.
    """
    family = {Family.AAVE_V3: _aave, Family.COMPOUND_V2: _compound}[market.family]
    return family(sandbox, market, settings)


def can_be_set(market: Market, parameter: Parameter) -> bool:
    """Tell whether `setting_calls` knows the call that sets a parameter."""
    known = {Family.AAVE_V3: (*_COLLATERAL, *_AAVE, _SOURCE), Family.COMPOUND_V2: _COMPOUND}
    return parameter.name in known[market.family]


def _bps(value: Value) -> int:
    return round(float(value) * BASIS_POINTS)


def _whole(value: Value) -> int:
    # Aave writes "no cap" as 0.
    return 0 if math.isinf(float(value)) else round(float(value))


def _reserve(market: Market, setting: Setting) -> Reserve:
    return market.reserves[market.index(setting.parameter.asset)]


def _refuse(setting: Setting) -> ConfigurationError:
    where = setting.parameter.settable_by
    hint = f" It is set by {where}." if where else ""
    return ConfigurationError(
        f"{setting.parameter.path} cannot be drafted.{hint} Write the call into a proposal file"
    )


_SOURCE = "oracle.source"
_COLLATERAL = ("ltv", "liquidation_threshold", "liquidation_bonus")
_AAVE: Mapping[str, tuple[str, Callable[[Value], object]]] = {
    "borrowing_enabled": ("setReserveBorrowing", bool),
    "flash_loan_enabled": ("setReserveFlashLoaning", bool),
    "active": ("setReserveActive", bool),
    "frozen": ("setReserveFreeze", bool),
    "paused": ("setReservePause", bool),
    "reserve_factor": ("setReserveFactor", _bps),
    "borrow_cap": ("setBorrowCap", _whole),
    "supply_cap": ("setSupplyCap", _whole),
    "liquidation_protocol_fee": ("setLiquidationProtocolFee", _bps),
    "debt_ceiling": ("setDebtCeiling", lambda v: _whole(float(v) * 10**_DEBT_CEILING_DECIMALS)),
    "siloed_borrowing": ("setSiloedBorrowing", bool),
    "borrowable_in_isolation": ("setBorrowableInIsolation", bool),
    "emode_category": ("setAssetEModeCategory", _whole),
}


def _aave(sandbox: Sandbox, market: Market, settings: Sequence[Setting]) -> tuple[SettingCall, ...]:
    provider = sandbox.contract(market.address, AAVE).call("ADDRESSES_PROVIDER")
    configurator = str(sandbox.contract(provider, AAVE).call("getPoolConfigurator"))
    oracle = str(sandbox.contract(provider, AAVE).call("getPriceOracle"))
    if configurator == NULL_ADDRESS:
        raise IncompleteState(f"the pool {market.address} has no configurator")
    calls: list[SettingCall] = []
    together: dict[str, list[Setting]] = {}
    for setting in settings:
        name = setting.parameter.name
        if name in _COLLATERAL:
            together.setdefault(setting.parameter.asset, []).append(setting)
        elif name == _SOURCE:
            asset = _reserve(market, setting).asset.address
            data = CONFIGURATOR.encode("setAssetSources", [asset], [str(setting.value)])
            calls.append(SettingCall(target=oracle, calldata=data, sets=(setting,)))
        elif name in _AAVE:
            function, convert = _AAVE[name]
            asset = _reserve(market, setting).asset.address
            data = CONFIGURATOR.encode(function, asset, convert(setting.value))
            calls.append(SettingCall(target=configurator, calldata=data, sets=(setting,)))
        else:
            raise _refuse(setting)
    for some in together.values():
        reserve = _reserve(market, some[0])
        now = {name: float(getattr(reserve.parameters, name)) for name in _COLLATERAL}
        now |= {s.parameter.name: float(s.value) for s in some}
        data = CONFIGURATOR.encode(
            "configureReserveAsCollateral",
            reserve.asset.address,
            _bps(now["ltv"]),
            _bps(now["liquidation_threshold"]),
            BASIS_POINTS + _bps(now["liquidation_bonus"]),
        )
        calls.insert(0, SettingCall(target=configurator, calldata=data, sets=tuple(some)))
    return tuple(calls)


_PER_MARKET = ("collateral_factor", "reserve_factor", "borrow_cap", "supply_cap", "paused")
_COMPOUND = ("close_factor", "liquidation_incentive", "oracle", *_PER_MARKET)


def _wad(value: Value) -> int:
    # Through a decimal of 12 digits: 0.8 is 8e17, not what the float is nearest to.
    return round(float(value) * 10**12) * (WAD // 10**12)


def _compound(
    sandbox: Sandbox,  # noqa: ARG001 - both families are asked alike
    market: Market,
    settings: Sequence[Setting],
) -> tuple[SettingCall, ...]:
    calls = []
    for setting in settings:
        name, value = setting.parameter.name, setting.value
        target = market.address
        if name == "close_factor":
            data = COMPTROLLER.encode("_setCloseFactor", _wad(value))
        elif name == "liquidation_incentive":
            data = COMPTROLLER.encode("_setLiquidationIncentive", WAD + _wad(value))
        elif name == "oracle":
            data = COMPTROLLER.encode("_setPriceOracle", str(value))
        elif name in _PER_MARKET:
            reserve = _reserve(market, setting)
            token, unit = reserve.receipt_token, 10**reserve.asset.decimals
            cap = 0 if math.isinf(float(value)) else round(float(value) * unit)
            if name == "collateral_factor":
                data = COMPTROLLER.encode("_setCollateralFactor", token, _wad(value))
            elif name == "reserve_factor":
                target, data = token, COMPTROLLER.encode("_setReserveFactor", _wad(value))
            elif name == "paused":
                # Action 5 is liquidate.
                data = COMPTROLLER.encode("_setActionsPaused", [token], [5], bool(value))
            else:
                function = (
                    "_setMarketBorrowCaps" if name == "borrow_cap" else "_setMarketSupplyCaps"
                )
                data = COMPTROLLER.encode(function, [token], [cap])
        else:
            raise _refuse(setting)
        calls.append(SettingCall(target=target, calldata=data, sets=(setting,)))
    return tuple(calls)
