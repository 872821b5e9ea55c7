"""Liquidation maps by hand."""

import numpy as np
import pytest

from evaluator.stress.ladder import ladders, liquidation_ladder


def book(build):
    eth, alt = build.reserve("ETH", 2000.0, 0.8), build.reserve("ALT", 10.0, 0.6)
    usdc = build.reserve("USDC", 1.0, 0.78)
    return build.market(
        [eth, usdc, alt],
        [{0: 1.0}, {2: 100.0}, {0: 1.0, 2: 100.0}],
        [{1: 1200.0}, {1: 500.0}, {1: 900.0}],
    )


def test_rungs_by_hand(build):
    got = liquidation_ladder(book(build), ("ETH",), np.array([0.0, 0.2, 0.26, 0.5, 0.7]))
    # 0.8 x 2000 x (1 - drop) < 1200 beyond a quarter.
    np.testing.assert_allclose(got.liquidatable_debt, [0.0, 0.0, 1200.0, 1200.0, 1200.0])
    np.testing.assert_array_equal(got.accounts, [0, 0, 1, 1, 1])
    np.testing.assert_allclose(got.bad_debt, [0.0, 0.0, 0.0, 200.0, 600.0])


def test_falling_together_is_worse_than_alone(build):
    together, eth, alt = ladders(book(build))
    assert together.assets == ("ETH", "ALT")
    assert (eth.assets, alt.assets) == (("ETH",), ("ALT",))
    assert np.all(
        together.liquidatable_debt >= np.maximum(eth.liquidatable_debt, alt.liquidatable_debt)
    )
    assert np.all(np.diff(together.liquidatable_debt) >= 0.0)


def test_an_unknown_symbol_is_refused(build):
    with pytest.raises(KeyError):
        liquidation_ladder(book(build), ("XYZ",))
