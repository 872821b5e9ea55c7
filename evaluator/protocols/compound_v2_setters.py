"""The calls that set what the Compound V2 family is set to.

Sources: Venus protocol 0.7.0, Comptroller.sol, VToken.sol, VenusChainlinkOracle.sol,
JumpRateModel.sol, WhitePaperInterestRateModel.sol; Compound V2 shares most of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import load_artifact
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError
from evaluator.market import Market, Reserve
from evaluator.protocols.compound_v2_parameters import ACTIONS
from evaluator.protocols.fixed_point import UINT256_MAX, WAD, base_units
from evaluator.protocols.interfaces import COMPOUND
from evaluator.protocols.rate_models import is_build_of, new_model, one_curve
from evaluator.protocols.reading import NULL_ADDRESS, Query, read_all, read_one
from evaluator.protocols.setting import Setting, SettingCall, endless, refuse

CALLS = Abi.parse(
    [
        "function _setCollateralFactor(address vToken, uint256 newCollateralFactorMantissa)",
        "function _setCloseFactor(uint256 newCloseFactorMantissa)",
        "function _setLiquidationIncentive(uint256 newLiquidationIncentiveMantissa)",
        "function _setPriceOracle(address newOracle)",
        "function _setReserveFactor(uint256 newReserveFactorMantissa)",
        "function _setInterestRateModel(address newInterestRateModel)",
        "function _setMarketBorrowCaps(address[] vTokens, uint256[] newBorrowCaps)",
        "function _setMarketSupplyCaps(address[] vTokens, uint256[] newSupplyCaps)",
        "function _setActionsPaused(address[] markets, uint8[] actions, bool paused)",
        "function _setProtocolPaused(bool state)",
        "function _setSeizePaused(bool state)",
        "function _setTransferPaused(bool state)",
        "function _setPauseGuardian(address newPauseGuardian)",
        "function _setLiquidatorContract(address newLiquidatorContract)",
        "function _setVAIController(address vaiController)",
        "function setFeed(string symbol, address feed)",
        "function symbol() view returns (string)",
        "function underlying() view returns (address)",
    ]
)
_MODELS = "@venusprotocol/venus-protocol/artifacts/contracts/InterestRateModels"
JUMP_MODEL = f"{_MODELS}/JumpRateModel.sol/JumpRateModel.json"
WHITE_PAPER_MODEL = f"{_MODELS}/WhitePaperInterestRateModel.sol/WhitePaperInterestRateModel.json"
_CURVE = ("rate_curve.base", "rate_curve.slope1", "rate_curve.slope2", "rate_curve.optimal")
_FLAGS: Mapping[str, str] = {
    "protocol_paused": "_setProtocolPaused",
    "seize_paused": "_setSeizePaused",
    "transfer_paused": "_setTransferPaused",
}
_ADDRESSES: Mapping[str, str] = {
    "oracle": "_setPriceOracle",
    "pause_guardian": "_setPauseGuardian",
    "liquidator_contract": "_setLiquidatorContract",
    "vai_controller": "_setVAIController",
}
# Actions that a parameter of several stands for: those it stops, those it lets go on.
_STOPS = {"paused": ("liquidate",), "frozen": ("mint", "borrow")}
_ALLOWS = {"paused": ("liquidate", "seize"), "frozen": ("mint", "borrow")}
_OF_MARKET = (
    "collateral_factor",
    "reserve_factor",
    "borrow_cap",
    "supply_cap",
    "rate_model",
    "oracle.source",
    *_STOPS,
    *(f"paused.{a}" for a in ACTIONS),
)
_OF_COMPTROLLER = ("close_factor", "liquidation_incentive", *_FLAGS, *_ADDRESSES)
_FEED = "it is what the price source's own contract allows"
_OTHER_FEED = "draft oracle.source with the address of another price source"
_TWO_STEPS = "the present one offers it and the next one has to accept"
_BOTH = "write both calls into a proposal file"
_WHY: Mapping[str, tuple[str, str]] = {
    "seize_share": ("it is a constant in the market token's code", "replace the implementation"),
    "blocks_per_year": (
        "it is a constant in the interest rate model's code",
        "draft rate_model with the address of a model that counts otherwise",
    ),
    "listed": (
        "a market token has to be deployed, supported and given a price, factor and caps",
        "write these calls into a proposal file",
    ),
    "v_token": ("a market token stays where it is", "list another in a proposal file"),
    "admin": (_TWO_STEPS, _BOTH),
    "implementation.comptroller": (_TWO_STEPS, _BOTH),
    "oracle.floor": (_FEED, _OTHER_FEED),
    "oracle.cap": (_FEED, _OTHER_FEED),
}


def can_be_set(name: str) -> bool:
    """Tell whether a call sets the parameters of this name."""
    return name in _OF_MARKET or name in _OF_COMPTROLLER or name in _CURVE


def setting_calls(
    sandbox: Sandbox, market: Market, settings: Sequence[Setting]
) -> tuple[SettingCall, ...]:
    """See ParameterSetter.setting_calls."""
    one_curve(settings, "rate_model")
    calls: list[SettingCall] = []
    curves = [s for s in settings if s.parameter.name in _CURVE]
    for asset in dict.fromkeys(s.parameter.asset for s in curves):
        own = [s for s in curves if s.parameter.asset == asset]
        calls += _curve(sandbox, _reserve(market, own[0]), own)
    for setting in settings:
        if setting not in curves:
            calls.append(_plain(sandbox, market, setting))
    return tuple(calls)


def _reserve(market: Market, setting: Setting) -> Reserve:
    if setting.parameter.asset not in market.symbols:
        raise refuse(setting, "the market has no price yet and could not be read")
    return market.reserves[market.index(setting.parameter.asset)]


def _mantissa(setting: Setting) -> int:
    # Through a decimal of 12 digits: 0.8 is 8e17, not what the float is nearest to.
    return round(float(setting.value) * 10**12) * (WAD // 10**12)


def _plain(sandbox: Sandbox, market: Market, setting: Setting) -> SettingCall:
    """Return the call of a parameter that has one to itself."""
    name, value = setting.parameter.name, setting.value
    target = market.address
    if name == "close_factor":
        data = CALLS.encode("_setCloseFactor", _mantissa(setting))
    elif name == "liquidation_incentive":
        data = CALLS.encode("_setLiquidationIncentive", WAD + _mantissa(setting))
    elif name in _FLAGS:
        data = CALLS.encode(_FLAGS[name], bool(value))
    elif name in _ADDRESSES:
        data = CALLS.encode(_ADDRESSES[name], str(value))
    elif name in _OF_MARKET:
        reserve = _reserve(market, setting)
        target, data = _of_market(sandbox, market, reserve, setting)
    else:
        raise refuse(setting, *_WHY.get(name, ()))
    return SettingCall(target=target, calldata=data, sets=(setting,))


def _of_market(
    sandbox: Sandbox, market: Market, reserve: Reserve, setting: Setting
) -> tuple[str, bytes]:
    """Return target and calldata for a parameter of one market token."""
    name, value, token = setting.parameter.name, setting.value, reserve.receipt_token
    match name:
        case "collateral_factor":
            data = CALLS.encode("_setCollateralFactor", token, _mantissa(setting))
        case "reserve_factor":
            return token, CALLS.encode("_setReserveFactor", _mantissa(setting))
        case "rate_model":
            return token, CALLS.encode("_setInterestRateModel", str(value))
        case "oracle.source":
            return _feed(sandbox, market, reserve, setting)
        case "borrow_cap":
            units = endless(setting, decimals=reserve.asset.decimals)
            data = CALLS.encode("_setMarketBorrowCaps", [token], [units])
        case "supply_cap":
            # Venus lets nobody mint at a supply cap of 0.
            amount = float(value)
            units = (
                UINT256_MAX
                if math.isinf(amount)
                else int(base_units(amount, reserve.asset.decimals))
            )
            data = CALLS.encode("_setMarketSupplyCaps", [token], [units])
        case _:
            which = _STOPS if value else _ALLOWS
            actions = which.get(name) or (name.removeprefix("paused."),)
            codes = [ACTIONS.index(a) for a in actions]
            data = CALLS.encode("_setActionsPaused", [token], codes, bool(value))
    return market.address, data


def _feed(
    sandbox: Sandbox, market: Market, reserve: Reserve, setting: Setting
) -> tuple[str, bytes]:
    """Return the call that gives a market another feed, where the oracle has feeds."""
    block = sandbox.block_number()
    oracle = read_one(sandbox, COMPOUND, market.address, "oracle", block=block)
    token = reserve.receipt_token
    underlying = read_one(sandbox, CALLS, token, "underlying", block=block, optional=True)
    symbol = read_one(sandbox, CALLS, underlying or token, "symbol", block=block, optional=True)
    present = symbol and read_one(
        sandbox, COMPOUND, oracle, "getFeed", symbol, block=block, optional=True
    )
    if present in (None, "", NULL_ADDRESS):
        raise refuse(
            setting,
            f"the oracle {oracle} has no feed for it of Venus's Chainlink oracle's kind",
            "write the call to the oracle into a proposal file, or draft compound_v2.oracle with "
            "the address of another oracle",
        )
    return oracle, CALLS.encode("setFeed", symbol, str(setting.value))


def _curve(sandbox: Sandbox, reserve: Reserve, settings: Sequence[Setting]) -> list[SettingCall]:
    """Put a new model with another curve in the present one's place."""
    token, block = reserve.receipt_token, sandbox.block_number()
    model = read_one(sandbox, COMPOUND, token, "interestRateModel", block=block)
    code = sandbox.get_code(model)
    jump, white_paper = load_artifact(JUMP_MODEL), load_artifact(WHITE_PAPER_MODEL)
    new = {s.parameter.name: s for s in settings}
    names: tuple[str, ...] = ("baseRatePerBlock", "multiplierPerBlock")
    if is_build_of(code, jump):
        artifact, names = jump, (*names, "jumpMultiplierPerBlock")
    elif is_build_of(code, white_paper):
        artifact = white_paper
        for name in ("rate_curve.slope2", "rate_curve.optimal"):
            if name in new:
                raise refuse(
                    new[name],
                    f"the model {model} is a straight line (WhitePaperInterestRateModel) and has "
                    "no kink",
                    _another_model(settings[0]),
                )
    else:
        raise refuse(
            settings[0],
            f"the model {model} keeps its curve for good and is none of Venus 0.7.0's, of which a "
            "new one could be created",
            _another_model(settings[0]),
        )
    arguments = _arguments(sandbox, model, names, reserve, new, block)
    made = new_model(sandbox, artifact, arguments, settings, place="interest rate model")
    data = CALLS.encode("_setInterestRateModel", made.address)
    return [*made.creation, SettingCall(target=token, calldata=data, sets=tuple(settings))]


