"""Weak points: which reserves are opened, what weighs how much, code that can change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluator.arena.oracle_findings import PoolSource
from evaluator.arena.oracle_probe import probe_oracles
from evaluator.arena.statics import (
    Opening,
    WeakKind,
    Weight,
    changed_inside,
    opened_reserves,
    weak_prices,
)
from evaluator.arena.statics_code import CodeRisk, can_destroy_itself, changeable_code
from evaluator.arena.statics_tokens import token_behaviour
from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import load_artifact
from evaluator.chain.contract import Contract

OWNER = "0x" + "e0" * 20


def changed(market, symbol, **parameters):
    """The market with other parameters of one reserve."""
    a = market.index(symbol)
    reserve = market.reserves[a]
    rest = {k: parameters.pop(k) for k in ("oracle", "receipt_token") if k in parameters}
    new = replace(reserve, parameters=replace(reserve.parameters, **parameters), **rest)
    return replace(market, reserves=(*market.reserves[:a], new, *market.reserves[a + 1 :]))


@pytest.mark.chain
def test_only_what_allows_more_is_opened(aave_market):
    a = aave_market.index("LINK")
    p = aave_market.reserves[a].parameters
    before = aave_market
    assert opened_reserves(before, before) == {}
    assert opened_reserves(before, changed(before, "LINK", ltv=p.ltv - 0.1)) == {}
    assert opened_reserves(before, changed(before, "LINK", ltv=p.ltv + 0.01)) == {a: Opening.WIDER}
    assert opened_reserves(before, changed(before, "LINK", borrow_cap=1e12)) == {a: Opening.WIDER}
    none = changed(before, "LINK", ltv=0.0, liquidation_threshold=0.0)
    assert opened_reserves(none, before) == {a: Opening.COLLATERAL}
    shut = changed(before, "LINK", borrowing_enabled=False)
    assert opened_reserves(shut, before) == {a: Opening.BORROWABLE}
    oracle = replace(before.reserves[a].oracle, source="0x" + "12" * 20)
    assert opened_reserves(before, changed(before, "LINK", oracle=oracle)) == {a: Opening.SOURCE}
    listed = changed(before, "LINK", receipt_token="0x" + "34" * 20)
    assert opened_reserves(before, listed) == {a: Opening.LISTED}
    paused = changed(listed, "LINK", paused=True)
    assert opened_reserves(before, paused) == {}


def test_a_contract_on_the_way_of_a_price_counts():
    ways = {0: ("oracle", "feed"), 1: ("oracle", "wrapper", "token")}
    assert changed_inside(ways, {"wrapper", "elsewhere"}) == (1,)
    assert changed_inside(ways, {"elsewhere"}) == ()
    assert changed_inside(ways, {"oracle"}) == (0, 1)


def weights(market, probe, opening):
    points = weak_prices(market, [probe], {probe.reserve: opening}, forked_at=market.timestamp)
    return {p.kind: p.weight for p in points}


@pytest.mark.chain
def test_what_weighs_how_much(read_only_sandbox, aave_market):
    a = aave_market.index("LINK")
    (calm,) = probe_oracles(read_only_sandbox, aave_market, reserves=[a])
    assert weights(aave_market, calm, Opening.SOURCE) == {}
    for share, weight in ((0.5, Weight.DANGER), (0.05, Weight.DOUBT), (0.001, Weight.NOTE)):
        floored = replace(calm, floor=share * calm.price)
        assert weights(aave_market, floored, Opening.SOURCE) == {WeakKind.FLOOR: weight}
    debt_only = changed(aave_market, "LINK", ltv=0.0, liquidation_threshold=0.0)
    floored = replace(calm, floor=0.5 * calm.price)
    assert weights(debt_only, floored, Opening.SOURCE) == {WeakKind.FLOOR: Weight.NOTE}
    pool = PoolSource(
        pool="0x" + "11" * 20, token=calm.token, moved=0.2, delay=0, fee=0.003,
        depth_usd=1e6, capital_usd=5e4, cost_usd=300.0,
    )  # fmt: skip
    thin, deep, late = (
        replace(calm, pools=(p,))
        for p in (pool, replace(pool, depth_usd=1e13), replace(pool, delay=1800))
    )
    assert weights(aave_market, thin, Opening.SOURCE) == {WeakKind.POOL: Weight.DANGER}
    assert weights(aave_market, deep, Opening.SOURCE) == {WeakKind.POOL: Weight.DOUBT}
    assert weights(aave_market, late, Opening.SOURCE) == {WeakKind.POOL: Weight.DOUBT}
    old = replace(calm, updated_at=aave_market.timestamp - 3 * 86_400)
    assert weights(aave_market, old, Opening.SOURCE) == {WeakKind.STALE: Weight.DANGER}


def test_self_destruction_is_an_instruction_and_not_a_constant():
    assert can_destroy_itself(bytes.fromhex("33ff"))
    assert not can_destroy_itself(bytes.fromhex("60ff00"))
    assert not can_destroy_itself(bytes.fromhex("6001" + "00" + "a1ffffffff" + "0005"))


@pytest.mark.chain
def test_proxies_and_who_can_change_them(sandbox, deployment):
    build = "@openzeppelin/contracts/build/contracts"
    target, timelock = deployment.tokens["DAI"], deployment.openzeppelin.timelock
    artifact = load_artifact(f"{build}/TransparentUpgradeableProxy.json")

    decimals = Abi.parse(["function decimals()"]).encode("decimals")

    def proxy(owner):
        return Contract.deploy(sandbox, artifact, target, owner, decimals, sender=OWNER).address

    theirs, shared, ours = proxy(OWNER), proxy(deployment.aave.pool), proxy(timelock)
    sandbox.mine()
    found = changeable_code(
        sandbox,
        [theirs, shared, ours, deployment.aave.pool, deployment.aave.pool_configurator, target],
        trusted=[timelock, deployment.openzeppelin.governor],
        made_at=None,
        witness=deployment.openzeppelin.governor,
    )
    assert [(c.contract, c.risk, c.controller, c.account) for c in found] == [
        (theirs.lower(), CodeRisk.PROXY, OWNER, True),
        (shared.lower(), CodeRisk.PROXY, deployment.aave.pool, False),
    ]


@pytest.mark.chain
def test_code_that_came_or_changed_since_the_proposal_was_made(sandbox, deployment):
    young, other = "0x" + "77" * 20, "0x" + "78" * 20
    sandbox.set_code(other, b"\x60\x01")
    sandbox.mine()
    made_at = sandbox.block_number()
    sandbox.mine(2)
    sandbox.set_code(young, b"\x60\x00")
    sandbox.set_code(other, b"\x60\x02")
    sandbox.mine()
    sandbox.upstream = None  # the history stands on the sandbox's own chain
    found = changeable_code(
        sandbox,
        [young, other, deployment.tokens["DAI"]],
        trusted=(),
        made_at=made_at,
        witness=deployment.openzeppelin.governor,
    )
    assert {c.contract: c.risk for c in found} == {
        young: CodeRisk.ABSENT,
        other: CodeRisk.REPLACED,
    }


@pytest.mark.chain
def test_ordinary_tokens_arrive_whole_and_call_nobody(read_only_sandbox, deployment):
    for symbol in ("USDC", "WETH", "CRV"):
        seen = token_behaviour(read_only_sandbox, deployment.tokens[symbol])
        assert seen is not None
        assert (seen.kept, seen.calls_parties) == (0.0, False)


def token_code(*, keeps: bool, calls: bool) -> bytes:
    """A token by hand, whose slots are its holders: balanceOf reads one, transfer writes two."""
    dispatch = "60003560e01c" + "806370a0823114601e57" + "63a9059cbb14602c57" + "600080fd"
    balance_of = "5b60043554" + "60005260206000f3"
    arrives = "606460243504602435" + "03" if keeps else "602435"  # less a hundredth
    hook = "600060006000600060006004355af150" if calls else ""  # calls the receiver
    transfer = (
        "5b" + "6024353354033355" + arrives + "6004355401600435" + "55" + hook
        + "600160005260206000f3"
    )  # fmt: skip
    code = bytes.fromhex(dispatch).ljust(0x1E, b"\0") + bytes.fromhex(balance_of)
    return code.ljust(0x2C, b"\0") + bytes.fromhex(transfer)


@pytest.mark.chain
@pytest.mark.parametrize(("keeps", "calls"), [(False, False), (True, False), (False, True)])
def test_tokens_that_keep_a_part_or_call_somebody_are_seen(sandbox, keeps, calls):
    token = "0x" + "7c" * 20
    sandbox.set_code(token, token_code(keeps=keeps, calls=calls))
    sandbox.mine()
    seen = token_behaviour(sandbox, token)
    assert seen is not None
    assert seen.kept == pytest.approx(0.01 if keeps else 0.0)
    assert seen.calls_parties is calls
