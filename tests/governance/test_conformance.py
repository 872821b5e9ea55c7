"""What every governor family must do, on the real contracts of the embedded chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluator.chain.embedded import EMBEDDED_CHAIN_ID
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import MalformedProposal, NotAGovernor, ProposalError, UnknownProposal
from evaluator.governance import ExecutionWay, ProposalState, open_governor
from tests.governance.harness import Harness, calldata, draft

pytestmark = pytest.mark.chain

TEXT = "Cut a collateral's limit\n\nBecause it is volatile."
ON_ITS_WAY = (
    ProposalState.PENDING,
    ProposalState.ACTIVE,
    ProposalState.SUCCEEDED,
    ProposalState.QUEUED,
)


def run(harness: Harness, governor, proposal, **options):
    return governor.execute(harness.sandbox, proposal, feeds=harness.feeds, **options)


def names(trace) -> list[str]:
    return [step.name for step in trace.steps]


# Finding and reading


def test_the_family_is_told_by_its_contract(harness: Harness, governor) -> None:
    assert governor.name == harness.name
    assert governor.address == harness.governor.lower()


def test_a_submitted_proposal_is_found_whole(harness: Harness, governor) -> None:
    written = draft(harness.change(), harness.nothing(), description=TEXT)
    number = harness.submit(written)
    found = governor.find(harness.sandbox, number)
    assert found.raw_actions == written.raw_actions
    assert found.description == TEXT
    assert found.proposer == harness.proposer.lower()
    assert found.state is ProposalState.PENDING
    assert found.created_block == harness.sandbox.block_number()
    assert found.chain_id == harness.sandbox.chain_id
    assert found.actions[0].decoded.kind in ("Aave PoolConfigurator", "Compound comptroller")
    assert found.notes == ()


def test_a_draft_and_its_submission_have_the_same_digest(harness: Harness, governor) -> None:
    written = draft(harness.change(), description=TEXT)
    number = harness.submit(written)
    assert governor.find(harness.sandbox, number).digest == written.digest
    other = draft(harness.change(), description=TEXT + ".")
    assert other.digest != written.digest


def test_states_are_read_as_they_pass(harness: Harness, governor) -> None:
    sandbox = harness.sandbox
    start = sandbox.snapshot()
    for state in harness.states:
        number = harness.reach(draft(harness.change(), description=TEXT), state)
        assert governor.state(sandbox, number) is state
        found = governor.find(sandbox, number)
        assert found.state is state
        assert (found.eta is not None) == (
            state in (ProposalState.QUEUED, ProposalState.EXPIRED, ProposalState.EXECUTED)
        )
        sandbox.revert(start)
        start = sandbox.snapshot()


def test_a_description_that_is_no_utf8_is_read_and_hashed_as_bytes(
    harness: Harness, governor
) -> None:
    written = replace(
        draft(harness.change(), description="x"), description_bytes=b"caf\xe9 \xff\x00 end"
    )
    number = harness.submit(written)
    found = governor.find(harness.sandbox, number)
    assert found.description_bytes == b"caf\xe9 \xff\x00 end"
    assert found.description == "caf\ufffd \ufffd\x00 end"
    assert found.digest == written.digest
    assert run(harness, governor, found).succeeded


def test_undecodable_calldata_is_read_raw_and_stops_nothing(harness: Harness, governor) -> None:
    bomb = calldata("multicall(bytes[])", [])[:4] + b"\xff" * 100
    written = draft((harness.change()[0], 0, bomb), harness.change(), description=TEXT)
    found = governor.find(harness.sandbox, harness.submit(written))
    assert "could not be decoded" in found.actions[0].decoded.error
    assert found.actions[1].decoded.error == ""


@pytest.mark.parametrize("number", [0, 999_999, 2**256 - 1])
def test_an_unknown_id_is_an_error_and_not_pending(harness: Harness, governor, number: int) -> None:
    with pytest.raises(UnknownProposal, match=f"has no proposal {number}"):
        governor.find(harness.sandbox, number)
    with pytest.raises(UnknownProposal):
        governor.state(harness.sandbox, number)


@pytest.mark.parametrize(
    ("meant", "message"),
    [({"chain_id": 1}, "meant for chain 1"), ({"governor": "0x" + "12" * 20}, "meant for the")],
)
def test_a_draft_for_elsewhere_is_refused(harness: Harness, governor, meant, message: str) -> None:
    written = replace(draft(harness.change(), description=TEXT), **meant)
    with pytest.raises(MalformedProposal, match=message):
        governor.adopt(harness.sandbox, written)


# Executing


@pytest.mark.parametrize("state", ON_ITS_WAY)
def test_it_is_carried_on_from_whatever_state(harness: Harness, governor, state) -> None:
    number = harness.reach(draft(harness.change(), description=TEXT), state)
    before = harness.value()
    trace = run(harness, governor, governor.find(harness.sandbox, number))
    assert before != harness.changed
    assert harness.value() == harness.changed
    assert trace.way is ExecutionWay.LIFECYCLE
    assert trace.succeeded
    assert trace.revert_reason == ""
    assert trace.proposal.proposal_id == number
    assert governor.state(harness.sandbox, number) is ProposalState.EXECUTED
    expected = ["wait", "vote", "wait", "queue", "wait", "execute"]
    done = {
        ProposalState.PENDING: 0,
        ProposalState.ACTIVE: 1,
        ProposalState.SUCCEEDED: 3,
        ProposalState.QUEUED: 4,
    }
    assert names(trace) == expected[done[state] :]


def test_a_draft_is_submitted_by_the_strongest_delegate(harness: Harness, governor) -> None:
    proposal = governor.adopt(harness.sandbox, draft(harness.change(), description=TEXT))
    assert (proposal.proposal_id, proposal.state) == (None, None)
    trace = run(harness, governor, proposal)
    assert names(trace) == ["propose", "wait", "vote", "wait", "queue", "wait", "execute"]
    assert trace.way is ExecutionWay.LIFECYCLE
    assert trace.steps[0].sender == harness.voters[0].lower()
    assert trace.proposal.digest == proposal.digest
    assert harness.value() == harness.changed


def test_a_fork_is_carried_like_the_chain_itself(harness: Harness, governor) -> None:
    number = harness.reach(draft(harness.change(), description=TEXT), ProposalState.PENDING)
    harness.sandbox.mine()
    with Sandbox.fork(harness.sandbox.rpc.urls[0]) as fork:
        submitted = governor.execute(fork, governor.find(fork, number), feeds=harness.feeds)
        assert submitted.way is ExecutionWay.LIFECYCLE, submitted.why
        assert harness.event in [event.name for event in submitted.events]
        again = draft(harness.nothing(), description="And another")
        drafted = governor.execute(fork, governor.adopt(fork, again), feeds=harness.feeds)
        assert drafted.way is ExecutionWay.LIFECYCLE, drafted.why
    assert governor.state(harness.sandbox, number) is ProposalState.PENDING


def test_a_named_proposer_is_kept_if_it_can_propose(harness: Harness, governor) -> None:
    written = draft(harness.change(), description=TEXT, proposer=harness.proposer.lower())
    trace = run(harness, governor, governor.adopt(harness.sandbox, written))
    assert trace.steps[0].sender == harness.proposer.lower()
    assert trace.proposal.proposer == harness.proposer.lower()


def test_a_named_proposer_without_votes_is_replaced_and_noted(harness: Harness, governor) -> None:
    nobody = "0x" + "77" * 20
    written = draft(harness.change(), description=TEXT, proposer=nobody)
    trace = run(harness, governor, governor.adopt(harness.sandbox, written))
    assert trace.way is ExecutionWay.LIFECYCLE
    assert trace.steps[0].sender == harness.voters[0].lower()
    assert any(f"the named proposer {nobody} cannot submit it" in note for note in trace.notes)


def test_votes_cast_already_are_counted_and_not_cast_again(harness: Harness, governor) -> None:
    number = harness.reach(draft(harness.change(), description=TEXT), ProposalState.ACTIVE)
    strongest, second = harness.voters[:2]
    harness.send(strongest, calldata("castVote(uint256,uint8)", number, 0))
    trace = run(harness, governor, governor.find(harness.sandbox, number))
    voted = [step.sender for step in trace.steps if step.name == "vote"]
    assert strongest.lower() not in voted
    assert voted[0] == second.lower()
    assert trace.way is ExecutionWay.LIFECYCLE


@pytest.mark.parametrize("state", [ProposalState.CANCELED, ProposalState.DEFEATED])
def test_what_governance_stopped_is_executed_from_the_timelock(
    harness: Harness, governor, state
) -> None:
    number = harness.reach(draft(harness.change(), description=TEXT), state)
    head = harness.sandbox.timestamp()
    trace = run(harness, governor, governor.find(harness.sandbox, number))
    assert trace.way is ExecutionWay.TIMELOCK
    assert f"it is {state.value}" in trace.why
    assert [step.sender for step in trace.steps] == [harness.timelock.lower()]
    assert trace.succeeded
    assert harness.value() == harness.changed
    assert harness.sandbox.timestamp() - head < 60


def test_a_vote_that_cannot_be_won_leaves_no_wait_behind(harness: Harness, governor) -> None:
    number = harness.reach(draft(harness.change(), description=TEXT), ProposalState.ACTIVE)
    for voter in (*harness.voters, harness.proposer):
        harness.send(voter, calldata("castVote(uint256,uint8)", number, 0))
    head, now = harness.sandbox.block_number(), harness.sandbox.timestamp()
    trace = run(harness, governor, governor.find(harness.sandbox, number))
    assert trace.way is ExecutionWay.TIMELOCK
    assert "more votes and the delegates found hold 0" in trace.why
    assert trace.succeeded
    assert trace.block == head + 1
    assert trace.timestamp - now < 60


def test_an_executed_proposal_is_evaluated_before_its_execution(
    harness: Harness, governor, embedded_dump
) -> None:
    # On a chain of its own: an anvil that is a fork itself serves its past only now and then.
    with Sandbox.from_state(embedded_dump, chain_id=EMBEDDED_CHAIN_ID) as chain:
        harness = type(harness).on(chain, harness.deployment)
        number = harness.reach(draft(harness.change(), description=TEXT), ProposalState.EXECUTED)
        executed = governor.find(chain, number)
        with pytest.raises(ProposalError, match="was executed already"):
            run(harness, governor, executed)
        block = governor.evaluation_block(chain, executed)
        assert block == chain.block_number() - 1
        with Sandbox.fork(chain.rpc.urls[0], block=block) as fork:
            earlier = governor.find(fork, number)
            assert earlier.state is ProposalState.QUEUED
            trace = governor.execute(fork, earlier, feeds=harness.feeds)
    assert trace.succeeded
    assert trace.way is ExecutionWay.LIFECYCLE
    assert harness.event in [event.name for event in trace.events]


def test_only_an_executed_proposal_has_an_evaluation_block(harness: Harness, governor) -> None:
    number = harness.reach(draft(harness.change(), description=TEXT), ProposalState.PENDING)
    pending = governor.find(harness.sandbox, number)
    assert governor.evaluation_block(harness.sandbox, pending) is None


def test_a_revert_on_execution_is_a_result_with_its_reason(harness: Harness, governor) -> None:
    call, reason = harness.reverting()
    written = draft(harness.change(), call, description=TEXT)
    before = harness.value()
    trace = run(harness, governor, governor.adopt(harness.sandbox, written))
    assert not trace.succeeded
    assert trace.way is ExecutionWay.LIFECYCLE
    assert trace.revert_reason.startswith("call 2 of 2")
    assert reason in trace.revert_reason
    assert trace.steps[-1].name == "execute"
    assert not trace.steps[-1].succeeded
    assert (trace.events, trace.storage_changes, trace.transfers) == ((), (), ())
    assert harness.value() == before


def test_a_revert_from_the_timelock_undoes_the_calls_before_it(harness: Harness, governor) -> None:
    call, reason = harness.reverting()
    written = draft(harness.change(), call, description=TEXT)
    number = harness.reach(written, ProposalState.CANCELED)
    before = harness.value()
    trace = run(harness, governor, governor.find(harness.sandbox, number))
    assert (trace.way, trace.succeeded) == (ExecutionWay.TIMELOCK, False)
    assert reason in trace.revert_reason
    assert harness.value() == before


def test_a_proposal_that_changes_nothing_is_told_apart(harness: Harness, governor) -> None:
    for written, nothing in (
        (draft(harness.nothing(), description="Look at a price"), True),
        (draft(harness.change(), description=TEXT), False),
    ):
        trace = run(harness, governor, governor.adopt(harness.sandbox, written))
        assert trace.succeeded
        assert trace.changed_nothing == nothing


def test_queued_proposals_are_executed_first_in_the_order_of_their_times(
    harness: Harness, governor
) -> None:
    first = harness.reach(draft(harness.change(), description="the first"), ProposalState.QUEUED)
    second = harness.reach(
        draft(harness.nothing(), description="the second"), ProposalState.SUCCEEDED
    )
    harness.sandbox.warp(3_600)
    harness.queue(draft(harness.nothing(), description="the second"), second)
    assert [p.proposal_id for p in governor.queued(harness.sandbox)] == [first, second]
    seen: list[int] = []
    trace = run(
        harness,
        governor,
        governor.adopt(harness.sandbox, draft(harness.nothing(), description="the third")),
        before_execution=lambda: seen.append(harness.value()),
    )
    assert trace.executed_first == (first, second)
    assert seen == [harness.changed]
    assert trace.way is ExecutionWay.LIFECYCLE
    assert trace.changed_nothing
    assert governor.queued(harness.sandbox) == ()


def test_one_queued_for_later_does_not_go_first(harness: Harness, governor) -> None:
    mine = draft(harness.change(), description="mine")
    first = harness.reach(mine, ProposalState.QUEUED)
    # The chain moves on by more than the timelock's delay while the other is voted on.
    other = harness.reach(draft(harness.nothing(), description="other"), ProposalState.QUEUED)
    trace = run(harness, governor, governor.find(harness.sandbox, first))
    assert trace.executed_first == ()
    assert any(str(other) in note and "later time" in note for note in trace.notes)


def test_a_queued_proposal_that_reverts_does_not_stop_the_next(harness: Harness, governor) -> None:
    call, _ = harness.reverting()
    broken = harness.reach(draft(call, description="broken"), ProposalState.QUEUED)
    written = draft(harness.change(), description=TEXT)
    trace = run(harness, governor, governor.adopt(harness.sandbox, written))
    assert trace.succeeded
    assert trace.executed_first == ()
    assert any(f"proposal {broken}, queued before it, reverts" in note for note in trace.notes)


# The trace


def test_the_trace_says_what_the_execution_did(harness: Harness, governor) -> None:
    target = harness.change()[0].lower()
    trace = run(
        harness,
        governor,
        governor.adopt(harness.sandbox, draft(harness.change(), description=TEXT)),
    )
    (event,) = [event for event in trace.events if event.contract == target]
    assert event.name == harness.event
    assert target in trace.touched
    outside = [c for c in trace.storage_changes if c.contract not in trace.machinery]
    assert outside
    assert all(change.before != change.after for change in outside)
    assert trace.gas_used == trace.steps[-1].gas_used > 50_000
    assert trace.block == harness.sandbox.block_number()
    assert (trace.role_changes, trace.owner_changes, trace.code_changes) == ((), (), ())


def test_an_error_answered_instead_of_a_revert_is_told(harness: Harness, governor) -> None:
    if harness.name != "GovernorBravo":
        pytest.skip("Aave reverts")
    # Without fresh feeds Venus finds no price for the asset and answers PRICE_ERROR, 13.
    before = harness.value()
    written = draft(harness.change(), description=TEXT)
    trace = governor.execute(harness.sandbox, governor.adopt(harness.sandbox, written))
    assert harness.value() == before
    assert trace.succeeded
    assert trace.changed_nothing
    (failure,) = trace.soft_failures
    assert failure.startswith(harness.change()[0].lower())
    assert "error 13" in failure


def test_waits_refresh_the_feeds_before_anything_is_executed(harness: Harness, governor) -> None:
    feed = harness.deployment.feeds["WETH"]

    def updated() -> int:
        return int.from_bytes(
            harness.sandbox.call(feed, calldata("latestRoundData()"))[96:128], "big"
        )

    ages: list[int] = []
    trace = run(
        harness,
        governor,
        governor.adopt(harness.sandbox, draft(harness.change(), description=TEXT)),
        before_execution=lambda: ages.append(harness.sandbox.timestamp() - updated()),
    )
    assert ages == [0]
    assert any("price feeds were given a new timestamp" in note for note in trace.notes)


def test_native_and_token_transfers_are_listed(harness: Harness, governor) -> None:
    receiver = "0x" + "99" * 20
    token = harness.deployment.tokens["USDC"]
    harness.sandbox.set_balance(harness.timelock, 10**18)
    holder = next(iter(harness.deployment.aave.a_tokens.values()))
    holder = harness.deployment.aave.a_tokens["USDC"]
    harness.sandbox.send(
        holder, token, calldata("transfer(address,uint256)", harness.timelock, 500)
    )
    written = draft(
        (receiver, 7, b""),
        (token, 0, calldata("transfer(address,uint256)", receiver, 300)),
        description="Pay",
    )
    trace = run(harness, governor, governor.adopt(harness.sandbox, written))
    moved = [(t.asset, t.sender, t.receiver, t.amount) for t in trace.transfers]
    timelock = harness.timelock.lower()
    assert ("", timelock, receiver, 7) in moved
    assert (token.lower(), timelock, receiver, 300) in moved


def test_value_the_timelock_lacks_is_sent_along(harness: Harness, governor) -> None:
    receiver = "0x" + "99" * 20
    written = draft((receiver, 5 * 10**18, b""), description="Pay")
    trace = run(harness, governor, governor.adopt(harness.sandbox, written))
    if trace.succeeded:
        assert harness.sandbox.get_balance(receiver) == 5 * 10**18
    else:
        # Venus' execute takes no value: on the chain it reverts as well.
        assert harness.name == "GovernorBravo"
        assert trace.revert_reason


# Not a governor


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("0x" + "12" * 20, "has no code"),
        ("token", "no governor Seatrial knows"),
        ("pool", "no governor Seatrial knows"),
        ("timelock", "no governor Seatrial knows"),
        ("0x12", "is not an address"),
        ("governor", "is not an address"),
    ],
)
def test_what_is_no_governor_is_refused_with_what_was_tried(
    read_only_sandbox: Sandbox, deployment, what: str, message: str
) -> None:
    address = {
        "token": deployment.tokens["WETH"],
        "pool": deployment.aave.pool,
        "timelock": deployment.openzeppelin.timelock,
    }.get(what, what)
    with pytest.raises(NotAGovernor, match=message) as raised:
        open_governor(read_only_sandbox, address)
    if "knows" in message:
        assert "COUNTING_MODE()" in str(raised.value)
        assert "quorumVotes()" in str(raised.value)
