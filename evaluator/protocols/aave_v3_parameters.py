"""The parameters of Aave V3 in its own words."""

from __future__ import annotations

from evaluator.market import Market, Parameter, Reserve, Unit
from evaluator.protocols.naming import Vocabulary, Word

_CONFIGURATOR = "PoolConfigurator"
_PROVIDER = "PoolAddressesProvider"
_ORACLE = "AaveOracle"


def _set(label: str, unit: Unit, where: str) -> Word:
    return Word(label=label, unit=unit, settable_by=where)


_COLLATERAL = f"{_CONFIGURATOR}.configureReserveAsCollateral"
_RATES = f"{_CONFIGURATOR}.setReserveInterestRateStrategyAddress"
_EMODE = f"{_CONFIGURATOR}.setEModeCategory"

VOCABULARY = Vocabulary(
    protocol="aave_v3",
    words={
        "ltv": _set("LTV", Unit.FRACTION, _COLLATERAL),
        "liquidation_threshold": _set("liquidation threshold", Unit.FRACTION, _COLLATERAL),
        "liquidation_bonus": _set("liquidation bonus", Unit.FRACTION, _COLLATERAL),
        "liquidation_protocol_fee": _set(
            "liquidation protocol fee",
            Unit.FRACTION,
            f"{_CONFIGURATOR}.setLiquidationProtocolFee",
        ),
        "reserve_factor": _set(
            "reserve factor", Unit.FRACTION, f"{_CONFIGURATOR}.setReserveFactor"
        ),
        "supply_cap": _set("supply cap", Unit.TOKENS, f"{_CONFIGURATOR}.setSupplyCap"),
        "borrow_cap": _set("borrow cap", Unit.TOKENS, f"{_CONFIGURATOR}.setBorrowCap"),
        "unbacked_mint_cap": _set(
            "unbacked mint cap", Unit.TOKENS, f"{_CONFIGURATOR}.setUnbackedMintCap"
        ),
        "debt_ceiling": _set("debt ceiling", Unit.USD, f"{_CONFIGURATOR}.setDebtCeiling"),
        "active": _set("active", Unit.FLAG, f"{_CONFIGURATOR}.setReserveActive"),
        "frozen": _set("frozen", Unit.FLAG, f"{_CONFIGURATOR}.setReserveFreeze"),
        "paused": _set("paused", Unit.FLAG, f"{_CONFIGURATOR}.setReservePause"),
        "borrowing_enabled": _set(
            "borrowing enabled", Unit.FLAG, f"{_CONFIGURATOR}.setReserveBorrowing"
        ),
        "stable_borrowing_enabled": _set(
            "stable rate borrowing enabled",
            Unit.FLAG,
            f"{_CONFIGURATOR}.setReserveStableRateBorrowing",
        ),
        "flash_loan_enabled": _set(
            "flash loans enabled", Unit.FLAG, f"{_CONFIGURATOR}.setReserveFlashLoaning"
        ),
        "emode_category": _set(
            "eMode category", Unit.COUNT, f"{_CONFIGURATOR}.setAssetEModeCategory"
        ),
        "siloed_borrowing": _set(
            "siloed borrowing", Unit.FLAG, f"{_CONFIGURATOR}.setSiloedBorrowing"
        ),
        "borrowable_in_isolation": _set(
            "borrowable in isolation", Unit.FLAG, f"{_CONFIGURATOR}.setBorrowableInIsolation"
        ),
        "rate_curve.base": _set("base variable borrow rate", Unit.PER_YEAR, _RATES),
        "rate_curve.slope1": _set("variable rate slope 1", Unit.PER_YEAR, _RATES),
        "rate_curve.slope2": _set("variable rate slope 2", Unit.PER_YEAR, _RATES),
        "rate_curve.optimal": _set("optimal usage ratio", Unit.FRACTION, _RATES),
        "rate_strategy": _set("interest rate strategy", Unit.ADDRESS, _RATES),
        "oracle.source": _set("price source", Unit.ADDRESS, f"{_ORACLE}.setAssetSources"),
        "oracle.floor": _set("least price the source reports", Unit.USD, "the price source"),
        "oracle.cap": _set("largest price the source reports", Unit.USD, "the price source"),
        "a_token.implementation": _set(
            "aToken implementation", Unit.ADDRESS, f"{_CONFIGURATOR}.updateAToken"
        ),
        "variable_debt_token.implementation": _set(
            "variable debt token implementation",
            Unit.ADDRESS,
            f"{_CONFIGURATOR}.updateVariableDebtToken",
        ),
        "emode.*.label": _set("eMode label", Unit.TEXT, _EMODE),
        "emode.*.ltv": _set("eMode LTV", Unit.FRACTION, _EMODE),
        "emode.*.liquidation_threshold": _set("eMode liquidation threshold", Unit.FRACTION, _EMODE),
        "emode.*.liquidation_bonus": _set("eMode liquidation bonus", Unit.FRACTION, _EMODE),
        "emode.*.collateral": _set(
            "eMode collateral assets",
            Unit.TEXT,
            f"{_CONFIGURATOR}.setAssetCollateralInEMode",
        ),
        "emode.*.price_source": _set("eMode price source", Unit.ADDRESS, _EMODE),
        "close_factor": _set("default liquidation close factor", Unit.FRACTION, "Pool's code"),
        "full_close_below": _set(
            "health factor below which all may be liquidated", Unit.FRACTION, "Pool's code"
        ),
        "flash_loan_premium_total": _set(
            "flash loan premium", Unit.FRACTION, f"{_CONFIGURATOR}.updateFlashloanPremiumTotal"
        ),
        "flash_loan_premium_to_protocol": _set(
            "flash loan premium to the protocol",
            Unit.FRACTION,
            f"{_CONFIGURATOR}.updateFlashloanPremiumToProtocol",
        ),
        "bridge_protocol_fee": _set(
            "bridge protocol fee", Unit.FRACTION, f"{_CONFIGURATOR}.updateBridgeProtocolFee"
        ),
        "oracle": _set("price oracle", Unit.ADDRESS, f"{_PROVIDER}.setPriceOracle"),
        "fallback_oracle": _set("fallback oracle", Unit.ADDRESS, f"{_ORACLE}.setFallbackOracle"),
        "price_oracle_sentinel": _set(
            "price oracle sentinel", Unit.ADDRESS, f"{_PROVIDER}.setPriceOracleSentinel"
        ),
        "acl_manager": _set("ACL manager", Unit.ADDRESS, f"{_PROVIDER}.setACLManager"),
        "acl_admin": _set("ACL admin", Unit.ADDRESS, f"{_PROVIDER}.setACLAdmin"),
        "pool_configurator": _set(
            "pool configurator", Unit.ADDRESS, f"{_PROVIDER}.setPoolConfiguratorImpl"
        ),
        "pool_configurator.implementation": _set(
            "pool configurator implementation",
            Unit.ADDRESS,
            f"{_PROVIDER}.setPoolConfiguratorImpl",
        ),
        "pool.implementation": _set(
            "pool implementation", Unit.ADDRESS, f"{_PROVIDER}.setPoolImpl"
        ),
        "pool.revision": _set("pool revision", Unit.COUNT, f"{_PROVIDER}.setPoolImpl"),
    },
)


