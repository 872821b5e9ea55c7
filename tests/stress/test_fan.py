"""Bad debt over time, and first-passage times."""

from dataclasses import replace

import numpy as np

from evaluator.stress.battery import Battery
from evaluator.stress.fan import LEVELS, bad_debt_fan
from evaluator.stress.first_passage import first_passage
from evaluator.stress.trial import run

BATTERY = Battery(horizon=14 * 3600.0, paths=60, insolvency_threshold=100.0)


def crash(build):
    return build.PlainGBM((1.0, 0.02, 1.5, 0.8, 3.0), crash=-0.5, crash_step=9)


def test_the_fan_ends_where_the_battery_ends_and_begins_at_nothing(build):
    m = build.random_market(3, N=40)
    law = crash(build)
    fan = bad_debt_fan(m, m, process=law, battery=BATTERY, seed=5)
    whole = run(m, m, process=law, battery=BATTERY, seed=5).before.new_bad_debt
    ranks = [int(np.ceil(a * 60)) - 1 for a in LEVELS]
    np.testing.assert_allclose(fan.before[:, -1], np.sort(whole)[ranks])
    np.testing.assert_array_equal(fan.before, fan.after)
    assert fan.responding is None
    assert (fan.before[:, 0] == 0.0).all()
    assert (np.diff(fan.before, axis=0) >= 0.0).all()
    # The crash is in step 9; marks are every two steps.
    assert fan.before[-1, 4] < 0.2 * fan.before[-1, 5]
    assert fan.samples == 60


def test_marks_are_the_same_whatever_is_drawn_beside_them(build):
    m = build.random_market(3, N=40)
    fan = bad_debt_fan(m, m, process=crash(build), battery=BATTERY, seed=5, workers=1)
    other = bad_debt_fan(m, m, process=crash(build), battery=BATTERY, seed=5, workers=2)
    np.testing.assert_array_equal(fan.before, other.before)


def test_a_battery_that_was_run_already_gives_the_last_mark(build):
    before = build.random_market(3, N=40)
    after = build.with_parameters(before, "T0", liquidation_threshold=0.9)
    law = crash(build)
    alone = bad_debt_fan(before, after, process=law, battery=BATTERY, seed=5)
    for paths in (60, 90, 30):  # as many, more and too few to be of use
        pair = run(before, after, process=law, battery=replace(BATTERY, paths=paths), seed=5)
        fan = bad_debt_fan(before, after, process=law, battery=BATTERY, seed=5, pair=pair)
        np.testing.assert_array_equal(fan.before, alone.before)
        np.testing.assert_array_equal(fan.after, alone.after)
    assert not np.array_equal(alone.before, alone.after)


def test_first_passage_is_at_the_crash_and_counts_who_never_gets_there(build):
    m = build.random_market(3, N=40)
    outcome = run(m, m, process=crash(build), battery=BATTERY, seed=5).before
    found = first_passage(outcome, BATTERY)
    assert found.events + found.censored == 60
    assert found.events > 30
    assert found.median is not None
    assert 8 * 3600.0 <= found.median.value <= 10 * 3600.0
    never = first_passage(replace(outcome, first_insolvency=np.full(60, -1)), BATTERY)
    assert never.median is None
    assert never.censored == 60
