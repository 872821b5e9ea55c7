"""Paths of the battery on the real contracts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluator.arena.bundles import Committed, Simulated
from evaluator.arena.conformance import relative
from evaluator.arena.families import lending_of
from evaluator.arena.pricing import PriceWay, price_setting
from evaluator.arena.replay import choose_paths, replay_paths
from evaluator.chain.simulation import SimulatedBlock
from evaluator.stress.battery import Battery
from evaluator.stress.engine import ReferenceModel
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.universe import Universe

pytestmark = pytest.mark.chain

# The contracts' interest compounds by the second and in their own rounding.
TOLERANCE = 1e-3
HOURS = 12


class Crash:
    """Paths that fall by a share of their number, and bounce."""

    name = "crash"
    step = 3600.0

    def __init__(self, market):
        self.symbols = market.symbols
        pegged = [r.asset.pegged_to == "USD" for r in market.reserves]
        self.moves = ~np.array(pegged)

    def paths(self, *, seed, first, count, steps):
        out = np.ones((count, steps + 1, len(self.symbols)))
        for k in range(count):
            depth = 0.08 * (first + k)
            t = np.arange(steps + 1) / steps
            fall = 1.0 - depth * np.minimum(2.0 * t, 1.0)
            out[k][:, self.moves] = fall[:, None]
        return out


def battery(**changes):
    return replace(Battery(horizon=HOURS * 3600.0, paths=8), **changes)


def replay(sandbox, market, b, paths=(4, 7)):
    return replay_paths(
        sandbox,
        before=market,
        after=market,
        battery=b,
        process=Crash(market),
        seed=0,
        paths=paths,
        worst=paths[-1:],
    )


def test_contracts_do_what_the_model_and_the_battery_say(market, sandbox):
    head = sandbox.block_number()
    done = replay(sandbox, market, battery())
    assert [p.path for p in done.paths] == [4, 7]
    assert [p.worst for p in done.paths] == [False, True]
    assert done.refused == 0
    assert done.liquidations > 40
    assert done.paths[1].bad_debt_model > 50.0
    assert done.largest_error < TOLERANCE
    assert done.largest_error > 0.0  # two programs never agree to the last digit
    assert done.health_error < 10 * TOLERANCE
    assert sandbox.block_number() == head
    # What was replayed is what the battery itself does on the same path.
    b, path = battery(), done.paths[1]
    universe = Universe.of(market, market)
    model = ReferenceModel(
        market,
        columns=universe.after,
        universe=universe,
        battery=b,
        existing=existing_bad_debt(market, market.prices),
    )
    outcome = model.simulate(Crash(market).paths(seed=0, first=7, count=1, steps=b.steps))
    assert path.bad_debt_model == outcome.bad_debt[0]
    assert path.liquidated_model == outcome.liquidated[0]
    assert len(path.liquidations) == outcome.liquidations[0]


def test_a_model_with_another_bonus_is_found_out(market, sandbox):
    changed = replace(
        market,
        reserves=tuple(
            replace(
                r,
                parameters=replace(
                    r.parameters, liquidation_bonus=r.parameters.liquidation_bonus + 0.02
                ),
            )
            for r in market.reserves
        ),
    )
    assert replay(sandbox, changed, battery(), paths=(4,)).largest_error > 5e-3


def test_a_model_with_another_threshold_is_found_out(market, sandbox):
    changed = replace(
        market,
        reserves=tuple(
            replace(
                r,
                parameters=replace(
                    r.parameters, liquidation_threshold=r.parameters.liquidation_threshold * 0.9
                ),
            )
            for r in market.reserves
        ),
    )
    done = replay(sandbox, changed, battery(), paths=(4,))
    assert done.refused > 0
    assert done.largest_error > 1e-2


def test_small_capital_makes_partial_liquidations_that_agree(market, sandbox):
    done = replay(sandbox, market, battery(liquidator_capital=30_000.0), paths=(4,))
    assert done.refused == 0
    assert done.largest_error < TOLERANCE


def test_every_way_to_set_prices_is_believed(market, sandbox):
    lending = lending_of(sandbox, market)
    setting = price_setting(sandbox, Simulated(sandbox), lending)
    assert setting.way is PriceWay.PUSH
    wanted = market.prices * np.linspace(0.7, 1.3, len(market.reserves))
    for way in PriceWay:
        at = sandbox.timestamp() + 60
        calls, overrides = replace(setting, way=way).put(wanted, timestamp=at)
        asked = tuple(lending.price(a) for a in range(len(wanted)))
        (block,) = Simulated(sandbox).run(
            [SimulatedBlock(calls=(*calls, *asked), timestamp=at, overrides=overrides)]
        )
        for a, result in enumerate(block.calls[len(calls) :]):
            said = int.from_bytes(result.return_data, "big")
            expected = setting.raw[a] * wanted[a] / market.prices[a]
            assert relative(said, expected) < 1e-7


@pytest.mark.slow
def test_mined_transactions_say_the_same_as_simulated_ones(aave_market, sandbox, monkeypatch):
    b = battery(liquidator_capital=300_000.0)
    simulated = replay(sandbox, aave_market, b, paths=(3,))
    head = sandbox.block_number()
    monkeypatch.setattr(type(sandbox), "has_simulate", False)
    mined = replay(sandbox, aave_market, b, paths=(3,))
    assert mined.way == Committed.way
    assert any("eth_simulateV1" in note for note in sandbox.notes)
    assert mined.liquidations == simulated.liquidations > 0
    for one, other in zip(
        mined.paths[0].liquidations, simulated.paths[0].liquidations, strict=True
    ):
        assert one.repaid_contract == pytest.approx(other.repaid_contract, rel=1e-9)
        assert one.seized_contract == pytest.approx(other.seized_contract, rel=1e-9)
    assert sandbox.block_number() == head


def test_the_worst_paths_are_always_chosen(aave_market):
    b = battery()
    universe = Universe.of(aave_market, aave_market)
    model = ReferenceModel(
        aave_market,
        columns=universe.after,
        universe=universe,
        battery=b,
        existing=existing_bad_debt(aave_market, aave_market.prices),
    )
    process = Crash(aave_market)
    outcome = model.simulate(process.paths(seed=0, first=0, count=8, steps=b.steps))
    assert choose_paths(outcome, count=3, worst=2)[-2:] == (6, 7)
    assert len(choose_paths(outcome, count=20)) == 8
