"""Carrying a proposal to execution the way the chain does, or from the timelock itself.

`next_step` decides from the state alone; the rest acts. When a step cannot be done
on this state, everything is taken back and the proposal's calls are sent from the
timelock, with the reason on record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ProposalError, RpcError, TransactionReverted
from evaluator.governance.ballot import Voter, choose_voters
from evaluator.governance.family import LifecycleGovernor
from evaluator.governance.journey import Journey
from evaluator.governance.proposal import Proposal, ProposalState
from evaluator.governance.trace import ExecutionTrace, ExecutionWay
from evaluator.governance.tracing import Effects, read_effects
from evaluator.governance.waiting import run_due, run_queued, send_execution

MAX_STEPS = 16  # a lifecycle has at most seven


class Step(StrEnum):
    """What brings a proposal nearer to its execution."""

    SUBMIT = "propose"
    AWAIT_VOTE = "wait for the vote"
    VOTE = "vote"
    QUEUE = "queue"
    AWAIT_ETA = "wait for the timelock"
    STOP = "stop"  # no way on from this state


def next_step(state: ProposalState | None) -> Step:
    """Decide what to do in a state; None is a proposal not submitted yet."""
    match state:
        case None:
            return Step.SUBMIT
        case ProposalState.PENDING:
            return Step.AWAIT_VOTE
        case ProposalState.ACTIVE:
            return Step.VOTE
        case ProposalState.SUCCEEDED:
            return Step.QUEUE
        case ProposalState.QUEUED:
            return Step.AWAIT_ETA
        case _:
            return Step.STOP


class _Obstacle(Exception):
    """The lifecycle cannot go on; the message says why."""


def execute(
    governor: LifecycleGovernor,
    sandbox: Sandbox,
    proposal: Proposal,
    *,
    feeds: Sequence[str] = (),
    before_execution: Callable[[], None] | None = None,
) -> ExecutionTrace:
    """Carry `proposal` to execution from the state it is in, and say what that did.

    `feeds` are price feeds to be refreshed after waiting. `before_execution` is
    called when only the execution itself is left: what it reads is the state the
    proposal finds, with the waits and the proposals queued before it already over.
    A revert on execution is a result (`succeeded` is False). Raises `ProposalError`
    if the proposal was executed already: fork the block `evaluation_block` names.
    """
    if proposal.state is ProposalState.EXECUTED:
        raise ProposalError(
            f"proposal {proposal.proposal_id} was executed already: evaluate it on a fork of the"
            " block before its execution"
        )
    start = sandbox.snapshot()
    journey = Journey(sandbox=sandbox, feeds=tuple(feeds))
    try:
        ready = _bring_to_execution(governor, journey, proposal)
    except (_Obstacle, ProposalError) as obstacle:
        # Take the failed attempt back, its waits included, and act as of now.
        sandbox.revert(start)
        journey = Journey(sandbox=sandbox, feeds=tuple(feeds))
        why = f"the governance lifecycle cannot be carried through: {obstacle}"
        return _from_timelock(governor, journey, proposal, why, before_execution)
    journey.refresh_feeds()
    if before_execution is not None:
        before_execution()
    return _by_governor(governor, journey, ready)


def _bring_to_execution(
    governor: LifecycleGovernor, journey: Journey, proposal: Proposal
) -> Proposal:
    """Return the proposal when only its execution is left. Raises `_Obstacle`."""
    sandbox = journey.sandbox
    for _ in range(MAX_STEPS):
        match next_step(proposal.state):
            case Step.SUBMIT:
                proposal = _submit(governor, journey, proposal)
            case Step.AWAIT_VOTE:
                assert proposal.snapshot is not None
                journey.wait_until(
                    proposal.snapshot + 1,
                    by_time=governor.uses_time(sandbox),
                    what="the vote to begin",
                )
            case Step.VOTE:
                _vote(governor, journey, proposal)
            case Step.QUEUE:
                calldata = governor.queue_call(sandbox, proposal)
                if calldata is None:
                    run_queued(governor, journey, proposal)
                    return proposal
                _send(journey, Step.QUEUE, proposal, governor.address, calldata)
            case Step.AWAIT_ETA:
                if proposal.eta is not None and proposal.eta > sandbox.timestamp():
                    journey.wait_until(proposal.eta, by_time=True, what="the timelock's delay")
                run_queued(governor, journey, proposal)
                return proposal
            case Step.STOP:
                raise _Obstacle(f"it is {proposal.state}")
        assert proposal.proposal_id is not None
        run_due(governor, journey, proposal)
        proposal = replace(governor.find(sandbox, proposal.proposal_id), route=proposal.route)
    raise _Obstacle(f"it is still {proposal.state} after {MAX_STEPS} steps")


def _submit(governor: LifecycleGovernor, journey: Journey, proposal: Proposal) -> Proposal:
    """Propose as the first account the governor accepts: the one named, then the strongest."""
    sandbox = journey.sandbox
    voters, note = governor.delegates(sandbox, needed=governor.quorum(sandbox), snapshot=None)
    candidates = [v.account for v in voters]
    if proposal.proposer is not None:
        candidates = [proposal.proposer, *(c for c in candidates if c != proposal.proposer)]
    refusals: list[str] = []
    calldata = governor.submit_call(proposal)
    for candidate in candidates[:10]:
        try:
            sandbox.call(governor.address, calldata, sender=candidate)
        except TransactionReverted as error:
            refusals.append(error.reason)
            if candidate == proposal.proposer:
                journey.notes.append(
                    f"the named proposer {candidate} cannot submit it: {error.reason}"
                )
            continue
        receipt = journey.send(
            Step.SUBMIT, f"by {candidate}", candidate, governor.address, calldata
        )
        number = governor.submitted_id(sandbox, proposal, receipt)
        return replace(proposal, proposal_id=number, proposer=candidate)
    why = f": {refusals[-1]}" if refusals else ""
    raise _Obstacle(f"none of {len(candidates)} delegates can submit it{why}{_after(note)}")


def _vote(governor: LifecycleGovernor, journey: Journey, proposal: Proposal) -> None:
    """Vote with real power delegated before the snapshot, then wait for the end."""
    sandbox = journey.sandbox
    missing = governor.tally(sandbox, proposal).missing
    if missing > 0:
        free, spent, note = _free_voters(governor, sandbox, proposal, missing)
        chosen = choose_voters(free, missing)
        if chosen is None and spent and not note:
            # What has voted already was found too and is no help: look for more.
            free, _, note = _free_voters(governor, sandbox, proposal, missing + spent)
            chosen = choose_voters(free, missing)
        if chosen is None:
            held = sum(v.power for v in free)
            raise _Obstacle(
                f"it needs {missing} more votes and the delegates found hold {held}" + _after(note)
            )
        for voter in chosen:
            _send(
                journey,
                Step.VOTE,
                proposal,
                governor.address,
                governor.vote_call(proposal),
                sender=voter.account,
                detail=f"{voter.account} with {voter.power}",
            )
    assert proposal.proposal_id is not None
    # A late quorum may have moved the deadline.
    deadline = governor.find(sandbox, proposal.proposal_id).deadline
    assert deadline is not None
    journey.wait_until(deadline + 1, by_time=governor.uses_time(sandbox), what="the vote to end")


def _free_voters(
    governor: LifecycleGovernor, sandbox: Sandbox, proposal: Proposal, needed: int
) -> tuple[list[Voter], int, str]:
    """Delegates that have not voted yet, the power of those that have, and a note."""
    voters, note = governor.delegates(sandbox, needed=needed, snapshot=proposal.snapshot)
    voted = governor.has_voted(sandbox, proposal, [v.account for v in voters])
    free = [v for v, done in zip(voters, voted, strict=True) if not done]
    return free, sum(v.power for v in voters) - sum(v.power for v in free), note


def _send(
    journey: Journey,
    step: Step,
    proposal: Proposal,
    to: str,
    calldata: bytes,
    *,
    sender: str | None = None,
    detail: str = "",
) -> None:
    try:
        journey.send(step, detail, sender or journey.anyone(proposal), to, calldata)
    except TransactionReverted as error:
        raise _Obstacle(f"the step {step.value!r} reverts: {error.reason}") from error


def _by_governor(
    governor: LifecycleGovernor, journey: Journey, proposal: Proposal
) -> ExecutionTrace:
    sandbox = journey.sandbox
    before = sandbox.snapshot()
    reason, receipts = "", []
    try:
        receipts.append(
            send_execution(governor, journey, proposal, "execute", "through the governor")
        )
    except TransactionReverted as error:
        # Compound's timelock swallows the reason: ask the calls one by one.
        sandbox.revert(before)
        reason = _first_revert(governor, sandbox, proposal) or error.reason
    state = ProposalState.QUEUED if reason else ProposalState.EXECUTED
    return _finish(
        governor,
        journey,
        replace(proposal, state=state),
        ExecutionWay.LIFECYCLE,
        "every step was done as on the chain",
        receipts,
        reason,
    )


def _from_timelock(
    governor: LifecycleGovernor,
    journey: Journey,
    proposal: Proposal,
    why: str,
    before_execution: Callable[[], None] | None,
) -> ExecutionTrace:
    """Send the calls one by one from the timelock; all of them or none."""
    sandbox = journey.sandbox
    run_queued(governor, journey, proposal)
    journey.refresh_feeds()
    if before_execution is not None:
        before_execution()
    executor = governor.executor(sandbox, proposal)
    needed = sum(action.value for action in proposal.raw_actions)
    held = sandbox.get_balance(executor)
    if needed > held:
        # On the chain, whoever executes sends the value along.
        sandbox.set_balance(executor, needed)
        journey.note(f"{needed - held} wei were given to the timelock, as its executor would")
    before = sandbox.snapshot()
    receipts: list[Receipt] = []
    for number, action in enumerate(proposal.raw_actions, start=1):
        try:
            receipts.append(
                journey.send(
                    "execute",
                    f"call {number} of {len(proposal.raw_actions)} from the timelock",
                    executor,
                    action.target.lower(),
                    action.full_calldata,
                    value=action.value,
                )
            )
        except (TransactionReverted, RpcError) as error:
            sandbox.revert(before)
            reason = error.reason if isinstance(error, TransactionReverted) else str(error)
            return _finish(
                governor,
                journey,
                proposal,
                ExecutionWay.TIMELOCK,
                why,
                [],
                _call_reverts(proposal, number, reason),
            )
    return _finish(governor, journey, proposal, ExecutionWay.TIMELOCK, why, receipts, "")


def _first_revert(governor: LifecycleGovernor, sandbox: Sandbox, proposal: Proposal) -> str | None:
    """Find the first of the proposal's calls that reverts, and leave no trace of the search."""
    executor = governor.executor(sandbox, proposal)
    before = sandbox.snapshot()
    try:
        needed = sum(action.value for action in proposal.raw_actions)
        sandbox.set_balance(executor, max(needed, sandbox.get_balance(executor)))
        for number, action in enumerate(proposal.raw_actions, start=1):
            try:
                sandbox.send(
                    executor, action.target.lower(), action.full_calldata, value=action.value
                )
            except TransactionReverted as error:
                return _call_reverts(proposal, number, error.reason)
        return None
    finally:
        sandbox.revert(before)


