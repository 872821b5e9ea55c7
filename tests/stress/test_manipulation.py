"""What holding a price costs, and whom it hurts."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.errors import ConfigurationError
from evaluator.market import LiquidityCurve, OracleKind, OracleSpec
from evaluator.stress.battery import Battery
from evaluator.stress.manipulation import inventory_at, manipulation_cost

BATTERY = Battery(horizon=6 * 3600.0)


def book(build, depth=1e7):
    alt = build.reserve("ALT", 10.0, 0.65, depth=depth)
    alt = replace(alt, oracle=OracleSpec(source="0x", kind=OracleKind.POOL))
    usdc = build.reserve("USDC", 1.0, 0.78, depth=1e12)
    return build.market([alt, usdc], [{0: 1e3}], [{1: 5e3}])


@pytest.mark.parametrize("factor", [0.3, 0.9, 1.0, 1.7, 4.0])
def test_the_inventory_holds_the_price(factor):
    curve = LiquidityCurve.constant_product(1e6)
    q = inventory_at(curve, factor)
    assert curve.price_factor(q) == pytest.approx(factor)
    # Constant product: reserve r = r0 / sqrt(factor).
    assert q == pytest.approx(1e6 * (factor**-0.5 - 1.0))


def test_the_opening_cost_of_a_constant_product_pool_by_hand(build):
    got = manipulation_cost(book(build), "ALT", 4.0, steps=1, battery=BATTERY)
    # Half of the 1e6 tokens are bought for r0 p0 (sqrt 4 - 1) = 1e7 USD, worth 5e6.
    assert got.capital == pytest.approx(1e7)
    assert got.opening == pytest.approx(5e6)
    assert got.holding == 0.0


def test_holding_longer_and_deeper_pools_cost_more(build):
    def cost(factor, steps, depth=1e7):
        return manipulation_cost(
            book(build, depth), "ALT", factor, steps=steps, battery=BATTERY
        ).total

    assert cost(0.5, 1) < cost(0.5, 2) < cost(0.5, 10)
    assert cost(0.5, 2, 1e7) * 10 == pytest.approx(cost(0.5, 2, 1e8))
    assert cost(0.9, 1) < cost(0.5, 1)
    assert cost(1.0, 5) == pytest.approx(0.0, abs=1e-6)


def test_a_held_price_liquidates_the_healthy_while_it_is_held(build):
    calm = np.ones((1, 7, 2))
    none = build.outcome_on(book(build), calm, BATTERY, "certificate")
    held = replace(
        BATTERY,
        manipulated="ALT",
        manipulation_factor=0.6,
        manipulation_start=2,
        manipulation_steps=2,
    )
    hit = build.outcome_on(book(build), calm, held, "certificate")
    assert none.liquidations[0] == 0
    assert hit.liquidations[0] > 0
    assert hit.wrongful[0] == pytest.approx(hit.liquidated[0])
    assert hit.user_harm[0] > 0.0


def test_a_slow_oracle_does_not_see_a_short_manipulation(build):
    m = book(build)
    late = OracleSpec(
        source="0x",
        kind=OracleKind.FEED,
        latency=2 * 3600.0,
        heartbeat=1e9,
        deviation_threshold=0.01,
    )
    held = replace(
        BATTERY,
        horizon=3 * 3600.0,
        manipulated="ALT",
        manipulation_factor=0.6,
        manipulation_start=2,
        manipulation_steps=1,
    )
    slow = build.with_reserve(m, "ALT", oracle=late)
    o = build.outcome_on(slow, np.ones((1, 4, 2)), held, "certificate")
    assert o.liquidations[0] == 0


def test_nonsense_is_refused(build):
    for factor, steps in ((0.0, 1), (2.0, 0)):
        with pytest.raises(ConfigurationError, match="manipulation"):
            manipulation_cost(book(build), "ALT", factor, steps=steps, battery=BATTERY)


def test_pressing_a_price_down_needs_the_tokens(build):
    got = manipulation_cost(book(build), "ALT", 0.25, steps=1, battery=BATTERY)
    # 1e6 tokens of 10 USD are sold into a pool that holds as many; they bring half their worth.
    assert got.capital == pytest.approx(1e7)
    assert got.opening == pytest.approx(5e6)
