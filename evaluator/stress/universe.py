"""The assets that two readings of a market have between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import ConfigurationError
from evaluator.market import Asset, AssetClass, Market

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# The wrapped native token is the asset whose price is this near the native one.
_NATIVE_TOLERANCE = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class Universe:
    """The U columns of the price process, and where each market's reserves are among them."""

    assets: tuple[Asset, ...]  # U: the reserves of `before`, then those `after` has besides
    base: FloatArray  # shape (U,); USD, market price at the start
    before: IntArray  # shape (A,); column of every reserve of the first reading
    after: IntArray  # shape (A',); column of every reserve of the second reading
    native: int  # column of the wrapped native token, -1 if no reserve is it
    native_price: float  # USD per whole native token at the start
    gas_price: float  # wei at the start, as the first reading has it

    @classmethod
    def of(cls, before: Market, after: Market) -> Universe:
        """Join the reserves of two readings by symbol and token address.

        The market price at the start is what the oracle said before the
        proposal, and for a new asset what it says after; an oracle that
        reports something else after the proposal is off by the ratio.
        """
        assets: list[Asset] = []
        column: dict[tuple[str, str], int] = {}
        for market in (before, after):
            for reserve in market.reserves:
                key = (reserve.asset.symbol, reserve.asset.address)
                if key not in column:
                    if not reserve.asset.price > 0.0:
                        raise ConfigurationError(
                            f"the oracle gives {reserve.asset.symbol} the price "
                            f"{reserve.asset.price}; a battery needs a positive one"
                        )
                    column[key] = len(assets)
                    assets.append(reserve.asset)

        def columns(market: Market) -> IntArray:
            keys = [(r.asset.symbol, r.asset.address) for r in market.reserves]
            return np.array([column[k] for k in keys], dtype=np.int64)

        base = np.array([a.price for a in assets])
        return cls(
            assets=tuple(assets),
            base=base,
            before=columns(before),
            after=columns(after),
            native=_native(assets, before.native_price),
            native_price=before.native_price,
            gas_price=before.gas_price,
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the U assets in order."""
        return tuple(a.symbol for a in self.assets)


def _native(assets: list[Asset], price: float) -> int:
    best, distance = -1, _NATIVE_TOLERANCE
    for i, asset in enumerate(assets):
        away = abs(asset.price / price - 1.0) if price > 0.0 else 1.0
        if asset.asset_class is not AssetClass.STABLE and away < distance:
            best, distance = i, away
    return best
