"""The parameters of the Compound V2 family in its own words."""

from __future__ import annotations

from evaluator.market import Market, Parameter, RateCurve, Reserve, Unit
from evaluator.protocols.naming import Vocabulary, Word

# Comptroller.Action of Venus, in order.
ACTIONS = (
    "mint",
    "redeem",
    "borrow",
    "repay",
    "seize",
    "liquidate",
    "transfer",
    "enter_market",
    "exit_market",
)


def _set(label: str, unit: Unit, where: str) -> Word:
    return Word(label=label, unit=unit, settable_by=where)


_PAUSE = "Comptroller._setActionsPaused"
_RATES = "VToken._setInterestRateModel"

VOCABULARY = Vocabulary(
    protocol="compound_v2",
    words={
        "collateral_factor": _set(
            "collateral factor", Unit.FRACTION, "Comptroller._setCollateralFactor"
        ),
        "reserve_factor": _set("reserve factor", Unit.FRACTION, "VToken._setReserveFactor"),
        "seize_share": _set("protocol seize share", Unit.FRACTION, "CToken's code"),
        "supply_cap": _set("supply cap", Unit.TOKENS, "Comptroller._setMarketSupplyCaps"),
        "borrow_cap": _set("borrow cap", Unit.TOKENS, "Comptroller._setMarketBorrowCaps"),
        "listed": _set("listed", Unit.FLAG, "Comptroller._supportMarket"),
        "paused": _set("liquidation paused", Unit.FLAG, _PAUSE),
        "frozen": _set("minting and borrowing paused", Unit.FLAG, _PAUSE),
        **{
            f"paused.{action}": _set(f"{action.replace('_', ' ')} paused", Unit.FLAG, _PAUSE)
            for action in ACTIONS
        },
        "rate_curve.base": _set("base rate per year", Unit.PER_YEAR, _RATES),
        "rate_curve.slope1": _set("rate added up to the kink", Unit.PER_YEAR, _RATES),
        "rate_curve.slope2": _set("rate added above the kink", Unit.PER_YEAR, _RATES),
        "rate_curve.optimal": _set("kink", Unit.FRACTION, _RATES),
        "rate_model": _set("interest rate model", Unit.ADDRESS, _RATES),
        "blocks_per_year": _set("blocks per year", Unit.COUNT, "the interest rate model's code"),
        "v_token": _set("market token", Unit.ADDRESS, "Comptroller._supportMarket"),
        "implementation": _set(
            "market token implementation", Unit.ADDRESS, "VBep20Delegator._setImplementation"
        ),
        "oracle.source": _set("price source", Unit.ADDRESS, "the oracle's admin"),
        "oracle.floor": _set("least price the source reports", Unit.USD, "the price source"),
        "oracle.cap": _set("largest price the source reports", Unit.USD, "the price source"),
        "close_factor": _set("close factor", Unit.FRACTION, "Comptroller._setCloseFactor"),
        "liquidation_incentive": _set(
            "liquidation incentive, net", Unit.FRACTION, "Comptroller._setLiquidationIncentive"
        ),
        "oracle": _set("price oracle", Unit.ADDRESS, "Comptroller._setPriceOracle"),
        "protocol_paused": _set("protocol paused", Unit.FLAG, "Comptroller._setProtocolPaused"),
        "seize_paused": _set("seizing paused", Unit.FLAG, "Comptroller._setSeizePaused"),
        "transfer_paused": _set("transfers paused", Unit.FLAG, "Comptroller._setTransferPaused"),
        "admin": _set("admin", Unit.ADDRESS, "Unitroller._setPendingAdmin"),
        "pause_guardian": _set("pause guardian", Unit.ADDRESS, "Comptroller._setPauseGuardian"),
        "implementation.comptroller": _set(
            "comptroller implementation", Unit.ADDRESS, "Unitroller._setPendingImplementation"
        ),
        "liquidator_contract": _set(
            "only liquidator allowed", Unit.ADDRESS, "Comptroller._setLiquidatorContract"
        ),
        "vai_controller": _set("VAI controller", Unit.ADDRESS, "Comptroller._setVAIController"),
    },
)


def name_parameters(market: Market) -> tuple[Parameter, ...]:
    """Name every parameter of a Compound V2 market, ordered by path."""
    v = VOCABULARY
    out = [v.parameter("close_factor", market.close_factor), *market.particulars]
    for r in market.reserves:
        out += name_reserve(r)
    return tuple(sorted(out, key=lambda p: p.path))


def name_reserve(r: Reserve) -> list[Parameter]:
    """Name the parameters of one reserve."""
    v, p, symbol = VOCABULARY, r.parameters, r.asset.symbol
    values: dict[str, float | bool | str] = {
        "collateral_factor": p.liquidation_threshold,
        "reserve_factor": p.reserve_factor,
        "seize_share": p.protocol_fee,
        "supply_cap": p.supply_cap,
        "borrow_cap": p.borrow_cap,
        "listed": p.active,
        "paused": p.paused,
        "frozen": p.frozen,
        "v_token": r.receipt_token,
        "oracle.source": r.oracle.source,
        "oracle.floor": r.oracle.floor,
        "oracle.cap": r.oracle.cap,
    }
    named = [v.parameter(name, value, asset=symbol) for name, value in values.items()]
    return [*named, *v.rate_curve(_a_year(r.rate_curve), asset=symbol)]


def _a_year(curve: RateCurve) -> RateCurve:
    """Round off what comes of rates a block being whole: up to 1e-11 a year."""
    return RateCurve(
        base=round(curve.base, 9),
        slope1=round(curve.slope1, 9),
        slope2=round(curve.slope2, 9),
        optimal=curve.optimal,
    )
