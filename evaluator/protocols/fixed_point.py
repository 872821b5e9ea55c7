"""The integers of contracts, turned into floats here and nowhere else."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

WAD: Final = 10**18  # Compound's mantissa, Aave's health factor
RAY: Final = 10**27  # Aave's indices and rates
BASIS_POINTS: Final = 10**4  # Aave's ratios
UINT256_MAX: Final = 2**256 - 1


def whole_tokens(amount: int, decimals: int) -> float:
    """Turn base units into whole tokens."""
    # Division of integers rounds once; amount / 1e18 in floats would round twice.
    return float(amount / 10**decimals)


def base_units(amount: float, decimals: int) -> Decimal:
    """Turn whole tokens into base units, of the digits as people type them."""
    return Decimal(repr(amount)).scaleb(decimals)


def from_wad(value: int) -> float:
    """Turn a mantissa of 18 decimals into a float."""
    return value / WAD


def from_ray(value: int) -> float:
    """Turn a ray of 27 decimals into a float."""
    return value / RAY


def from_basis_points(value: int) -> float:
    """Turn basis points into a fraction."""
    return value / BASIS_POINTS


def cap(amount: float, *, none: bool) -> float:
    """Return a cap in whole tokens, infinite when there is `none`."""
    return math.inf if none else amount
