"""Kinds of oracles told apart, and feeds' rounds read and understood."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.chain.embedded.feeds import hourly_prices
from evaluator.errors import IncompleteState
from evaluator.market import OracleKind
from evaluator.protocols import price_history
from evaluator.protocols.aave_v3 import AaveV3
from evaluator.protocols.feeds import estimate_triggers, read_rounds
from evaluator.protocols.oracles import inspect_sources, read_code

SOURCE = "0x" + "b1" * 20


def word(value):
    return (value % 2**256).to_bytes(32, "big")


@pytest.fixture
def inspect(sandbox):
    def at(code):
        sandbox.set_code(SOURCE, code)
        sandbox.mine()
        return inspect_sources(sandbox, [SOURCE], block=sandbox.block_number())[SOURCE]

    return at


@pytest.mark.chain
def test_a_feed_is_a_feed(read_only_sandbox, deployment):
    feed = deployment.feeds["WETH"]
    block = read_only_sandbox.block_number()
    spec = inspect_sources(read_only_sandbox, [feed], block=block)[feed]
    assert spec.kind is OracleKind.FEED
    assert spec.heartbeat == 3600
    assert spec.source.lower() == feed


@pytest.mark.chain
def test_what_a_sandbox_pushes_after_a_wait_is_no_habit_of_the_feed(
    sandbox, deployment, push_price
):
    feed = deployment.feeds["WETH"]
    for _ in range(4):
        sandbox.warp(3 * 86_400)
        push_price(sandbox, feed, 3350.0)
    spec = inspect_sources(sandbox, [feed], block=sandbox.block_number())[feed]
    assert spec.heartbeat == 3600.0


@pytest.mark.chain
def test_the_bounds_of_an_aggregator_become_floor_and_cap(inspect, answering):
    code = answering(
        {
            "latestRoundData()": word(1) + word(10**8) + word(1) + word(1) + word(1),
            "decimals()": word(8),
            "minAnswer()": word(10**7),
            "maxAnswer()": word(5 * 10**8),
        },
        stateful=True,
    )
    spec = inspect(code)
    assert spec.kind is OracleKind.FEED
    assert (spec.floor, spec.cap) == (0.1, 5.0)
    assert spec.assumed


@pytest.mark.chain
@pytest.mark.parametrize("way", ["code", "storage"])
@pytest.mark.parametrize("kind", ["v2_pairs", "v3_pools"])
def test_a_source_that_points_at_a_pool_is_a_pool(
    sandbox, inspect, answering, deployment, way, kind
):
    pool = getattr(deployment.uniswap, kind)[0].address
    code = answering({"latestAnswer()": word(10**8)}, stateful=True)
    if way == "code":
        code = code + b"\x73" + bytes.fromhex(pool[2:])
    else:
        sandbox.set_storage(SOURCE, 3, int(pool, 16))
    spec = inspect(code)
    assert spec.kind is OracleKind.POOL
    assert spec.pool.lower() == pool


@pytest.mark.chain
def test_a_pool_itself_a_constant_and_nothing(sandbox, inspect, answering, deployment):
    pair = deployment.uniswap.v2_pairs[0].address
    block = sandbox.block_number()
    assert inspect_sources(sandbox, [pair], block=block)[pair].kind is OracleKind.POOL
    assert inspect(answering({"latestAnswer()": word(10**8)})).kind is OracleKind.FIXED
    assert inspect(answering({"latestAnswer()": word(1)}, stateful=True)).kind is OracleKind.UNKNOWN
    nobody = "0x" + "00" * 20
    assert inspect_sources(sandbox, [nobody], block=block)[nobody].kind is OracleKind.UNKNOWN


@given(code=st.binary(max_size=2000))
def test_any_code_can_be_looked_at(code):
    facts = read_code(code)
    assert all(len(a) == 42 for a in facts.addresses)


def test_constants_inside_pushed_data_are_not_instructions():
    hidden = bytes.fromhex("7f" + "54" * 32)  # PUSH32 of what would be SLOADs
    assert not read_code(hidden).reads_state
    assert read_code(hidden + b"\x54").reads_state


@pytest.mark.chain
def test_history_is_what_the_feed_was_given(read_only_sandbox, deployment):
    market = AaveV3().read(read_only_sandbox, deployment.aave.pool)
    reserve = market.reserves[market.index("LINK")]
    history = price_history(read_only_sandbox, reserve, rounds=200)
    given_ = hourly_prices(seed=deployment.seed)["LINK"]
    assert history.symbol == "LINK"
    assert history.price == pytest.approx(given_[-200:], abs=1e-8)
    assert (np.diff(history.timestamp) == 3600).all()
    assert history.price[-1] == reserve.asset.price
    assert "200 rounds" in history.source
    everything = price_history(read_only_sandbox, reserve, rounds=10**9)
    assert len(everything.price) == len(given_)


@pytest.mark.chain
def test_rounds_of_something_that_is_no_feed_are_refused(read_only_sandbox, deployment):
    block = read_only_sandbox.block_number()
    with pytest.raises(IncompleteState, match="feed"):
        read_rounds(read_only_sandbox, deployment.tokens["WETH"], count=10, block=block)


def simulated_feed(deviation, heartbeat, *, seed, updates=250):
    """A feed that updates on a move of `deviation` or after `heartbeat`, looked at each minute."""
    rng = np.random.default_rng(seed)
    time, price, last_time, last_price = 0, 100.0, 0, 100.0
    times, prices = [0], [100.0]
    while len(times) < updates:
        time += 60
        price *= np.exp(4e-4 * rng.standard_t(4))
        if abs(price / last_price - 1.0) >= deviation or time - last_time >= heartbeat:
            times.append(time)
            prices.append(price)
            last_time, last_price = time, price
    return np.array(times), np.array(prices)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("deviation", "heartbeat"), [(0.005, 3600), (0.01, 14400), (0.004, 7200)])
def test_triggers_are_recovered_from_rounds(deviation, heartbeat, seed):
    triggers = estimate_triggers(*simulated_feed(deviation, heartbeat, seed=seed))
    assert triggers.deviation == pytest.approx(deviation, rel=0.15)
    assert triggers.heartbeat == heartbeat


def test_a_feed_that_only_beats_shows_no_threshold():
    triggers = estimate_triggers(np.arange(50) * 3600, np.linspace(1.0, 1.2, 50))
    assert triggers.deviation is None
    assert triggers.heartbeat == 3600.0
    assert estimate_triggers(np.arange(5), np.ones(5)) is None
