"""Running a battery: the same digits however it is run, and an orderly stop."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from evaluator.errors import Cancelled, ConfigurationError
from evaluator.stress.battery import Battery
from evaluator.stress.metrics import compare
from evaluator.stress.trial import PATHS_PER_BLOCK, extend, run

BATTERY = Battery(paths=3 * PATHS_PER_BLOCK + 7, horizon=24 * 3600.0, insolvency_threshold=100.0)


@pytest.fixture(scope="module")
def pair(build):
    before = build.random_market(11, N=40)
    p = before.reserves[0].parameters
    after = build.with_parameters(
        before, "T0", liquidation_threshold=p.liquidation_threshold - 0.05, ltv=p.ltv - 0.05
    )
    return before, after


@pytest.fixture(scope="module")
def process(build):
    return build.PlainGBM((1.5, 0.02, 1.0, 0.8, 1.2))


def test_any_number_of_workers_gives_the_same_digest(pair, process):
    digests = {
        run(*pair, process=process, battery=BATTERY, seed=0, workers=w).digest() for w in (1, 2, 5)
    }
    assert len(digests) == 1
    assert run(*pair, process=process, battery=BATTERY, seed=1).digest() not in digests


def test_a_path_is_the_same_alone_and_in_a_larger_sample(pair, process):
    long = run(*pair, process=process, battery=BATTERY, seed=3).before
    short = run(*pair, process=process, battery=replace(BATTERY, paths=5), seed=3).before
    np.testing.assert_array_equal(long.liquidated[:5], short.liquidated)


def test_going_on_gives_the_digits_of_a_longer_run(pair, process):
    short = run(*pair, process=process, battery=replace(BATTERY, paths=70), seed=3)
    seen = []
    longer = extend(
        short, *pair, process=process, battery=BATTERY, progress=lambda d, n: seen.append((d, n))
    )
    assert longer.digest() == run(*pair, process=process, battery=BATTERY, seed=3).digest()
    assert seen[-1] == (BATTERY.paths - 70, BATTERY.paths - 70)
    stop = threading.Event()
    stop.set()
    stopped = extend(short, *pair, process=process, battery=BATTERY, cancelled=stop)
    assert not stopped.complete
    assert stopped.digest() == short.digest()


def test_equal_markets_have_equal_outcomes_on_common_paths(pair, process):
    before, _ = pair
    got = run(before, before, process=process, battery=BATTERY, seed=0)
    assert got.responding is None
    assert got.before.digest() == got.after.digest()
    for e in compare(got, BATTERY).estimates():
        assert e.value == 0.0
        assert e.lower <= 0.0 <= e.upper


def test_progress_counts_every_path(pair, process):
    seen = []
    run(*pair, process=process, battery=BATTERY, seed=0, progress=lambda d, n: seen.append((d, n)))
    assert seen[-1] == (BATTERY.paths, BATTERY.paths)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)


def test_cancelling_keeps_a_prefix_of_paths(pair, process):
    flag = threading.Event()
    got = run(
        *pair,
        process=process,
        battery=replace(BATTERY, paths=50 * PATHS_PER_BLOCK),
        seed=0,
        workers=1,
        cancelled=flag,
        progress=lambda d, n: flag.set(),
    )
    assert not got.complete
    assert 0 < len(got.before) < 50 * PATHS_PER_BLOCK
    whole = run(*pair, process=process, battery=BATTERY, seed=0)
    n = min(len(got.before), len(whole.before))
    np.testing.assert_array_equal(got.before.liquidated[:n], whole.before.liquidated[:n])
    assert len(got.before) == len(got.after)


def test_ctrl_c_keeps_what_was_done(pair, process):
    def interrupt(done, total):
        raise KeyboardInterrupt

    got = run(
        *pair,
        process=process,
        battery=replace(BATTERY, paths=50 * PATHS_PER_BLOCK),
        seed=0,
        workers=1,
        progress=interrupt,
    )
    assert not got.complete
    assert len(got.before) >= PATHS_PER_BLOCK


def test_cancelled_before_anything_is_said_so(pair, process):
    flag = threading.Event()
    flag.set()
    with pytest.raises(Cancelled, match="before its first block"):
        run(*pair, process=process, battery=BATTERY, seed=0, cancelled=flag)


def test_a_failing_block_fails_the_run(pair):
    class Broken:
        name = "broken"
        step = 3600.0

        def paths(self, *, seed, first, count, steps):
            return np.ones((count, steps + 1, 2))

    with pytest.raises(ConfigurationError, match="broken"):
        run(*pair, process=Broken(), battery=BATTERY, seed=0)


def test_a_process_of_another_step_is_refused(pair, build):
    daily = build.PlainGBM((1.0,) * 5, step=86400.0)
    with pytest.raises(ConfigurationError, match="step"):
        run(*pair, process=daily, battery=BATTERY, seed=0)


def test_unknown_engine_is_named(pair, process):
    with pytest.raises(ConfigurationError, match="warp"):
        run(*pair, process=process, battery=BATTERY, seed=0, engine="warp")


def test_a_new_listing_is_joined_to_the_assets(build, pair, process):
    before, _ = pair
    after = replace(before, reserves=(*before.reserves, build.reserve("NEW", 10.0, 0.5)))
    six = build.PlainGBM((1.5, 0.02, 1.0, 0.8, 1.2, 2.0))
    got = run(before, after, process=six, battery=BATTERY, seed=0)
    assert got.before.symbols == ("T0", "T1", "T2", "T3", "T4", "NEW")
    np.testing.assert_array_equal(got.before.liquidated, got.after.liquidated)
