"""The published vectors of SmartLTV."""

from __future__ import annotations

import pytest

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.smart_ltv import smart_ltv


def test_the_published_vectors():
    first = smart_ltv(liquidity=1e6, debt_cap=2e5, volatility=0.10, confidence=3.0, bonus=0.05)
    assert first == pytest.approx(0.82444657, abs=5e-9)
    last = smart_ltv(liquidity=1e7, debt_cap=1e7, volatility=9.99, confidence=4.9, bonus=0.19)
    assert last == 0.0


def test_more_liquidity_allows_more_and_more_volatility_less():
    base = {"liquidity": 1e6, "debt_cap": 1e6, "volatility": 0.2, "confidence": 2.0, "bonus": 0.05}
    assert smart_ltv(**{**base, "liquidity": 4e6}) > smart_ltv(**base)
    assert smart_ltv(**{**base, "volatility": 0.3}) < smart_ltv(**base)


@pytest.mark.parametrize("name", ["liquidity", "debt_cap"])
def test_nothing_to_divide_by_is_refused(name):
    arguments = {"liquidity": 1.0, "debt_cap": 1.0, "volatility": 1.0, "confidence": 1.0}
    with pytest.raises(ConfigurationError):
        smart_ltv(**{**arguments, "bonus": 0.0, name: 0.0})
