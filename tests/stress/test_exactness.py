"""The certificate loop against the dense loop, to the bit, over whole weeks and larger books."""

import itertools
from dataclasses import replace
from functools import lru_cache

import pytest

from evaluator.market import Family, OracleKind, OracleSpec
from evaluator.stress.battery import Battery, Event
from evaluator.stress.kernel import model

WEEKS = {
    "calm": {"sigma": 0.3},
    "stressed": {"sigma": 1.0},
    "crash": {"sigma": 1.0, "crash": -0.45, "crash_step": 30},
    "squeeze": {"sigma": 1.0, "crash": 0.4, "crash_step": 30},
    "frozen": {"sigma": 0.0},
}
BATTERIES = {
    "plain": {},
    "little capital": {"liquidator_capital": 3e4},
    "no gas": {"liquidation_gas": 0.0},
    "dear gas": {"gas_price": 2000e9},
    "thin": {"depth_factor": 0.02},
    "LPs leave": {"depth_elasticity": 1.0},
    "borrowers watch": {"top_up_share": 0.3},
    "no keepers": {"keepers_absent": True},
    "late": {"latency_steps": 4},
    "any loss": {"insolvency_threshold": 0.0},
    "no loss": {"insolvency_threshold": 1e12},
    "run": {"supplier_run_rate": 0.02, "supplier_run_above": 0.4},
    "one attempt": {"attempts": 1, "size_halvings": 0},
    "another order": {
        "order": (
            Event.LIQUIDATIONS,
            Event.BORROWERS,
            Event.ORACLE,
            Event.PRICES,
            Event.REFILL,
            Event.INTEREST,
            Event.SUPPLIERS,
        )
    },
}


@lru_cache(maxsize=1)
def tweaked(build, seed):
    """A book of 300 and what is peculiar to it."""
    family = Family.COMPOUND_V2 if seed % 3 == 2 else Family.AAVE_V3
    m = build.random_market(seed, N=300, family=family, hf=0.97 if seed % 2 else 1.01, spread=0.15)
    if family is Family.COMPOUND_V2:
        reserves = [
            replace(r, parameters=replace(r.parameters, protocol_fee=0.01)) for r in m.reserves
        ]
        m = replace(m, reserves=tuple(reserves))
    if seed % 4 == 1:
        m = build.with_reserve(m, "T0", oracle=OracleSpec(source="", kind=OracleKind.FIXED))
    if seed % 5 == 2:
        m = build.with_parameters(m, "T1", paused=True)
    if seed % 4 == 3:
        m = build.with_reserve(m, "T2", oracle=OracleSpec(source="", kind=OracleKind.POOL))
    return m


def compare(build, seed, week, battery):
    m = tweaked(build, seed)
    law = dict(WEEKS[week])
    sigma = law.pop("sigma")
    process = build.PlainGBM((sigma, 0.02 * (sigma > 0), *[sigma] * 3), **law)
    paths = process.paths(seed=seed, first=0, count=2, steps=168)
    b = Battery(**({"liquidator_capital": 1e6} | BATTERIES[battery]))
    dense = build.outcome_on(m, paths, b, "dense")
    fast = build.outcome_on(m, paths, b, "certificate")
    assert fast.digest() == dense.digest(), (seed, week, battery)
    return dense


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_equal_to_the_bit(build, seed):
    seen = [compare(build, seed, w, b) for w, b in itertools.product(WEEKS, BATTERIES)]
    assert sum(int(o.liquidations.sum()) for o in seen) > 1000
    assert any((o.first_insolvency > 0).any() for o in seen)


@pytest.mark.slow
def test_equal_to_the_bit_when_memory_runs_out(build, monkeypatch):
    def small(*shape):
        m = plain(*shape)
        return m._replace(pool=m.pool[:150].copy())

    plain = model.memory
    monkeypatch.setattr(model, "memory", small)
    monkeypatch.setattr(model, "_shared", type(model._shared)())
    for seed, (week, battery) in enumerate(
        itertools.product(("stressed", "crash"), ("plain", "thin", "any loss"))
    ):
        compare(build, seed, week, battery)
