"""Which assets move freely and which follow another."""

from __future__ import annotations

import numpy as np
import pytest

from evaluator.errors import ConfigurationError
from evaluator.market import Asset, AssetClass
from evaluator.stress.price_process import default_process
from evaluator.stress.processes.anchors import asset_tree


def asset(symbol, asset_class, pegged_to=None, address="0x0"):
    return Asset(
        symbol=symbol,
        address=address,
        decimals=18,
        price=1.0,
        asset_class=asset_class,
        pegged_to=pegged_to,
    )


WETH = asset("WETH", AssetClass.ETH)


def test_a_staked_coin_follows_the_wrapped_coin_of_the_market():
    tree = asset_tree([asset("wstETH", AssetClass.LST, "ETH"), WETH])
    assert tree.free == ("WETH",)
    assert tree.pegged == ("wstETH",)
    assert tree.anchor_symbol(0) == "WETH"
    assert list(tree.output) == [1, 0]


def test_a_chain_of_pegs_is_followed_anchors_first():
    tree = asset_tree(
        [asset("wstETH", AssetClass.LST, "stETH"), asset("stETH", AssetClass.LST, "ETH"), WETH]
    )
    assert tree.pegged == ("stETH", "wstETH")
    assert [tree.anchor_symbol(k) for k in range(2)] == ["WETH", "stETH"]


def test_an_unlisted_link_of_the_chain_is_skipped():
    tree = asset_tree([asset("wstETH", AssetClass.LST, "stETH"), WETH])
    assert tree.anchor_symbol(0) == "WETH"


def test_two_staked_coins_without_eth_share_a_hidden_anchor():
    tree = asset_tree([asset("wstETH", AssetClass.LST), asset("rETH", AssetClass.LST, "WETH")])
    assert tree.free == ("ETH",)
    assert tree.free_classes == (AssetClass.ETH,)
    paths = default_process(
        [asset("wstETH", AssetClass.LST), asset("rETH", AssetClass.LST, "WETH")], [], step=3600.0
    ).paths(seed=0, first=0, count=200, steps=168)
    last = np.log(paths[:, -1])
    assert np.corrcoef(last.T)[0, 1] > 0.9


def test_a_stable_coin_follows_the_dollar_and_a_foreign_one_its_currency():
    tree = asset_tree(
        [asset("USDC", AssetClass.STABLE), asset("EURC", AssetClass.STABLE, "EUR"), WETH]
    )
    assert [tree.anchor_symbol(k) for k in range(2)] == ["USD", "EUR"]
    assert tree.free_classes[tree.free.index("EUR")] is None


def test_a_wrapped_bitcoin_follows_bitcoin_but_wrapped_ether_is_ether():
    tree = asset_tree([asset("WBTC", AssetClass.BTC, "BTC"), asset("WETH", AssetClass.ETH, "ETH")])
    assert tree.free == ("WETH", "BTC")
    assert tree.pegged == ("WBTC",)


def test_assets_that_share_a_symbol_are_told_apart():
    tree = asset_tree(
        [asset("X", AssetClass.SMALL_ALT, None, "0x1"), asset("X", AssetClass.ETH, None, "0x2")]
    )
    assert tree.free == ("X", "X 0x2")


def test_pegs_in_a_circle_are_refused():
    with pytest.raises(ConfigurationError, match="circle"):
        asset_tree([asset("A", AssetClass.SMALL_ALT, "B"), asset("B", AssetClass.SMALL_ALT, "A")])


def test_no_assets_are_refused():
    with pytest.raises(ConfigurationError, match="at least one"):
        asset_tree([])
