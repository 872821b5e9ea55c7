"""What a draft sets: a parameter, its new value, and the call that makes it so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from eth_utils.address import (
    is_address,
    is_checksum_address,
    is_checksum_formatted_address,
    to_checksum_address,
)

from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError
from evaluator.market import Market, Parameter, Unit
from evaluator.protocols.fixed_point import BASIS_POINTS, base_units

Value = float | bool | str
_ENDLESS = (Unit.TOKENS, Unit.USD)  # units of caps, of which there may be none


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A parameter with the value it is to have."""

    parameter: Parameter  # as it reads today
    value: Value  # new value, in the parameter's unit


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingCall:
    """One call that sets one or more parameters, or prepares a call that does."""

    target: str  # contract
    calldata: bytes  # with its selector
    sets: tuple[Setting, ...]  # what it sets
    creates: str = ""  # what contract it creates and what for, in words; "" for none


@runtime_checkable
class ParameterSetter(Protocol):
    """What a protocol adapter has besides if its parameters can be drafted."""

    def can_be_set(self, market: Market, parameter: Parameter) -> bool:
        """Tell whether `setting_calls` knows the call that sets a parameter."""
        ...

    def setting_calls(
        self, sandbox: Sandbox, market: Market, settings: Sequence[Setting]
    ) -> tuple[SettingCall, ...]:
        """Return the calls that set `settings` in order, those that belong together as one.

        Raises ConfigurationError for a parameter that no call sets and for a value that
        the protocol cannot hold, IncompleteState.
        """
        ...

    def refusal(self, reason: str) -> str:
        """Put a revert reason into the protocol's own words; one that is not its own as it is."""
        ...

    def failure(self, market: Market, receipt: Receipt) -> str:
        """Say what a transaction that did not revert reports as failed, "" if nothing."""
        ...


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
    if parameter.unit is Unit.ADDRESS:
        return _address(parameter, text.strip())
    if parameter.unit is Unit.TEXT:
        return text.strip()
    if parameter.unit in _ENDLESS and given in ("none", "inf", "no limit", "unlimited"):
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
    if not math.isfinite(number) or number < 0.0 or (fraction and number > 10.0):
        expected = "a fraction such as 0.8, or 80%" if fraction else f"a number ({parameter.unit})"
        more = ", or none for no limit" if parameter.unit in _ENDLESS else ""
        raise ConfigurationError(f"{parameter.path} is {text!r}; it takes {expected}{more}")
    # 80% must be the same number as 0.8.
    return round(number, 12) if fraction else number


def _address(parameter: Parameter, text: str) -> str:
    if not is_address(text):
        raise ConfigurationError(
            f"{parameter.path} is {text!r}; it takes an address, 0x and 40 hexadecimal digits"
        )
    if is_checksum_formatted_address(text) and not is_checksum_address(text):
        raise ConfigurationError(
            f"{parameter.path} is {text!r}, whose capitals do not match its checksum: a digit "
            "was probably mistyped"
        )
    return to_checksum_address(text)


def refuse(setting: Setting, why: str = "", remedy: str = "") -> ConfigurationError:
    """Say that a parameter cannot be drafted, why, and what to do instead."""
    where = setting.parameter.settable_by
    because = why or (f"it is set by {where}" if where else "no call is known that sets it")
    todo = remedy or "write the call into a proposal file"
    return ConfigurationError(f"{setting.parameter.path} cannot be drafted: {because}; {todo}")


def basis_points(setting: Setting) -> int:
    """Return a fraction in basis points. Raises ConfigurationError for a part of one."""
    exact = float(setting.value) * BASIS_POINTS
    if abs(exact - round(exact)) > 1e-6:
        raise ConfigurationError(
            f"{setting.parameter.path} is {exact / 100:g}%; the protocol keeps whole basis "
            f"points: take {math.floor(exact) / 100:g}% or {math.ceil(exact) / 100:g}%"
        )
    return round(exact)


def endless(setting: Setting, *, decimals: int) -> int:
    """Return a cap in the protocol's units of so many decimals, 0 for none.

    Raises ConfigurationError for an amount it cannot hold, and for 0, which the
    protocols take for no cap at all.
    """
    value = float(setting.value)
    if math.isinf(value):
        return 0
    units = base_units(value, decimals)
    if units == 0:
        raise ConfigurationError(
            f"{setting.parameter.path} is 0, which the protocol takes for no limit: write none "
            "for no limit, or a larger amount"
        )
    if units != int(units):
        raise ConfigurationError(
            f"{setting.parameter.path} is {value:g}, of which the protocol keeps only "
            f"{'whole ones' if decimals == 0 else f'{decimals} decimals'}"
        )
    return int(units)
