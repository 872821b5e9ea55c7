"""Which prices move freely and which follow another.

A pegged asset (wstETH, USDC) is never a coin of its own: its price is the price
of its anchor times a ratio that reverts to its present value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import ConfigurationError
from evaluator.market import Asset, AssetClass

DOLLAR = "USD"
_DOLLAR_NODE = -1

# Anchors that stand for a class: an asset of the class may play their part.
_CLASS_OF_ANCHOR = {"ETH": AssetClass.ETH, "BTC": AssetClass.BTC}
_DEFAULT_ANCHOR = {AssetClass.STABLE: DOLLAR, AssetClass.LST: "ETH"}
_CURRENCIES = frozenset({"EUR", "GBP", "CHF", "JPY", "AUD", "CAD", "SGD", "BRL", "MXN", "TRY"})


@dataclass(frozen=True, kw_only=True, eq=False)
class AssetTree:
    """Free factors, pegged assets and their anchors.

    Nodes are the F free factors followed by the K pegged assets, every anchor
    before what follows it.
    """

    symbols: tuple[str, ...]  # A, the assets in the caller's order
    free: tuple[str, ...]  # F symbols of free factors, hidden anchors last
    free_classes: tuple[AssetClass | None, ...]  # F classes; None for a foreign currency
    pegged: tuple[str, ...]  # K symbols of pegged assets, anchors first
    pegged_classes: tuple[AssetClass, ...]  # K classes
    anchor: NDArray[np.int64]  # shape (K,); node a pegged asset follows, -1 for the dollar
    output: NDArray[np.int64]  # shape (A,); node of each asset

    @property
    def nodes(self) -> tuple[str, ...]:
        """Symbols of all F + K nodes."""
        return self.free + self.pegged

    def anchor_symbol(self, k: int) -> str:
        """Return the symbol that pegged asset k follows."""
        node = int(self.anchor[k])
        return DOLLAR if node == _DOLLAR_NODE else self.nodes[node]


def free_tree(symbols: Sequence[str]) -> AssetTree:
    """Return a tree in which every symbol moves freely."""
    return AssetTree(
        symbols=tuple(symbols),
        free=tuple(symbols),
        free_classes=tuple(AssetClass.LARGE_ALT for _ in symbols),
        pegged=(),
        pegged_classes=(),
        anchor=np.zeros(0, dtype=np.int64),
        output=np.arange(len(symbols), dtype=np.int64),
    )


def asset_tree(assets: Sequence[Asset]) -> AssetTree:
    """Sort assets into free factors and pegged assets.

    A stablecoin without a declared peg follows the dollar, a liquid staking
    token follows ETH. An anchor outside the market becomes a hidden factor, so
    that two staking tokens move together even where ETH itself is not listed.
    Assets that share a symbol are told apart by their addresses. Raises
    ConfigurationError for no assets or pegs in a circle.
    """
    if not assets:
        raise ConfigurationError("a price process needs at least one asset, none was given")
    assets = _distinct(assets)
    symbols = tuple(a.symbol for a in assets)
    wanted = {a.symbol: a.pegged_to or _DEFAULT_ANCHOR.get(a.asset_class) for a in assets}
    found = {a.symbol: _anchor_among(a, wanted[a.symbol], assets) for a in assets}
    free = [a.symbol for a in assets if found[a.symbol] is None]
    classes: dict[str, AssetClass | None] = {a.symbol: a.asset_class for a in assets}
    for a in assets:
        hidden = found[a.symbol]
        if hidden is not None and hidden != DOLLAR and hidden not in classes:
            free.append(hidden)
            own = None if hidden in _CURRENCIES else a.asset_class
            classes[hidden] = _CLASS_OF_ANCHOR.get(hidden, own)
    pegged = _anchors_first([a.symbol for a in assets if found[a.symbol] is not None], found, free)
    nodes = [*free, *pegged]
    return AssetTree(
        symbols=symbols,
        free=tuple(free),
        free_classes=tuple(classes[s] for s in free),
        pegged=tuple(pegged),
        pegged_classes=tuple(c for c in (classes[s] for s in pegged) if c is not None),
        anchor=np.array(
            [_DOLLAR_NODE if found[s] == DOLLAR else nodes.index(str(found[s])) for s in pegged],
            dtype=np.int64,
        ),
        output=np.array([nodes.index(s) for s in symbols], dtype=np.int64),
    )


def _distinct(assets: Sequence[Asset]) -> list[Asset]:
    """Add the address to a symbol that was used before."""
    seen: set[str] = set()
    distinct = []
    for a in assets:
        symbol = a.symbol if a.symbol not in seen else f"{a.symbol} {a.address}"
        if symbol in seen:
            raise ConfigurationError(f"{symbol} is listed twice; give each asset once")
        seen.add(symbol)
        distinct.append(replace(a, symbol=symbol))
    return distinct


def _anchor_among(asset: Asset, wanted: str | None, assets: Sequence[Asset]) -> str | None:
    """Return the symbol that plays the anchor `wanted`: an asset of the market or a hidden one."""
    if wanted is None or wanted == DOLLAR:
        return wanted
    others = {a.symbol: a for a in assets if a.symbol != asset.symbol}
    plain = wanted.removeprefix("W")
    for name in (wanted, f"W{wanted}", plain):
        if name in others:
            return name
    wanted_class = _CLASS_OF_ANCHOR.get(plain)
    if wanted_class is not None:
        for a in others.values():
            if a.asset_class is wanted_class and a.pegged_to is None:
                return a.symbol
        # WETH pegged to ETH in a market without ETH is the anchor itself.
        return None if asset.symbol in (plain, f"W{plain}") and _is_native(asset) else plain
    default = _DEFAULT_ANCHOR.get(asset.asset_class)
    if default is None or wanted in _CURRENCIES:
        return wanted
    # wstETH follows stETH, which the market does not list: what stETH follows will do.
    return _anchor_among(asset, default, assets)


def _is_native(asset: Asset) -> bool:
    return asset.asset_class is AssetClass.ETH


def _anchors_first(
    pegged: Sequence[str], anchors: dict[str, str | None], free: Sequence[str]
) -> list[str]:
    ordered: list[str] = []
    waiting = list(pegged)
    while waiting:
        ready = [s for s in waiting if anchors[s] == DOLLAR or anchors[s] in (*free, *ordered)]
        if not ready:
            circle = ", ".join(f"{s} follows {anchors[s]}" for s in waiting)
            raise ConfigurationError(f"pegs go in a circle ({circle}); peg one of them to USD")
        ordered += ready
        waiting = [s for s in waiting if s not in ready]
    return ordered