def _another_model(setting: Setting) -> str:
    path = setting.parameter.path.replace(setting.parameter.name, "rate_model")
    return f"deploy a model and draft {path} with its address"


def _arguments(
    sandbox: Sandbox,
    model: str,
    names: Sequence[str],
    reserve: Reserve,
    new: Mapping[str, Setting],
    block: int,
) -> list[int]:
    """Return the constructor's mantissas a year: base, multiplier(s) and, with a jump, kink."""
    asked = [*names, "blocksPerYear", *(["kink"] if len(names) == 3 else [])]
    found = read_all(sandbox, [Query(to=model, abi=COMPOUND, fn=n) for n in asked], block=block)
    per_block, blocks = found[: len(names)], found[len(names)]
    # What stays is what the contract has, to the last digit.
    rates = [rate * blocks for rate in per_block]
    kink = found[-1] if len(names) == 3 else WAD
    curve = reserve.rate_curve
    optimal = kink
    if "rate_curve.optimal" in new:
        optimal = _mantissa(new["rate_curve.optimal"])
        if not 0 < optimal < WAD:
            raise ConfigurationError(
                f"{new['rate_curve.optimal'].parameter.path} must lie between 0% and 100%: the "
                "slopes on both sides of the kink are divided by it"
            )
    # A slope is what the rate gains on its side of the kink; the contract has it per
    # unit of utilisation.
    sides = {"rate_curve.slope1": (1, optimal, curve.slope1)}
    if len(names) == 3:
        sides["rate_curve.slope2"] = (2, WAD - optimal, curve.slope2)
    for name, (place, width, present) in sides.items():
        if name in new or optimal != kink:
            gain = _mantissa(new[name]) if name in new else round(present * WAD)
            # Rounded up: the constructor divides by the blocks of a year and drops the rest.
            rates[place] = -(-gain * WAD // width)
    if "rate_curve.base" in new:
        rates[0] = _mantissa(new["rate_curve.base"])
    return [*rates, optimal] if len(names) == 3 else rates
