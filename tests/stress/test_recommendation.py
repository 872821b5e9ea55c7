"""Levers and safe values."""

import numpy as np
import pytest

from evaluator.errors import ConfigurationError
from evaluator.market import Family
from evaluator.stress.battery import Battery
from evaluator.stress.lever import find_lever
from evaluator.stress.recommendation import Promise, recommend, sweep

BATTERY = Battery(paths=256, horizon=48 * 3600.0, insolvency_threshold=1000.0)


@pytest.fixture(scope="module")
def book(build):
    rng = np.random.default_rng(4)
    eth = build.reserve("ETH", 2000.0, 0.80, depth=1e9, ltv=0.70)
    usdc = build.reserve("USDC", 1.0, 0.78, depth=1e9)
    collateral = [{0: float(rng.lognormal(3, 1))} for _ in range(80)]
    debt = [{1: c[0] * 2000 * 0.80 / (1.05 + rng.gamma(1.0, 0.1))} for c in collateral]
    return build.market([eth, usdc], collateral, debt)


@pytest.fixture(scope="module")
def process(build):
    return build.PlainGBM((1.2, 0.01), crash=-0.1, crash_step=20)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("test.ETH.ltv", 0.70),
        ("test.ETH.liquidation_threshold", 0.80),
        ("test.ETH.liquidation_bonus", 0.05),
        ("test.ETH.liquidation_protocol_fee", 0.1),
        ("test.ETH.reserve_factor", 0.1),
        ("test.ETH.supply_cap", np.inf),
        ("test.ETH.rate_curve.slope2", 0.6),
        ("test.ETH.oracle.cap", np.inf),
        ("test.close_factor", 0.5),
        ("test.full_close_below", 0.95),
    ],
)
def test_a_lever_reads_and_sets(book, path, value):
    lever = find_lever(book, path)
    assert lever.value == value
    moved = lever.apply(book, 0.25)
    assert find_lever(moved, path).value == 0.25
    assert find_lever(book, path).value == value  # the market itself did not change


def test_an_emode_and_an_incentive_are_levers(build):
    m = build.random_market(1)
    assert find_lever(m, "test.emode.1.liquidation_threshold").value == 0.93
    c = build.random_market(1, family=Family.COMPOUND_V2)
    moved = find_lever(c, "test.liquidation_incentive").apply(c, 1.2)
    assert all(r.parameters.liquidation_bonus == pytest.approx(0.2) for r in moved.reserves)


def test_a_threshold_pulls_ltv_down_and_a_collateral_factor_sets_both(book):
    p = find_lever(book, "test.ETH.liquidation_threshold").apply(book, 0.6).reserves[0].parameters
    assert (p.ltv, p.liquidation_threshold) == (0.6, 0.6)
    p = find_lever(book, "test.ETH.collateral_factor").apply(book, 0.75).reserves[0].parameters
    assert (p.ltv, p.liquidation_threshold) == (0.75, 0.75)


@pytest.mark.parametrize(
    "path", ["ETH.ltv", "test.XYZ.ltv", "test.ETH.colour", "test.ETH.oracle.source"]
)
def test_what_is_no_lever_is_refused(book, path):
    with pytest.raises(ConfigurationError, match="battery"):
        find_lever(book, path)


def test_promises_are_read():
    assert Promise.parse("P(insolvency) <= 0.001") == Promise(
        metric="bad_debt_probability", bound=0.001
    )
    assert Promise.parse("ES99 <= today") == Promise(metric="expected_shortfall_99", bound=None)
    assert Promise.parse("expected_bad_debt<=1e6").bound == 1e6
    for text in ("P(insolvency) < 1", "colour <= 3", "es99 <= much", ""):
        with pytest.raises(ConfigurationError, match="promise"):
            Promise.parse(text)


@pytest.fixture(scope="module")
def answer(book, process):
    return recommend(
        book,
        [("test.ETH.liquidation_threshold", 0.95)],
        promise=Promise.parse("P(insolvency) <= 0.10"),
        process=process,
        battery=BATTERY,
        seed=0,
    )


def test_the_safe_value_lies_between_and_keeps_its_promise(answer):
    assert answer.beyond
    assert 0.80 <= answer.safe[0] < 0.95
    by_value = {t.values[0]: t for t in answer.trials}
    assert by_value[answer.safe[0]].kept
    assert by_value[answer.safe[0]].metric.upper <= 0.10
    further = [t for t in answer.trials if t.values[0] > answer.safe[0]]
    assert not min(further, key=lambda t: t.values[0]).kept
    assert answer.safe[0] == pytest.approx(round(answer.safe[0], 4))


def test_a_harmless_proposal_is_safe_as_proposed(book, process):
    got = recommend(
        book,
        [("test.ETH.reserve_factor", 0.2), ("test.USDC.reserve_factor", 0.2)],
        promise=Promise.parse("P(insolvency) <= today"),
        process=process,
        battery=BATTERY,
        seed=0,
    )
    assert got.safe == got.proposed == (0.2, 0.2)
    assert not got.beyond


def test_a_promise_that_is_broken_today_has_no_safe_value(book, process):
    got = recommend(
        book,
        [("test.ETH.liquidation_threshold", 0.85)],
        promise=Promise.parse("expected_liquidated <= 1"),
        process=process,
        battery=BATTERY,
        seed=0,
    )
    assert got.safe is None


def test_a_sweep_covers_the_grid_on_the_same_paths(book, process):
    got = sweep(
        book,
        [
            ("test.ETH.liquidation_threshold", [0.75, 0.80]),
            ("test.ETH.liquidation_bonus", [0.05, 0.1]),
        ],
        process=process,
        battery=BATTERY,
        seed=0,
    )
    assert [p.values for p in got] == [(0.75, 0.05), (0.75, 0.1), (0.80, 0.05), (0.80, 0.1)]
    assert got[0].static.expected_liquidated.value > got[2].static.expected_liquidated.value
    assert got[2].responding is None
