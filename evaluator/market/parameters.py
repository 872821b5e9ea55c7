"""Risk parameters, how they are named, and how two readings differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskParameters:
    """What governance sets for one asset. Ratios are fractions, caps whole tokens.

    In the Compound family `ltv` and `liquidation_threshold` are both the
    collateral factor and `liquidation_bonus` is the incentive net of 1.
    """

    ltv: float  # most that may be borrowed per value of collateral
    liquidation_threshold: float  # weight of the collateral in the health factor
    liquidation_bonus: float  # net, 0.05 for 5%
    protocol_fee: float  # share of the bonus (Aave) or of the seized collateral (Compound) kept
    reserve_factor: float  # share of interest kept
    supply_cap: float  # whole tokens, inf for none
    borrow_cap: float  # whole tokens, inf for none
    debt_ceiling: float  # USD of isolated debt, inf for none
    active: bool  # False: nothing works
    frozen: bool  # True: no new supply, no new borrow
    paused: bool  # True: nothing works, liquidation neither
    borrowing_enabled: bool  # may be borrowed
    emode_category: int = 0  # eMode category of the asset, 0 for none
    siloed: bool = False  # borrowed alone or not at all
    borrowable_in_isolation: bool = False  # may be borrowed against isolated collateral
    flash_loan_enabled: bool = False  # may be flash borrowed


class Unit(StrEnum):
    """Unit of a parameter's value, which decides how it is shown."""

    FRACTION = "fraction"
    PER_YEAR = "per_year"
    TOKENS = "tokens"
    USD = "usd"
    SECONDS = "seconds"
    COUNT = "count"
    FLAG = "flag"
    ADDRESS = "address"
    TEXT = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One named parameter of a protocol with its value."""

    path: str  # "aave_v3.WETH.liquidation_threshold", unique in a market
    protocol: str  # "aave_v3"
    asset: str  # symbol, or "" for a parameter of the whole market
    name: str  # last part of the path
    label: str  # in the protocol's own words, "liquidation threshold"
    value: float | bool | str  # fractions, whole tokens, USD, seconds, address or text
    unit: Unit  # unit of `value`
    settable_by: str = ""  # contract and function that sets it, "" if unknown


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterChange:
    """One measured difference between two readings of a protocol."""

    path: str  # see Parameter.path
    protocol: str  # see Parameter.protocol
    asset: str  # see Parameter.asset
    name: str  # see Parameter.name
    label: str  # see Parameter.label
    unit: Unit  # unit of both values
    before: float | bool | str | None  # None: did not exist
    after: float | bool | str | None  # None: does not exist any more


def parameter_changes(
    before: Iterable[Parameter], after: Iterable[Parameter]
) -> tuple[ParameterChange, ...]:
    """Return every parameter whose value differs, ordered by path."""
    old = {p.path: p for p in before}
    new = {p.path: p for p in after}
    changes = []
    for path in sorted(old.keys() | new.keys()):
        a, b = old.get(path), new.get(path)
        known = b if b is not None else a
        assert known is not None  # path comes from one of the two
        va = None if a is None else a.value
        vb = None if b is None else b.value
        if va != vb:
            changes.append(
                ParameterChange(
                    path=path,
                    protocol=known.protocol,
                    asset=known.asset,
                    name=known.name,
                    label=known.label,
                    unit=known.unit,
                    before=va,
                    after=vb,
                )
            )
    return tuple(changes)
