"""The depth curve against the constant-product formula, and its own algebra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.market import LiquidityCurve
from evaluator.market.liquidity import DRY


@st.composite
def curves(draw):
    def steps(n):
        return [draw(st.floats(min_value=0.01, max_value=100.0)) for _ in range(n)]

    bought, sold = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    low = np.cumsum(steps(bought))[::-1]
    high = np.cumsum(steps(sold))
    fall = np.cumsum(steps(bought))[::-1]
    fall = fall / (fall[0] * draw(st.floats(min_value=1.06, max_value=5.0)))
    rise = np.cumsum(steps(sold)) * 0.1
    return LiquidityCurve(
        quantity=np.concatenate([-low, [0.0], high]),
        inverse_root=np.concatenate([1.0 - fall, [1.0], 1.0 + rise]),
        measured=True,
        source="drawn",
    )


quantities = st.floats(min_value=-500.0, max_value=500.0)


@given(reserve=st.floats(1.0, 1e6), share=st.floats(-0.9, 5.0))
def test_constant_product_is_exact(reserve, share):
    curve = LiquidityCurve.constant_product(reserve)
    sold = share * reserve
    # x y = k with x the asset and y its value: y - k / (x + dx), y = x at price 1.
    expected = reserve - reserve * reserve / (reserve + sold)
    assert curve.proceeds(0.0, sold) == pytest.approx(expected, rel=1e-9, abs=1e-9 * reserve)
    assert curve.price_factor(sold) == pytest.approx((reserve / (reserve + sold)) ** 2)


@given(curve=curves(), a=quantities, b=quantities, c=quantities)
def test_proceeds_add_up_and_pay_back(curve, a, b, c):
    whole = curve.proceeds(a, c)
    scale = max(abs(curve.proceeds(a, b)), abs(curve.proceeds(b, c)), 1.0)
    parts = curve.proceeds(a, b) + curve.proceeds(b, c)
    assert whole == pytest.approx(parts, rel=1e-9, abs=1e-9 * scale)
    assert curve.proceeds(a, b) == -curve.proceeds(b, a)


@given(curve=curves(), a=quantities, b=quantities)
def test_the_average_price_lies_between_the_marginal_ones(curve, a, b):
    a, b = min(a, b), max(a, b)
    if b - a > 1e-6:
        average = curve.proceeds(a, b) / (b - a)
        assert curve.price_factor(b) * (1 - 1e-6) <= average
        assert average <= curve.price_factor(a) * (1 + 1e-6)


@given(curve=curves())
def test_no_more_can_be_bought_than_there_is(curve):
    q = curve.dry_quantity
    assert curve.w(q) == pytest.approx(DRY)
    assert curve.w(q - 1.0) == DRY
    assert curve.price_factor(q - 1.0) == pytest.approx(400.0)


@pytest.mark.parametrize(
    ("quantity", "inverse_root"),
    [
        ([0.0], [1.0]),
        ([-1.0, 0.0, 1.0], [0.5, 1.0]),
        ([-1.0, 1.0], [0.5, 1.5]),
        ([0.0, 1.0, 1.0], [1.0, 1.1, 1.2]),
        ([0.0, 1.0, 2.0], [1.0, 1.1, 1.1]),
        ([-1.0, 0.0], [0.0, 1.0]),
    ],
)
def test_malformed_knots_are_refused(quantity, inverse_root):
    with pytest.raises(ValueError):
        LiquidityCurve(
            quantity=np.array(quantity),
            inverse_root=np.array(inverse_root),
            measured=False,
            source="",
        )
