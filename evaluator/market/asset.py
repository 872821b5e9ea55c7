"""Assets and the classes that priors and scenarios speak of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AssetClass(StrEnum):
    """What kind of price an asset has; scenarios and fallback priors are keyed by it."""

    ETH = "eth"
    BTC = "btc"
    STABLE = "stable"
    LST = "lst"
    LARGE_ALT = "large_alt"
    SMALL_ALT = "small_alt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """One token of a market."""

    symbol: str  # as the token says it, bounded and printable
    address: str  # checksummed address of the underlying token
    decimals: int  # base units per whole token, as a power of ten
    price: float  # the protocol's own oracle price, USD per whole token
    asset_class: AssetClass  # keys priors and scenarios
    pegged_to: str | None = None  # symbol of the asset its price follows, "USD", or None
