"""Calibration on real prices; skipped where the data is not there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from evaluator.market import Asset, AssetClass
from evaluator.stress.calibration.market import estimate_market
from evaluator.stress.calibration.price_files import read_prices
from evaluator.stress.calibration.prices import grid_levels
from evaluator.stress.scenarios import find_scenario

PRICES = Path(__file__).parents[3].parent / "shared/data/prices/binance_perp_1h_2020_2024"

pytestmark = pytest.mark.skipif(not PRICES.is_dir(), reason="the outside price data is not here")

ASSETS = tuple(
    Asset(symbol=s, address=s, decimals=18, price=1.0, asset_class=c)
    for s, c in (("ETH", AssetClass.ETH), ("BTC", AssetClass.BTC), ("LINK", AssetClass.LARGE_ALT))
)


@pytest.fixture(scope="module")
def histories():
    return [read_prices(PRICES / f"{a.symbol}USDT.csv.gz", symbol=a.symbol)[0] for a in ASSETS]


def test_two_years_of_hours_give_a_plausible_law(histories):
    estimate = estimate_market(ASSETS, histories, step=3600.0)
    assert estimate.measured == (0, 1, 2)
    assert 0.9 < np.sqrt(estimate.factors[0].long_run) < 1.2
    assert estimate.correlation[0, 1] > 0.7
    assert 10.0 < estimate.jumps.common_intensity[0] < 60.0
    assert np.all(estimate.jumps.common_mean[0] < 0.0)
    for factor in estimate.factors:
        assert factor.tail is not None
        assert 2.0 < factor.tail.index < 4.0
        assert factor.variance is not None
        assert factor.variance.kind == "GARCH(1,1)"


def test_black_thursday_follows_the_prices_of_that_day(histories):
    start = int(datetime(2020, 3, 12, tzinfo=UTC).timestamp())
    overlay = find_scenario("black_thursday").overlay(ASSETS, step=3600.0, steps=48)
    for a, history in enumerate(histories):
        levels = grid_levels(history, step=3600.0)
        at = start // 3600 - int(levels.slot[0])
        real = np.exp(levels.log_price[at : at + 49] - levels.log_price[at])
        assert np.abs(overlay[:, a] - real).mean() < 0.04
