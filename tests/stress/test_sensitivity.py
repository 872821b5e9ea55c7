"""What drives the result."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.errors import ConfigurationError
from evaluator.stress.battery import Battery
from evaluator.stress.sensitivity import Assumption, default_assumptions, sensitivity
from evaluator.stress.stored import StoredPaths

BATTERY = Battery(horizon=24 * 3600.0, insolvency_threshold=1000.0)


@pytest.fixture(scope="module")
def book(build):
    rng = np.random.default_rng(4)
    eth = build.reserve("ETH", 2000.0, 0.80, depth=1e8)
    usdc = build.reserve("USDC", 1.0, 0.78, depth=1e9)
    collateral = [{0: float(rng.lognormal(3, 1))} for _ in range(40)]
    debt = [{1: c[0] * 2000 * 0.80 / (1.02 + rng.gamma(1.0, 0.05))} for c in collateral]
    return build.market([eth, usdc], collateral, debt)


@pytest.fixture(scope="module")
def process(build):
    return build.PlainGBM((1.0, 0.01))


def some(battery):
    kept = ("volatility", "shock", "congestion")
    idle = Assumption(name="idle", label="nothing", low=0.0, high=1.0, apply=lambda s, x: s)
    return [a for a in default_assumptions(battery) if a.name in kept] + [idle]


@pytest.fixture(scope="module")
def result(book, process):
    return sensitivity(
        book,
        process=process,
        battery=BATTERY,
        seed=0,
        assumptions=some(BATTERY),
        metric="expected_liquidated",
        samples=16,
        paths=32,
    )


def test_the_shock_matters_most_and_what_does_nothing_has_no_influence(result):
    by_name = {i.assumption.name: i for i in result.influences}
    assert result.influences[0].assumption.name == "shock"
    assert by_name["idle"].total == pytest.approx(0.0, abs=1e-12)
    assert by_name["idle"].swing == 0.0
    assert by_name["shock"].at_low > result.base > 0.0
    assert by_name["volatility"].at_high > by_name["volatility"].at_low
    assert result.evaluations == 16 * 6 + 2 * 4 + 1
    assert result.unit == "USD"


def test_the_same_seed_gives_the_same_indices(result, book, process):
    again = sensitivity(
        book,
        process=process,
        battery=BATTERY,
        seed=0,
        assumptions=some(BATTERY),
        metric="expected_liquidated",
        samples=16,
        paths=32,
        workers=1,
    )
    assert [(i.assumption.name, i.total) for i in again.influences] == [
        (i.assumption.name, i.total) for i in result.influences
    ]


def test_a_metric_that_never_moves_has_no_drivers(book, process):
    got = sensitivity(
        book,
        process=process,
        battery=replace(BATTERY, keepers_absent=True),
        seed=0,
        assumptions=some(BATTERY),
        metric="expected_liquidated",
        samples=2,
        paths=4,
    )
    assert all(i.total == 0.0 for i in got.influences)


def test_every_default_assumption_can_be_set_over_its_range():
    from evaluator.stress.sensitivity import Setup

    for a in default_assumptions(BATTERY):
        setup = Setup(battery=BATTERY)
        assert a.low < a.high
        assert a.apply(setup, a.low) != a.apply(setup, a.high)


def test_a_sample_that_is_no_power_of_two_is_refused(book, process):
    with pytest.raises(ConfigurationError, match="power of two"):
        sensitivity(book, process=process, battery=BATTERY, seed=0, samples=10)


def test_stored_paths_are_those_of_the_process_and_no_others(process):
    stored = StoredPaths.draw(process, seed=3, paths=8, steps=5)
    np.testing.assert_array_equal(
        stored.paths(seed=3, first=2, count=3, steps=4),
        process.paths(seed=3, first=2, count=3, steps=5)[:, :5],
    )
    for wrong in ({"seed": 4}, {"first": 7}, {"steps": 6}):
        with pytest.raises(ConfigurationError, match="stored"):
            stored.paths(**({"seed": 3, "first": 0, "count": 3, "steps": 5} | wrong))
