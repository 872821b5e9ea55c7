"""Positions of the Uniswap V3 pools, before they are minted."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.chain.embedded.pools import Range, position, sqrt_price_x96


@given(
    price0=st.floats(1e-3, 1e5),
    price1=st.floats(1e-3, 1e5),
    decimals0=st.sampled_from([6, 8, 18]),
    decimals1=st.sampled_from([6, 8, 18]),
)
def test_square_root_price_is_the_price(price0, price1, decimals0, decimals1):
    root = sqrt_price_x96(price0, price1, decimals0, decimals1) / 2**96
    expected = math.sqrt(price0 / price1 * 10.0 ** (decimals1 - decimals0))
    assert root == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("width", [0.003, 0.25, math.inf])
@pytest.mark.parametrize("spacing", [1, 10, 60])
def test_a_position_has_its_depth(width, spacing):
    root = sqrt_price_x96(3_350.0, 1.0, 18, 6)
    p = position(
        Range(depth=1e8, width=width),
        root=root,
        spacing=spacing,
        price0=3_350.0,
        price1=1.0,
        decimals0=18,
        decimals1=6,
    )
    assert p.tick_lower % spacing == 0
    assert p.tick_upper % spacing == 0
    # Liquidity over the square-root price is the virtual reserve of token1.
    s = root / 2**96
    liquidity = p.amount1 / (s - 1.0001 ** (p.tick_lower / 2))
    assert liquidity * s / 1e6 == pytest.approx(1e8, rel=1e-3)
    other = p.amount0 / (1 / s - 1.0001 ** (-p.tick_upper / 2))
    assert other == pytest.approx(liquidity, rel=1e-3)


def test_a_narrow_position_needs_a_fraction_of_the_tokens():
    root = sqrt_price_x96(1.0, 1.0, 6, 6)
    narrow, wide = (
        position(
            Range(depth=1e9, width=width),
            root=root,
            spacing=1,
            price0=1.0,
            price1=1.0,
            decimals0=6,
            decimals1=6,
        )
        for width in (0.003, math.inf)
    )
    assert narrow.amount0 < 0.002 * wide.amount0
