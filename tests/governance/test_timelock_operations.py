"""Operations scheduled straight in OpenZeppelin's timelock go before the proposal too."""

import eth_abi
import pytest
from eth_utils import keccak

from evaluator.governance import ExecutionWay, ProposalState, open_governor
from evaluator.governance.timelock_operations import scheduled_operations

from .harness import TWO_DAYS, OpenZeppelinHarness, calldata, draft

pytestmark = pytest.mark.chain
NONE = bytes(32)
SALT = b"\x07" * 32


@pytest.fixture
def harness(sandbox, deployment):
    return OpenZeppelinHarness.on(sandbox, deployment)


def schedule(harness, call, *, batch, delay=TWO_DAYS, salt=SALT, predecessor=NONE):
    """Schedule a call past the governor, as any account with the proposer's role may."""
    target, value, data = call
    if batch:
        order = calldata(
            "scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)",
            [target], [value], [data], predecessor, salt, delay,
        )  # fmt: skip
    else:
        order = calldata(
            "schedule(address,uint256,bytes,bytes32,bytes32,uint256)",
            target, value, data, predecessor, salt, delay,
        )  # fmt: skip
    return harness.sandbox.send(harness.governor, harness.timelock, order)


def evaluate(harness, call, **settings):
    governor = open_governor(harness.sandbox, harness.governor)
    proposal = governor.adopt(harness.sandbox, draft(call, description="mine"))
    return governor.execute(harness.sandbox, proposal, feeds=harness.feeds, **settings)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("salt", [NONE, SALT])
def test_it_is_executed_first(harness, batch, salt):
    schedule(harness, harness.change(), batch=batch, salt=salt)
    (operation,) = scheduled_operations(harness.sandbox, harness.timelock)
    seen = []
    trace = evaluate(
        harness, harness.nothing(), before_execution=lambda: seen.append(harness.value())
    )
    assert trace.way is ExecutionWay.LIFECYCLE
    assert seen == [harness.changed]
    assert any(operation.identifier.hex() in note and "first" in note for note in trace.notes)
    assert scheduled_operations(harness.sandbox, harness.timelock) == ()


def test_one_that_reverts_is_told_and_stops_nothing(harness):
    call, reason = harness.reverting()
    schedule(harness, call, batch=False)
    trace = evaluate(harness, harness.change())
    assert trace.succeeded
    assert any("reverts" in note and reason in note for note in trace.notes)


def test_one_for_a_later_time_waits(harness):
    schedule(harness, harness.change(), batch=False, delay=400 * 86_400)
    seen = []
    governor = open_governor(harness.sandbox, harness.governor)
    number = harness.reach(draft(harness.nothing(), description="mine"), ProposalState.QUEUED)
    trace = governor.execute(
        harness.sandbox,
        governor.find(harness.sandbox, number),
        feeds=harness.feeds,
        before_execution=lambda: seen.append(harness.value()),
    )
    assert seen != [harness.changed]
    assert any("later time" in note for note in trace.notes)


def test_one_follows_its_predecessor(harness):
    first = harness.nothing()
    single = keccak(
        eth_abi.encode(["address", "uint256", "bytes", "bytes32", "bytes32"], [*first, NONE, SALT])
    )
    schedule(harness, harness.change(), batch=False, predecessor=single)
    schedule(harness, first, batch=False)
    trace = evaluate(harness, harness.nothing())
    assert harness.value() == harness.changed
    assert trace.succeeded


def test_what_the_governor_queued_is_no_operation_of_its_own(harness):
    number = harness.reach(draft(harness.change(), description="queued"), ProposalState.QUEUED)
    trace = evaluate(harness, harness.nothing())
    assert trace.executed_first == (number,)
    assert not any("operation" in note for note in trace.notes)


def test_events_of_a_contract_that_is_no_timelock_are_nothing(harness):
    assert scheduled_operations(harness.sandbox, harness.governor) == ()
    assert scheduled_operations(harness.sandbox, "0x" + "11" * 20) == ()
