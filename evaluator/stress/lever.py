"""Risk parameters as levers: read by their path, set to another value.

Paths are those of `Parameter.path` ("aave_v3.WETH.liquidation_threshold"), for
every numeric parameter the battery models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from evaluator.errors import ConfigurationError
from evaluator.market import (
    EMode,
    Family,
    Market,
    OracleSpec,
    RateCurve,
    Reserve,
    RiskParameters,
)

T = TypeVar("T", Market, EMode, RiskParameters, RateCurve, OracleSpec)

# Aave stores ratios in whole basis points.
BASIS_POINT = 1e-4

# Name of a reserve's parameter in its path, and the field of RiskParameters it is.
_FIELDS = {
    "ltv": "ltv",
    "liquidation_threshold": "liquidation_threshold",
    "liquidation_bonus": "liquidation_bonus",
    "liquidation_protocol_fee": "protocol_fee",
    "seize_share": "protocol_fee",
    "reserve_factor": "reserve_factor",
    "supply_cap": "supply_cap",
    "borrow_cap": "borrow_cap",
    "debt_ceiling": "debt_ceiling",
}
_RATES = ("base", "slope1", "slope2", "optimal")
_BOUNDS = ("floor", "cap")
_CATEGORY = ("ltv", "liquidation_threshold", "liquidation_bonus")


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One numeric parameter of a market that can be set."""

    path: str  # as Parameter.path
    name: str  # last part or parts of the path, "rate_curve.slope2"
    value: float  # as the market has it
    grain: float  # smallest step the protocol stores, 0 for none that matters
    apply: Callable[[Market, float], Market]  # returns the market with another value

    def rounded(self, value: float) -> float:
        """Return `value` on the protocol's own grain."""
        if not self.grain or not math.isfinite(value):
            return value
        return round(round(value / self.grain) * self.grain, 12)


def _with(value: T, field: str, x: float) -> T:
    changes: dict[str, Any] = {field: x}
    return replace(value, **changes)


def find_lever(market: Market, path: str) -> Lever:
    """Return the lever of a path. ConfigurationError when the battery has none."""
    prefix = f"{market.protocol}."
    rest = path.removeprefix(prefix)
    if path.startswith(prefix):
        for found in (_of_market(market, path, rest), _of_emode(market, path, rest)):
            if found is not None:
                return found
        # Symbols may hold dots: the longest that fits is meant.
        for symbol in sorted(market.symbols, key=len, reverse=True):
            if rest.startswith(f"{symbol}."):
                return _of_reserve(market, path, symbol, rest.removeprefix(f"{symbol}."))
    raise ConfigurationError(
        f"the battery has no parameter {path!r}; expected {prefix}<asset>.<name> with an asset of "
        f"{', '.join(market.symbols)} and a name such as liquidation_threshold or borrow_cap"
    )


def _of_market(market: Market, path: str, name: str) -> Lever | None:
    if name in ("close_factor", "full_close_below"):
        return Lever(
            path=path,
            name=name,
            value=float(getattr(market, name)),
            grain=BASIS_POINT,
            apply=lambda m, x: _with(m, name, x),
        )
    if name == "liquidation_incentive" and market.family is Family.COMPOUND_V2:
        return Lever(
            path=path,
            name=name,
            value=1.0 + market.reserves[0].parameters.liquidation_bonus,
            grain=BASIS_POINT,
            apply=_set_incentive,
        )
    return None


def _set_incentive(market: Market, value: float) -> Market:
    reserves = tuple(
        replace(r, parameters=replace(r.parameters, liquidation_bonus=value - 1.0))
        for r in market.reserves
    )
    return replace(market, reserves=reserves)


def _of_emode(market: Market, path: str, rest: str) -> Lever | None:
    for category in market.emodes:
        for name in _CATEGORY:
            if rest == f"emode.{category.category}.{name}":

                def apply(m: Market, x: float, mine: EMode = category, field: str = name) -> Market:
                    changed = tuple(
                        _with(e, field, x) if e.category == mine.category else e for e in m.emodes
                    )
                    return replace(m, emodes=changed)

                return Lever(
                    path=path,
                    name=name,
                    value=float(getattr(category, name)),
                    grain=BASIS_POINT,
                    apply=apply,
                )
    return None


def _of_reserve(market: Market, path: str, symbol: str, name: str) -> Lever:
    reserve = market.reserves[market.index(symbol)]
    ratio = name not in ("supply_cap", "borrow_cap", "debt_ceiling") and "oracle" not in name

    def lever(value: float, change: Callable[[Reserve, float], Reserve]) -> Lever:
        def apply(m: Market, x: float) -> Market:
            i = m.index(symbol)
            changed = change(m.reserves[i], x)
            return replace(m, reserves=(*m.reserves[:i], changed, *m.reserves[i + 1 :]))

        grain = BASIS_POINT if ratio else 0.0
        return Lever(path=path, name=name, value=value, grain=grain, apply=apply)

    if name == "collateral_factor":
        return lever(reserve.parameters.liquidation_threshold, _set_collateral_factor)
    if name == "liquidation_threshold":
        return lever(reserve.parameters.liquidation_threshold, _set_threshold)
    if name in _FIELDS:
        field = _FIELDS[name]
        return lever(
            float(getattr(reserve.parameters, field)),
            lambda r, x: replace(r, parameters=_with(r.parameters, field, x)),
        )
    group, _, part = name.partition(".")
    if group == "rate_curve" and part in _RATES:
        return lever(
            float(getattr(reserve.rate_curve, part)),
            lambda r, x: replace(r, rate_curve=_with(r.rate_curve, part, x)),
        )
    if group == "oracle" and part in _BOUNDS:
        return lever(
            float(getattr(reserve.oracle, part)),
            lambda r, x: replace(r, oracle=_with(r.oracle, part, x)),
        )
    raise ConfigurationError(
        f"the battery does not model {path!r} as a number; it knows "
        + ", ".join([*_FIELDS, "collateral_factor", "rate_curve.slope2", "oracle.cap"])
    )


def _set_threshold(reserve: Reserve, value: float) -> Reserve:
    """Set the threshold; an LTV above it comes down with it, as the protocol demands."""
    p = reserve.parameters
    return replace(
        reserve, parameters=replace(p, liquidation_threshold=value, ltv=min(p.ltv, value))
    )


def _set_collateral_factor(reserve: Reserve, value: float) -> Reserve:
    p = replace(reserve.parameters, liquidation_threshold=value, ltv=value)
    return replace(reserve, parameters=p)