def name_parameters(market: Market) -> tuple[Parameter, ...]:
    """Name every parameter of an Aave V3 market, ordered by path."""
    v = VOCABULARY
    out = [
        v.parameter("close_factor", market.close_factor),
        v.parameter("full_close_below", market.full_close_below),
        *market.particulars,
    ]
    for e in market.emodes:
        prefix = f"emode.{e.category}"
        out += [
            v.parameter(f"{prefix}.label", e.label),
            v.parameter(f"{prefix}.ltv", e.ltv),
            v.parameter(f"{prefix}.liquidation_threshold", e.liquidation_threshold),
            v.parameter(f"{prefix}.liquidation_bonus", e.liquidation_bonus),
        ]
        if e.collateral is not None:  # membership is the category's own since core 3.2
            members = ", ".join(market.symbols[a] for a in e.collateral)
            out.append(v.parameter(f"{prefix}.collateral", members))
    for r in market.reserves:
        out += name_reserve(r)
    return tuple(sorted(out, key=lambda p: p.path))


def name_reserve(r: Reserve) -> list[Parameter]:
    """Name the parameters of one reserve."""
    v, p, symbol = VOCABULARY, r.parameters, r.asset.symbol
    values: dict[str, float | bool | str] = {
        "ltv": p.ltv,
        "liquidation_threshold": p.liquidation_threshold,
        "liquidation_bonus": p.liquidation_bonus,
        "liquidation_protocol_fee": p.protocol_fee,
        "reserve_factor": p.reserve_factor,
        "supply_cap": p.supply_cap,
        "borrow_cap": p.borrow_cap,
        "debt_ceiling": p.debt_ceiling,
        "active": p.active,
        "frozen": p.frozen,
        "paused": p.paused,
        "borrowing_enabled": p.borrowing_enabled,
        "flash_loan_enabled": p.flash_loan_enabled,
        "emode_category": float(p.emode_category),
        "siloed_borrowing": p.siloed,
        "borrowable_in_isolation": p.borrowable_in_isolation,
        "oracle.source": r.oracle.source,
        "oracle.floor": r.oracle.floor,
        "oracle.cap": r.oracle.cap,
    }
    named = [v.parameter(name, value, asset=symbol) for name, value in values.items()]
    return [*named, *v.rate_curve(r.rate_curve, asset=symbol)]
