"""Intervals under antithetic and Sobol sampling cover as often as they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from evaluator.stress.battery import Battery
from evaluator.stress.metrics import metric_difference, survival_metric
from evaluator.stress.outcome import Outcome
from evaluator.stress.processes.jump_diffusion import geometric_brownian_motion
from evaluator.stress.processes.process import YEAR, Sampling
from evaluator.stress.replicates import groups_of
from evaluator.stress.survival import survival_curve

STEPS, PATHS, SEEDS, SIGMA = 8, 1024, 60, 0.6
TODAY, AFTER = (0.7, 1e6), (0.9, 6e5)  # strike and size of a loss
METRICS = (
    "expected_bad_debt",
    "bad_debt_probability",
    "value_at_risk_95",
    "expected_shortfall_95",
)


def outcome(final, strike, size=1e6):
    """A book that loses what the price falls below a strike."""
    loss = size * np.maximum(strike - final, 0.0)
    zero, count = np.zeros(len(loss)), np.zeros(len(loss), dtype=np.int64)
    amounts = (
        "liquidated", "seized", "protocol_fee", "liquidator_profit", "wrongful", "user_harm",
        "topped_up", "interest", "peak_utilisation",
    )  # fmt: skip
    return Outcome(
        symbols=("X",),
        bad_debt=loss,
        bad_debt_by_asset=loss[:, None],
        liquidations=count,
        first_insolvency=np.where(loss > 0.0, STEPS, -1),
        frozen_steps=count,
        existing_bad_debt=0.0,
        borrowing_power_used=0.5,
        **dict.fromkeys(amounts, zero),
    )


def finals(sampling, seed, count=PATHS):
    process = geometric_brownian_motion(
        symbols=["X"], step=YEAR / STEPS, volatility=np.array([SIGMA]), sampling=sampling
    )
    return process.paths(seed=seed, first=0, count=count, steps=STEPS)[:, -1, 0]


def battery(sampling):
    return Battery(horizon=STEPS * 3600.0, insolvency_threshold=1e5, sampling=sampling)


def closed_forms(strike, size=1e6):
    """What the metrics of such a book are: puts and quantiles of a lognormal price."""

    def below(x):  # P(price < x), and the expected price there
        d = (np.log(x) + 0.5 * SIGMA**2) / SIGMA
        return ndtr(d), ndtr(d - SIGMA)

    chance, price = below(strike)
    worst = np.exp(SIGMA * ndtri(0.05) - 0.5 * SIGMA**2)
    return {
        "expected_bad_debt": size * (strike * chance - price),
        "bad_debt_probability": below(strike - 1e5 / size)[0],
        "value_at_risk_95": size * (strike - worst),
        "expected_shortfall_95": size * (strike - below(worst)[1] / 0.05),
    }


def truth():
    before, after = closed_forms(*TODAY), closed_forms(*AFTER)
    return before | {("change", m): after[m] - before[m] for m in METRICS}


def estimates(sampling, seed):
    x, b = finals(sampling, seed), battery(sampling)
    one, other = outcome(x, *TODAY), outcome(x, *AFTER)
    return {m: survival_metric(one, b, m) for m in METRICS} | {
        ("change", m): metric_difference(one, other, b, m) for m in METRICS
    }


@pytest.mark.parametrize("sampling", [Sampling.ANTITHETIC, Sampling.SOBOL])
def test_intervals_cover_and_are_no_wider_than_they_need_be(sampling):
    """Of sixty 95% intervals at least fifty-one hold the truth (1 in 20,000 by chance)."""
    found = [estimates(sampling, seed) for seed in range(SEEDS)]
    for name, true in truth().items():
        held = sum(e[name].lower <= true <= e[name].upper for e in found)
        assert held >= 51, (name, held)
    plain = [estimates(Sampling.PSEUDO, seed)["expected_bad_debt"] for seed in range(8)]
    wide = np.mean([e.upper - e.lower for e in plain])
    narrow = np.mean(
        [e["expected_bad_debt"].upper - e["expected_bad_debt"].lower for e in found[:8]]
    )
    assert narrow < (0.5 if sampling is Sampling.SOBOL else 0.95) * wide


def test_what_never_happened_keeps_the_interval_of_independent_paths():
    x = np.ones(PATHS)
    plain = survival_metric(outcome(x, 0.7), battery(Sampling.PSEUDO), "bad_debt_probability")
    for sampling in Sampling:
        one = survival_metric(outcome(x, 0.7), battery(sampling), "bad_debt_probability")
        assert (one.lower, one.upper) == (plain.lower, plain.upper)
        assert one.upper > 0.0


def test_survival_has_the_interval_of_its_complement():
    for sampling in Sampling:
        x, b = finals(sampling, 3), battery(sampling)
        one = outcome(x, 0.7)
        curve = survival_curve(one, b)
        chance = survival_metric(one, replace(b, insolvency_threshold=0.0), "bad_debt_probability")
        assert curve.lower[-1] == pytest.approx(1.0 - chance.upper, abs=1e-9)
        assert curve.value[-1] == pytest.approx(1.0 - chance.value)


def test_groups_are_pairs_or_scramblings():
    assert groups_of(5, Sampling.ANTITHETIC).tolist() == [0, 0, 1, 1, 2]
    groups = groups_of(64 * 17, Sampling.SOBOL)
    assert np.bincount(groups).tolist() == [128, *[64] * 15]