def _call_reverts(proposal: Proposal, number: int, reason: str) -> str:
    action = proposal.actions[number - 1]
    name = action.decoded.name if action.decoded and action.decoded.name else "a call"
    return f"call {number} of {len(proposal.actions)} ({name} on {action.target}): {reason}"


def _finish(
    governor: LifecycleGovernor,
    journey: Journey,
    proposal: Proposal,
    way: ExecutionWay,
    why: str,
    receipts: Sequence[Receipt],
    reason: str,
) -> ExecutionTrace:
    sandbox = journey.sandbox
    effects = read_effects(sandbox, receipts) if receipts else Effects()
    return ExecutionTrace(
        proposal=proposal,
        way=way,
        why=why,
        steps=tuple(journey.steps),
        succeeded=not reason,
        revert_reason=reason,
        events=effects.events,
        storage_changes=effects.storage_changes,
        code_changes=effects.code_changes,
        role_changes=effects.role_changes,
        owner_changes=effects.owner_changes,
        transfers=effects.transfers,
        touched=effects.touched,
        gas_used=sum(receipt.gas_used for receipt in receipts),
        executed_first=tuple(journey.executed_first),
        block=receipts[-1].block if receipts else sandbox.block_number(),
        timestamp=sandbox.timestamp(),
        notes=(*proposal.notes, *journey.notes, *effects.notes),
        soft_failures=_soft_failures(effects),
        machinery=tuple(dict.fromkeys((governor.address, governor.executor(sandbox, proposal)))),
    )


def _soft_failures(effects: Effects) -> tuple[str, ...]:
    """Compound's contracts answer some errors with a code and an event, and do nothing."""
    return tuple(
        f"{event.contract} did not do what it was called for and answered"
        f" error {event.argument('error')}, info {event.argument('info')}"
        for event in effects.events
        if event.signature == "Failure(uint256,uint256,uint256)"
    )


def _after(note: str) -> str:
    return f" ({note})" if note else ""
