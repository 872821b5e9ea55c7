"""What is worked out beside the odds, on the embedded chain."""

from dataclasses import replace

import pytest

from evaluator.evaluation import studies as module
from evaluator.evaluation.request import Silence
from evaluator.evaluation.studies import studies
from evaluator.report.sections import not_computed, sections


class Stages(Silence):
    """Remembers the stages."""

    def __init__(self):
        self.names = []

    def stage(self, name, detail=""):
        self.names.append(name)


def test_the_fan_ends_at_the_horizon_and_states_its_sample(aave):
    fan = aave.report.markets[0].fan
    assert fan.time[0] == 0.0
    assert fan.time[-1] == 7 * 86400.0
    assert fan.samples == 128
    assert [s.name for s in fan.series][:2] == ["today", "after, same borrowers"]
    assert all(q[0] == 0.0 for s in fan.series for q in s.quantiles)


def test_bad_debt_by_asset_adds_up_to_the_whole(aave):
    market, pair = aave.report.markets[0], aave.trials[0].stressed.pair
    expected = sum(one.rows[0].today.value for one in market.assets)
    assert expected == pytest.approx(pair.before.bad_debt.mean())
    change = sum(one.rows[0].difference.value for one in market.assets)
    assert change == pytest.approx((pair.after.bad_debt - pair.before.bad_debt).mean())


def test_every_path_is_counted_in_the_time_to_insolvency(aave):
    for row in aave.report.markets[0].first_passage:
        assert row.events + row.censored == 128
        assert (row.median is None) == (row.events == 0)


def test_what_was_not_asked_for_is_said_to_be_missing(aave):
    missing = not_computed(aave.report)
    assert {"Greeks", "what drives the result"} <= set(missing)
    assert "the most plausible way to a large loss" in missing
    assert "bad debt over time" not in missing


@pytest.mark.slow
def test_a_full_evaluation_shows_greeks_sensitivity_and_rare_and_plausible_losses(
    aave, monkeypatch
):
    for name, few in {
        "_RARE_PATHS": 200,
        "_RARE_SEARCH": 200,
        "_SENSITIVITY_SAMPLES": 4,
        "_SENSITIVITY_PATHS": 64,
        "_MOST_BUMPED": 3,
        "_GENERATIONS": 5,
    }.items():
        monkeypatch.setattr(module, name, few)
    trial, told = aave.trials[0], Stages()
    few = replace(trial.stressed, battery=replace(trial.stressed.battery, paths=64))
    found = studies(trial.reading, few, name="Aave V3", seed=0, progress=told)
    assert told.names == ["Greeks", "sensitivity", "plausible loss", "rare losses"]
    assert {g.name for g in found.greeks} == {"delta", "gamma", "vega", "theta", "parameter"}
    assert all(g.today.samples == 64 and g.after.horizon == 7 * 86400.0 for g in found.greeks)
    changed = {g.what for g in found.greeks if g.name == "parameter"}
    assert "aave_v3.WETH.liquidation_threshold" in changed
    volatility = next(r for r in found.sensitivity.rows if r.name.startswith("volatility"))
    assert volatility.high > volatility.low
    assert found.plausible_loss.startswith("Today: ")
    assert "standard deviations" in found.plausible_loss
    for small, large in zip(found.rare[:2], found.rare[2:], strict=True):
        assert small.state == large.state
        assert 0.0 <= large.chance.value <= small.chance.value < 1.0
        assert small.chance.horizon == 7 * 86400.0
        assert small.drawn > small.chance.samples
    market = aave.report.markets[0].model_copy(
        update={
            "rare": found.rare,
            "greeks": found.greeks,
            "sensitivity": found.sensitivity,
            "plausible_loss": found.plausible_loss,
        }
    )
    report = aave.report.model_copy(update={"markets": (market,)})
    slugs = {s.slug for s in sections(report)}
    assert {"greeks", "sensitivity", "plausible_loss", "rare", "assets", "first_passage"} <= slugs


def test_a_lower_threshold_leaves_more_room_before_liquidations_do_harm(aave):
    market = aave.report.markets[0]
    weth = next(r for r in market.toxic if r.asset == "WETH")
    assert weth.toxic == pytest.approx(1 / 1.05)
    assert weth.after > weth.today > 0.0
    assert weth.today == pytest.approx(1.0 - 0.825 * 1.05)


def test_a_price_in_a_deeper_pool_costs_more_to_hold(aave):
    rows = aave.report.markets[0].holding
    cost = {(r.asset, r.factor): r.opening + r.holding for r in rows}
    assert cost["WETH", 0.7] > cost["CRV", 0.7] > 0.0
    assert all(r.measured and r.capital > r.opening for r in rows)
    assert [r.opening + r.holding for r in rows] == sorted(cost.values())
