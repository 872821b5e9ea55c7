"""The most plausible way to a loss, where it can be worked out by hand."""

import math

import numpy as np
import pytest

from evaluator.errors import ConfigurationError
from evaluator.stress.battery import Battery
from evaluator.stress.reverse import reverse_stress

BATTERY = Battery(horizon=48 * 3600.0, keepers_absent=True, refill_half_life=3600.0)
T = math.sqrt(48 / 8760)


@pytest.fixture(scope="module")
def two(build):
    """A thousand ETH and as much ALT, each against half its value in USDC."""
    eth = build.reserve("ETH", 2000.0, 0.8)
    alt = build.reserve("ALT", 2000.0, 0.8)
    usdc = build.reserve("USDC", 1.0, 0.8)
    return build.market([eth, alt, usdc], [{0: 1000.0}, {1: 1000.0}], [{2: 1.6e6}, {2: 1.6e6}])


def test_the_more_volatile_asset_is_the_plausible_way(build, two):
    process = build.PlainGBM((0.8, 1.6, 0.0), correlation=0.0)
    got = reverse_stress(two, 1e5, process=process, battery=BATTERY, seed=0)
    # ALT alone falls to 0.75: debt 1.6M against 1.5M.
    assert got.move[1] == pytest.approx(-0.25, abs=0.01)
    assert abs(got.move[0]) < 0.02
    truth = (math.log(1 / 0.75) - 0.5 * 1.6**2 * T**2) / (1.6 * T)
    assert got.distance == pytest.approx(truth, rel=0.05)
    assert got.reached >= 1e5
    assert got.chance == pytest.approx(0.5 * math.erfc(got.distance / math.sqrt(2)))
    # What the sample says of a direction is what the normal law says, within four errors.
    assert abs(got.sampled - got.chance) < 4 * math.sqrt(got.chance / 4096) + 1e-3


def test_correlated_assets_fall_together(build, two):
    process = build.PlainGBM((1.0, 1.0, 0.0), correlation=0.95)
    got = reverse_stress(two, 4e5, process=process, battery=BATTERY, seed=0)
    assert got.move[0] == pytest.approx(got.move[1], abs=0.06)
    assert got.move[0] < -0.2
    assert got.reached >= 4e5


def test_a_loss_larger_than_the_book_is_not_found(build, two):
    process = build.PlainGBM((1.0, 1.0, 0.0), correlation=0.0)
    got = reverse_stress(two, 1e9, process=process, battery=BATTERY, seed=0, generations=2)
    assert got.move is None
    assert not got.direction_found


def test_the_same_seed_gives_the_same_scenario(build, two):
    process = build.PlainGBM((0.8, 1.6, 0.0))
    a, b = (
        reverse_stress(two, 1e5, process=process, battery=BATTERY, seed=0, generations=5)
        for _ in range(2)
    )
    np.testing.assert_array_equal(a.move, b.move)


def test_no_loss_is_no_question(build, two):
    with pytest.raises(ConfigurationError, match="above 0"):
        reverse_stress(two, 0.0, process=build.PlainGBM((1.0, 1.0, 0.0)), battery=BATTERY, seed=0)
