"""Metrics: exact on small samples, and intervals that cover as often as they say."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from evaluator.errors import ConfigurationError
from evaluator.stress import estimate as est
from evaluator.stress.battery import Battery, Event
from evaluator.stress.metrics import asset_differences, asset_metrics, difference, survival_metrics
from evaluator.stress.outcome import Outcome
from evaluator.stress.trial import run


def outcome(bad_debt, first=None, **given):
    n = len(bad_debt)
    bad = np.asarray(bad_debt, dtype=np.float64)
    zero = np.zeros(n)
    values = {
        "symbols": ("USDC",),
        "bad_debt": bad,
        "bad_debt_by_asset": bad[:, None].copy(),
        "liquidated": zero,
        "liquidations": np.zeros(n, dtype=np.int64),
        "seized": zero,
        "protocol_fee": zero,
        "liquidator_profit": zero,
        "wrongful": zero,
        "user_harm": zero,
        "topped_up": zero,
        "interest": zero,
        "first_insolvency": np.full(n, -1) if first is None else np.asarray(first),
        "frozen_steps": np.zeros(n, dtype=np.int64),
        "peak_utilisation": zero,
        "existing_bad_debt": 0.0,
        "borrowing_power_used": 0.5,
    }
    return Outcome(**(values | given))


def test_quantiles_and_shortfall_by_hand():
    x = np.arange(1.0, 101.0)
    m = survival_metrics(outcome(x), Battery(insolvency_threshold=90.0))
    assert m.value_at_risk_95.value == 95.0
    assert m.value_at_risk_99.value == 99.0
    assert m.expected_shortfall_95.value == pytest.approx(np.mean([96, 97, 98, 99, 100]))
    assert m.bad_debt_probability.value == 0.1
    assert m.bad_debt_probability.events == 10
    assert m.expected_bad_debt.value == 50.5


def test_every_estimate_states_everything():
    battery = Battery(level=0.9)
    m = survival_metrics(outcome(np.arange(50.0)), battery)
    for e in m.estimates():
        assert e.lower <= e.value <= e.upper, e.name
        assert (e.level, e.horizon, e.samples) == (0.9, battery.horizon, 50)
        assert e.unit in ("USD", "fraction")
        at_risk = ("at_risk" in e.name) or ("shortfall" in e.name)
        assert (e.percentile is not None) == at_risk


def test_no_event_still_has_an_upper_bound():
    m = survival_metrics(outcome(np.zeros(1000)), Battery())
    p = m.bad_debt_probability
    assert p.value == p.lower == 0.0
    assert p.upper == pytest.approx(1.0 - 0.025 ** (1 / 1000))  # Clopper-Pearson at 0 of n


def test_existing_bad_debt_is_not_new():
    m = survival_metrics(outcome([10.0, 15.0], existing_bad_debt=10.0), Battery())
    assert m.expected_bad_debt.value == 2.5


def test_survival_counts_censored_paths():
    battery = Battery(horizon=4 * 3600.0)
    s = survival_metrics(outcome([1.0] * 4, first=[1, 3, -1, -1]), battery).survival
    np.testing.assert_allclose(s.value, [1.0, 0.75, 0.75, 0.5, 0.5])
    assert s.censored == 2
    assert np.all(s.lower <= s.value)
    assert np.all(s.value <= s.upper)
    np.testing.assert_allclose(s.time, np.arange(5) * 3600.0)


def test_survival_difference_is_the_difference_of_curves():
    rng = np.random.default_rng(0)
    battery = Battery(horizon=24 * 3600.0)
    first = [rng.integers(-10, 25, 500) for _ in range(2)]
    first = [np.where(f < 1, -1, f) for f in first]
    a, b = (outcome(np.zeros(500), first=f) for f in first)
    d = difference(a, b, battery).survival
    expected = (
        survival_metrics(b, battery).survival.value - survival_metrics(a, battery).survival.value
    )
    np.testing.assert_allclose(d.value, expected, atol=1e-12)
    assert np.all((d.lower <= d.value) & (d.value <= d.upper))


def test_difference_is_paired_and_narrower_than_unpaired():
    rng = np.random.default_rng(1)
    base = rng.lognormal(10, 2, 5000)
    battery = Battery(insolvency_threshold=float(np.quantile(base, 0.98)))
    d = difference(outcome(base), outcome(base * 1.01), battery)
    assert d.expected_bad_debt.value == pytest.approx(0.01 * base.mean())
    alone = survival_metrics(outcome(base), battery)
    for name in ("expected_bad_debt", "expected_shortfall_99", "bad_debt_probability"):
        paired, single = getattr(d, name), getattr(alone, name)
        assert paired.upper - paired.lower < 0.3 * (single.upper - single.lower), name


def test_difference_refuses_other_paths():
    with pytest.raises(ConfigurationError, match="same paths"):
        difference(outcome([1.0]), outcome([1.0, 2.0]), Battery())


def test_asset_metrics_by_column():
    o = outcome(
        [1.0, 3.0], symbols=("A", "B"), bad_debt_by_asset=np.array([[1.0, 0.0], [1.0, 2.0]])
    )
    assert [a.expected_bad_debt.value for a in asset_metrics(o, Battery())] == [1.0, 1.0]


def coverage(draw, interval, truth, repetitions=200):
    hits = 0
    for r in range(repetitions):
        _, low, high = interval(draw(np.random.default_rng(r)))
        hits += low <= truth <= high
    return hits / repetitions


# Binomial noise of 200 repetitions at 0.95 is 0.015; four of them below.
LEAST = 0.95 - 4 * math.sqrt(0.95 * 0.05 / 200)


def test_mean_interval_covers_a_rare_loss():
    def draw(rng):
        return np.where(rng.random(4000) < 0.02, rng.exponential(1.0, 4000), 0.0)

    assert coverage(draw, lambda x: est.mean_interval(x, 0.95, 1), 0.02) > LEAST


def test_quantile_interval_covers():
    truth = -math.log(0.01)
    got = coverage(
        lambda rng: rng.exponential(1.0, 3000),
        lambda x: est.quantile_interval(x, 0.99, 0.95),
        truth,
    )
    assert got > LEAST


def test_shortfall_interval_covers():
    truth = -math.log(0.05) + 1.0
    got = coverage(
        lambda rng: rng.exponential(1.0, 3000),
        lambda x: est.shortfall_interval(x, 0.95, 0.95),
        truth,
    )
    assert got > LEAST


def test_paired_intervals_cover():
    rho = 0.8
    shift = 0.3

    def draw(rng):
        z = rng.standard_normal((3000, 2))
        return z[:, 0], shift + rho * z[:, 0] + math.sqrt(1 - rho**2) * z[:, 1]

    assert coverage(draw, lambda p: est.quantile_difference(*p, 0.95, 0.95), shift) > LEAST
    assert coverage(draw, lambda p: est.shortfall_difference(*p, 0.95, 0.95), shift) > LEAST

    def tail(rng):
        a, b = draw(rng)
        return a > 2.0, b > 2.0

    truth = 0.5 * (math.erfc((2.0 - shift) / math.sqrt(2)) - math.erfc(2.0 / math.sqrt(2)))
    assert coverage(tail, lambda p: est.paired_share_interval(*p, 0.95), truth) > LEAST


def test_battery_defaults_make_sense_and_nonsense_is_refused():
    b = Battery()
    assert b.steps == 168
    assert b.refill_decay ** (b.refill_half_life / b.step) == pytest.approx(0.5)
    for wrong in (
        {"horizon": -1.0},
        {"horizon": 5000.0},
        {"level": 1.0},
        {"top_up_share": 1.5},
        {"order": (Event.PRICES,)},
        {"gas_elasticity": math.nan},
        {"top_up_below": 1.3},
    ):
        with pytest.raises(ConfigurationError, match="battery"):
            dataclasses.replace(b, **wrong)


@pytest.mark.parametrize("samples", [1, 2, 5, 20, 100, 10_000])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_interval_of_a_share_is_the_one_scipy_computes(samples, level):
    for events in {0, 1, samples // 3, samples // 2, max(samples - 10, 0), samples}:
        rare = min(events, samples - events) < 10
        expected = stats.binomtest(min(events, samples), samples).proportion_ci(
            confidence_level=level, method="exact" if rare else "wilson"
        )
        assert est.share_interval(events, samples, level) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("a", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("level", [0.6827, 0.95, 0.99])
def test_ranks_of_a_quantile_are_binomial_quantiles(a, level):
    for n in (1, 2, 3, 64, 1000, 10_000):
        point, low, high = est.quantile_ranks(n, a, level)
        assert low == min(max(stats.binom.ppf(0.5 - 0.5 * level, n, a) - 1, 0), point)
        assert high == max(min(stats.binom.ppf(0.5 + 0.5 * level, n, a), n - 1), point)


def test_differences_by_asset_add_up(build):
    m = build.random_market(3, N=40)
    worse = m
    for a in range(5):
        bonus = m.reserves[a].parameters.liquidation_bonus
        worse = build.with_parameters(worse, f"T{a}", liquidation_bonus=bonus + 0.1)
    law = build.PlainGBM((1.0, 0.02, 1.5, 0.8, 3.0), crash=-0.5)
    battery = Battery(horizon=6 * 3600.0, paths=40)
    pair = run(m, worse, process=law, battery=battery, seed=0)
    rows = asset_differences(pair.before, pair.after, battery)
    before, after = asset_metrics(pair.before, battery), asset_metrics(pair.after, battery)
    for row, a, b in zip(rows, before, after, strict=True):
        assert row.symbol == a.symbol
        got = row.expected_bad_debt
        np.testing.assert_allclose(
            got.value, b.expected_bad_debt.value - a.expected_bad_debt.value, atol=1e-6
        )
        assert got.lower <= got.value <= got.upper
    total = sum(r.expected_bad_debt.value for r in rows)
    np.testing.assert_allclose(total, float((pair.after.bad_debt - pair.before.bad_debt).mean()))
    assert abs(total) > 0.0
