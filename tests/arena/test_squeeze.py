"""Thin assets squeezed: only where caps exceed depth, and only what is new."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from evaluator.arena import squeeze as squeeze_module
from evaluator.arena.squeeze import (
    FACTORS,
    is_thin,
    largest_position,
    position_losses,
    squeeze_battery,
    squeezes,
)
from evaluator.arena.squeeze_position import (
    ADVERSARY,
    Side,
    Squeeze,
    SqueezePath,
    touching,
    with_position,
)
from evaluator.arena.squeeze_replay import replay_squeeze
from evaluator.evaluation.measurement import venues_of
from evaluator.market import AssetClass, LiquidityCurve, health_factors
from evaluator.protocols.depth import measure_liquidity
from evaluator.stress.battery import Battery

CAPITAL = 100e6
TWICE = ((2.0, 6.0),)


def changed(market, symbol, *, reserve=None, **parameters):
    a = market.index(symbol)
    r = replace(market.reserves[a], **(reserve or {}))
    r = replace(r, parameters=replace(r.parameters, **parameters))
    return replace(market, reserves=(*market.reserves[:a], r, *market.reserves[a + 1 :]))


@pytest.fixture(scope="module")
def market(read_only_sandbox, deployment, aave_market):
    """Aave V3 with measured depth, and 25 million CRV more to borrow than pools can sell."""
    venues = venues_of(read_only_sandbox.chain_id, deployment)
    measured = measure_liquidity(read_only_sandbox, aave_market, venues)
    r = measured.reserves[measured.index("CRV")]
    more = {"supplied": r.supplied + 25e6, "cash": r.cash + 25e6}
    return changed(measured, "CRV", reserve=more)


@pytest.mark.chain
def test_a_cap_beyond_depth_is_found_and_one_within_is_left_alone(market):
    found = squeezes(market, changed(market, "CRV", borrow_cap=math.inf), capital=CAPITAL).found
    (squeeze,) = found
    assert (squeeze.thin, squeeze.position.side) == ("CRV", Side.BORROWED)
    assert squeeze.loss_usd > 1e6
    assert squeeze.loss_before < 0.1 * squeeze.loss_after
    assert squeeze.capital_usd <= CAPITAL
    # The least that brings nearly as much, as near as the halvings come.
    a = market.index("CRV")
    after = changed(market, "CRV", borrow_cap=math.inf)
    largest = largest_position(after, a, Side.BORROWED, capital=CAPITAL)
    share = squeeze.position.supplied / largest.supplied
    moves = ((squeeze.factor, squeeze.hours),)
    most = position_losses(after, largest, a, moves, Battery())[0]
    assert squeeze.loss_after >= 0.9 * most
    part = share - 1 / 64
    less = replace(largest, supplied=part * largest.supplied, borrowed=part * largest.borrowed)
    assert position_losses(after, less, a, moves, Battery())[0] < 0.9 * most
    assert Squeeze.from_json(squeeze.to_json()) == squeeze
    assert Squeeze.from_json('{"moves": [], "pattern": ""}') is None
    cap = market.reserves[market.index("CRV")].parameters.borrow_cap
    raised = squeezes(market, changed(market, "CRV", borrow_cap=1.02 * cap), capital=CAPITAL)
    assert (raised.tried, raised.found) == (0, ())


@pytest.mark.chain
def test_deep_pools_take_the_same_position(market):
    deep = LiquidityCurve.constant_product(3e9 / 0.95, measured=True)
    before = changed(market, "CRV", reserve={"liquidity": deep})
    after = changed(before, "CRV", borrow_cap=math.inf)
    assert squeezes(before, after, capital=CAPITAL).found == ()
    position = largest_position(after, after.index("CRV"), Side.BORROWED, capital=CAPITAL)
    losses = position_losses(after, position, after.index("CRV"), TWICE, Battery())
    assert losses[0] < 1_000.0


@pytest.mark.chain
def test_what_is_possible_today_is_not_the_proposals_work(market):
    before = changed(market, "CRV", borrow_cap=30e6)
    (squeeze,) = squeezes(before, changed(market, "CRV", borrow_cap=31e6), capital=CAPITAL).found
    assert squeeze.open_today
    assert (squeeze.loss_usd, squeeze.gain_usd) == (0.0, 0.0)
    assert squeezes(before, before, capital=CAPITAL).tried == 0


@pytest.mark.chain
def test_less_depth_or_faster_refill_changes_the_loss_in_its_direction(market):
    after = changed(market, "CRV", borrow_cap=math.inf)
    a = after.index("CRV")
    position = largest_position(after, a, Side.BORROWED, capital=CAPITAL)
    usual = position_losses(after, position, a, TWICE, Battery())[0]
    thin = position_losses(after, position, a, TWICE, Battery(depth_factor=0.5))[0]
    quick = position_losses(after, position, a, TWICE, Battery(refill_half_life=300.0))[0]
    assert quick < usual < thin


@pytest.mark.chain
def test_collateral_that_can_be_supplied_beyond_depth_is_dumped(market):
    closed = changed(market, "CRV", ltv=0.0, liquidation_threshold=0.0)
    found = squeezes(closed, market, capital=CAPITAL).found
    (squeeze,) = found
    assert (squeeze.thin, squeeze.position.side, squeeze.factor) == ("CRV", Side.SUPPLIED, 0.5)
    price = market.prices[market.index("CRV")]
    depth = -market.reserves[market.index("CRV")].liquidity.dry_quantity
    assert squeeze.position.supplied <= depth
    assert squeeze.capital_usd == pytest.approx(squeeze.position.supplied * price)
    capped = changed(market, "CRV", supply_cap=market.reserves[8].supplied + 0.1 * depth)
    assert not is_thin(capped.reserves[capped.index("CRV")], Side.SUPPLIED)
    assert squeezes(closed, capped, capital=CAPITAL).found == ()


@pytest.mark.chain
def test_positions_are_what_the_protocol_would_allow(market):
    for side in Side:
        for symbol in ("CRV", "LINK"):
            position = largest_position(market, market.index(symbol), side, capital=CAPITAL)
            c, d = market.index(position.collateral), market.index(position.debt)
            assert market.symbols[c if side is Side.SUPPLIED else d] == symbol
            value = position.supplied * market.prices[c]
            owed = position.borrowed * market.prices[d]
            assert value <= CAPITAL * (1 + 1e-9)
            assert owed <= market.reserves[c].parameters.ltv * value
            p = market.reserves[d].parameters
            assert market.reserves[d].borrowed + position.borrowed <= p.borrow_cap
            assert position.borrowed <= market.reserves[d].cash
            grown = with_position(market, position)
            assert grown.book.accounts[-1] == ADVERSARY
            assert health_factors(grown)[-1] > 1.0
            assert health_factors(grown)[:-1] == pytest.approx(health_factors(market))


@pytest.mark.chain
def test_the_fast_engine_agrees_with_the_readable_one(market, monkeypatch):
    after = changed(market, "CRV", borrow_cap=math.inf)
    a = after.index("CRV")
    position = largest_position(after, a, Side.BORROWED, capital=20e6)
    fast = position_losses(after, position, a, TWICE, Battery())
    monkeypatch.setattr(squeeze_module, "ENGINE", "reference")
    assert fast == pytest.approx(position_losses(after, position, a, TWICE, Battery()), rel=1e-9)


@pytest.mark.chain
def test_only_accounts_with_the_asset_are_kept(market):
    few = touching(market, market.index("CRV"))
    assert 0 < len(few.book) < len(market.book)
    a = market.index("CRV")
    for side in ("collateral", "debt"):
        whole, part = getattr(market.book, side), getattr(few.book, side)
        assert part.total(len(market.reserves))[a] == pytest.approx(
            whole.total(len(market.reserves))[a]
        )


def test_paths_move_one_price_and_stay_there():
    battery = squeeze_battery(Battery())
    path = SqueezePath(column=1, columns=3, moves=((2.0, 6.0), (0.5, 24.0)))
    prices = path.paths(seed=0, first=0, count=2, steps=battery.steps)
    assert prices.shape == (2, battery.steps + 1, 3)
    assert np.all(prices[:, :, [0, 2]] == 1.0)
    assert prices[:, 0, 1].tolist() == [1.0, 1.0]
    assert prices[:, -1, 1] == pytest.approx([2.0, 0.5])
    assert prices[0, 12, 1] == pytest.approx(2.0)
    assert prices[1, 24, 1] == pytest.approx(0.5**0.5)


def test_what_moves_with_the_whole_market_is_left_to_the_battery():
    assert set(FACTORS) == {AssetClass.SMALL_ALT, AssetClass.LARGE_ALT}


@pytest.mark.chain
def test_the_contracts_lose_what_the_model_says(sandbox, deployment, aave_market):
    """Today's cap, used to the last token, on pools of a tenth of their depth."""
    thin = LiquidityCurve.constant_product(500_000.0, measured=True)
    after = changed(aave_market, "CRV", reserve={"liquidity": thin})
    before = changed(after, "CRV", borrow_cap=0.0)
    (squeeze,) = squeezes(before, after, capital=CAPITAL).found[:1]
    head = sandbox.block_number()
    replay = replay_squeeze(sandbox, after, squeeze)
    assert sandbox.block_number() == head
    assert replay.confirmed
    assert replay.loss_model == pytest.approx(squeeze.loss_after, rel=0.02)
    assert replay.loss_contract == pytest.approx(replay.loss_model, rel=1e-3)
    assert replay.liquidations > 0
    assert replay.refused == 0
    assert len(replay.transactions) >= 3
