"""The seeded price history, before it is loaded into the feeds."""

from __future__ import annotations

import numpy as np
import pytest

from evaluator.chain.embedded.assets import TOKENS, token
from evaluator.chain.embedded.feeds import HISTORY_HOURS, hourly_prices, rounds

HEAD = 1_735_687_800


@pytest.fixture(scope="module")
def prices():
    return hourly_prices(seed=0)


def returns(path):
    return np.diff(np.log(path))


def test_the_same_seed_gives_the_same_prices_and_another_one_others(prices):
    again, other = hourly_prices(seed=0), hourly_prices(seed=1)
    assert all(np.array_equal(prices[t.symbol], again[t.symbol]) for t in TOKENS)
    assert not any(np.array_equal(prices[t.symbol], other[t.symbol]) for t in TOKENS)


def test_history_is_longer_than_a_month_and_ends_at_the_head_price(prices):
    for t in TOKENS:
        assert len(prices[t.symbol]) == HISTORY_HOURS + 1 > 30 * 24
        assert prices[t.symbol][-1] == t.price
        assert prices[t.symbol].min() > 0.0


def test_volatility_is_about_what_the_token_names(prices):
    for t in TOKENS:
        if t.pegged_to:
            continue
        realised = returns(prices[t.symbol]).std() * np.sqrt(8760)
        assert realised == pytest.approx(t.volatility, rel=0.35)


def test_assets_move_together_and_with_fat_tails(prices):
    eth, btc = returns(prices["WETH"]), returns(prices["WBTC"])
    assert 0.6 < np.corrcoef(eth, btc)[0, 1] < 0.95
    assert np.mean(eth**4) / np.mean(eth**2) ** 2 > 3.5


def test_wrapped_staked_ether_follows_ether_and_grows_against_it(prices):
    ratio = prices["wstETH"] / prices["WETH"]
    assert np.corrcoef(returns(prices["wstETH"]), returns(prices["WETH"]))[0, 1] > 0.98
    assert ratio[-1] / ratio[0] == pytest.approx(np.exp(0.03 * HISTORY_HOURS / 8760), rel=1e-6)


@pytest.mark.parametrize("symbol", ["USDC", "USDT", "DAI"])
def test_stablecoins_stay_near_a_dollar_and_move(prices, symbol):
    assert np.abs(prices[symbol] - 1.0).max() < 0.01
    assert prices[symbol].std() > 1e-5


@pytest.mark.parametrize("symbol", ["WETH", "USDC"])
def test_rounds_end_at_the_head_at_even_steps(prices, symbol):
    answers, times = rounds(prices[symbol], head=HEAD)
    assert len(answers) == len(times)
    assert times[-1] == HEAD
    assert set(np.diff(times)) == {3600}
    assert times[-1] - times[0] >= 30 * 86_400
    assert answers[-1] == round(token(symbol).price * 1e8)
