"""The kinked rate curve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.market import RateCurve

rates = st.floats(0.0, 3.0)
curves = st.builds(RateCurve, base=rates, slope1=rates, slope2=rates, optimal=st.floats(0.01, 0.99))
share = st.floats(0.0, 1.0)


@given(curve=curves)
def test_the_named_points_lie_on_the_curve(curve):
    assert curve.borrow_rate(0.0) == curve.base
    assert curve.borrow_rate(curve.optimal) == pytest.approx(curve.base + curve.slope1)
    assert curve.borrow_rate(1.0) == pytest.approx(curve.base + curve.slope1 + curve.slope2)


@given(curve=curves, a=share, b=share)
def test_it_never_falls_and_is_bounded(curve, a, b):
    low, high = curve.borrow_rate(min(a, b)), curve.borrow_rate(max(a, b))
    assert low <= high * (1 + 1e-12)
    assert curve.borrow_rate(-1.0) == curve.borrow_rate(0.0)
    assert curve.borrow_rate(2.0) == curve.borrow_rate(1.0)


@pytest.mark.parametrize("optimal", [0.0, 1.0])
def test_a_kink_at_either_end_divides_by_nothing(optimal):
    curve = RateCurve(base=0.01, slope1=0.04, slope2=0.5, optimal=optimal)
    assert curve.borrow_rate(1.0) == pytest.approx(0.05 if optimal == 1.0 else 0.55)
