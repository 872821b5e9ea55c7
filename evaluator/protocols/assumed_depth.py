"""Depth to assume where no pool was measured, by class of asset."""

from __future__ import annotations

from evaluator.market import Asset, AssetClass, LiquidityCurve

# USD that can be sold before the price is two percent lower, in the order of
# magnitude that aggregators quoted on Ethereum in 2023 and 2024; rounded down.
TWO_PERCENT_DEPTH = {
    AssetClass.ETH: 50e6,
    AssetClass.BTC: 30e6,
    AssetClass.STABLE: 50e6,
    AssetClass.LST: 20e6,
    AssetClass.LARGE_ALT: 2e6,
    AssetClass.SMALL_ALT: 0.3e6,
}
# w - 1 at a price two percent lower, w = 1 / sqrt(p / p0).
_RISE = 0.98**-0.5 - 1.0


def assumed_depth(asset: Asset) -> LiquidityCurve:
    """Return a constant-product curve of the depth assumed for an asset's class."""
    depth = TWO_PERCENT_DEPTH[asset.asset_class]
    # proceeds q p0 / w at q = rise * reserve equal the depth in USD
    reserve = depth * (1.0 + _RISE) / (_RISE * max(asset.price, 1e-12))
    return LiquidityCurve.constant_product(
        reserve,
        source=f"assumed: {depth:,.0f} USD to two percent, as a {asset.asset_class} asset",
    )
