"""What leaves the treasury without a word, on the real contracts."""

from dataclasses import replace

import pytest

from evaluator.chain.abi import Abi
from evaluator.chain.embedded import Call, propose_openzeppelin
from evaluator.evaluation.measurement import Reading
from evaluator.evaluation.payments import payments_of
from evaluator.governance.adapter import open_governor
from evaluator.protocols.adapter import adapters
from gallery.stage import Stage

STRANGER = "0x5ea7000000000000000000000000000000000bad"
TOKEN = Abi.parse(
    [
        "function transfer(address,uint256) returns (bool)",
        "function approve(address,uint256) returns (bool)",
    ]
)


@pytest.fixture
def paid(sandbox, sandbox_deployment):
    """Execute calls of the treasury, which holds USDC and USDC supplied to Aave."""
    stage = Stage(sandbox, sandbox_deployment)
    treasury = stage.aave_timelock
    stage.supply_to_aave(stage.token("USDC"), treasury, 1_000_000)
    stage.give(stage.token("USDC"), treasury, 500_000)
    adapter = next(a for a in adapters() if a.name == "aave_v3")

    def execute(*calls: Call):
        before = adapter.read(sandbox, sandbox_deployment.aave.pool, cache=None)
        ref = propose_openzeppelin(sandbox, sandbox_deployment, calls, description="Housekeeping")
        governor = open_governor(sandbox, ref.governor)
        trace = governor.execute(sandbox, governor.find(sandbox, ref.proposal_id))
        assert trace.succeeded
        reading = Reading(
            adapter=adapter,
            root=sandbox_deployment.aave.pool,
            before=before,
            after=None,
            parameters_before=(),
            parameters_after=(),
            histories=(),
        )
        return payments_of(sandbox, trace, [reading])

    return execute


@pytest.mark.chain
def test_supplied_tokens_are_worth_what_they_stand_for(paid, sandbox_deployment):
    receipt = sandbox_deployment.aave.a_tokens["USDC"]
    units = 400_000 * 10**6
    (payment,) = paid(Call(target=receipt, calldata=TOKEN.encode("transfer", STRANGER, units)))
    assert payment.recipient == STRANGER
    assert payment.amount == pytest.approx(400_000, rel=0.01)
    assert payment.usd == pytest.approx(400_000, rel=0.02)
    assert not payment.allowed


@pytest.mark.chain
def test_an_allowance_counts_as_far_as_there_is_a_balance(paid, sandbox_deployment):
    usdc = sandbox_deployment.tokens["USDC"]
    pool = sandbox_deployment.aave.pool
    (payment,) = paid(
        Call(target=usdc, calldata=TOKEN.encode("approve", STRANGER, 2**256 - 1)),
        Call(target=usdc, calldata=TOKEN.encode("approve", pool, 2**256 - 1)),
    )
    assert payment.allowed
    assert payment.recipient == STRANGER
    assert payment.usd == pytest.approx(500_000, rel=0.01)
    assert replace(payment, usd=None).amount == pytest.approx(500_000)
